"""`[telemetry]`: what the daemon tells of itself besides its log, its metrics and its notices.

What never happens here: a look at anything outside the file, but whether what sends traces is installed.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated

from pydantic import AfterValidator

from autoscaler.config.values import Address, Section, wrong

EXTRA = "opentelemetry"


def _installed(address: str) -> str:
    if any(find_spec(name) is None for name in (EXTRA, f"{EXTRA}.sdk", f"{EXTRA}.exporter")):
        raise wrong(
            "an address, and nothing that could send traces there",
            "the extra `traces` to be installed",
            "Install it (`pip install 'vps-autoscaler[traces]'`), or leave the key out.",
        )
    return address


class Telemetry(Section):
    """`[telemetry]`: traces of ticks, for whoever collects such."""

    traces: (
        Annotated[
            str,
            Address(("http", "https"), "http://127.0.0.1:4318", path=True),
            AfterValidator(_installed),
        ]
        | None
    ) = None
    """Where an OpenTelemetry collector takes traces by OTLP over HTTP, without `/v1/traces`. Without it none are made.
    It takes the extra `traces`."""
