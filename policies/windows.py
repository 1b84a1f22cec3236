"""Windows of a schedule: what is in force when, and until when.

Windows and the name of a zone go in; stretches of time come out, each with the floor and the ceiling in force all
through it. A window begins by its cron and lasts a length of elapsed time, whatever the clocks do meanwhile: 24 h from
midnight end at 23:00 on the day that has 25 hours, and at 01:00 after the one that has 23. Of windows that overlap the
highest floor and the lowest ceiling hold; a window that begins again while it is in force goes on without a seam. What
never happens here: words, or the present time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from policies import cron
from policies.local_time import DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """From each beginning of `cron`, for `lasts_s` seconds: at least `min_workers`, at most `max_workers`."""

    cron: str
    lasts_s: float
    min_workers: int | None = None
    max_workers: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Time (epoch seconds, its end excluded) in which the same windows are in force, named by their places."""

    since_at: float
    until_at: float
    in_force: tuple[int, ...]
    floor: int | None
    ceiling: int | None

    @property
    def bounds(self) -> tuple[int | None, int | None]:
        return self.floor, self.ceiling


def stretches(windows: tuple[Window, ...], zone: str, from_at: float, until_at: float) -> Iterator[Stretch]:
    """All of the time from `from_at` until `until_at`, without gaps and in order; none of two neighbours are alike.

    It is worked out as it is asked for: whoever needs the next edge only pays for that.
    """
    coming = [_Coming(window, zone, from_at, until_at) for window in windows]
    at = from_at
    while at < until_at:
        in_force = tuple(place for place, one in enumerate(coming) if one.in_force(at))
        edge = min((one.edge(at) for one in coming), default=until_at)
        yield Stretch(
            since_at=at,
            until_at=min(edge, until_at),
            in_force=in_force,
            floor=max((n for i in in_force if (n := windows[i].min_workers) is not None), default=None),
            ceiling=min((n for i in in_force if (n := windows[i].max_workers) is not None), default=None),
        )
        at = edge


class _Coming:
    """One window's spans in order, joined where they touch, with the one that is or comes next at hand."""

    def __init__(self, window: Window, zone: str, from_at: float, until_at: float) -> None:
        # A span that began as long ago as it lasts may reach into the time asked for.
        days = range(int((from_at - window.lasts_s) // DAY_S), int(until_at // DAY_S) + 1)
        self._spans = (span for day in days for span in _spans_in(window.cron, zone, window.lasts_s, day))
        self._last_at = until_at
        self._after = next(self._spans, None)
        self._begins_at, self._ends_at = self._joined()

    def in_force(self, at: float) -> bool:
        """Whether the window is in force then; to be asked of instants in order."""
        while self._ends_at <= at:
            self._begins_at, self._ends_at = self._joined()
        return self._begins_at <= at

    def edge(self, at: float) -> float:
        """When that changes next, or an instant beyond the time asked for."""
        return self._ends_at if self._begins_at <= at else self._begins_at

    def _joined(self) -> tuple[float, float]:
        if self._after is None:
            return float("inf"), float("inf")
        begins_at, ends_at = self._after
        self._after = next(self._spans, None)
        while self._after is not None and self._after[0] <= ends_at <= self._last_at:
            ends_at = max(ends_at, self._after[1])
            self._after = next(self._spans, None)
        return begins_at, ends_at


@lru_cache(maxsize=16_384)
def _spans_in(text: str, zone: str, lasts_s: float, utc_day: int) -> tuple[tuple[float, float], ...]:
    """The spans that begin on one day of UTC, joined where they touch."""
    joined: list[tuple[float, float]] = []
    for at in cron.begins_in(text, zone, utc_day):
        if joined and at <= joined[-1][1]:
            joined[-1] = (joined[-1][0], at + lasts_s)
        else:
            joined.append((float(at), at + lasts_s))
    return tuple(joined)
