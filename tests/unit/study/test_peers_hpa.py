"""The Kubernetes HPA by value: what a metric asks for, what limits it, and the HPA alone on a queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from autoscaler.study.peers import PEERS, hpa
from autoscaler.study.peers.hpa import Behaviour, Change, Direction, Pace, Wish
from tests.unit.study.looks import TERMS, a_look, walked

OPEN = Behaviour(
    up=replace(hpa.DEFAULT_BEHAVIOUR.up, window_s=0.0), down=replace(hpa.DEFAULT_BEHAVIOUR.down, window_s=0.0)
)
"""The default paces, and no window."""


def paced(current: int, wanted: int, behaviour: Behaviour = OPEN, changes: Sequence[Change] = ()) -> int:
    """The next number at 1000 s with nothing remembered but these changes, between 0 and 1000."""
    wish = Wish(at_s=1000, machines=wanted)
    return hpa.with_behaviour(current, wish, (), changes, behaviour, least=0, most=1000)


def down_by(percent: float) -> Behaviour:
    """At most that share removed in a minute."""
    paces = (Pace(kind="Percent", amount=percent, period_s=60),)
    return replace(OPEN, down=Direction(window_s=0, paces=paces))


@pytest.mark.parametrize(("metric", "machines"), [(250, 13), (215, 10), (221, 12), (179, 9)])
def test_an_average_value_is_shared_among_the_machines(metric: float, machines: int) -> None:
    """10 machines at 20 messages each; 215 lies within the tolerance, and a change divides the total anew."""
    assert machines == hpa.by_average_value(metric, 20, 10)


@pytest.mark.parametrize(
    ("metric", "ready", "machines"),
    [(30, 10, 15), (30, 4, 6), (21, 4, 10)],
    ids=["multiplies", "slow boot scales in under overload", "tolerated"],
)
def test_a_value_multiplies_the_ready_machines_only(metric: float, ready: int, machines: int) -> None:
    """10 current, target 20; while 6 still boot, 1.5 times the ready 4 is fewer than there are."""
    assert machines == hpa.by_value(metric, 20, 10, ready)


@pytest.mark.parametrize(("metric", "machines"), [(220, 10), (221, 12), (180, 10), (179, 9)])
def test_both_edges_of_the_tolerance_belong_to_it(metric: float, machines: int) -> None:
    """1.1 and 0.9 change nothing, whatever binary fractions make of them."""
    assert machines == hpa.by_average_value(metric, 20, 10)


def test_nothing_is_near_zero_machines() -> None:
    """No ratio can be formed then, and the metric alone decides, for both types."""
    assert (2, 0) == (hpa.by_average_value(21, 20, 0), hpa.by_average_value(0, 20, 0))
    assert (2, 0) == (hpa.by_value(21, 20, 0, 0), hpa.by_value(0, 20, 0, 0))


@pytest.mark.parametrize(("current", "limit"), [(1, 4), (2, 4), (3, 6), (10, 20)])
def test_without_a_behaviour_block_it_goes_up_to_twice_the_number_or_to_four(
    current: int, limit: int
) -> None:
    """A burst is reached by doubling, one look after the other."""
    wish = Wish(at_s=0, machines=500)

    assert limit == hpa.without_behaviour(current, wish, (), least=1, most=100)


def test_without_a_behaviour_block_the_largest_wish_of_five_minutes_holds() -> None:
    """The window's edge belongs to it; one second later the old wish is forgotten, and the fall has no limit."""
    past = (Wish(at_s=0, machines=50),)

    assert 50 == hpa.without_behaviour(50, Wish(at_s=300, machines=0), past, least=1, most=100)
    assert 1 == hpa.without_behaviour(50, Wish(at_s=301, machines=0), past, least=1, most=100)


@pytest.mark.parametrize(("current", "next_one"), [(1, 5), (2, 6), (4, 8), (5, 10), (10, 20)])
def test_the_default_behaviour_adds_four_or_doubles_in_a_period(current: int, next_one: int) -> None:
    """Whichever is more."""
    assert next_one == paced(current, 500)


