"""What a pool's past says of the hours to come: the shape of its days and weeks, and whether it is worth believing.

Slices of the past go in, in order of time; an `Prospect` comes out. A handful of plain methods (yesterday at this time,
the mean of seven days times today's level, …) is tried on each slice as it would have been tried then, at three leads.
What a method is for is to ask for more than the present does, so it is judged there alone: over the slices in which it
said more than the highest of the ten minutes before, was it nearer to what came? Of those that were, clearly and on
more than one day, the one that gained most is believed; if none was, there is no prospect but the reason.

Shapes go by the clocks of a time zone, so a peak at nine stays at nine when they change. Slices in which nobody looked
are unknown, not empty. What never happens here: the present time, a number of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from policies.contract import Flow
from policies.local_time import DAY_S, offset_s
from policies.prospect import Foreseen, Prospect, Slice

SLICE_S = 300.0
JUDGED_DAYS = 14
KEPT_S = 43.0 * DAY_S
"""Four weeks before the oldest slice that methods are still judged by, and a day for zones."""
LEADS = (1, 3, 12)
"""Slices between what is known and what is foreseen at which methods are judged: five minutes, a quarter, an hour."""
_A_DAY = round(DAY_S / SLICE_S)
_LOOKED_S = 60.0
"""A slice that was seen for less says too little."""
_CLEARLY = 0.8
"""Part of the present's error that a method may make and be believed."""
_FADES = 0.8
"""What weight a day's judgement keeps on each day after it: half after three."""
_DAYS_OF_PROOF = 2
_LEVEL_SLICES, _LEVEL_INERTIA, _HIGHEST_LEVEL = 12, 3.0, 2.0
"""Today's level is what came in the last hour, over what was expected then; at least three slices as high as the one
foreseen count as having come as expected, so that an empty night says nothing about the morning."""
_DOUBT_SLICES, _DOUBT = 3, 2.0
"""Where less than half came in the last quarter of what was expected, the rest is not expected whole."""
_MOST = 1e12
"""Of tasks or seconds in a slice; more is a damaged figure."""
_LATEST_AT = 2.0**33
"""Instants beyond it (the year 2242) come of a broken clock."""


@dataclass(
    frozen=True, slots=True, kw_only=True, eq=False
)  # each is itself: a key that costs no hashing of its parts
class Method:
    """So many days before, at the same time of day; at least `least` of them known; `of` makes one figure of them."""

    says: str
    days: tuple[int, ...]
    least: int
    of: Callable[[Sequence[float]], float]
    levelled: bool = False
    """Times the level of the last hour."""


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _lower_quartile(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 4]


_WEEK, _WEEKS = tuple(range(1, 8)), (7, 14, 21, 28)
METHODS = (
    Method(says="as yesterday at this time", days=(1,), least=1, of=_mean),
    Method(says="as a week ago at this time", days=(7,), least=1, of=_mean),
    Method(says="by the mean of 7 days at this time", days=_WEEK, least=2, of=_mean, levelled=True),
    Method(says="by the mean of 4 weeks at this time", days=_WEEKS, least=2, of=_mean, levelled=True),
    Method(says="as on most of 7 days at this time", days=_WEEK, least=3, of=_lower_quartile),
    Method(says="as in each of 4 weeks at this time", days=_WEEKS, least=2, of=min),
)


@dataclass(slots=True)
class _Tally:
    """How one method fared on one day at one lead, over the slices in which it said more than the present."""

    slices: int = 0
    came: float = 0.0
    error: float = 0.0
    present_error: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Record:
    """The same over all days that still count, the later ones weighing more."""

    method: Method
    slices: int
    days: int
    error: float
    present_error: float
    came: float

    @property
    def gain(self) -> float:
        return self.present_error - self.error

    @property
    def is_proven(self) -> bool:
        return self.days >= _DAYS_OF_PROOF and self.error < _CLEARLY * self.present_error


