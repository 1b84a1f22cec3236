"""The whole configuration: every section under its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from autoscaler.config.daemon import Broker, Fleet, Journal, Log, Loop
from autoscaler.config.notice import Notice
from autoscaler.config.pools import Pool
from autoscaler.config.providers import Provider
from autoscaler.config.telemetry import Telemetry
from autoscaler.config.values import Many, Section, Text
from autoscaler.config.web import Web

Name = Annotated[
    str, Text(r"[a-z][a-z0-9-]{0,29}", "a name of 1 to 30 lower case letters, digits and `-`, a letter first")
]


class Settings(Section):
    """The configuration file of `autoscaler`."""

    fleet: Fleet
    loop: Loop = Field(default_factory=Loop)
    broker: Broker
    journal: Journal = Field(default_factory=Journal)
    log: Log = Field(default_factory=Log)
    telemetry: Telemetry = Field(default_factory=Telemetry)
    web: Web = Field(default_factory=Web)
    notices: Many[Notice] = ()
    """Who is told of what, by webhooks."""
    providers: Annotated[Mapping[Name, Provider], Field(min_length=1)]
    """Where machines come from, each account under a name of your choice."""
    pools: Annotated[Mapping[Name, Pool], Field(min_length=1)]
    """What scales, each pool under a name of your choice."""
