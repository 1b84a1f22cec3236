"""The demo's course: hours that nobody watches as fast as they go, then ticks at their pace until somebody ends it.

What never happens here: a page, or a word for people.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from autoscaler.demo.pace import Pace
from autoscaler.demo.playing import Played

_NAP_S = 0.05
_SHOWN_EVERY_S = 1.0
_BEHIND_TICKS = 4.0
"""A computer that cannot keep up, or that slept, does not make up for it: virtual time waits instead."""

Over = Callable[[], bool]


def pass_history(played: Played, span_s: float, *, over: Over, watch: Callable[[float], None]) -> None:
    """Let so much time pass, unless somebody ends it. `watch` is told how many seconds have passed."""
    while played.elapsed < span_s and not over():
        played.tick(span_s - played.elapsed)
        watch(played.elapsed)
    played.arrive()


def go_on(played: Played, pace: Pace, *, over: Over, show: Callable[[], None]) -> None:
    """Tick whenever a tick is due, and show how things stand once a second, until it is over."""
    shown_on = float("-inf")
    while not over():
        behind_s = pace.now() - played.now()
        if behind_s > _BEHIND_TICKS * played.tick_s:
            pace.go_on(virtual_at=played.now() + played.tick_s)
        if behind_s >= played.tick_s:
            played.tick()
        else:
            time.sleep(min(_NAP_S, (played.tick_s - behind_s) / pace.speed))
        if pace.monotonic() >= shown_on + _SHOWN_EVERY_S:
            shown_on = pace.monotonic()
            show()
