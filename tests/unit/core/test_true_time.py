"""How long an account wants to be left in peace is no matter of our wall clock, which may be set."""

from __future__ import annotations

import math

import pytest

from autoscaler.core.facts import Memory, Rest, RestKind
from autoscaler.core.true_time import carried_over
from tests.unit.core.builders import AT, CLOUD, OFFER

REST = Rest(
    until_at=AT + 60,
    refusals=1,
    why="429",
    kind=RestKind.THROTTLED,
    since_at=AT - 5,
    quiet_until_at=AT + 20,
)


def written(rest: Rest = REST, at: float = AT) -> Memory:
    """Memory as it was written down then."""
    return Memory(at=at, account_rests={CLOUD: rest}, offer_rests={OFFER.name: rest})


def left(memory: Memory, at: float) -> tuple[float, float, float]:
    """Seconds until that account may be asked for anything, until it may be looked at, and since it rests."""
    rest = memory.account_rests[CLOUD]
    return rest.until_at - at, rest.quiet_until_at - at, at - rest.since_at


@pytest.mark.parametrize("set_by_s", [-86_400.0, -900.0, -5.0, 0.0, 5.0, 900.0, 86_400.0])
def test_a_rest_lasts_as_long_as_it_was_to_whatever_the_clock_shows(set_by_s: float) -> None:
    """Ten seconds later fifty of sixty are left."""
    at = AT + 10 + set_by_s

    assert (50.0, 10.0, 15.0) == left(carried_over(written(), at, 10.0), at)


def test_a_rest_that_is_over_stays_over_when_the_clock_is_set_back() -> None:
    """Else an account would be left alone, blindly, for a time that it never asked for."""
    at = AT + 100 - 900

    assert (-40.0, -80.0, 105.0) == left(carried_over(written(), at, 100.0), at)


def test_a_memory_from_the_future_is_taken_as_written_now() -> None:
    """Another process wrote it and nobody knows how long ago: what was left of the rest is left."""
    at = AT - 900

    assert (60.0, 20.0, 5.0) == left(carried_over(written(), at, None), at)


def test_a_memory_of_another_process_ages_by_the_wall_clock() -> None:
    """There is nothing else to go by."""
    memory = written()

    assert memory == carried_over(memory, AT + 30, None)


@pytest.mark.parametrize("passed_s", [None, 10.0])
def test_a_memory_of_an_older_release_stays_as_it_is(passed_s: float | None) -> None:
    """It does not say when it was written."""
    memory = written(at=0.0)

    assert memory == carried_over(memory, AT, passed_s)


def test_clocks_that_differ_by_a_hair_move_nothing() -> None:
    """They are not read at one instant."""
    memory = written()

    assert memory is carried_over(memory, AT + 10.05, 10.0)


def test_instants_that_are_not_known_stay_unknown() -> None:
    """An account that named no time for looks still may be looked at."""
    rest = carried_over(written(Rest(until_at=AT + 60, refusals=1, why="429")), AT + 910, 10.0).account_rests[
        CLOUD
    ]

    assert (AT + 960, 0.0, 0.0) == (rest.until_at, rest.since_at, rest.quiet_until_at)


def test_rests_of_our_own_choice_go_by_the_wall_clock() -> None:
    """They are compared with the instants of orders, which do."""
    assert {OFFER.name: REST} == carried_over(written(), AT - 900, 10.0).offer_rests


@pytest.mark.parametrize("passed_s", [None, 10.0])
@pytest.mark.parametrize("written_at", [math.nan, math.inf, -math.inf])
def test_a_memory_written_at_no_time_stays_as_it_is(written_at: float, passed_s: float | None) -> None:
    """No rest ends at an instant that is none."""
    rests = carried_over(written(at=written_at), AT, passed_s).account_rests

    assert {CLOUD: REST} == rests
