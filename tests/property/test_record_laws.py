"""Laws of a recorded time that is to be played again: no task is lost or made up on the way."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.journal.contract import Sample
from autoscaler.study.history import Given, history
from autoscaler.study.recorded import arrivals
from tests.unit.study.looked import TICK_S, a_look, blind, uncounted

COUNTS = st.integers(min_value=0, max_value=50)
LOOKS = st.one_of(
    st.tuples(st.just("counted"), COUNTS, COUNTS, COUNTS),
    st.tuples(st.just("blind"), COUNTS, COUNTS, COUNTS),
    st.tuples(st.just("away"), COUNTS, COUNTS, COUNTS),
    st.tuples(st.just("uncounted"), COUNTS, COUNTS, COUNTS),
)


def _samples(ticks: list[tuple[str, int, int, int]], *, counters_last: bool) -> list[Sample]:
    """One tick each; counters that outlast a gap count all of it."""
    samples, seen = [a_look(0)], 0
    for tick, (kind, came, waiting, running) in enumerate(ticks, 1):
        there = {"backlog": waiting, "in_progress": running, "busy": running}
        if kind == "blind":
            samples.append(blind(tick))
        elif kind == "counted" or (kind == "uncounted" and counters_last):
            over_s = (tick - seen) * TICK_S if counters_last else TICK_S
            samples.append(a_look(tick, arrived=came, completed=0, counted_s=over_s, **there))
            seen = tick
        elif kind == "uncounted":
            samples.append(uncounted(tick, **there))
            seen = tick
    return samples


@given(st.lists(LOOKS, max_size=40), st.sampled_from([None, 0.5, 30.0]))
def test_every_task_that_was_counted_comes_once(
    ticks: list[tuple[str, int, int, int]], task_s: float | None
) -> None:
    """Whatever was blind or away in between, as long as the counters went on."""
    samples = _samples(ticks, counters_last=True)

    assert sum(sample.arrived or 0 for sample in samples) == arrivals(samples, task_s).total


@given(st.lists(LOOKS, max_size=40))
def test_what_came_unseen_is_taken_to_have_come(ticks: list[tuple[str, int, int, int]]) -> None:
    """Silence is not nought: where nothing was completed unseen, the sum is exact, and intervals stay apart."""
    samples, there, true = [a_look(0)], 0, 0
    for tick, (kind, arrived, completed, _) in enumerate([*ticks, ("counted", 0, 0, 0)], 1):
        done = min(completed, there) if kind == "counted" else 0
        there, true = there + arrived - done, true + arrived
        if kind == "counted":
            samples.append(a_look(tick, arrived=arrived, completed=done, backlog=there))
        elif kind == "uncounted":
            samples.append(uncounted(tick, backlog=there))
        elif kind == "blind":
            samples.append(blind(tick))

    came = arrivals(samples, None)

    assert true == came.total
    assert all(before.to_s <= after.from_s for before, after in pairwise(came.intervals))
    assert all(interval.arrived > 0 for interval in came.intervals)


@given(st.lists(LOOKS, min_size=2, max_size=40), st.integers(min_value=0, max_value=3))
def test_the_workload_holds_the_tasks_of_the_record(
    ticks: list[tuple[str, int, int, int]], seed: int
) -> None:
    """As many, in order, and within its time, with run times above nothing."""
    samples = [*_samples(ticks, counters_last=False), a_look(len(ticks) + 1)]
    past = history(samples, (), slots=2, target_wait_s=60.0, given=Given(task_s=3.0, task_cv=2.0), seed=seed)

    tasks = past.workload
    assert past.arrivals.total == len(tasks) == past.recorded.tasks_arrived
    assert list(tasks.submit_s) == sorted(tasks.submit_s)
    assert all(0.0 <= at_s <= past.ends_at - past.begins_at for at_s in tasks.submit_s)
    assert all(ran_s > 0.0 for ran_s in tasks.runtime_s)
