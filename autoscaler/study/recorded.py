"""What arrived at a pool, from its samples in the journal: tasks by interval, and the gaps between two looks.

Between two looks the broker's own counters say what arrived. Where they do not (samples of an older release, a daemon
that was down, counters that were reset), conservation does: what is there now, and what was completed meanwhile, was
there before or came since. Of an older time the looks of a minute or an hour are one, with all that they counted. In
come samples, out come intervals whose tasks add up. What never happens here: silence taken for no traffic where the
next look shows that work arrived, or a run time (that is `measured`).
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from autoscaler.journal.contract import Sample

_GAP_TICKS = 3.0
"""Two looks further apart than so many usual ones leave a gap that is told of."""
_SLACK = 0.5
"""Part of the time they were counted over by which counts may fall short of that between two looks: the clocks are
not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Tasks that arrived between two instants, in seconds since the first look."""

    from_s: float
    to_s: float
    arrived: int
    counted: bool
    """By the broker; else what must have come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which nobody looked, or demand could not be seen."""

    from_s: float
    to_s: float
    arrived: int
    """Tasks that are taken to have come in it, spread evenly."""
    counted: bool
    """The broker's counters went on and say how many; else it is what must have come."""
    blind: bool
    """The daemon ticked and could not see demand; else it did not tick."""

    @property
    def lasted_s(self) -> float:
        return self.to_s - self.from_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """All that came in the time of a record."""

    intervals: tuple[Interval, ...]
    """In order and without overlap; a time that none covers had no arrivals."""
    gaps: tuple[Gap, ...]
    waiting: int
    """Tasks that waited at the first look."""
    running: int
    """Tasks that were delivered and not done at the first look."""

    @property
    def total(self) -> int:
        """Tasks there at the first look, and all that came."""
        return self.waiting + self.running + sum(interval.arrived for interval in self.intervals)

    @property
    def uncounted(self) -> int:
        """Those of them that no counter saw come."""
        return sum(interval.arrived for interval in self.intervals if not interval.counted)


def seen(samples: Sequence[Sample]) -> list[Sample]:
    """The samples that saw demand, of samples in order of time; those of one instant are one, with all their tasks."""
    looks: list[Sample] = []
    for sample in samples:
        if sample.backlog is None or sample.in_progress is None:
            continue
        if looks and sample.at <= looks[-1].at:
            looks[-1] = _joined(looks[-1], sample)
        else:
            looks.append(sample)
    return looks


def _joined(before: Sample, after: Sample) -> Sample:
    """The later look, with what was counted up to both."""
    return replace(
        after,
        at=before.at,
        arrived=None if after.arrived is None else after.arrived + (before.arrived or 0),
        completed=None if after.completed is None else after.completed + (before.completed or 0),
    )


def since_at(look: Sample) -> float:
    """When it began: the first of the looks that it stands for."""
    return look.at if look.stretch is None else look.stretch.since_at


def tick_s(looks: Sequence[Sample]) -> float:
    """Seconds between two looks, usually; 0 for fewer than two."""
    return statistics.median([since_at(after) - before.at for before, after in pairwise(looks)] or [0.0])


def coarse(looks: Sequence[Sample]) -> tuple[tuple[float, float], ...]:
    """Where the looks of a minute or of an hour are one: how long that is in seconds, and until which instant; the
    longest first."""
    until: dict[float, float] = {}
    for look in looks:
        if look.stretch is not None:
            until[look.stretch.over_s] = look.at
    return tuple(sorted(until.items(), reverse=True))


def is_near(before: Sample, after: Sample, usual_s: float) -> bool:
    """Whether nobody missed a look between these two."""
    return since_at(after) - before.at <= _GAP_TICKS * usual_s


def arrivals(samples: Sequence[Sample], task_s: float | None) -> Arrivals:
    """What came between the first look of these samples (oldest first) and the last.

    `task_s` is how long a task runs: with the busy slots it says what was completed where nobody counted. Without it
    such a time is judged by the queues alone.
    """
    looks = seen(samples)
    if not looks:
        return Arrivals(intervals=(), gaps=(), waiting=0, running=0)
    usual_s, begins_at = tick_s(looks), looks[0].at
    blind_at = [sample.at for sample in samples if sample.backlog is None]
    carry = _Carry()
    intervals: list[Interval] = []
    gaps: list[Gap] = []
    place = 0
    for before, after in pairwise(looks):
        parts = _between(before, after, usual_s, task_s, carry)
        shifted = [
            Interval(
                from_s=part.from_s - begins_at,
                to_s=part.to_s - begins_at,
                arrived=part.arrived,
                counted=part.counted,
            )
            for part in parts
        ]
        intervals += [part for part in shifted if part.arrived]
        while place < len(blind_at) and blind_at[place] <= before.at:
            place += 1
        if not is_near(before, after, usual_s):
            to_s = since_at(after) - begins_at
            within = [part for part in shifted if part.from_s < to_s]
            gaps.append(
                Gap(
                    from_s=before.at - begins_at,
                    to_s=to_s,
                    arrived=sum(_up_to(part, to_s) for part in within),
                    counted=all(part.counted for part in within),
                    blind=place < len(blind_at) and blind_at[place] < after.at,
                )
            )
    waiting, running = looks[0].backlog or 0, looks[0].in_progress or 0
    return Arrivals(intervals=tuple(intervals), gaps=tuple(gaps), waiting=waiting, running=running)


