"""The only place that reads a clock. Everything else is told the time."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: `now` says when (epoch seconds UTC, may step), `monotonic` says how long (never steps)."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def boottime(self) -> float:
        """Like `monotonic`, but goes on while the machine sleeps: what others may have waited for meanwhile counts."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)
