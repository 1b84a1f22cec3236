"""How long a pool's tasks ran and its machines booted, from what the journal recorded of them.

Nobody wrote down a single task. By Little's law the seconds that slots were busy, divided by the tasks completed in
that time, are the mean time of a task; it is taken over times that hold enough of both, so that it may change with the
hour. A boot lasts from a machine's order to the first word of its worker. What never happens here: a spread of task
times, of which the record says nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.core.model import Node
from autoscaler.journal.contract import Sample
from autoscaler.study import recorded
from autoscaler.study.recorded import Gap

_TASKS, _LOOKS = 100.0, 100
"""A period holds so many completed tasks and slots seen busy: its mean is then good to about a tenth."""
_TURNOVERS = 20.0
"""And so many times as many tasks as ran at once: those that it cuts in two no longer matter."""
_SHORTEST_S = 0.001
_FEW_LOOKS = 30
_OUTLIER = 5.0
"""A boot so many times as long as the middle one was an accident, and no spread around the mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A time with one mean task time, in seconds since the first look."""

    from_s: float
    to_s: float
    task_s: float
    tasks: float
    """Completed in it."""
    looks: int
    """Slots seen busy in it, each look anew: what the mean rests on."""

    @property
    def is_rough(self) -> bool:
        """It rests on so little that the mean may be off by more than a fifth."""
        return self.looks < _FEW_LOOKS or self.tasks < _FEW_LOOKS


def task_times(samples: Sequence[Sample]) -> tuple[Period, ...]:
    """Periods that follow one another, oldest first; none where no task was seen to be completed."""
    found: list[_Sum] = []
    sum_ = _Sum()
    looks = recorded.seen(samples)
    usual_s = recorded.tick_s(looks)
    for before, after in pairwise(looks):
        span_s = after.at - before.at
        done = _completed(after, span_s)
        if done is not None and recorded.is_near(before, after, usual_s):
            sum_.add(before, after, span_s, done)
        if sum_.is_enough:
            found.append(sum_)
            sum_ = _Sum()
    if sum_.tasks or sum_.busy_s:
        # What is left over is not enough to stand alone.
        found.append(found.pop().with_(sum_) if found else sum_)
    return _periods([one for one in found if one.tasks], looks)


class _Sum:
    """What was seen in a time so far."""

    def __init__(self) -> None:
        self.from_at = math.inf
        self.tasks = self.busy_s = 0.0
        self.looks = self.most = 0

    def add(self, before: Sample, after: Sample, span_s: float, done: float) -> None:
        """Take in the time between two looks."""
        self.from_at = min(self.from_at, before.at)
        self.tasks += done
        self.busy_s += recorded.busy_s(before, after, span_s)
        looks, most = recorded.busy_looks(after)
        self.looks += looks
        self.most = max(self.most, most)

    def with_(self, other: _Sum) -> _Sum:
        """Both together."""
        self.tasks += other.tasks
        self.busy_s += other.busy_s
        self.looks += other.looks
        return self

    @property
    def is_enough(self) -> bool:
        return self.looks >= _LOOKS and self.tasks >= max(_TASKS, _TURNOVERS * self.most)


def _completed(after: Sample, span_s: float) -> float | None:
    """Tasks completed up to this look, counted or by the rate that was measured; None where neither is known."""
    if after.completed is not None and after.counted_s:
        share = span_s / after.counted_s
        # Of looks of which some did not count, as many are taken to have been completed by the others.
        return after.completed * (min(1.0, share) if recorded.is_counted(after) else share)
    if after.completions_per_s is None:
        return None
    # Where nothing happens for long a broker forgets the rates.
    of = after.stretch
    return after.completions_per_s * span_s * (1.0 if of is None or not of.seen else of.rated / of.seen)


def _periods(sums: Sequence[_Sum], looks: Sequence[Sample]) -> tuple[Period, ...]:
    """Each lasts until the next begins."""
    if not sums:
        return ()
    begins_at, ends_at = looks[0].at, looks[-1].at
    borders = [begins_at, *(one.from_at for one in sums[1:]), ends_at]
    return tuple(
        Period(
            from_s=from_at - begins_at,
            to_s=to_at - begins_at,
            task_s=max(one.busy_s / one.tasks, _SHORTEST_S),
            tasks=one.tasks,
            looks=one.looks,
        )
        for one, (from_at, to_at) in zip(sums, pairwise(borders), strict=True)
    )


def mean_task_s(periods: Iterable[Period]) -> float | None:
    """Over all tasks; None where nothing was measured."""
    known = [(period.task_s * period.tasks, period.tasks) for period in periods]
    tasks = sum(number for _, number in known)
    return sum(seconds for seconds, _ in known) / tasks if tasks else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Boots:
    """How long machines took from their order to the first word of their workers."""

    mean_s: float
    cv: float
    machines: int


def boots(nodes: Iterable[Node], gaps: Sequence[Gap], begins_at: float) -> Boots | None:
    """Of the machines that were watched all the while; None where there were none.

    `gaps` are in seconds since `begins_at`: a worker that came up in one was heard later than it spoke.
    """
    told = []
    for node in nodes:
        if node.enrolled_at is None or node.name != node.machine or node.enrolled_at <= node.ordered_at:
            continue
        heard_s, ordered_s = node.enrolled_at - begins_at, node.ordered_at - begins_at
        if not any(gap.from_s < heard_s and ordered_s < gap.to_s for gap in gaps):
            told.append(node.enrolled_at - node.ordered_at)
    if not told:
        return None
    longest_s = _OUTLIER * statistics.median(told)
    usual = [boot_s for boot_s in told if boot_s <= longest_s]
    mean_s = statistics.fmean(usual)
    spread_s = statistics.stdev(usual) if len(usual) > 2 else 0.0
    return Boots(mean_s=mean_s, cv=spread_s / mean_s, machines=len(usual))