def _up_to(part: Interval, to_s: float) -> int:
    """Of its tasks those that came until then."""
    if part.to_s <= to_s:
        return part.arrived
    return round(part.arrived * (to_s - part.from_s) / (part.to_s - part.from_s))


class _Carry:
    """Fractions of tasks, and tasks that seem to have vanished, handed on so that the sum stays true."""

    def __init__(self) -> None:
        self._left = 0.0

    def whole(self, tasks: float) -> int:
        """These tasks and what was left over, in whole ones and not negative."""
        self._left += tasks
        number = max(0, int(self._left + 1e-9))
        self._left -= number
        return number


def _between(
    before: Sample, after: Sample, usual_s: float, task_s: float | None, carry: _Carry
) -> list[Interval]:
    """One interval, or two where only the end of a gap was counted; instants of the wall clock."""
    span_s = after.at - before.at
    if after.arrived is None or after.counted_s is None:
        near = is_near(before, after, usual_s)
        came = _unseen(before, after, task_s, near=near)
        counted = near and _idle(before, after)
        return [Interval(from_s=before.at, to_s=after.at, arrived=carry.whole(came), counted=counted)]
    whole = Interval(from_s=before.at, to_s=after.at, arrived=after.arrived, counted=True)
    left_s = span_s - after.counted_s
    if left_s <= (_SLACK * after.counted_s if is_counted(after) else 0.0):
        return [whole]
    counted_from = after.at - after.counted_s
    stock = (after.backlog or 0) + (after.in_progress or 0) - after.arrived + (after.completed or 0)
    came = stock - (before.backlog or 0) - (before.in_progress or 0)
    came += _completed(before, after, left_s, task_s)
    return [
        Interval(from_s=before.at, to_s=counted_from, arrived=carry.whole(came), counted=False),
        Interval(from_s=counted_from, to_s=after.at, arrived=after.arrived, counted=True),
    ]


def is_counted(look: Sample) -> bool:
    """Whether the broker's counters told what came at each of the looks that it stands for."""
    return look.stretch is None or look.stretch.counted >= look.stretch.seen


def _idle(before: Sample, after: Sample) -> bool:
    """Nothing was there at either look, nor at any that the later one stands for."""
    of = after.stretch
    between = of is not None and bool(of.backlog_most or of.busy_most)
    return not (before.backlog or before.in_progress or after.backlog or after.in_progress or between)


def _unseen(before: Sample, after: Sample, task_s: float | None, *, near: bool) -> float:
    """Tasks that must have come where nobody counted; of two `near` looks the rates of the minute are enough."""
    span_s = after.at - before.at
    if near and after.arrivals_per_s is not None and _is_rated(after):
        return after.arrivals_per_s * span_s
    if near and _idle(before, after):
        # A broker forgets the counters of queues that are not used.
        return 0.0
    grown = (
        (after.backlog or 0) + (after.in_progress or 0) - (before.backlog or 0) - (before.in_progress or 0)
    )
    if near and after.completions_per_s is not None and _is_rated(after):
        return grown + after.completions_per_s * span_s
    return grown + _completed(before, after, span_s, task_s)


def _is_rated(look: Sample) -> bool:
    return look.stretch is None or look.stretch.rated >= look.stretch.seen


def _completed(before: Sample, after: Sample, span_s: float, task_s: float | None) -> float:
    """Tasks done in that time by the slots that were busy at both ends of it, by Little's law."""
    return busy_s(before, after, span_s) / task_s if task_s else 0.0


def busy_s(before: Sample, after: Sample, span_s: float) -> float:
    """Seconds that slots ran tasks in so long a time between two looks: what was seen at its ends, on average."""
    of = after.stretch
    if of is None:
        return (_busy(before) + _busy(after)) / 2.0 * span_s
    lasted_s = after.at - before.at
    until_first_s = (_busy(before) + (of.busy_first or 0)) / 2.0 * max(0.0, of.since_at - before.at)
    return (until_first_s + of.busy_s) * (span_s / lasted_s if lasted_s > 0.0 else 0.0)


def busy_looks(look: Sample) -> tuple[int, int]:
    """Slots seen busy at the looks that it stands for, at each anew, and at most at once."""
    of = look.stretch
    return (_busy(look), _busy(look)) if of is None else (of.busy_sum or 0, of.busy_most or 0)


def _busy(sample: Sample) -> int:
    """In rows of an older release what was delivered, which may be more than what ran."""
    return (sample.in_progress or 0) if sample.busy is None else sample.busy
