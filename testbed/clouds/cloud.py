"""One whole cloud as tests meet it: its server, what it has made, its refusals, and the document that it follows.

Each server's file offers a function that gives one of these, running.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from testbed.clouds.descriptions import Deviation
from testbed.clouds.exchange import Answer
from testbed.clouds.machines import Machines
from testbed.clouds.server import CloudServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How this provider refuses a create that it understood, in its own words."""

    capacity: Answer
    """No stock; where orders are never refused for that, as `quota`."""
    rejected: Answer
    """Something in the order is wrong."""
    throttled: Answer
    """Asked too often."""
    quota: Answer | None = None
    """The account's limit is reached; None where that is not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """One account at one provider."""

    server: CloudServer
    machines: Machines
    refusals: Refusals
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """Which published description holds for the paths that begin so: `{"/v1": "hetzner"}`; see `descriptions.held`."""
    deviations: tuple[Deviation, ...] = ()
    """Where this server, or the real API, knowingly differs from it."""
    api: Any = None
    """The server's own object, for tests that turn what is peculiar to this provider."""
