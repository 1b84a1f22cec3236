"""Laws of deciding, for every input."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from policies.account import explain
from policies.contract import DecisionInput, Demand, Rule
from policies.decide import decide
from policies.sentence import sentence
from tests.property.strategies import counts, decision_inputs, demands, left_to_policies

BEGINNINGS = {Rule.PAUSED, Rule.HOLD, Rule.DEMAND_MISSING, Rule.NO_OPINION, Rule.PROPOSALS}


@given(decision_inputs())
def test_a_decision_replays(asked: DecisionInput) -> None:
    """The decision holds all it depended on: deciding again gives the same, reasons included."""
    decision = decide(asked)

    assert decision == decide(decision.input)


@given(decision_inputs())
def test_the_number_lies_within_the_limits(asked: DecisionInput) -> None:
    """Never above the ceiling; never below the floor unless a person said so."""
    wanted = decide(asked).wanted
    word_of_a_person = asked.paused or (asked.hold is not None and asked.hold.until_at > asked.at)

    assert (0 if word_of_a_person else asked.limits.min_workers) <= wanted <= asked.limits.max_workers


@settings(max_examples=500)
@given(decision_inputs(), demands, counts)
def test_more_backlog_never_means_fewer_workers(asked: DecisionInput, demand: Demand, more: int) -> None:
    """All else equal, over every policy, mix of policies, window, cooldown and limit."""
    asked = left_to_policies(asked)
    less, much = (
        decide(replace(asked, demand=replace(demand, backlog=backlog)))
        for backlog in (demand.backlog, demand.backlog + more)
    )

    assert less.wanted <= much.wanted
    assert (less.recommended or 0) <= (much.recommended or 0) or much.recommended is None


@given(decision_inputs())
def test_missing_demand_never_lowers_the_number(asked: DecisionInput) -> None:
    """Neither below what was wanted last nor below what there is, as far as the ceiling lets it."""
    asked = replace(left_to_policies(asked), demand=None, demand_missing="down")
    keep = max(asked.history.standing(asked.supply), asked.supply.workers)
    decision = decide(asked)

    assert min(keep, asked.limits.max_workers) <= decision.wanted
    assert decision.wanted <= max(keep, asked.limits.on_unknown, asked.limits.min_workers)
    assert decision.held


@given(decision_inputs())
def test_unseen_workers_are_never_taken_in(asked: DecisionInput) -> None:
    """Not by a policy and not by an operator's hold, as far as the ceiling lets it."""
    decision = decide(replace(asked, supply_missing="silence"))

    assert min(asked.supply.workers, asked.limits.max_workers) <= decision.wanted


@given(decision_inputs(), demands)
def test_nothing_is_taken_in_before_enough_good_looks(asked: DecisionInput, demand: Demand) -> None:
    """The first figures after an outage move the number upward only."""
    asked = replace(left_to_policies(asked), demand=demand)
    needed = replace(asked.stabilization, good_looks=asked.history.good_looks + 1)
    asked = replace(asked, stabilization=needed)

    assert min(asked.supply.workers, asked.limits.max_workers) <= decide(asked).wanted


@given(decision_inputs(), demands)
def test_a_scheduled_ceiling_holds_as_far_as_safety_and_the_floor_let_it(
    asked: DecisionInput, demand: Demand
) -> None:
    """Never more than the lowest of them, unless the floor is higher or nobody may be taken in."""
    asked = replace(left_to_policies(asked), demand=demand)
    decision = decide(asked)
    ceilings = [proposal.at_most for proposal in decision.proposals if proposal.at_most is not None]
    kept = asked.history.good_looks < asked.stabilization.good_looks or bool(asked.supply_missing)
    present = asked.supply.workers if kept else 0

    assert all(decision.wanted <= max(most, asked.limits.min_workers, present) for most in ceilings)
    assert all(bool(p.at_most_why) == (p.at_most is not None) for p in decision.proposals)


@given(decision_inputs())
def test_the_chain_is_unbroken_and_says_only_what_happened(asked: DecisionInput) -> None:
    """One beginning; each link takes up where the last ended and changes something; the last is the number."""
    decision = decide(asked)
    first, *rest = decision.steps

    assert first.rule in BEGINNINGS
    assert all(step.rule not in BEGINNINGS and step.before != step.after for step in rest)
    assert [step.after for step in decision.steps[:-1]] == [step.before for step in rest]
    assert decision.wanted == decision.steps[-1].after
    assert all(step.why for step in decision.steps)
    assert decision.recommended is None or first.after == decision.recommended


@given(decision_inputs())
def test_something_always_binds_and_something_would_always_change_it(asked: DecisionInput) -> None:
    """An operator is never left without the next question's answer."""
    decision = decide(asked)

    assert decision.binding in {*Rule, *(proposal.policy for proposal in decision.proposals)}
    assert decision.would_change
    assert all(proposal.why and proposal.would_change for proposal in decision.proposals)


@given(decision_inputs(), st.lists(st.sampled_from(["capped by budget", "an offer rests"]), max_size=2))
def test_every_decision_can_be_told(asked: DecisionInput, remarks: list[str]) -> None:
    """One sentence that names the pool and keeps the remarks, and an account that holds every reason."""
    decision = decide(asked)
    said, told = sentence(decision, remarks=tuple(remarks)), explain(decision)

    assert said.startswith(f"{asked.pool}: ")
    assert "\n" not in said
    assert said.endswith("; ".join(remarks))
    assert all(step.why in told for step in decision.steps)
