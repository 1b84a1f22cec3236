"""Virtual time: a clock that stands until the next event, and the events themselves in order.

Whoever wants something done later says so here; `run_to` lets time pass. What never happens here: a wait, or a look at
a real clock.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

EPOCH = 1_700_000_000.0


class WorldClock:
    """The true time of one world, `elapsed` seconds after its beginning."""

    def __init__(self, began_at: float = EPOCH) -> None:
        self.began_at = began_at
        self.elapsed = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = 0

    def now(self) -> float:
        """Epoch seconds, as the providers' own clocks show them."""
        return self.began_at + self.elapsed

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self.elapsed

    def later(self, after_s: float, what: Callable[[], None]) -> None:
        """Do this in so many seconds, whether the one who asked for it is still there or not."""
        # Events of one instant happen in the order in which they were asked for: a number says which that is.
        self._numbers += 1
        heapq.heappush(self._events, (self.elapsed + after_s, self._numbers, what))

    def run_to(self, until: float) -> None:
        """Let time pass, with all that happens on the way."""
        while self._events and self._events[0][0] <= until:
            self.elapsed, _, what = heapq.heappop(self._events)
            what()
        self.elapsed = until


class SteppedClock:
    """The wall clock of the daemons' machine: true time until somebody sets it."""

    def __init__(self, clock: WorldClock) -> None:
        self._clock = clock
        self.off_by_s = 0.0

    def now(self) -> float:
        """Epoch seconds, as that machine believes."""
        return self._clock.now() + self.off_by_s

    def monotonic(self) -> float:
        """Runs on, whatever happens to the wall clock."""
        return self._clock.elapsed