@pytest.mark.parametrize(("current", "percent", "next_one"), [(7, 10, 6), (1, 50, 0)])
def test_a_percentage_removed_leaves_a_whole_number_with_its_fraction_cut(
    current: int, percent: float, next_one: int
) -> None:
    """6.3 leaves 6 and 0.5 leaves 0; the least number has its say after that."""
    assert next_one == paced(current, 0, down_by(percent))


def test_a_change_in_the_period_counts_against_the_pace_in_both_directions() -> None:
    """20 that were 10 a moment ago may stay; what was removed meanwhile may come back on top."""
    assert 20 == paced(20, 500, changes=[Change(at_s=990, by=10)])
    assert 26 == paced(10, 500, changes=[Change(at_s=990, by=-3)])
    assert 40 == paced(20, 500, changes=[Change(at_s=985, by=10)])


def test_min_selects_the_pace_that_changes_least_and_disabled_none() -> None:
    """From 10: four more, not twice as many; and nobody."""
    assert 14 == paced(10, 500, replace(OPEN, up=replace(OPEN.up, select="Min")))
    assert 10 == paced(10, 500, replace(OPEN, up=replace(OPEN.up, select="Disabled")))
    assert 10 == paced(10, 0, replace(OPEN, down=replace(OPEN.down, select="Disabled")))


def test_the_windows_take_the_lowest_wish_up_and_the_highest_down() -> None:
    """A rise has to last for the up window, a fall for the down window; their edges are outside."""
    slow = Behaviour(up=replace(OPEN.up, window_s=60), down=hpa.DEFAULT_BEHAVIOUR.down)
    past = (Wish(at_s=700, machines=9), Wish(at_s=950, machines=3))

    def after(current: int, wanted: int) -> int:
        wish = Wish(at_s=1000, machines=wanted)
        return hpa.with_behaviour(current, wish, past, (), slow, least=0, most=100)

    assert (2, 3) == (after(2, 1), after(2, 9))
    assert (3, 3) == (after(9, 1), after(3, 9))


@pytest.mark.parametrize(("current", "goes_to"), [(0, 0), (120, 100), (1, 2), (50, None)])
def test_the_limits_come_before_any_metric(current: int, goes_to: int | None) -> None:
    """0 with a least number is switched off; outside the limits the number goes there at once, uncalmed."""
    assert goes_to == hpa.outside_limits(current, 2, 100)


def test_a_controller_takes_the_first_number_it_sees_for_a_wish() -> None:
    """A restarted controller gives nothing back before five minutes have passed."""
    controller = hpa.Controller(least=1, most=100)
    numbers = [controller.step(at, 8, lambda: 1) for at in (0.0, 300.0, 315.0)]

    assert [8, 8, 1] == numbers


def test_the_hpa_alone_never_goes_below_one() -> None:
    """It cannot scale to zero without KEDA or a feature gate, and zero would switch it off."""
    assert [1, 1] == walked(PEERS["hpa"](TERMS), [0, 0])
    assert 1 == walked(PEERS["hpa"](TERMS), [0] * 100, serving=7)[-1]


def test_the_hpa_alone_wants_a_machine_for_two_messages_a_slot_by_the_default_pace() -> None:
    """100 messages at 4 a machine are 25; four are added at first, then it doubles."""
    assert [5, 10, 20, 25, 25] == walked(PEERS["hpa"](TERMS), [100] * 5)


def test_the_hpa_counts_messages_in_the_workers_hands() -> None:
    """Otherwise the wish would fall as soon as the messages were taken."""
    assert 3 == PEERS["hpa"](TERMS).wanted(a_look(0, 0, 1, in_progress=12))


def test_the_hpa_gives_back_five_minutes_after_the_last_wish_for_more() -> None:
    """The last high wish is at 0 s; at 300 s it is outside the window, and all may go in one period."""
    numbers = walked(PEERS["hpa"](TERMS), [40] + [0] * 20, serving=10)

    assert [10] * 20 + [1] == numbers
