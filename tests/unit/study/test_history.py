"""A recorded time, played again: what really happened, and how near a replay under the same rules comes to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.study import happened, recorded
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Outcome, Terms
from autoscaler.study.history import Given, History, HistoryUnusable, TaskTimesUnknown, history
from autoscaler.study.run import default, run
from benchmarks.recording import Record, record
from policies.prospect import Slice
from policies.seasons import SLICE_S
from tests.unit.study.looked import BEGINS_AT, a_look, a_machine, uncounted

HOUR_S = 3600.0
TERMS = Terms(boot_s=95.0)
RULE = default(120.0, 3600.0)


def _of(made: Record, **given: object) -> History:
    known = made.first.decision.input.history.traffic
    return history(
        made.samples, made.nodes, slots=2, target_wait_s=120.0, given=Given(), known=known, **given
    )  # type: ignore[arg-type] # the seed, the slices


def _actual(samples: list[recorded.Sample], *nodes: object) -> Outcome:
    return happened.outcome(samples, recorded.arrivals(samples, 10.0), nodes, 2, 120.0)  # type: ignore[arg-type] # nodes


@pytest.fixture(scope="module")
def made() -> Record:
    """Ten hours whose load swings between two and eight slots, with a flood in them."""
    hours = [
        workloads.poisson(rate, HOUR_S, 30.0, 1.0, n)
        for n, rate in enumerate([0.07, 0.15, 0.27, 0.12, 0.07] * 2)
    ]
    for number, hour in enumerate(hours):
        shifted = type(hour.submit_s)("d", (at_s + number * HOUR_S for at_s in hour.submit_s))
        hours[number] = replace(hour, submit_s=shifted)
    flood = workloads.burst(150, 4 * HOUR_S, 30.0)
    return record(workloads.joined(*hours, flood), TERMS, RULE, pool="images", begins_at=BEGINS_AT)


def test_what_happened_is_read_off_the_record(made: Record) -> None:
    """The bill to the cent, and waits as near as two looks are close."""
    told, true = _of(made).recorded, made.outcome

    assert (true.cost, true.creates, true.nodes_peak) == (told.cost, told.creates, told.nodes_peak)
    assert true.tasks_arrived == told.tasks_arrived == told.tasks_done
    assert pytest.approx(true.within_target, abs=0.002) == told.within_target
    for name in ("wait_p50_s", "wait_p95_s", "wait_p99_s", "wait_max_s"):
        assert pytest.approx(getattr(true, name), abs=10.0) == getattr(told, name), name
    assert pytest.approx(true.node_hours_busy, rel=0.02) == told.node_hours_busy


def test_todays_rules_played_again_come_near_what_happened(made: Record) -> None:
    """Costs within a tenth in half a day, in time within one in a hundred: what chance alone makes of it."""
    past = _of(made)
    again = run(past.workload, replace(TERMS, boot_s=past.boot[0]), RULE, start=past.start)

    assert pytest.approx(past.recorded.cost, rel=0.10) == again.cost
    assert pytest.approx(past.recorded.within_target, abs=0.01) == again.within_target
    assert pytest.approx(past.recorded.node_hours_busy, rel=0.03) == again.node_hours_busy


def test_equal_seeds_give_equal_histories(made: Record) -> None:
    """And another seed another scatter of the same number of tasks."""
    first, again, other = _of(made, seed=1), _of(made, seed=1), _of(made, seed=2)

    assert first == again
    assert first.workload != other.workload
    assert len(first.workload) == len(other.workload) == first.arrivals.total


def test_boots_are_taken_from_when_the_worker_was_there(made: Record) -> None:
    """It is noted on the tick after, half a tick later on average."""
    past = _of(made)

    assert past.boots is not None
    assert (95.0, 92.5) == (past.boots.mean_s, past.boot[0])


def test_the_past_ends_where_the_replay_begins(made: Record) -> None:
    """A slice that was not over by the first look would be counted again."""
    begins_at = made.samples[0].at
    before, amid = (
        Slice(since_at=begins_at + since_s, arrived=9.0, looked_s=SLICE_S) for since_s in (-SLICE_S, -1.0)
    )

    assert (before,) == _of(made, slices=(before, amid)).start.slices


def test_the_fleet_that_stood_begins_the_replay() -> None:
    """With the ages its machines had, the oldest first; one that was on its way out is left out."""
    nodes = [
        a_machine("a", -7000.0),
        a_machine("b", -4000.0),
        a_machine("leaving", -9000.0, gone_s=60.0),
        a_machine("over", -9000.0, gone_s=-10.0),
        a_machine("later", 500.0),
    ]

    assert (7000.0, 4000.0) == happened.serving_ages_s(nodes, a_look(0, serving=2))
    assert (7000.0, 4000.0, 0.0, 0.0) == happened.serving_ages_s(nodes[:2], a_look(0, serving=4))


def test_only_the_record_s_own_time_is_billed() -> None:
    """Hours that were paid before it began are not; one begun in it is, whole. A refused order costs nothing."""
    refused = replace(a_machine("refused", 100.0, gone_s=110.0), instance_id=None)
    assert NodeState.GONE is refused.state
    looks = [a_look(tick) for tick in range(721)]
    told = _actual(
        looks,
        a_machine("old", -1800.0, gone_s=2400.0),
        a_machine("young", 3000.0),
        a_machine("before", -9000.0, gone_s=-10.0),
        a_machine("after", 7300.0),
        refused,
    )

    # "old" enters its second hour at 1800 s; "young" its second at 6600 s. Each hour is 2.
    assert (6.0, 3.0, 1, 1, 1) == (
        told.cost,
        told.node_hours_billed,
        told.creates,
        told.destroys,
        told.nodes_peak,
    )


def test_waits_are_the_distance_between_coming_and_going() -> None:
    """Sixty tasks come in one tick and one a second is taken up: the last waits a minute."""
    looks = [
        a_look(0, in_progress=2, busy=2),
        a_look(1, arrived=60, backlog=60, in_progress=2, busy=2, completed=0),
    ]
    looks += [a_look(1 + n, completed=10, backlog=60 - 10 * n, in_progress=2, busy=2) for n in range(1, 7)]
    told = _actual(looks)

    assert pytest.approx(60.0, abs=1.0) == told.wait_max_s
    assert pytest.approx(35.0, abs=1.5) == told.wait_p50_s


def test_tasks_that_still_wait_count_with_what_they_waited() -> None:
    """Else the worst would not be told at all."""
    looks = [a_look(0), *(a_look(tick, arrived=int(tick == 1), backlog=1) for tick in range(1, 60))]
    told = _actual(looks)

    assert (0.0, 1, 0) == (told.within_target, told.tasks_arrived, told.tasks_done)
    assert pytest.approx(585.0, abs=5.0) == told.wait_max_s


def test_a_record_that_cannot_be_played_says_why() -> None:
    """Too few looks, or tasks of which nobody knows how long they run."""
    asked = {"nodes": (), "slots": 2, "target_wait_s": 120.0}
    with pytest.raises(HistoryUnusable, match="less than twice"):
        history([a_look(0)], given=Given(), **asked)  # type: ignore[arg-type]
    came = [uncounted(0), uncounted(1, backlog=7)]
    with pytest.raises(
        TaskTimesUnknown, match="7 tasks came in that time, and none was seen to be completed"
    ):
        history(came, given=Given(), **asked)  # type: ignore[arg-type]
    assert 7 == len(history(came, given=Given(task_s=5.0), **asked).workload)  # type: ignore[arg-type]


def test_a_pool_that_never_had_traffic_is_played_for_nothing() -> None:
    """No tasks, no machines; what stood may go."""
    past = history([a_look(n, serving=0) for n in range(9)], (), slots=2, target_wait_s=120.0, given=Given())

    assert (0, 1.0) == (len(past.workload), past.recorded.within_target)
    assert 0.0 == run(past.workload, TERMS, RULE, start=past.start).cost
