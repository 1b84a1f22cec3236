"""nomad-autoscaler by value: the strategies target-value and threshold, and the evaluations of a cluster policy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.study.peers import PEERS
from autoscaler.study.peers.nomad import TargetValue, Threshold
from tests.unit.study.looks import TERMS, a_look, walked

TEN = TargetValue(target=10)


@pytest.mark.parametrize(
    ("count", "metric", "wanted"),
    [(4, 30, 12), (4, 10.05, None), (3, 9, None), (0, 5, 1), (0, 0, None), (4, 0, 0)],
)
def test_target_value_multiplies_the_count_and_rounds_up(
    count: int, metric: float, wanted: int | None
) -> None:
    """Within a hundredth of the target and where rounding ends at the same count there is no action."""
    assert wanted == TEN.count(metric, count)


@pytest.mark.parametrize(
    ("metric", "wanted"), [(10.1, None), (10.11, 102), (9.9, None), (9.89, 99), (9.8, 98)]
)
def test_both_edges_of_the_threshold_belong_to_it(metric: float, wanted: int | None) -> None:
    """A hundredth more or less changes nothing, whatever binary fractions make of it."""
    assert wanted == TEN.count(metric, 100)


def test_a_target_of_zero_takes_the_metric_itself() -> None:
    """Nothing can be divided by it."""
    assert 6 == replace(TEN, target=0).count(3, 2)


def test_steps_are_limited_where_that_is_asked_for() -> None:
    """In either direction, counted from the count."""
    limited = replace(TEN, max_scale_up=3, max_scale_down=1)

    assert (7, 3) == (limited.count(500, 4), limited.count(1, 4))


def test_a_total_in_place_of_a_share_compounds_to_the_limit() -> None:
    """The trap: a constant queue of 40 with target 10 is four machines, but makes 2 → 8 → 32 → 128."""
    counts = [2]
    while counts[-1] < 100:
        counts.append(TEN.count(40, counts[-1]) or counts[-1])

    assert [2, 8, 32, 128] == counts


@pytest.mark.parametrize(
    ("change", "by", "wanted"),
    [("delta", 2.7, 6), ("delta", -9.0, 0), ("percentage", 10.0, 5), ("value", 7.9, 7)],
)
def test_threshold_changes_the_count_where_enough_points_lie_within(
    change: str, by: float, wanted: int
) -> None:
    """Five of the window; a delta and a value lose their fraction, a percentage rounds up, nothing is below 0."""
    rule = Threshold(lower=10, upper=20, change=change, by=by)  # type: ignore[arg-type] # a parameter of the test

    assert wanted == rule.count([10, 12, 14, 16, 19.9], 4)


def test_threshold_counts_its_lower_bound_and_not_its_upper() -> None:
    """Four of five points are not enough."""
    rule = Threshold(lower=10, upper=20, change="delta", by=1)

    assert None is rule.count([10, 12, 14, 16, 20], 4)


def test_nomad_wants_two_messages_a_slot_and_rests_five_minutes_after_an_action() -> None:
    """100 messages at 4 a machine are 25 at once; the empty queue is answered 300 s later."""
    numbers = walked(PEERS["nomad"](TERMS), [100] + [0] * 30)

    assert [25] * 30 + [0] == numbers


def test_an_evaluation_without_action_begins_no_cooldown() -> None:
    """The next tick may act."""
    assert [2, 2, 25] == walked(PEERS["nomad"](TERMS), [8, 8, 100], serving=2)


@pytest.mark.parametrize("state", ["arriving", "leaving"])
def test_nothing_happens_while_a_machine_boots_or_drains(state: str) -> None:
    """The pool is not ready then, for scaling out no more than for scaling in."""
    peer = PEERS["nomad"](TERMS)
    peer.wanted(a_look(0, 16, 4))

    assert 4 == peer.wanted(a_look(10, 1000, 3, **{state: 1}))


def test_a_count_below_the_least_is_not_raised_by_no_action() -> None:
    """Limits are put on actions; a queue that suits the count makes none."""
    peer = PEERS["nomad"](replace(TERMS, min_workers=3))

    assert [1] * 3 == walked(peer, [4] * 3, serving=1)


def test_an_action_ends_at_the_limits() -> None:
    """The terms' least and most; at the limit there is no action any more, and no rest."""
    peer = PEERS["nomad"](replace(TERMS, min_workers=1, max_workers=10))

    assert [10] * 3 == walked(peer, [1000] * 3, serving=10)
    assert 1 == walked(peer, [0], serving=10, from_s=30)[-1]
