"""A pool's recorded time as a study takes it: the tasks that came, the machines that stood, and what really happened.

Samples and nodes of the journal go in, a `History` comes out that can be played under any configuration. Arrivals are
scattered in their intervals and run times drawn around their measured means by the seed; the totals are those of the
record. What never happens here: a database, a policy, or a guess that is not told.
"""

from __future__ import annotations

import random
from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.core.model import Node
from autoscaler.journal.contract import Sample
from autoscaler.study import happened, measured, recorded
from autoscaler.study.contract import Outcome, Start, Workload
from autoscaler.study.measured import Boots, Period
from autoscaler.study.recorded import Arrivals
from autoscaler.study.workload import TASKS_AT_MOST, runtimes
from policies import traffic as traffics
from policies.contract import Traffic
from policies.prospect import Slice
from policies.seasons import SLICE_S

ASSUMED_CV = 1.0
"""Spread of task times ÷ mean, where nobody says another: that of exponential ones."""
_LEAST_BOOT_S = 1.0


class HistoryUnusable(ValueError):
    """A record that cannot be played: says why."""


class TaskTimesUnknown(HistoryUnusable):
    """Tasks came, and none was seen to be completed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the operator says instead of what is measured; None where it is measured."""

    task_s: float | None = None
    task_cv: float = ASSUMED_CV
    boot: tuple[float, float] | None = None
    """Mean in seconds and spread ÷ mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """A recorded time, ready to be played."""

    workload: Workload
    start: Start
    recorded: Outcome
    """What really happened; waits as exact as the looks were close."""
    begins_at: float
    ends_at: float
    tick_s: float
    """Seconds between two looks, usually."""
    coarse: tuple[tuple[float, float], ...]
    """Where not each look is on record by itself: the seconds of which one row tells, and until which instant."""
    arrivals: Arrivals
    periods: tuple[Period, ...]
    """Of the task times that were measured; none where they were given."""
    task_s: float
    """Over all tasks, on average."""
    boot: tuple[float, float]
    """Mean and spread ÷ mean, from the order to the first task."""
    boots: Boots | None
    """None where no boot was measured."""


def history(
    samples: Sequence[Sample],
    nodes: Sequence[Node],
    *,
    slots: int,
    target_wait_s: float,
    given: Given,
    known: Traffic | None = None,
    slices: Sequence[Slice] = (),
    seed: int = 0,
) -> History:
    """The time between the first and the last look of these samples, which are in order, of one pool and its nodes.

    `known` is what the daemon had measured by the first look; without it, it is taken to have known its tasks. `slices`
    may begin weeks before: those that ended by the first look are what a `forecast` foretells from. Equal arguments
    give equal histories. Raises HistoryUnusable where there are not two looks, TaskTimesUnknown.
    """
    looks = recorded.seen(samples)
    if len(looks) < 2:
        raise HistoryUnusable("demand was seen less than twice in that time")
    periods = () if given.task_s is not None else measured.task_times(samples)
    task_s = given.task_s if given.task_s is not None else measured.mean_task_s(periods)
    came = recorded.arrivals(samples, task_s)
    if came.total > TASKS_AT_MOST:
        raise HistoryUnusable(
            f"{came.total:,} tasks came in that time; at most {TASKS_AT_MOST:,} can be played"
        )
    if task_s is None and came.total:
        raise TaskTimesUnknown(f"{came.total:,} tasks came in that time, and none was seen to be completed")
    task_s = task_s or traffics.ASSUMED_TASK_S
    begins_at, ends_at = looks[0].at, looks[-1].at
    boots = measured.boots(nodes, came.gaps, begins_at)
    tick_s = recorded.tick_s(looks)
    boot = given.boot or _boot(boots, tick_s)
    first_task_s = periods[0].task_s if periods else task_s
    return History(
        workload=_workload(came, periods, task_s, given.task_cv, seed),
        start=Start(
            at=begins_at,
            ages_s=happened.serving_ages_s(nodes, looks[0]),
            traffic=known or _learnt(first_task_s, boots.mean_s if boots else boot[0]),
            slices=tuple(of for of in slices if of.since_at + SLICE_S <= begins_at),
            ends_s=ends_at - begins_at,
        ),
        recorded=happened.outcome(samples, came, nodes, slots, target_wait_s),
        begins_at=begins_at,
        ends_at=ends_at,
        tick_s=tick_s,
        coarse=recorded.coarse(looks),
        arrivals=came,
        periods=periods,
        task_s=task_s,
        boot=boot,
        boots=boots,
    )


def _learnt(task_s: float, boot_s: float) -> Traffic:
    """As if that had been measured often enough."""
    return Traffic(
        tasks=traffics.REMEMBERED_TASKS,
        busy_s=traffics.REMEMBERED_TASKS * task_s,
        boots=traffics.REMEMBERED_BOOTS,
        boot_s=traffics.REMEMBERED_BOOTS * boot_s,
    )


def _boot(boots: Boots | None, tick_s: float) -> tuple[float, float]:
    """A worker takes tasks as soon as it is there; that it is, is noted on the tick after, half a tick later."""
    if boots is None:
        return traffics.ASSUMED_BOOT_S, 0.0
    return max(_LEAST_BOOT_S, boots.mean_s - tick_s / 2), boots.cv


def _workload(came: Arrivals, periods: Sequence[Period], task_s: float, cv: float, seed: int) -> Workload:
    """Tasks that were there at the first look stand at second 0; the others at random in their intervals."""
    dice = random.Random(seed)
    submit_s: array[float] = array("d", bytes(8 * (came.waiting + came.running)))
    for interval in came.intervals:
        from_s, length_s = interval.from_s, interval.to_s - interval.from_s
        submit_s.extend(sorted([from_s + length_s * dice.random() for _ in range(interval.arrived)]))
    spread = runtimes(1.0, cv, dice)
    borders = [period.to_s for period in periods[:-1]]
    means_s = [period.task_s for period in periods] or [task_s]
    runtime_s = array("d", [means_s[bisect_right(borders, at_s)] * spread() for at_s in submit_s])
    return Workload(name="the record", submit_s=submit_s, runtime_s=runtime_s)
