"""From facts to one number of workers with its chain of reasons: where proposals, orders and limits meet.

A `DecisionInput` goes in, a `Decision` comes out; the same input always gives the same decision, so a stored one
replays. The chain begins with one of five rules (paused, an operator's hold, demand missing, no opinion, proposals) and
each later rule may change the number, with a reason. What never happens here: I/O, clocks, memory, or a machine chosen.

Laws, each held by a property test: `0 <= wanted <= max_workers`; `wanted >= min_workers` unless paused or held by an
operator; more backlog never means fewer workers; missing demand never lowers the number. A scheduled ceiling and a
month's money that runs out give way to `min_workers`, and take in nobody before the good looks or while the workers
cannot be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies import guards, stabilize
from policies.contract import Decision, DecisionInput, Recommendation, Rule, Step
from policies.kinds import open_policies
from policies.phrases import count, duration


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Where a chain begins, and which rules may change it."""

    steps: tuple[Step, ...]
    rules: tuple[stabilize.RuleFunction, ...]
    held: str = ""
    proposals: tuple[Recommendation, ...] = ()
    recommended: int | None = None


def decide(given: DecisionInput, /) -> Decision:
    """How many workers the pool should have, and why.

    Total for every input whose policies open; raises `PolicyOptionsWrong` for the others.
    """
    start = _start(given)
    steps = list(start.steps)
    for rule in start.rules:
        step = rule(given, steps[-1].after)
        if step is not None:
            steps.append(step)
    last = steps[-1]
    winner = _winner(start.proposals)
    return Decision(
        input=given,
        proposals=start.proposals,
        recommended=start.recommended,
        steps=tuple(steps),
        wanted=last.after,
        binding=winner.policy if last.rule is Rule.PROPOSALS and winner else last.rule,
        held=start.held,
        would_change=_would_change(last, winner),
    )


def _start(given: DecisionInput) -> _Start:
    """Orders of people go before sight, and sight before rules."""
    if given.paused:
        return _paused(given)
    if given.hold is not None and given.at < given.hold.until_at:
        return _held(given, given.hold.workers, given.hold.until_at)
    if given.demand is None:
        return _blind(given)
    return _proposed(given)


def _paused(given: DecisionInput) -> _Start:
    """What is there stays. The floor would buy and is not applied; the ceiling limits cost, and binds even here."""
    step = _first(given, Rule.PAUSED, given.supply.workers, "paused")
    return _Start(steps=(step,), rules=(_ceiling,), held="paused")


def _held(given: DecisionInput, workers: int, until_at: float) -> _Start:
    """The operator's number, which may lie below the floor (that is what a person is for) but not above the ceiling."""
    why = f"an operator holds {workers} for {duration(until_at - given.at)} more"
    step = _first(given, Rule.HOLD, workers, why)
    return _Start(steps=(step,), rules=(_supply_missing, _ceiling), held=why)


def _blind(given: DecisionInput) -> _Start:
    """Neither fewer than were wanted last nor fewer than there are: both may be needed, and we cannot tell."""
    why = f"cannot see demand ({given.demand_missing or 'no reason given'})"
    keep = max(given.history.standing(given.supply), given.supply.workers)
    step = _first(given, Rule.DEMAND_MISSING, keep, why)
    return _Start(steps=(step,), rules=(_on_unknown, _floor, _ceiling), held=why)


def _proposed(given: DecisionInput) -> _Start:
    """The largest wish of those that have one; when none has, the number that stands."""
    assert given.demand is not None
    proposals = tuple(
        policy.recommend(given.demand, given.supply, given.history, at=given.at)
        for policy in open_policies(given.policies)
    )
    winner = _winner(proposals)
    rules = (
        *stabilize.RULES,
        *guards.guards(proposals),
        _scheduled_ceiling(proposals),
        _monthly_budget,
        stabilize.good_looks,
        _supply_missing,
        _floor,
        _ceiling,
    )
    if winner is None or winner.workers is None:
        standing = given.history.standing(given.supply)
        step = _first(given, Rule.NO_OPINION, standing, f"no policy asks for anything: {standing} stays")
        return _Start(steps=(step,), rules=rules, proposals=proposals)
    recommended = max(winner.workers, 0)
    first = _first(given, Rule.PROPOSALS, recommended, winner.why)
    calmed = stabilize.tolerance(given, proposals, recommended)
    return _Start(
        steps=(first,) if calmed is None else (first, calmed),
        rules=rules,
        proposals=proposals,
        recommended=recommended,
    )


def _winner(proposals: Sequence[Recommendation]) -> Recommendation | None:
    """The first of those that ask for most."""
    asking = [proposal for proposal in proposals if proposal.workers is not None]
    return max(asking, key=lambda proposal: proposal.workers or 0, default=None)


