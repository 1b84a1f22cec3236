"""How long to wait before a broker is connected to again: longer after each try, until one connection held.

In go the clock and chance, out come seconds. What never happens here: the waiting.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from autoscaler.clock import Clock

_FIRST_S, _LONGEST_S = 0.5, 15.0


class Pauses:
    """Between the tries of one link. Only its thread may use it."""

    def __init__(self, clock: Clock, chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._next_s = _FIRST_S
        self._began_on = 0.0

    def begin(self) -> None:
        """A try begins."""
        self._began_on = self._clock.monotonic()

    def after_try_s(self) -> float:
        """The pause after that try; a connection that held longer than any pause counts as no failure."""
        if self._clock.monotonic() - self._began_on > _LONGEST_S:
            self._next_s = _FIRST_S
        pause_s, self._next_s = self._next_s, min(self._next_s * 2, _LONGEST_S)
        # Chance keeps many daemons from knocking together when their broker comes back.
        return pause_s * (0.75 + 0.5 * self._chance())

    def idle_s(self) -> float:
        """The pause where nothing was to be tried: the next try may be wanted at any moment, and is the first one."""
        self._next_s = _FIRST_S
        return _FIRST_S * (0.75 + 0.5 * self._chance())
