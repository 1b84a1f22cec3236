"""How the process keeps its memory: holes of one thread serve the next, and garbage is looked for where it arises.

In goes nothing, out comes a process whose C library keeps one arena, and whose collector passes over what stays for
good. What never happens here: memory of the daemon's own that is taken or given back.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""glibc's `malloc.h` has them."""
_LARGE_BYTES = 128 * 1024
"""Larger pieces stand alone. glibc begins with this, and raises it to the largest piece that was ever given back."""
_MOST_OF_A_TICK = 500_000
"""New objects, of which some 100 a tick may be garbage: MB of it."""
_OF_TICKS, _OF_A_START = (10_000, 2, 2), 50_000
"""New objects before Python looks for garbage among them, where its own are 700, 10 and 10: with those a tick over
10,000 nodes took 1.3 s of a processor, with ours 1.2. Old ones are looked through as often as by default, after some
80,000. With no look at all a start is no sooner over."""


def share_one_arena() -> bool:
    """Before there are threads; whether the C library has taken it in. Others than glibc have no such words, and
    nothing is changed.

    glibc gives threads up to eight arenas a core, and what is free in one is of no use to another. Our threads come and
    go and compute one at a time anyway, so they gain nothing and leave holes in each.
    """
    told = getattr(ctypes.CDLL(None), "mallopt", None)
    return told is not None and all(
        told(word, value) == 1 for word, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE_BYTES))
    )


def expect_no_garbage() -> None:
    """Look for it seldom, until `settle`: hardly anything that is made at a start is any.

    By default Python looks after 700 new objects, over and over through all that modules and ten thousand machines are
    made of: a sixth of a start.
    """
    gc.set_threshold(_OF_A_START)


@contextmanager
def of_a_tick() -> Iterator[None]:
    """Around each tick: where one makes so much that Python looks for garbage twice and more, the next ones may make
    twice as much before it looks. Of what a tick makes hardly anything is garbage, and most of it lives until the next
    one: over ten thousand nodes each look found it all alive, and they took 0.14 of 0.95 s of a processor a tick."""
    looks = _looks()
    yield
    more, new = _looks() - looks, gc.get_threshold()[0]
    if more >= 2:
        gc.set_threshold(min(_MOST_OF_A_TICK, 2 * more * new), *_OF_TICKS[1:])


def _looks() -> int:
    return int(gc.get_stats()[0]["collections"])


def settle() -> None:
    """Once all is opened: whatever is there now stays, and is never looked through again. May be called again.

    Python looks for old garbage once that is a quarter of all that is old. Beside the code of the daemon that takes
    long, and MB of it; beside what ticks and pages leave it takes minutes. For young garbage it looks less often than
    by default, as a tick over ten thousand nodes makes hundreds of thousands of objects that are none.
    """
    gc.set_threshold(*_OF_TICKS)
    gc.freeze()  # and not collected before: of a start there is hardly any garbage, and looking would hold it up
    gc.collect()  # by this the collector learns how little is old now
