"""Stabilization by value, with the figures of the Kubernetes HPA where it has them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies import stabilize
from policies.contract import DecisionInput, History, Recommendation, Rule, Stabilization
from policies.decide import decide
from tests.unit.policies.builders import CALM, NOW, a_history, a_supply, an_input, backlog_spec, steps_spec


def a_pool(
    workers: int, *rows: tuple[float, int | None, int], looks: int = 100, **calming: object
) -> DecisionInput:
    """That many workers present, this past, and these rules of stabilization only."""
    stabilization: Stabilization = replace(CALM, **calming)
    return an_input(0, workers, history=a_history(*rows, good_looks=looks), stabilization=stabilization)


@pytest.mark.parametrize(
    ("messages", "workers"),
    [(250, 13), (215, 10), (221, 12), (179, 9), (220, 10), (180, 10), (200, 10), (0, 0)],
)
def test_tolerance_is_that_of_the_hpa_for_an_average_value(messages: int, workers: int) -> None:
    """Target 20 on 10 workers with a tolerance of 0.1, edges included; compared before rounding up."""
    given = an_input(messages, 10, policies=(backlog_spec(20),), stabilization=replace(CALM, tolerance=0.1))

    assert workers == decide(given).wanted


def test_tolerance_never_keeps_a_pool_at_nothing() -> None:
    """There is no ratio to zero workers."""
    asked = Recommendation(policy="backlog", workers=1, exact=0.1, why="")

    assert 1 == stabilize.tolerated(asked, standing=0, tolerance=5.0)


def test_tolerance_leaves_a_plain_number_alone() -> None:
    """Two more on top of fifty is within 10 %, and still what the operator asked for."""
    given = an_input(
        30, 50, policies=(backlog_spec(0.6), steps_spec()), stabilization=replace(CALM, tolerance=0.1)
    )

    assert 52 == decide(given).wanted


def test_tolerance_does_not_hold_back_the_floor() -> None:
    """The floor comes after every rule that calms."""
    given = an_input(95, 10, stabilization=replace(CALM, tolerance=0.1))
    decision = decide(replace(given, limits=replace(given.limits, min_workers=11)))

    assert 11 == decision.wanted


def test_scale_in_takes_the_highest_recommendation_of_the_window() -> None:
    """The HPA's downscale stabilization: 300 s, the maximum of what was recommended."""
    given = a_pool(10, (400, 10, 10), (310, 10, 10), (290, 7, 10), (100, 4, 10), scale_in_window_s=300.0)
    step = stabilize.scale_in_window(given, 3)

    assert step is not None
    assert (Rule.SCALE_IN_WINDOW, 3, 10) == (step.rule, step.before, step.after)
    assert "the scale-in window holds 10 for 10 s more" == step.why

    later = a_pool(10, (420, 10, 10), (310, 10, 10), (301, 7, 10), (100, 4, 10), scale_in_window_s=300.0)
    step = stabilize.scale_in_window(later, 3)

    assert step is not None
    assert 7 == step.after


def test_a_window_never_raises_the_number_that_stands() -> None:
    """A high recommendation that was never followed holds what there is, and buys nothing."""
    step = stabilize.scale_in_window(a_pool(5, (100, 50, 5), scale_in_window_s=300.0), 3)

    assert step is not None
    assert 5 == step.after


def test_time_in_which_nothing_was_recommended_is_no_evidence_for_less() -> None:
    """Blind or held ticks count for scale-in with the number they held."""
    step = stabilize.scale_in_window(a_pool(4, (200, None, 4), (10, 1, 4), scale_in_window_s=300.0), 1)

    assert step is not None
    assert 4 == step.after


def test_the_last_recommendation_before_a_silence_stands_until_the_next() -> None:
    """The daemon was down for an hour: the window begins anew, it is not over."""
    step = stabilize.scale_in_window(a_pool(4, (3600, 4, 4), scale_in_window_s=300.0), 1)

    assert step is not None
    assert "the scale-in window holds 4 for 5 min more" == step.why


def test_without_a_window_the_past_holds_nothing() -> None:
    """Zero seconds is no window."""
    assert None is stabilize.scale_in_window(a_pool(4, (10, 4, 4)), 1)
    assert None is stabilize.scale_out_window(a_pool(4, (10, 4, 4)), 9)


