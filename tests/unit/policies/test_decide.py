"""The chain from facts to a number, case by case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.contract import Hold, Limits, PolicySpec, Rule
from policies.decide import decide
from policies.options import PolicyOptionsWrong
from tests.unit.policies.builders import CALM, NOW, a_history, a_supply, an_input, backlog_spec, steps_spec

HOLD = Hold(workers=7, until_at=NOW + 60)


def test_the_largest_wish_wins_and_is_named() -> None:
    """Several policies: each may ask for more, none may take away what another needs."""
    decision = decide(an_input(120, 2, policies=(steps_spec(), backlog_spec())))

    assert (12, 12, "backlog") == (decision.recommended, decision.wanted, decision.binding)
    assert [4, 12] == [proposal.workers for proposal in decision.proposals]


def test_a_silent_steps_does_not_pin_the_number() -> None:
    """Without `in` it has no opinion below its thresholds, and `backlog` takes the machines in."""
    assert 1 == decide(an_input(5, 4, policies=(steps_spec(), backlog_spec()))).wanted


def test_a_silent_steps_alone_holds_the_number() -> None:
    """Nobody asks for anything: what was wanted last stands, so a machine that died is replaced."""
    decision = decide(an_input(5, 3, policies=(steps_spec(),), history=a_history((10, None, 4))))

    assert (None, 4, Rule.NO_OPINION) == (decision.recommended, decision.wanted, decision.binding)


def test_no_policies_leave_the_floor() -> None:
    """A pool of a fixed size: floor and ceiling alone."""
    assert 3 == decide(an_input(500, 0, policies=(), limits=Limits(min_workers=3, max_workers=3))).wanted


def test_floor_and_ceiling_bind_and_are_named() -> None:
    """The last rule that changed the number is what made it."""
    limits = Limits(min_workers=2, max_workers=4)
    low, high = (decide(an_input(backlog, 3, limits=limits)) for backlog in (0, 120))

    assert (2, Rule.FLOOR) == (low.wanted, low.binding)
    assert (4, Rule.CEILING) == (high.wanted, high.binding)
    assert "a higher max_workers would allow 12 workers; 1 more message" in high.would_change


def test_the_ceiling_is_stronger_than_the_floor() -> None:
    """Money is."""
    assert 2 == decide(an_input(0, 0, limits=Limits(min_workers=5, max_workers=2))).wanted


def test_paused_keeps_what_is_there() -> None:
    """Neither demand, nor an operator's hold, nor the floor moves a paused pool; the ceiling does."""
    given = an_input(500, 3, paused=True, hold=HOLD, limits=Limits(min_workers=5, max_workers=100))
    decision = decide(given)

    assert (3, Rule.PAUSED, "paused", ()) == (
        decision.wanted,
        decision.binding,
        decision.held,
        decision.proposals,
    )
    assert 2 == decide(replace(given, limits=Limits(max_workers=2))).wanted


@pytest.mark.parametrize(("asked", "wanted"), [(7, 7), (0, 0), (50, 10)])
def test_an_operators_hold_is_followed_up_to_the_ceiling(asked: int, wanted: int) -> None:
    """It may lie below the floor: that is what a person is for."""
    limits = Limits(min_workers=2, max_workers=10)
    decision = decide(an_input(500, 3, hold=Hold(workers=asked, until_at=NOW + 60), limits=limits))

    assert wanted == decision.wanted
    assert f"an operator holds {asked} for 1 min more" == decision.held


def test_an_operators_hold_ends() -> None:
    """At its time the policies decide again."""
    assert 50 == decide(an_input(500, 3, hold=replace(HOLD, until_at=NOW))).wanted


def test_an_operators_hold_needs_no_sight_of_demand() -> None:
    """A person may look where we cannot."""
    assert 7 == decide(an_input(None, 3, hold=HOLD)).wanted


@pytest.mark.parametrize(("present", "before", "wanted"), [(3, 3, 3), (2, 4, 4), (5, 3, 5), (0, 0, 0)])
def test_blind_keeps_what_is_wanted_and_what_there_is(present: int, before: int, wanted: int) -> None:
    """Whichever is more: both may be needed, and we cannot tell."""
    decision = decide(an_input(None, present, history=a_history((10, 1, before))))

    assert (wanted, Rule.DEMAND_MISSING) == (decision.wanted, decision.binding)
    assert (None, "cannot see demand (connection refused)") == (decision.recommended, decision.held)


def test_blind_is_raised_to_on_unknown_within_the_ceiling() -> None:
    """The operator's insurance, never a reason to take in."""
    assert 3 == decide(an_input(None, 1, limits=Limits(max_workers=9, on_unknown=3))).wanted
    assert 5 == decide(an_input(None, 5, limits=Limits(max_workers=9, on_unknown=3))).wanted
    assert 2 == decide(an_input(None, 1, limits=Limits(max_workers=2, on_unknown=3))).wanted


def test_unseen_workers_are_not_taken_in_but_may_be_joined() -> None:
    """The picture may be missing those that work."""
    down, up = (decide(an_input(b, 4, supply_missing="no event for 90 s")) for b in (0, 70))

    assert (4, Rule.SUPPLY_MISSING) == (down.wanted, down.binding)
    assert (7, "backlog") == (up.wanted, up.binding)


def test_unseen_workers_are_not_taken_in_on_an_operators_word_either() -> None:
    """Draining a worker we cannot hear proves nothing."""
    given = an_input(0, 4, hold=Hold(workers=0, until_at=NOW + 60), supply_missing="no event for 90 s")

    assert 4 == decide(given).wanted


def test_the_chain_shows_each_rule_that_changed_the_number() -> None:
    """First the wish, then tolerance and so on in order, with no rule that changed nothing."""
    given = an_input(
        0,
        6,
        history=a_history((200, 5, 6)),
        stabilization=replace(CALM, scale_in_window_s=300.0),
        limits=Limits(min_workers=1, max_workers=4),
    )
    steps = [(step.rule, step.before, step.after) for step in decide(given).steps]

    assert [(Rule.PROPOSALS, 6, 0), (Rule.SCALE_IN_WINDOW, 0, 5), (Rule.CEILING, 5, 4)] == steps


def test_a_policy_that_does_not_open_is_not_passed_over() -> None:
    """A pool whose rule is gone must not look like one that wants nothing."""
    with pytest.raises(PolicyOptionsWrong):
        decide(an_input(5, 4, policies=(PolicySpec(kind="gone"),)))


def test_two_more_when_it_fills_up_and_one_less_when_it_is_quiet() -> None:
    """The whole way of an operator's rule: 2 → 4 while two boot, 4 → 6 once they serve, 6 → 5 when all is quiet."""
    policy = (steps_spec([(20, 2)], [(5, 1)]),)
    scenes = [
        (30, a_supply(2), 2, 4),
        (300, a_supply(2, 2), 4, 4),
        (300, a_supply(4), 4, 6),
        (10, a_supply(4, 2), 6, 6),
        (0, a_supply(5, 1), 6, 6),
        (0, a_supply(6), 6, 5),
    ]
    for backlog, present, standing, wanted in scenes:
        given = an_input(
            backlog, policies=policy, supply=present, history=a_history((10, standing, standing))
        )

        assert wanted == decide(given).wanted
