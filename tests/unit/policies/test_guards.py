"""Where growth stops although policies ask for more: what it binds, what it leaves alone, and what it says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import redelivery
from policies.contract import Decision, Flow, Hold, Limits, Rule, Traffic
from policies.decide import decide
from policies.evidence import Brake, Growth, Redeliveries
from policies.sentence import sentence
from tests.unit.policies.builders import NOW, a_demand, a_history, an_input, schedule_spec

BRAKE = Brake(few=7, few_per_s=4.1, many=12, many_per_s=3.9, left_s=480.0, holds_s=600.0)


def minutes(
    *counts: tuple[int, int],
    excused: float = 0.0,
    look_s: float = 60.0,
    workers: int = 12,
    before: Redeliveries | None = None,
) -> Redeliveries:
    """One look a minute, each at so many deliveries of which so many were not the first."""
    found = before or Redeliveries()
    for delivered, redelivered in counts:
        flow = Flow(arrived=0, completed=0, over_s=look_s, delivered=delivered, redelivered=redelivered)
        found = redelivery.with_look(found, a_demand(flow=flow), excused, workers=workers)
    return found


HIGH = minutes(*[(100, 30)] * 5)


def decided(
    traffic: Traffic, *, backlog: int = 300, standing: int = 12, workers: int = 12, **given: Any
) -> Decision:
    """Thirty workers are asked for, where so many stand."""
    history = replace(a_history((10.0, standing, standing)), traffic=traffic)
    return decide(an_input(backlog, workers, history=history, **given))


BRAKED, REDELIVERED = Traffic(growth=Growth(brake=BRAKE)), Traffic(redeliveries=HIGH)


def test_growth_stops_and_says_so_in_figures() -> None:
    """What was seen, and what comes next."""
    found = decided(BRAKED)

    assert (12, Rule.NOT_HELPING) == (found.wanted, found.binding)
    assert sentence(found).endswith(
        "7 workers completed 4.1 tasks a second, 12 complete 3.9: more would not help; "
        "a few more are tried in 8 min"
    )
    assert "30 workers" in found.would_change


def test_what_is_delivered_again_and_again_stops_growth() -> None:
    """More workers would only fail more often."""
    found = decided(REDELIVERED)

    assert (12, Rule.REDELIVERED) == (found.wanted, found.binding)
    assert "150 of 500 deliveries in 5 min were not the first" in sentence(found)
    assert sentence(found).endswith("a few more are tried in 8 min")


@pytest.mark.parametrize("traffic", [BRAKED, REDELIVERED])
def test_nobody_is_taken_in_and_who_died_is_replaced(traffic: Traffic) -> None:
    """The number that stands stays, whatever is left of its workers."""
    assert 12 == decided(traffic, workers=9).wanted
    assert 3 == decided(traffic, backlog=30).wanted


def test_a_fleet_that_fell_may_grow_to_what_did_as_well() -> None:
    """Seven completed as much as twelve."""
    assert 7 == decided(BRAKED, standing=2, workers=2).wanted


def test_of_an_empty_pool_one_worker_may_try() -> None:
    """Else nothing would ever be delivered for the first time."""
    assert 1 == decided(REDELIVERED, standing=0, workers=0).wanted


@pytest.mark.parametrize("traffic", [BRAKED, REDELIVERED])
def test_persons_go_before(traffic: Traffic) -> None:
    """Floors of limits and calendar, and a hold."""
    by_hand = decided(traffic, hold=Hold(workers=20, until_at=NOW + 60.0))
    floor = decided(traffic, limits=Limits(min_workers=20, max_workers=100))
    calendar = decided(traffic, policies=(schedule_spec(("* * * * *", 1.0, 20, None)), *an_input().policies))

    assert [20, 20, 20] == [by_hand.wanted, floor.wanted, calendar.wanted]


def test_while_a_few_more_are_tried_so_many_may_be_bought() -> None:
    """And no more than those."""
    trying = replace(BRAKE, tried=15, left_s=420.0)

    assert 15 == decided(Traffic(growth=Growth(brake=trying))).wanted


@pytest.mark.parametrize(
    ("counts", "high"),
    [
        ([(100, 0)] * 5, False),
        ([(100, 30)] * 5, True),
        ([(100, 15)] * 10, False),
        ([(0, 0)] * 4 + [(200, 200)], False),
        ([(4, 1)] * 5, False),
        ([(4, 1)] * 10, True),
        ([(100, 30)] * 5 + [(100, 4)] * 5, False),
        ([(100, 30)] * 5 + [(100, 10)] * 5, True),
        ([(100, 30)] * 5 + [(0, 0)] * 15, False),
    ],
    ids=[
        "none",
        "a third",
        "less than a fifth",
        "all at once, once",
        "too few yet",
        "few, for long",
        "hardly any more",
        "still some",
        "nothing is delivered any more",
    ],
)
def test_much_must_be_redelivered_for_minutes_and_little_ends_it(
    counts: list[tuple[int, int]], high: bool
) -> None:
    """A broker that fails gives back all, once; a task that ends its worker comes back for ever."""
    assert high is minutes(*counts).high


def test_what_those_sent_away_give_back_is_no_sign() -> None:
    """Ten messages each, prefetched as they were."""
    assert not minutes(*[(100, 30)] * 5, excused=30.0).high


def test_a_look_without_counts_changes_nothing() -> None:
    """Absent is not zero."""
    assert redelivery.with_look(HIGH, a_demand(0, 5)) == HIGH


def test_what_goes_on_for_less_than_would_begin_it_ends_with_its_time() -> None:
    """One bad episode, then tasks that are given back now and then by design."""
    after = [minutes(*[(100, 6)] * count, before=HIGH).high for count in (7, 8)]

    assert [True, False] == after


def test_where_it_goes_on_a_quarter_more_are_tried_and_then_it_lasts_longer() -> None:
    """Tasks that wait for a lock are given back for ever: growth is slow then, and never over."""
    trying = minutes(*[(100, 30)] * 8, before=HIGH)
    again = minutes(*[(100, 30)] * 10, before=trying)
    last = minutes(*[(100, 30)] * 600, before=again)

    assert (True, 15) == (trying.high, trying.tried)
    assert 15 == decided(Traffic(redeliveries=trying)).wanted
    assert (True, None, 1200.0) == (again.high, again.tried, again.left_s)
    assert not minutes(*[(100, 12)] * 10, before=trying).high
    assert last.high
    assert 3600.0 == last.holds_s


def test_one_of_an_earlier_release_is_judged_by_the_next_look() -> None:
    """It has no time yet."""
    stored = Redeliveries(minutes=HIGH.minutes, high=True)

    assert 15 == minutes((100, 30), before=stored).tried


def test_what_is_not_counted_any_more_holds_nobody() -> None:
    """What was seen grows old although nothing is seen; then growth is free."""
    found = [HIGH]
    for _ in range(100):
        found.append(redelivery.with_look(found[-1], a_demand(0, 5), elapsed_s=10.0))

    assert found[29].high
    assert not found[-1].high
    assert redelivery.undated(HIGH) == HIGH
    assert Redeliveries() == redelivery.undated(minutes(*[(100, 30)] * 2))


def test_what_is_kept_of_deliveries_stays_bounded() -> None:
    """A quarter of an hour, whatever the tick."""
    assert len(minutes(*[(3, 1)] * 500, look_s=10.0).minutes) <= 15