@dataclass(slots=True)
class Seasons:
    """What is learned of one pool. The same slices teach the same, at once or one by one."""

    time_zone: str = "UTC"
    _rates: dict[int, float] = field(default_factory=dict)
    """Tasks a second in each slice that was seen, by its number since the epoch."""
    _offsets: dict[int, int] = field(default_factory=dict)
    """Slices that the zone's clocks are ahead of UTC, in each half hour."""
    _bases: dict[tuple[int, Method], float | None] = field(default_factory=dict)
    _tallies: dict[tuple[int, Method], dict[int, _Tally]] = field(default_factory=dict)
    """By lead and method, and day."""
    _highest: float = 0.0
    _newest: int | None = None

    def learn(self, slices: Sequence[Slice]) -> None:
        """Take in what came, oldest first; each slice once, when it is over. One that is out of order is left out."""
        judged_from = (_number(slices[-1].since_at) or 0) // _A_DAY - JUDGED_DAYS if slices else 0
        for of_past in slices:
            number = _number(of_past.since_at)
            if number is None or (self._newest is not None and number <= self._newest):
                continue
            self._newest = number
            rate = _rate(of_past)
            if rate is not None:
                if number // _A_DAY >= judged_from:
                    self._judge(number, rate)
                self._rates[number] = rate
                self._highest = max(self._highest, rate)
            if number % _A_DAY == 0:
                self._forget(number)

    def prospect(self, at: float, *, boot_s: float, quantum_s: float) -> Prospect:
        """From now for as long as a machine ordered now takes to boot, and as it is paid for (0: not that far)."""
        now = _number(at)
        if now is None or len(self._rates) < _A_DAY:
            return Prospect(from_at=at, slice_s=SLICE_S, why="less than a day of history")
        soon, why = self._foreseen(now, boot_s)
        later, _ = self._foreseen(now, quantum_s) if quantum_s > boot_s else (None, "")
        return Prospect(
            from_at=now * SLICE_S,
            slice_s=SLICE_S,
            soon=soon,
            later=later,
            why="" if soon or later else why,
        )

    def _foreseen(self, now: int, within_s: float) -> tuple[Foreseen | None, str]:
        """The slices from now until then by the method that is believed; None and the reason if none is."""
        ahead = max(1, math.ceil(min(max(0.0, within_s), LEADS[-1] * SLICE_S) / SLICE_S))
        lead = next(each for each in LEADS if each >= ahead)
        records = [self._record(lead, method, now // _A_DAY) for method in METHODS]
        best = max((record for record in records if record.is_proven), key=lambda r: r.gain, default=None)
        if best is None:
            return None, _why_none(records)
        present = self._present(now - 1)
        if present is None:
            return None, "what came in the last ten minutes is not known"
        rates = (
            self._expected(best.method, number, now - 1) or 0.0 for number in range(now, now + ahead + 1)
        )
        return (
            Foreseen(
                says=best.method.says,
                # It was judged only where it says more than the present. Nothing is bought for more than was ever seen.
                per_s=tuple(min(rate, self._highest) if rate > present else 0.0 for rate in rates),
                error=best.error / best.came if best.came else 0.0,
                present_error=best.present_error / best.came if best.came else 0.0,
                slices=best.slices,
            ),
            "",
        )

    def _judge(self, number: int, came: float) -> None:
        """Try each method on a slice, knowing no more than was known so long before it."""
        for lead in LEADS:
            known = number - lead
            present = self._present(known)
            if present is None:
                continue
            for method in METHODS:
                base = self._base(method, number)
                # The level can double what was, and a doubt only lowers it.
                if base is None or base * (_HIGHEST_LEVEL if method.levelled else 1.0) <= present:
                    continue
                said = self._expected(method, number, known)
                if said is not None and said > present:
                    days = self._tallies.setdefault((lead, method), {})
                    tally = days.setdefault(number // _A_DAY, _Tally())
                    tally.slices += 1
                    tally.came += came
                    tally.error += abs(said - came)
                    tally.present_error += abs(present - came)

    def _present(self, known: int) -> float | None:
        """The highest rate of the ten minutes that ended with the slice `known`."""
        last, before = self._rates.get(known), self._rates.get(known - 1)
        return None if last is None or before is None else max(last, before)

    def _record(self, lead: int, method: Method, today: int) -> _Record:
        slices = days = 0
        came = error = present_error = 0.0
        for day, tally in self._tallies.get((lead, method), {}).items():
            if not 0 <= today - day <= JUDGED_DAYS:
                continue
            weight = _FADES ** (today - day)
            days += 1
            slices += tally.slices
            came += weight * tally.came
            error += weight * tally.error
            present_error += weight * tally.present_error
        return _Record(
            method=method, slices=slices, days=days, error=error, present_error=present_error, came=came
        )

    def _expected(self, method: Method, number: int, known: int) -> float | None:
        """What a method says of a slice by what was known when the slice `known` was over."""
        base = self._base(method, number)
        if not base:
            return base
        if method.levelled:
            came, expected = self._lately(method, known, _LEVEL_SLICES)
            kept = _LEVEL_INERTIA * base
            base *= min((came + kept) / (expected + kept), _HIGHEST_LEVEL)
        came, expected = self._lately(method, known, _DOUBT_SLICES)
        if expected >= base and expected > 0.0:
            base *= min(1.0, _DOUBT * came / expected)
        # Tasks that come by chance are as many give or take the root of their number; less than that is no peak.
        return max(0.0, base - math.sqrt(base / SLICE_S))

    def _lately(self, method: Method, known: int, slices: int) -> tuple[float, float]:
        """What came and what was expected in the last slices known, where both are."""
        came = expected = 0.0
        for number in range(known - slices + 1, known + 1):
            rate, base = self._rates.get(number), self._base(method, number)
            if rate is not None and base is not None:
                came += rate
                expected += base
        return came, expected

    def _base(self, method: Method, number: int) -> float | None:
        """The figure of the days before; None where too few of them are known."""
        key = (number, method)
        if key not in self._bases:
            found = [
                rate
                for days in method.days
                if (rate := self._rates.get(self._days_before(number, days))) is not None
            ]
            self._bases[key] = method.of(found) if len(found) >= method.least else None
        return self._bases[key]

    def _days_before(self, number: int, days: int) -> int:
        """The slice at which the zone's clocks showed the same time so many days before."""
        then = number - days * _A_DAY
        return then + self._offset(number) - self._offset(then)

    def _offset(self, number: int) -> int:
        half_hour = number // 6
        if half_hour not in self._offsets:
            self._offsets[half_hour] = round(offset_s(max(number, 0) * SLICE_S, self.time_zone) / SLICE_S)
        return self._offsets[half_hour]

    def _forget(self, number: int) -> None:
        """What no method asks for any more, once a day."""
        oldest = number - round(KEPT_S / SLICE_S)
        self._rates = {at: rate for at, rate in self._rates.items() if at >= oldest}
        self._highest = max(self._rates.values(), default=0.0)
        self._bases = {key: base for key, base in self._bases.items() if key[0] >= number - 2 * LEADS[-1]}
        self._offsets = {at: offset for at, offset in self._offsets.items() if at >= oldest // 6}
        for days in self._tallies.values():
            for day in [day for day in days if day < number // _A_DAY - JUDGED_DAYS]:
                del days[day]


def began_at(at: float) -> float | None:
    """When the slice of that instant began; None for an instant that no sound clock shows."""
    number = _number(at)
    return None if number is None else number * SLICE_S


def slice_of(at: float, flow: Flow | None) -> Slice | None:
    """What was counted between the last look and this one, at that instant; None where that cannot be placed."""
    since_at = began_at(at)
    if flow is None or since_at is None or not 0.0 < flow.over_s <= SLICE_S or flow.arrived < 0:
        return None
    return Slice(since_at=since_at, arrived=float(flow.arrived), looked_s=flow.over_s)


def _number(at: float) -> int | None:
    return int(at // SLICE_S) if 0.0 <= at <= _LATEST_AT else None  # and None for NaN


def _rate(of_past: Slice) -> float | None:
    if _LOOKED_S <= of_past.looked_s <= _MOST and 0.0 <= of_past.arrived <= _MOST:  # NaN is not
        return of_past.arrived / of_past.looked_s
    return None


def _why_none(records: Sequence[_Record]) -> str:
    tried = [record for record in records if record.days >= _DAYS_OF_PROOF]
    if not tried:
        return "nothing in the history says more than the present on two days"
    best = max(tried, key=lambda record: record.gain)
    return (
        f"the history does no better than the present: {best.method.says} erred "
        f"{_times(best)} as much where it said more"
    )


def _times(record: _Record) -> str:
    if not record.present_error:
        return "without end"
    return f"{record.error / record.present_error:.1f} times"