def _first(given: DecisionInput, rule: Rule, workers: int, why: str) -> Step:
    return Step(rule=rule, before=given.history.standing(given.supply), after=max(workers, 0), why=why)


def _on_unknown(given: DecisionInput, workers: int) -> Step | None:
    least = given.limits.on_unknown
    return (
        Step(rule=Rule.ON_UNKNOWN, before=workers, after=least, why=f"raised to on_unknown {least}")
        if workers < least
        else None
    )


def _supply_missing(given: DecisionInput, workers: int) -> Step | None:
    present = given.supply.workers
    if not given.supply_missing or workers >= present:
        return None
    why = f"cannot see the workers ({given.supply_missing}): none of {present} is taken in"
    return Step(rule=Rule.SUPPLY_MISSING, before=workers, after=present, why=why)


def _scheduled_ceiling(proposals: Sequence[Recommendation]) -> stabilize.RuleFunction:
    """The lowest ceiling that a policy sets. It limits cost, so no window or cooldown puts it off; safety does."""
    lowest = min(
        (proposal for proposal in proposals if proposal.at_most is not None),
        key=lambda proposal: proposal.at_most or 0,
        default=None,
    )

    def rule(_given: DecisionInput, workers: int) -> Step | None:
        most = workers if lowest is None or lowest.at_most is None else max(lowest.at_most, 0)
        if lowest is None or workers <= most:
            return None
        why = lowest.at_most_why or f"{lowest.policy} allows {most} at most"
        return Step(rule=Rule.SCHEDULED_CEILING, before=workers, after=most, why=why)

    return rule


def _monthly_budget(given: DecisionInput, workers: int) -> Step | None:
    """What the month's money still pays for. As a scheduled ceiling: only safety and the floor put it off."""
    left = given.allowance
    if left is None or workers <= left.workers:
        return None
    return Step(rule=Rule.MONTHLY_BUDGET, before=workers, after=max(left.workers, 0), why=left.why)


def _floor(given: DecisionInput, workers: int) -> Step | None:
    least = given.limits.min_workers
    return (
        Step(rule=Rule.FLOOR, before=workers, after=least, why=f"min_workers keeps {least}")
        if workers < least
        else None
    )


def _ceiling(given: DecisionInput, workers: int) -> Step | None:
    most = given.limits.max_workers
    return (
        Step(rule=Rule.CEILING, before=workers, after=most, why=f"capped by max_workers {most}")
        if workers > most
        else None
    )


def _would_change(last: Step, winner: Recommendation | None) -> str:
    """What the last rule waits for, then what the winning policy does."""
    told = _WAITS_FOR[last.rule].format(before=count(last.before, "worker"))
    return "; ".join(part for part in (told, winner.would_change if winner else "") if part)


# `{before}` is the number that the rule did not let through.
_WAITS_FOR = {
    Rule.PAUSED: "resuming the pool would let its policies decide again",
    Rule.HOLD: "the end of the hold would let the policies decide again",
    Rule.DEMAND_MISSING: "seeing demand again would let the policies decide",
    Rule.NO_OPINION: "a policy that asks for a number would change it",
    Rule.PROPOSALS: "",
    Rule.TOLERANCE: "a wish further from the present number would pass the tolerance",
    Rule.SCALE_OUT_WINDOW: "the end of the scale-out window would allow {before}, if they are still asked for",
    Rule.SCALE_IN_WINDOW: "the end of the scale-in window would allow {before}, if no more are asked for meanwhile",
    Rule.SCALE_OUT_COOLDOWN: "the end of the scale-out cooldown would allow {before}",
    Rule.SCALE_IN_COOLDOWN: "the end of the scale-in cooldown would allow {before}",
    Rule.MAX_STEP_OUT: "the next decision may go on toward {before}",
    Rule.MAX_STEP_IN: "the next decision may go on toward {before}",
    Rule.NOT_HELPING: "completions that rise with the workers would allow {before}",
    Rule.REDELIVERED: "fewer deliveries for the second time would allow {before}",
    Rule.SCHEDULED_CEILING: "the end of the scheduled ceiling would allow {before}",
    Rule.MONTHLY_BUDGET: "the next month, or a higher max_cost_per_month, would allow {before}",
    Rule.GOOD_LOOKS: "more good looks at demand would allow {before}",
    Rule.SUPPLY_MISSING: "seeing the workers again would allow {before}",
    Rule.ON_UNKNOWN: "seeing demand again would let the policies decide",
    Rule.FLOOR: "a lower min_workers would allow {before}",
    Rule.CEILING: "a higher max_workers would allow {before}",
}
