"""Memory that all threads take from one place, so that what one has given back serves the next.

In goes nothing, out comes a process whose C library keeps one arena, and large pieces outside of it. Called once,
before there are threads. What never happens here: memory that is taken or given back.
"""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""glibc's `malloc.h` has them."""
_LARGE_BYTES = 128 * 1024
"""glibc begins with this, and raises it to the largest piece that was ever given back."""


def share_one() -> bool:
    """Whether the C library has taken it in. Others than glibc have no such words, and nothing is changed.

    glibc gives threads up to eight arenas a core, and what is free in one is of no use to another. Our threads come and
    go and compute one at a time anyway, so they gain nothing and leave holes in each.
    """
    told = getattr(ctypes.CDLL(None), "mallopt", None)
    return told is not None and all(
        told(word, value) == 1 for word, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, _LARGE_BYTES))
    )
