"""Cron's five fields, and the instants at which they begin something in a time zone.

A text such as `0 7 * * mon-fri` and the name of a zone go in; instants in epoch seconds come out. The fields are read
as Vixie cron reads them (crontab(5)): names, ranges, lists, steps, Sunday as 0 and 7, and either of the two day fields
is enough where both are restricted, that is, where neither begins with `*`.

Changes of the clocks are met as Vixie cron meets them (cron(8)). A cron that names minute and hour begins once for each
time it names: what falls into a skipped hour begins at the first instant after it, what falls into a repeated hour
begins the first time. One whose minute or hour begins with `*` goes by the clocks on the wall: nothing in a skipped
hour, and twice in a repeated one. What never happens here: the present time, or a guess at what was meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache

from policies import local_time
from policies.local_time import DAY_S

_NUMBER = re.compile(r"[0-9]{1,2}")
_LONGEST = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
"""Days of each month, in a year that has the most of them."""
_SHOWN_CHARACTERS = 40


class CronWrong(ValueError):
    """Not five fields of cron, or never a day on which they meet. The message says every field that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    name: str
    least: int
    most: int
    names: Mapping[str, int] = field(default_factory=dict)

    @property
    def expected(self) -> str:
        words = list(self.names)
        return f"{self.least} to {self.most}" + (f" or {words[0]} to {words[-1]}" if words else "")


_FIELDS = (
    _Field(name="minute", least=0, most=59),
    _Field(name="hour", least=0, most=23),
    _Field(name="day of the month", least=1, most=31),
    _Field(
        name="month",
        least=1,
        most=12,
        names={
            name: number
            for number, name in enumerate(
                ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
            )
        },
    ),
    _Field(
        name="day of the week",
        least=0,
        most=7,
        names={name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))},
    ),
)
_WEEK = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """The five fields as numbers, in order. Sunday is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either_day: bool
    """Both day fields are restricted: one of them is enough. Else a day must be in both."""
    by_the_clock: bool
    """Minute or hour begins with `*`: it goes by the clocks on the wall, whatever is done to them."""

    def falls_on(self, day: date) -> bool:
        """Whether anything begins on that day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % _WEEK in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


@lru_cache(maxsize=4096)
def parse(text: str) -> Cron:
    """Read the five fields, whatever the case of names. Raises `CronWrong`."""
    parts = text.split()
    if len(parts) != len(_FIELDS):
        raise CronWrong(
            f"it has {len(parts)} of the five fields minute, hour, day of the month, month and day of the week"
        )
    numbers: list[tuple[int, ...]] = []
    problems: list[str] = []
    for of, part in zip(_FIELDS, parts, strict=True):
        try:
            numbers.append(_numbers(of, part))
        except CronWrong as wrong:
            problems.append(str(wrong))
    if problems:
        raise CronWrong("; ".join(problems))
    minutes, hours, days, months, weekdays = numbers
    cron = Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=tuple(sorted({number % _WEEK for number in weekdays})),
        either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
        by_the_clock=parts[0].startswith("*") or parts[1].startswith("*"),
    )
    if not cron.either_day and not any(day <= _LONGEST[month] for day in days for month in months):
        raise CronWrong("it never begins: none of its months has such a day")
    return cron


def begins(text: str, zone: str, from_at: float, until_at: float) -> Iterator[int]:
    """Each instant from `from_at` on and before `until_at` at which it begins, in order."""
    for utc_day in range(int(from_at // DAY_S), int(until_at // DAY_S) + 1):
        yield from (at for at in begins_in(text, zone, utc_day) if from_at <= at < until_at)


@lru_cache(maxsize=16_384)
def begins_in(text: str, zone: str, utc_day: int) -> tuple[int, ...]:
    """Each instant of one day of UTC, counted from 1970, at which it begins, in order."""
    since_at, until_at = utc_day * DAY_S, (utc_day + 1) * DAY_S
    # A day more on either side: clocks that leave out a day move its beginnings into the next.
    first = local_time.at_local(since_at, zone).date().toordinal() - 1
    last = local_time.at_local(until_at, zone).date().toordinal() + 1
    found = {at for day in range(first, last + 1) for at in _begins_on(text, zone, day)}
    return tuple(sorted(at for at in found if since_at <= at < until_at))


@lru_cache(maxsize=16_384)
def _begins_on(text: str, zone: str, ordinal: int) -> tuple[int, ...]:
    """Each instant that belongs to one local day, by its number in the calendar."""
    cron, day = parse(text), date.fromordinal(ordinal)
    if not cron.falls_on(day):
        return ()
    midnight = datetime.combine(day, time())
    start, end = (local_time.instants(when, zone) for when in (midnight, midnight + timedelta(days=1)))
    times = [(hour, minute) for hour in cron.hours for minute in cron.minutes]
    if len(start) == len(end) == 1 and end[0] - start[0] == DAY_S:
        return tuple(start[0] + hour * 3_600 + minute * 60 for hour, minute in times)
    return tuple(
        at
        for hour, minute in times
        for at in _met(midnight.replace(hour=hour, minute=minute), zone, by_the_clock=cron.by_the_clock)
    )


def _met(local: datetime, zone: str, *, by_the_clock: bool) -> tuple[int, ...]:
    """The instants for one local time of a day on which the clocks may change."""
    shown = local_time.instants(local, zone)
    if by_the_clock:
        return shown
    return shown[:1] or (local_time.after_gap(local, zone),)


def _numbers(of: _Field, text: str) -> tuple[int, ...]:
    return tuple(sorted({number for item in text.split(",") for number in _item(of, item)}))


def _item(of: _Field, item: str) -> range:
    """One item of a list: `*`, a number, a range, and a step behind `*` or a range."""
    span, slash, step = item.partition("/")
    first, dash, last = span.partition("-")
    if span == "*":
        # Sunday is 0 already.
        low, high = of.least, min(of.most, _WEEK - 1) if of.most == _WEEK else of.most
    else:
        low = _value(of, first)
        high = _value(of, last) if dash else low
        if of.most == _WEEK and high == 0 < low:
            high = _WEEK  # the end of `sat-sun`
    if high < low:
        raise CronWrong(f"{of.name} {_shown(span)} runs backwards; expected a list of two ranges")
    if not slash:
        return range(low, high + 1)
    if span != "*" and not dash:
        raise CronWrong(
            f"{of.name} {_shown(item)} has a step behind one number; expected it behind * or a range, "
            f"such as {first}-{of.most}/{step}"
        )
    if _NUMBER.fullmatch(step) is None or not 1 <= int(step) <= of.most:
        raise CronWrong(
            f"{of.name} {_shown(item)} has no step that fits; expected 1 to {of.most} behind the /"
        )
    return range(low, high + 1, int(step))


def _value(of: _Field, text: str) -> int:
    number = of.names.get(text.lower())
    if number is None and _NUMBER.fullmatch(text) is not None:
        number = int(text)
    if number is None or not of.least <= number <= of.most:
        raise CronWrong(f"{of.name} is {_shown(text)}; expected {of.expected}")
    return number


def _shown(text: str) -> str:
    return repr(text[:_SHOWN_CHARACTERS])
