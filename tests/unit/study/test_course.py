"""A run made small: nothing of its peaks is lost, and what is drawn agrees with what is counted."""

from __future__ import annotations

import pytest

from autoscaler.study import run
from autoscaler.study.contract import Outcome, Terms
from autoscaler.study.course import Course, Recorder, thinned
from autoscaler.study.workload import burst, joined, poisson

TERMS = Terms(quantum_s=60)
DAY = joined(burst(200, 40_000.0, 60.0), poisson(0.01, 86_400.0, 20.0, 1.0, 7))


def recorded(spans: int) -> tuple[Course, Outcome, int]:
    """The course, the outcome, and the most tasks that ever waited."""
    recorder = Recorder("default", DAY, TERMS, spans)
    most = 0

    def watch(at_s: float, fleet: run.Fleet, decision: run.Decision) -> None:
        nonlocal most
        most = max(most, fleet.world.backlog)
        recorder(at_s, fleet, decision)

    outcome = run.run(DAY, TERMS, run.default(120.0, 3600.0), watch=watch)
    return recorder.course(), outcome, most


@pytest.mark.parametrize("spans", [7, 100, 900])
def test_peaks_and_sums_are_kept_however_few_the_spans(spans: int) -> None:
    """The highest backlog, machines and wait, the last cost, and all arrivals."""
    course, outcome, most = recorded(spans)

    assert most == max(value for _, value in course.backlog)
    assert outcome.nodes_peak == max(value for _, value in course.paid)
    assert outcome.wait_max_s == pytest.approx(max(value for _, value in course.longest), abs=10.0)
    assert outcome.cost == pytest.approx(course.cost[-1][1])
    assert len(course.paid) <= 2 * spans
    ends_s = [0.0]
    arrived = 0.0
    for middle_s, per_s in course.arrivals:
        ends_s.append(2 * middle_s - ends_s[-1])
        arrived += per_s * (ends_s[-1] - ends_s[-2])
    assert len(DAY) == pytest.approx(arrived)


def test_every_line_goes_forward_and_machines_nest() -> None:
    """Time never goes back; of the machines that are paid some serve or arrive, and of these some serve."""
    course, _, _ = recorded(900)

    for points in (course.backlog, course.serving, course.paid, course.usual, course.longest, course.cost):
        assert sorted(at_s for at_s, _ in points) == [at_s for at_s, _ in points]
    highest = [max(value for _, value in points) for points in (course.serving, course.workers, course.paid)]
    assert sorted(highest) == highest
    usual, longest = dict(course.usual), dict(course.longest)
    both = usual.keys() & longest.keys()
    assert len(both) > 10
    assert all(usual[at_s] <= longest[at_s] for at_s in both)


def test_what_lies_on_a_level_line_is_left_out() -> None:
    """The line through the rest is the same."""
    points = ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (3.0, 2.0), (4.0, 2.0))

    assert ((0.0, 1.0), (2.0, 1.0), (3.0, 2.0), (4.0, 2.0)) == thinned(points)
