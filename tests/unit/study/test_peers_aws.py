"""AWS scaling policies by value: the documents' step adjustments, target tracking, and the backlog per instance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.study.peers import PEERS, aws
from autoscaler.study.peers.aws import Step, StepPolicy
from tests.unit.study.looks import TERMS, a_look, walked

STEPS = aws.example_out()


@pytest.mark.parametrize(
    ("capacity", "value", "change"), [(10, 12, 1), (3, 10, 1), (10, -25, -2), (3, -10, -1), (7, -20, -1)]
)
def test_a_percentage_is_cut_and_below_one_is_one(capacity: int, value: float, change: int) -> None:
    """The documents' rounding, toward zero but never to it."""
    assert change == aws.percent(capacity, value)


def test_a_percentage_of_nothing_is_nothing() -> None:
    """No machine and no percent."""
    assert (0, 0) == (aws.percent(0, 30), aws.percent(10, 0))


def test_a_percentage_changes_by_the_least_magnitude_at_least() -> None:
    """In either direction."""
    assert (4, -4) == (aws.percent(10, 25, least_magnitude=4), aws.percent(10, -25, least_magnitude=4))


@pytest.mark.parametrize(
    ("metric", "change"), [(50, 0), (59, 0), (60, 1), (69, 1), (70, 3), (1000, 3), (49, 0)]
)
def test_above_the_threshold_a_step_begins_at_its_lower_bound(metric: float, change: int) -> None:
    """The example's +0, +10 and +30 % of ten machines around 50; below the threshold no step takes it."""
    assert change == STEPS.above(metric, 10)


@pytest.mark.parametrize(("metric", "change"), [(50, 0), (41, 0), (40, -1), (31, -1), (30, -3), (0, -3)])
def test_below_the_threshold_a_step_ends_at_its_lower_bound(metric: float, change: int) -> None:
    """The example's −0, −10 and −30 % of ten machines around 50."""
    assert change == aws.example_in().below(metric, 10)


@pytest.mark.parametrize(("kind", "value", "change"), [("ChangeInCapacity", 2, 2), ("ExactCapacity", 4, -6)])
def test_a_step_can_be_a_number_or_the_capacity_itself(kind: str, value: float, change: int) -> None:
    """Two more than ten, or four in place of ten."""
    step = Step(lower=0, upper=None, adjustment=value)
    policy = StepPolicy(threshold=50, steps=(step,), kind=kind)  # type: ignore[arg-type] # a parameter of the test

    assert change == policy.above(60, 10)


def test_a_step_out_counts_from_what_is_warm_and_never_lowers_desired() -> None:
    """The documents' example: ten and one that warms up, 30 % more, are 13 and not 14."""
    assert 13 == aws.step_out([STEPS], 70, desired=11, warm=10)
    assert 20 == aws.step_out([STEPS], 70, desired=20, warm=10)


def test_of_several_policies_the_largest_capacity_wins() -> None:
    """Each is asked for itself."""
    two_more = StepPolicy(
        threshold=0, steps=(Step(lower=0, upper=None, adjustment=5),), kind="ChangeInCapacity"
    )

    assert 15 == aws.step_out([STEPS, two_more], 70, desired=10, warm=10)


def test_a_step_in_counts_those_that_terminate_and_waits_for_those_that_warm_up() -> None:
    """Ten of which three go already: 30 % less is seven again. While one warms up, nothing is taken in."""
    policy = aws.example_in()

    assert 7 == aws.step_in(policy, 0, desired=7, warming=0, present=10)
    assert 7 == aws.step_in(policy, 0, desired=10, warming=0, present=10)
    assert 10 == aws.step_in(policy, 0, desired=10, warming=1, present=10)


def test_a_step_of_nothing_does_not_lower_desired_to_what_is_there() -> None:
    """A machine that died is replaced."""
    assert 10 == aws.step_in(aws.example_in(), 45, desired=10, warming=0, present=9)


@pytest.mark.parametrize(("metric", "capacity"), [(150, 15), (65, 7), (40, 4)])
def test_target_tracking_is_proportional_and_rounds_for_availability(metric: float, capacity: int) -> None:
    """Ten at a target of 100: adding rounds up, removing rounds down."""
    assert capacity == aws.track(metric, 100, 10)


def test_the_backlog_per_instance_aims_at_the_acceptable_latency() -> None:
    """The documents' example: 1500 messages on 10 instances, 10 s acceptable, 0.1 s each: 5 more instances."""
    metric, target = aws.backlog_per_instance(1500, 10), aws.acceptable_backlog(10, 0.1)

    assert (150, 100) == (metric, pytest.approx(target))
    assert 15 == aws.track(metric, target, 10)


def test_without_an_instance_the_backlog_is_that_of_one() -> None:
    """The share of none has no value."""
    assert 1500 == aws.backlog_per_instance(1500, 0)


def test_target_tracking_goes_out_after_three_minutes_above_its_target() -> None:
    """Before the first task is done a message a slot is the target, two a machine."""
    assert [1, 1, 10, 10] == walked(PEERS["aws-target"](TERMS), [20] * 4, serving=1)


def test_target_tracking_goes_in_after_fifteen_minutes_below_its_low_alarm() -> None:
    """An empty queue, but one instance stays: the metric needs it."""
    assert [6] * 14 + [1] == walked(PEERS["aws-target"](TERMS), [0] * 15, serving=6)


def test_target_tracking_holds_between_its_alarms() -> None:
    """19 messages on ten machines lie between 0.9 times the target and the target."""
    assert [10] * 30 == walked(PEERS["aws-target"](TERMS), [19] * 30, serving=10)


def test_target_tracking_takes_nothing_in_while_something_warms_up() -> None:
    """The low alarm may be long raised."""
    peer = PEERS["aws-target"](TERMS)
    numbers = [peer.wanted(a_look(60.0 * at, 0, 5, arriving=1)) for at in range(20)]

    assert [6] * 20 == numbers


def test_the_target_follows_the_task_time_and_the_slots() -> None:
    """120 s acceptable and tasks of 24 s on two slots: an instance gets through ten messages in that time."""
    peer = PEERS["aws-target"](TERMS)
    numbers = [peer.wanted(a_look(60.0 * at, 35, 1, task_s=24.0)) for at in range(3)]

    assert [1, 1, 4] == numbers


def test_step_scaling_acts_every_minute_once_two_points_breach() -> None:
    """30 % of ten, then of 13; a breach of one minute does nothing."""
    assert [10, 13, 16] == walked(PEERS["aws-step"](TERMS), [90] * 3, serving=10)
    assert [10, 10, 10] == walked(PEERS["aws-step"](TERMS), [90, 49, 90], serving=10)


def test_step_scaling_goes_in_to_one_instance_and_no_further() -> None:
    """A percentage of no instances would be none for ever."""
    assert [10, 7, 5, 4, 3, 2, 1, 1] == walked(PEERS["aws-step"](TERMS), [0] * 8, serving=10)


def test_both_keep_to_the_terms_limits() -> None:
    """They are the group's least and most."""
    terms = replace(TERMS, min_workers=3, max_workers=11)

    assert [11, 11] == [walked(PEERS[name](terms), [500] * 4, 10)[-1] for name in ("aws-step", "aws-target")]
    assert [3, 3] == [walked(PEERS[name](terms), [0] * 30, 10)[-1] for name in ("aws-step", "aws-target")]
