"""The policy `steps` by value: "when it fills up, spin up two more"."""

from __future__ import annotations

import pytest

from policies.contract import Policy, Supply
from policies.kinds import open_policies
from tests.unit.policies.builders import NOW, a_demand, a_history, a_supply, steps_spec

OUT = ((20, 2), (100, 5))
IN = ((5, 1), (1, 3))


def steps(*, into: tuple[tuple[int, int], ...] = ()) -> Policy:
    """Above 20 add 2, above 100 add 5."""
    return open_policies([steps_spec(OUT, into)])[0]


def wish(policy: Policy, backlog: int, supply: Supply, *, standing: int | None = None) -> int | None:
    """What it asks for, with this number wanted last."""
    history = a_history() if standing is None else a_history((10, None, standing))
    return policy.recommend(a_demand(backlog), supply, history, at=NOW).workers


@pytest.mark.parametrize(("backlog", "workers"), [(21, 5), (100, 5), (101, 8), (10_000, 8)])
def test_the_highest_threshold_passed_wins(backlog: int, workers: int) -> None:
    """Passing means more than; the step is added to the workers that serve."""
    assert workers == wish(steps(), backlog, a_supply(3))


def test_arriving_workers_already_answer_the_wish() -> None:
    """It is not asked for again on each tick while they boot; a higher threshold adds what is missing."""
    assert 5 == wish(steps(), 50, a_supply(3, 2), standing=5)
    assert 8 == wish(steps(), 150, a_supply(3, 2), standing=5)


def test_the_step_is_taken_again_once_the_last_one_serves() -> None:
    """Still above the threshold with everybody at work: two more."""
    assert 7 == wish(steps(), 50, a_supply(5), standing=5)


def test_a_worker_that_died_does_not_lower_a_wish_above_a_threshold() -> None:
    """The number wanted last stands, as a cloud's desired capacity."""
    assert 5 == wish(steps(), 50, a_supply(2), standing=5)


def test_without_in_it_is_silent_below_its_thresholds() -> None:
    """No opinion, so it does not pin the number where another policy wants less."""
    assert None is wish(steps(), 20, a_supply(3))


def test_with_in_it_holds_the_number_between_the_thresholds() -> None:
    """It owns both directions then."""
    assert 3 == wish(steps(into=IN), 5, a_supply(3))
    assert 4 == wish(steps(into=IN), 20, a_supply(3), standing=4)


@pytest.mark.parametrize(("backlog", "workers"), [(4, 4), (1, 4), (0, 2)])
def test_the_lowest_threshold_passed_removes(backlog: int, workers: int) -> None:
    """Passing means fewer than."""
    assert workers == wish(steps(into=IN), backlog, a_supply(5))


def test_nothing_is_removed_below_nobody() -> None:
    """A step in ends at zero."""
    assert 0 == wish(steps(into=IN), 0, a_supply(1))


def test_nothing_is_removed_while_anything_arrives() -> None:
    """A scale-in is not begun inside a scale-out."""
    assert 5 == wish(steps(into=IN), 0, a_supply(4, 1), standing=5)


def test_a_step_in_counts_from_the_fewer_of_wanted_and_present() -> None:
    """Where creates were refused, a quiet queue must not buy the missing machines."""
    assert 2 == wish(steps(into=IN), 4, a_supply(3), standing=6)


def test_it_says_why_and_what_would_change_it() -> None:
    """In an operator's words."""
    asked = steps().recommend(a_demand(30), a_supply(3), a_history(), at=NOW)

    assert "more than 20 waiting adds 2 to 3 serving" == asked.why
    assert "71 more messages would add 5" == asked.would_change
