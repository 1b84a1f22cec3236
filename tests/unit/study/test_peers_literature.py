"""React, Hist, Reg and Adapt by value, in steps of a minute."""

from __future__ import annotations

import pytest

from autoscaler.study.peers import PEERS, literature
from autoscaler.study.peers.literature import Adapt, Hist, Reg, react
from tests.unit.study.looks import TERMS, a_look


def stepped(rule: literature.Rule, loads: list[float], machines: int, from_s: float = 0.0) -> list[int]:
    """Its numbers minute by minute, each granted before the next."""
    numbers = []
    for minute, load in enumerate(loads):
        machines = rule.step(load, machines, from_s + 60.0 * minute)
        numbers.append(machines)
    return numbers


def test_load_is_in_machines_that_are_busy_all_the_time() -> None:
    """60 tasks a minute of 10 s each keep ten slots busy, five machines."""
    assert 5 == pytest.approx(literature.load_in_machines(60, 60, 10, 2))


def test_before_the_first_task_is_done_its_length_is_taken_for_a_minute() -> None:
    """Otherwise nothing would ever be started that could finish one."""
    assert 3 == pytest.approx(literature.load_in_machines(6, 60, None, 2))
    assert 0 == literature.load_in_machines(6, 0, None, 2)


@pytest.mark.parametrize(
    ("load", "machines", "wanted"),
    [(9.2, 5, 11), (5.5, 5, 6), (4.0, 10, 5), (4.8, 5, 5), (0.0, 3, 0), (0.0, 0, 0), (4.2, 5, 6)],
)
def test_react_adds_more_than_is_missing_and_keeps_a_fifth_in_hand(
    load: float, machines: int, wanted: int
) -> None:
    """The last row is the rule's own oddity: with ten percent of slack it may add where it means to remove."""
    assert wanted == react(load, machines)


def test_hist_keeps_the_number_before_it_has_seen_the_hour() -> None:
    """An empty histogram forecasts what there is."""
    assert [4] == stepped(Hist(), [3.5], 4)


def test_hist_takes_the_ninetieth_percentile_of_the_hour_of_the_day() -> None:
    """A tenth of the loads at 9 is enough; the same hour of the next day knows of it, the hour after does not."""
    rule, day_s, hour_s = Hist(), 24 * 3600.0, 3600.0
    for minute, load in enumerate([1, 9, 1, 1, 1, 1, 1, 1, 1, 1]):
        rule.step(load, load, 60.0 * minute)

    assert [9, 1] == [rule.step(1.0, 1, at_s) for at_s in (day_s, day_s + hour_s)]
    assert 1 == literature.percentile_90([1] * 19 + [9])


def test_hist_takes_off_the_mean_surplus_of_five_minutes() -> None:
    """A steady surplus of two goes; a correction that would leave nobody takes a fifth."""
    assert (3.0, 4.0) == (literature.corrected(5, 2), literature.corrected(5, 5))
    assert 3 == stepped(Hist(), [3.0] * 6, 5)[-1]


def test_hist_repairs_after_more_than_five_short_minutes_of_ten() -> None:
    """With 1.05 times the load now."""
    rule = Hist()
    numbers = [rule.step(20.0 if minute else 2.0, 2, 60.0 * minute) for minute in range(7)]

    assert 21 == numbers[-1]


@pytest.mark.parametrize(
    ("loads", "value"),
    [([7.0], 7.0), ([1.0, 3.0], 3.0), ([1.0, 4.0, 9.0, 16.0], 16.0), ([2.0] * 60, 2.0)],
)
def test_the_regression_meets_what_it_can_meet(loads: list[float], value: float) -> None:
    """A point, a line, a parabola, a level: its value at the last of them."""
    assert value == pytest.approx(literature.fitted_now(loads))


def test_the_regression_is_that_of_least_squares() -> None:
    """By hand for 0, 0, 0, 1, 0: the end weights of a parabola through five points are 3, −5, −3, 9, 31 of 35."""
    assert 9 / 35 == pytest.approx(literature.fitted_now([0, 0, 0, 1, 0]))


def test_reg_goes_out_on_what_it_sees_and_never_out_on_its_forecast() -> None:
    """1.05 times 9.2 machines; 1.2 times a forecast of 7 is more than the 8 there are."""
    assert [10] == stepped(Reg(), [9.2], 5)
    assert [8, 8] == stepped(Reg(), [7.0, 8.0], 8)


def test_reg_goes_in_to_its_forecast_and_a_fifth() -> None:
    """A level of five: six machines."""
    assert 6 == stepped(Reg(), [5.0] * 5, 20)[-1]


def test_reg_keeps_its_number_where_nothing_is_forecast() -> None:
    """So in the published code: the last machines stay."""
    assert [3] * 61 == stepped(Reg(), [0.0] * 61, 3)


def test_adapt_mends_a_shortage_at_once_and_adds_the_controller_s_machines() -> None:
    """Load 10 on 4: 1.1 times 10, and 4 × 6 ÷ 4 = 6 on top."""
    assert [17] == stepped(Adapt(), [10.0], 4)


def test_adapt_removes_a_quarter_of_what_it_has_too_many() -> None:
    """Ten at load 2: 8 ÷ 4 = 2 machines in the first minute."""
    assert [8] == stepped(Adapt(), [2.0], 10)


def test_adapt_never_removes_below_the_load() -> None:
    """However much had added up."""
    assert 5 == min(stepped(Adapt(), [4.5] * 60, 30))


def test_adapt_lets_no_fraction_of_a_machine_be_lost() -> None:
    """One too many of four is removed in the fourth minute, a quarter each."""
    assert [4, 4, 4, 3] == stepped(Adapt(), [3.0] * 4, 4)


def test_a_peer_of_the_literature_sees_the_arrivals_of_the_last_minute_only() -> None:
    """120 tasks of 10 s in a minute are ten machines, and 12 with React's fifth; the queue they leave is not seen."""
    peer = PEERS["react"](TERMS)
    looks = [
        a_look(0, 0, 0),
        a_look(60, 0, 0, arrived=120, task_s=10.0),
        a_look(120, 120, 0, arrived=120, arriving=12, task_s=10.0),
    ]

    assert [0, 12, 0] == [peer.wanted(look) for look in looks]


@pytest.mark.parametrize("name", ["react", "adapt", "hist", "reg"])
def test_the_first_task_of_all_gets_a_machine(name: str) -> None:
    """From no machine and no known task time."""
    peer = PEERS[name](TERMS)
    numbers = [peer.wanted(a_look(60.0 * at, at, 0, arrived=at)) for at in range(8)]

    assert 1 <= max(numbers)
