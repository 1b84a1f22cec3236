"""The policy `schedule`: floors and ceilings by the calendar of a time zone.

While a window is in force its `min_workers` is a wish like any other, and its `max_workers` binds what all policies of
the pool wish together. Outside all windows it has no opinion. Of windows that overlap the highest floor and the lowest
ceiling hold, and a ceiling is stronger than a floor, because it limits cost.

Instants come in as `at`; the zone's rules are the machine's own, so a stored decision replays to the same number as
long as these rules have not been changed for the day of the decision. What is said on one day of UTC is worked out
once. What never happens here: a look at demand, at workers or at the clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from policies.contract import Demand, History, Policy, Recommendation, Supply
from policies.cron import CronWrong, parse
from policies.local_time import DAY_S, ZoneUnknown, told, zone
from policies.options import Options
from policies.windows import Stretch, Window, stretches

NAME = "schedule"
SHORTEST_S, LONGEST_S = 60.0, 28.0 * DAY_S
"""How long a window may last: cron knows nothing shorter than a minute, and durations end at 4 weeks. What is to hold
for longer begins anew each day."""

LOOK_AHEAD_S = 32 * DAY_S
"""So far ahead the words look for the next change; every month has begun anew by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The windows of one zone, in the order of the configuration."""

    time_zone: str
    windows: tuple[Window, ...]

    @property
    def name(self) -> str:
        return NAME

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:  # noqa: ARG002
        """Depends on `at` alone."""
        since, opinions = _opinions(self.windows, self.time_zone, int(at // DAY_S))
        return opinions[bisect_right(since, at) - 1]

    def stretches(self, from_at: float, until_at: float) -> Iterator[Stretch]:
        """What holds from then until then (epoch seconds), without gaps and in order."""
        return stretches(self.windows, self.time_zone, from_at, until_at)


@lru_cache(maxsize=4_096)
def _opinions(
    windows: tuple[Window, ...], time_zone: str, utc_day: int
) -> tuple[tuple[float, ...], tuple[Recommendation, ...]]:
    """All that is said on one day of UTC, and the instant from which each of it is said."""
    since_at = float(utc_day * DAY_S)
    ahead = _ahead(windows, time_zone, since_at)
    today = [number for number, stretch in enumerate(ahead) if stretch.since_at < since_at + DAY_S]
    speaker = _Speaker(windows, time_zone, since_at)
    return (
        tuple(ahead[number].since_at for number in today),
        tuple(speaker.opinion(ahead[number], ahead[number + 1 :]) for number in today),
    )


def _ahead(windows: tuple[Window, ...], time_zone: str, since_at: float) -> list[Stretch]:
    """The stretches of a day, and as many after it as it takes until floor and ceiling have become others."""
    ahead: list[Stretch] = []
    last: Stretch | None = None
    open_ends: set[int] = set()
    for stretch in stretches(windows, time_zone, since_at, since_at + DAY_S + LOOK_AHEAD_S):
        ahead.append(stretch)
        if last is None or stretch.since_at < since_at + DAY_S:
            last = stretch
            open_ends = {which for which in (0, 1) if last.bounds[which] is not None}
            continue
        if stretch.bounds != last.bounds:
            open_ends -= {which for which in open_ends if stretch.bounds[which] != last.bounds[which]}
            if not open_ends:
                break
    return ahead


class _Speaker:
    """Puts one day's stretches into words."""

    def __init__(self, windows: tuple[Window, ...], time_zone: str, seen_from: float) -> None:
        self._windows = windows
        self._time_zone = time_zone
        self._seen_from = seen_from

    def opinion(self, now: Stretch, later: Sequence[Stretch]) -> Recommendation:
        floor, ceiling = self._floor(now, later), self._ceiling(now, later)
        return Recommendation(
            policy=NAME,
            workers=now.floor,
            why=floor or ceiling or "no window of the schedule is in force",
            would_change=self._next(now, later),
            at_most=now.ceiling,
            at_most_why=ceiling,
            firm=now.floor is not None,
        )

    def _floor(self, now: Stretch, later: Sequence[Stretch]) -> str:
        if now.floor is None:
            return ""
        until = self._until(next((s for s in later if s.floor != now.floor), None))
        several = sum(self._windows[place].min_workers is not None for place in now.in_force)
        highest = f", the highest floor of {several} windows" if several > 1 else ""
        return f"the schedule keeps {now.floor}{until}{highest}"

    def _ceiling(self, now: Stretch, later: Sequence[Stretch]) -> str:
        if now.ceiling is None:
            return ""
        until = self._until(next((s for s in later if s.ceiling != now.ceiling), None))
        several = sum(self._windows[place].max_workers is not None for place in now.in_force)
        lowest = f", the lowest ceiling of {several} windows" if several > 1 else ""
        stronger = (
            f", and a ceiling is stronger than the floor of {now.floor}"
            if (now.floor or 0) > now.ceiling
            else ""
        )
        return f"the schedule allows {now.ceiling} at most{until}{lowest}{stronger}"

    def _next(self, now: Stretch, later: Sequence[Stretch]) -> str:
        change = next((stretch for stretch in later if stretch.bounds != now.bounds), None)
        if change is None:
            return f"nothing in the schedule changes within {LOOK_AHEAD_S // DAY_S} days"
        parts = [
            *([f"keeps {change.floor}"] if change.floor is not None else ()),
            *([f"allows {change.ceiling} at most"] if change.ceiling is not None else ()),
        ]
        return f"from {self._when(change)} the schedule {' and '.join(parts) or 'asks for nothing'}"

    def _until(self, end: Stretch | None) -> str:
        return "" if end is None else f" until {self._when(end)}"

    def _when(self, stretch: Stretch) -> str:
        return f"{told(stretch.since_at, self._time_zone, seen_from=self._seen_from)} ({self._time_zone})"


def open_policy(options: Mapping[str, object]) -> Policy:
    """Open from `time_zone` and `windows = [{cron, lasts_s, min_workers, max_workers}, …]`; one of the numbers will do.

    Raises `PolicyOptionsWrong`, also for a zone that this machine does not know.
    """
    read = Options(options)
    time_zone = read.text("time_zone")
    if time_zone:
        try:
            zone(time_zone)
        except ZoneUnknown as unknown:
            read.wrong("time_zone", f"is {time_zone[:40]!r}; expected {unknown}")
    windows = tuple(_open_window(row) for row in read.rows("windows", required=True))
    read.finish()
    return Schedule(time_zone=time_zone, windows=windows)


def _open_window(row: Options) -> Window:
    window = Window(
        cron=_cron(row),
        lasts_s=row.number("lasts_s", least=SHORTEST_S, most=LONGEST_S),
        min_workers=row.whole_or_none("min_workers", least=0),
        max_workers=row.whole_or_none("max_workers", least=0),
    )
    least, most = window.min_workers, window.max_workers
    if least is None and most is None:
        row.wrong("min_workers", "and max_workers are missing; expected one of them or both")
    elif least is not None and most is not None and least > most:
        row.wrong("min_workers", f"is {least}; expected at most max_workers, which is {most}")
    row.close()
    return window


def _cron(row: Options) -> str:
    text = row.text("cron")
    if text:
        try:
            parse(text)
        except CronWrong as wrong:
            row.wrong("cron", f"is {text[:40]!r}: {wrong}")
    return text
