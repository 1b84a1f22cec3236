"""How a wish is calmed, in the terms of the Kubernetes HPA: tolerance, windows, cooldowns, step limits; and good looks.

Each rule takes the facts and the number so far and returns the `Step` that changes it, or None where it changes
nothing; `RULES` is their order. "Current" is the number that stands (`History.standing`), as the HPA's `spec.replicas`;
only the step limits count from the workers there are. What never happens here: a number that falls as the wish rises.

One thing differs from the HPA: a recommendation stands until the next one, so time in which we were down, blind or held
by an operator is no evidence that fewer workers would do. Ticks without a recommendation count for scale-in with the
number they held, and for scale-out not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from policies.contract import LONG_QUANTUM_S, DecisionInput, Past, Recommendation, Rule, Step
from policies.phrases import count, duration, plain

RuleFunction = Callable[[DecisionInput, int], Step | None]

_ROUNDING = 1e-9
"""Both edges of the tolerance belong to it; binary fractions must not push 9 of 10 out of 10 %."""


def default_scale_in_window_s(quantum_s: float) -> float:
    """Where none is configured: as the HPA where machines are billed in long quanta, for then what is too many stays
    anyway; else about what a new machine's boot costs (as with rented skis: wait for as long as a mistake costs)."""
    return 300.0 if quantum_s >= LONG_QUANTUM_S else 90.0


def tolerated(proposal: Recommendation, standing: int, tolerance: float) -> int | None:
    """The proposal's number, or the one that stands where the wish lies within the tolerance of it.

    Only a proportional wish (`exact`) is compared, before it is rounded up, and never at 0: nothing is near 0 by ratio.
    """
    if proposal.workers is None or proposal.exact is None or standing == 0:
        return proposal.workers
    # Whatever a rule of other people's making claims, the exact wish lies within one worker below the rounded one.
    exact = min(max(proposal.exact, proposal.workers - 1), proposal.workers)
    within = abs(exact - standing) <= tolerance * standing + _ROUNDING
    return standing if within else proposal.workers


def tolerance(given: DecisionInput, proposals: Sequence[Recommendation], recommended: int) -> Step | None:
    """Each proposal is compared for itself and then the largest taken, so a plain "two more" beside it gets through."""
    standing = given.history.standing(given.supply)
    share = given.stabilization.tolerance
    after = max(
        (n for p in proposals if (n := tolerated(p, standing, share)) is not None), default=recommended
    )
    why = f"{recommended} is within the tolerance of {plain(share * 100)} % around {standing}"
    return _step(Rule.TOLERANCE, recommended, max(after, 0), why)


def scale_out_window(given: DecisionInput, workers: int) -> Step | None:
    """Out to the lowest number recommended within the window."""
    standing = given.history.standing(given.supply)
    window_s = given.stabilization.scale_out_window_s
    if workers <= standing:
        return None
    asked = [
        past.recommended for past, _ in _standing_within(given, window_s) if past.recommended is not None
    ]
    after = max(standing, min([workers, *asked]))
    why = (
        f"the scale-out window of {duration(window_s)} holds {after} until more was asked for all through it"
    )
    return _step(Rule.SCALE_OUT_WINDOW, workers, after, why)


def scale_in_window(given: DecisionInput, workers: int) -> Step | None:
    """In to the highest number recommended within the window."""
    standing = given.history.standing(given.supply)
    window_s = given.stabilization.scale_in_window_s
    if workers >= standing:
        return None
    asked = [(_asked(past), until_at) for past, until_at in _standing_within(given, window_s)]
    after = min(standing, max([workers, *(number for number, _ in asked)]))
    ends_at = max((until_at for number, until_at in asked if number >= after), default=given.at) + window_s
    why = f"the scale-in window holds {after} for {duration(ends_at - given.at)} more"
    return _step(Rule.SCALE_IN_WINDOW, workers, after, why)


def scale_out_cooldown(given: DecisionInput, workers: int) -> Step | None:
    """No increase within the cooldown of the last increase."""
    standing = given.history.standing(given.supply)
    if workers <= standing:
        return None
    last_at = max(
        (now.at for before, now in pairwise(_known(given)) if now.wanted > before.wanted), default=None
    )
    if last_at is None:
        return None
    left_s = last_at + given.stabilization.scale_out_cooldown_s - given.at
    if left_s <= 0:
        return None
    why = f"the scale-out cooldown holds {standing} for {duration(left_s)} more"
    return _step(Rule.SCALE_OUT_COOLDOWN, workers, standing, why)


def scale_in_cooldown(given: DecisionInput, workers: int) -> Step | None:
    """No decrease within the cooldown of the last change, up or down."""
    standing = given.history.standing(given.supply)
    if workers >= standing:
        return None
    last_at = max(
        (now.at for before, now in pairwise(_known(given)) if now.wanted != before.wanted), default=None
    )
    if last_at is None:
        return None
    left_s = last_at + given.stabilization.scale_in_cooldown_s - given.at
    if left_s <= 0:
        return None
    why = f"the scale-in cooldown holds {standing} for {duration(left_s)} more"
    return _step(Rule.SCALE_IN_COOLDOWN, workers, standing, why)


def max_step_out(given: DecisionInput, workers: int) -> Step | None:
    """At most so many more than there are now."""
    limit = given.stabilization.max_step_out
    if limit is None:
        return None
    return _step(
        Rule.MAX_STEP_OUT,
        workers,
        min(workers, given.supply.workers + limit),
        f"max_step_out allows {limit} more than {given.supply.workers} at a time",
    )


def max_step_in(given: DecisionInput, workers: int) -> Step | None:
    """At most so many fewer than there are now."""
    limit = given.stabilization.max_step_in
    if limit is None:
        return None
    return _step(
        Rule.MAX_STEP_IN,
        workers,
        max(workers, given.supply.workers - limit),
        f"max_step_in allows {limit} fewer than {given.supply.workers} at a time",
    )


def good_looks(given: DecisionInput, workers: int) -> Step | None:
    """Nothing is taken in until demand was seen so many times in a row."""
    seen, needed = given.history.good_looks, given.stabilization.good_looks
    if seen >= needed:
        return None
    why = f"{count(seen, 'good look')} of {needed} in a row at demand: nothing is taken in yet"
    return _step(Rule.GOOD_LOOKS, workers, max(workers, given.supply.workers), why)


RULES: tuple[RuleFunction, ...] = (
    scale_out_window,
    scale_in_window,
    scale_out_cooldown,
    scale_in_cooldown,
    max_step_out,
    max_step_in,
)
"""Windows before rates, as in the HPA. `good_looks` is none of them: it comes later, for safety has the last word."""


def _step(rule: Rule, before: int, after: int, why: str) -> Step | None:
    return None if before == after else Step(rule=rule, before=before, after=after, why=why)


def _asked(past: Past) -> int:
    return past.wanted if past.recommended is None else past.recommended


def _known(given: DecisionInput) -> tuple[Past, ...]:
    """The decisions dated before now. After the wall clock was set back, those of "the future" would bind for hours."""
    return tuple(past for past in given.history.past if past.at <= given.at)


def _standing_within(given: DecisionInput, window_s: float) -> Iterator[tuple[Past, float]]:
    """Each decision that still stood at some time in the window, with the instant up to which it stood."""
    known = _known(given)
    ends_at = [*(past.at for past in known[1:]), given.at]
    for past, until_at in zip(known, ends_at, strict=False):
        if until_at > given.at - window_s:
            yield past, until_at