def test_scale_out_takes_the_lowest_recommendation_of_the_window() -> None:
    """A burst shorter than the window buys nothing; a blind tick does not delay the buying."""
    window = {"scale_out_window_s": 60.0}
    step = stabilize.scale_out_window(a_pool(2, (50, 3, 2), (20, None, 2), (10, 9, 2), **window), 9)

    assert step is not None
    assert 3 == step.after
    assert None is stabilize.scale_out_window(a_pool(2, (130, 3, 2), (120, 9, 2), (10, 9, 2), **window), 9)
    assert None is stabilize.scale_out_window(a_pool(2, (50, None, 2), **window), 9)


def test_scale_out_cools_down_after_an_increase_only() -> None:
    """A decrease does not delay the next increase."""
    step = stabilize.scale_out_cooldown(a_pool(4, (90, 2, 2), (40, 4, 4), scale_out_cooldown_s=60.0), 6)

    assert step is not None
    assert (4, "the scale-out cooldown holds 4 for 20 s more") == (step.after, step.why)
    assert None is stabilize.scale_out_cooldown(
        a_pool(4, (90, 6, 6), (40, 4, 4), scale_out_cooldown_s=60.0), 6
    )
    assert None is stabilize.scale_out_cooldown(
        a_pool(4, (90, 2, 2), (60, 4, 4), scale_out_cooldown_s=60.0), 6
    )


@pytest.mark.parametrize("before", [2, 6])
def test_scale_in_cools_down_after_a_change_in_either_direction(before: int) -> None:
    """What was just bought is not given back at once, and giving back goes step by step."""
    step = stabilize.scale_in_cooldown(
        a_pool(4, (90, before, before), (40, 4, 4), scale_in_cooldown_s=60.0), 1
    )

    assert step is not None
    assert (4, "the scale-in cooldown holds 4 for 20 s more") == (step.after, step.why)


def test_cooldowns_let_the_standing_number_be_bought_again() -> None:
    """A create was refused right after an increase: what stands is no new increase, and is asked for again."""
    given = an_input(
        60,
        4,
        history=a_history((20, 4, 4), (10, 6, 6)),
        stabilization=replace(CALM, scale_out_cooldown_s=600.0),
    )

    assert 6 == decide(given).wanted


def test_a_clock_that_was_set_back_does_not_bind_for_hours() -> None:
    """Decisions dated in the future are no measure of time."""
    rows = ((-3500.0, 2, 2), (-3600.0, 4, 4))
    given = a_pool(
        4,
        *rows,
        scale_out_cooldown_s=60.0,
        scale_in_cooldown_s=60.0,
        scale_out_window_s=60.0,
        scale_in_window_s=60.0,
    )

    assert [None, None] == [
        rule(given, 9) for rule in (stabilize.scale_out_cooldown, stabilize.scale_out_window)
    ]
    assert [None, None] == [
        rule(given, 1) for rule in (stabilize.scale_in_cooldown, stabilize.scale_in_window)
    ]


def test_steps_are_bounded_from_the_workers_there_are() -> None:
    """Arriving workers count, those wanted and never had do not."""
    given = a_pool(0, (10, 20, 20), max_step_out=2, max_step_in=3)
    given = replace(given, supply=a_supply(3, 2))
    out, into = stabilize.max_step_out(given, 20), stabilize.max_step_in(given, 0)

    assert out is not None
    assert into is not None
    assert (7, 2) == (out.after, into.after)


def test_nothing_is_taken_in_before_enough_good_looks() -> None:
    """After an outage the first figures may be those of a broker that is still filling its statistics."""
    step = stabilize.good_looks(a_pool(4, looks=2, good_looks=3), 1)

    assert step is not None
    assert (4, "2 good looks of 3 in a row at demand: nothing is taken in yet") == (step.after, step.why)
    assert None is stabilize.good_looks(a_pool(4, looks=3, good_looks=3), 1)
    assert None is stabilize.good_looks(a_pool(4, looks=0, good_looks=3), 6)


def test_a_quiet_default_pool_goes_in_five_minutes_after_the_last_wish_for_more() -> None:
    """The default settings, tick by tick of 10 s: high until 0 s, nothing from then on, gone at 310 s."""
    past = History(good_looks=100)
    number, at = 4, 0.0
    given = an_input(40, 4, stabilization=Stabilization())
    while number and at < 1000:
        given = an_input(
            40 if at == 0 else 0, number, at=NOW + at, history=past, stabilization=Stabilization()
        )
        decision = decide(given)
        record = a_history((-at, decision.recommended, decision.wanted)).past
        past = History(past=(*past.past, *record), good_looks=100)
        number, at = decision.wanted, at + 10

    assert 310 == given.at - NOW
