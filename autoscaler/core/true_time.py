"""What accounts asked for, in true time: for how long an account wants to be left in peace is no matter of our clock.

In go the memory, what the wall clock shows now and how long ago the memory was written, out comes the memory as if the
clock had never been set since. Within one process that time is known; a daemon that begins can see only that its memory
was written in the future, and then takes it as written now: the peace lasts too long rather than not long enough. What
never happens here: a change of what we chose ourselves, like the rests of offers, which go by the wall clock.
"""

from __future__ import annotations

import math
from dataclasses import replace

from autoscaler.core.facts import Memory, Rest

_NOISE_S = 0.1
"""Two clocks are not read at one instant, and one is always being adjusted a little. It adds up to nothing: each tick
compares with the one before."""


def carried_over(memory: Memory, at: float, passed_s: float | None) -> Memory:
    """Memory in which rests of accounts end when they should by the clock that shows `at` now.

    `passed_s` is true time since it was written; None where another process wrote it.
    """
    if not memory.at:  # of an older release, or none
        return memory
    shown_s = at - memory.at
    set_by_s = min(0.0, shown_s) if passed_s is None else shown_s - passed_s
    if not _NOISE_S < abs(set_by_s) < math.inf:
        return memory
    rests = {name: _moved(rest, set_by_s) for name, rest in memory.account_rests.items()}
    return replace(memory, account_rests=rests)


def _moved(rest: Rest, by_s: float) -> Rest:
    """Instants that are not known stay so."""
    return replace(
        rest,
        until_at=rest.until_at + by_s,
        since_at=rest.since_at + by_s if rest.since_at else 0.0,
        quiet_until_at=rest.quiet_until_at + by_s if rest.quiet_until_at else 0.0,
    )
