"""Histories as the web reads them: of few lengths, kept while they are as good as new, and of long ones few at a time.

Any thread may ask. What never happens here: a wait of a pool's own page for somebody's thirty days.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable

from autoscaler.config import Settings
from autoscaler.config.values import seconds
from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, JournalUnavailable
from autoscaler.views import history
from autoscaler.views.history import POINTS, History

STEPS = (
    "1m",
    "2m",
    "5m",
    "10m",
    "15m",
    "30m",
    "1h",
    "2h",
    "3h",
    "6h",
    "12h",
    "24h",
    "2d",
    "3d",
    "7d",
    "14d",
    "30d",
)
"""All the lengths there are: whoever asks for every second between them has 17 things made, and not a million."""
_LONG_S = 6 * 3600.0
"""Pools' own pages look no further back."""
_LONG_AT_ONCE = 3
"""One reads and two wait; of the threads that make pages (`guards.READERS`) one is left for the others."""
_LOOKS_A_POINT = 4
_MOST = 64
"""As good as new at once, of 200 kB each."""


def step(span_s: float) -> str:
    """The shortest length that there is from that on; the longest for more."""
    return next((each for each in STEPS if seconds(each) >= span_s), STEPS[-1])


class Pasts:
    """Those of one journal's pools."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._short, self._long = _Shelf(), _Shelf()
        self._room = threading.BoundedSemaphore(_LONG_AT_ONCE)

    def of(self, settings: Settings, generation: int, pool: PoolName, span: str, until_at: float) -> History:
        """A pool's time until then; of a long one it may end a little before. Raises JournalUnavailable, also where
        others wait for long ones already.

        One of 30 days is read from half a million rows, and its points are an hour apart: it is not read every tick.
        """
        span_s = seconds(span)

        def look() -> History:
            return history.look(
                self._journal,
                settings,
                pool,
                since_at=until_at - span_s,
                until_at=until_at,
                paas_price_per_month=settings.web.paas_price_per_month,
            )

        key = pool, span, generation
        if span_s <= _LONG_S:
            return self._short.once(key, until_at, look)
        if not self._room.acquire(blocking=False):
            raise JournalUnavailable("others wait for long times of it already; ask again in a moment")
        try:
            return self._long.once(key, until_at, look)
        finally:
            self._room.release()


class _Shelf:
    """Histories that are read one after the other. Those that are as good as new no more go as the next is read: kept
    until there are too many, those of every settings and length before were 10 MB that nobody could ask for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, History] = OrderedDict()

    def once(self, key: Hashable, until_at: float, look: Callable[[], History]) -> History:
        """The one by that name, unless a point of it would be another by now."""
        with self._lock:
            for stale in [name for name, each in self._kept.items() if not _is_good(each, until_at)]:
                del self._kept[stale]
            if key not in self._kept:
                self._kept[key] = look()
                while len(self._kept) > _MOST:
                    self._kept.popitem(last=False)
            return self._kept[key]


def _is_good(history: History, until_at: float) -> bool:
    """Whether each of its points is the same now."""
    lasts_s = (history.until_at - history.since_at) / POINTS / _LOOKS_A_POINT
    return 0.0 <= until_at - history.until_at < lasts_s
