"""Which offer to buy next: the first in the operator's order that is awake.

An offer rests after a refusal, longer each time, and comes back by itself. One that was rejected as wrong rests until
tomorrow: repeating it unchanged is useless, but nobody should have to wake it by hand once the cause is mended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from autoscaler.core.facts import CallKind, Memory, Outcome, OutcomeKind, Rest, Snapshot
from autoscaler.core.lifecycle import Event
from autoscaler.core.model import Node, Offer, OfferName, PoolName, Transition

_Key = TypeVar("_Key")

_FIRST_REST_S = 30.0
_LONGEST_REST_S = 1800.0  # stock comes back within the hour at most hosts; asking twice an hour harms nobody
_REJECTED_REST_S = 86_400.0
_THROTTLED_REST_S = 60.0  # where the provider names no time of its own
_LONGEST_THROTTLE_S = 3600.0  # whatever it names: a destroy waits for this too, and an hour is money


def awake(offers: Iterable[Offer], pool: PoolName, memory: Memory, at: float) -> tuple[Offer, ...]:
    """The offers that may be asked now for this pool, in the operator's order."""
    return tuple(offer for offer in offers if why_resting(offer, pool, memory, at) is None)


def why_resting(offer: Offer, pool: PoolName, memory: Memory, at: float) -> str | None:
    """Why this offer is not asked now for this pool, or None if it may be."""
    rests = memory.offer_rests
    for rest in (
        memory.account_rests.get(offer.provider),
        rests.get(offer.name),
        rests.get(_for_pool(offer, pool)),
    ):
        if rest is not None and rest.until_at > at:
            return rest.why
    return None


def remember(snapshot: Snapshot) -> Memory:
    """Memory with the refusals and successes of this tick's answers taken in, and rests long over forgotten."""
    memory = snapshot.memory
    nodes = {node.name: node for node in snapshot.nodes}
    for outcome in snapshot.outcomes:
        node = nodes.get(outcome.node)
        if node is not None:
            memory = _after(memory, node, outcome)
    return replace(
        memory,
        offer_rests=_kept(memory.offer_rests, snapshot.at, longest_s=_REJECTED_REST_S),
        account_rests=_kept(memory.account_rests, snapshot.at, longest_s=_LONGEST_THROTTLE_S),
    )


def after_enrolments(memory: Memory, told: Iterable[Transition], nodes: Iterable[Node]) -> Memory:
    """Memory after machines of an offer became workers, which wakes it, or failed to, which lets it rest.

    Only a worker that is heard proves an offer: one whose machines boot and never enrol would be bought for ever. That
    is a matter of this pool, whose application may be what fails: others go on buying the same offer.
    """
    by_name = {node.name: node for node in nodes}
    for move in told:
        node = by_name.get(move.node)
        if node is None:
            continue
        if move.event in {Event.ENROL_EXPIRED, Event.ENROL_FAILED}:
            why = f"machines of {node.offer.name} do not enrol in pool {node.pool}"
            memory = _rested(memory, _for_pool(node.offer, node.pool), move.at, why)
        elif move.event is Event.WORKER_SEEN and node.enrolled_at is None:
            proven = {node.offer.name, _for_pool(node.offer, node.pool)}
            rests = {name: rest for name, rest in memory.offer_rests.items() if name not in proven}
            memory = replace(memory, offer_rests=rests)
    return memory


def throttle_s(outcome: Outcome) -> float:
    """How long the provider wants to be left in peace, within reason: its word comes from outside."""
    return min(_LONGEST_THROTTLE_S, outcome.retry_after_s or _THROTTLED_REST_S)


def _kept(rests: Mapping[_Key, Rest], at: float, *, longest_s: float) -> dict[_Key, Rest]:
    """Rests not long over, and none longer than any may be, as they would seem after the wall clock was set back."""
    return {
        key: replace(rest, until_at=min(rest.until_at, at + longest_s))
        for key, rest in rests.items()
        if rest.until_at > at - _REJECTED_REST_S
    }


def _after(memory: Memory, node: Node, outcome: Outcome) -> Memory:
    offer = node.offer
    if outcome.kind is OutcomeKind.THROTTLED:
        until_at = outcome.at + throttle_s(outcome)
        before = memory.account_rests.get(offer.provider)
        rest = Rest(
            until_at=until_at,
            refusals=before.refusals + 1 if before else 1,
            why=f"{offer.provider} asked us to slow down: {outcome.says}",
        )
        return replace(memory, account_rests={**memory.account_rests, offer.provider: rest})
    if outcome.call is not CallKind.CREATE:
        return memory
    if outcome.kind not in {OutcomeKind.CAPACITY_REFUSED, OutcomeKind.REJECTED}:
        return memory
    longest = outcome.kind is OutcomeKind.REJECTED
    return _rested(memory, offer.name, outcome.at, f"{offer.name} refused: {outcome.says}", longest=longest)


def _rested(memory: Memory, name: OfferName, at: float, why: str, *, longest: bool = False) -> Memory:
    """The offer rests, twice as long as the last time. What was ordered before a rest began does not prolong it:
    a burst of orders that meets one empty shelf is one refusal."""
    earlier = memory.offer_rests.get(name)
    if earlier is not None and earlier.until_at > at and not longest:
        return memory
    refusals = earlier.refusals + 1 if earlier else 1
    rest_s = min(_LONGEST_REST_S, _FIRST_REST_S * 2 ** min(refusals - 1, 10))
    rest = Rest(until_at=at + (_REJECTED_REST_S if longest else rest_s), refusals=refusals, why=why)
    return replace(memory, offer_rests={**memory.offer_rests, name: rest})


def _for_pool(offer: Offer, pool: PoolName) -> OfferName:
    """The key under which an offer rests for one pool only."""
    return OfferName(f"{offer.name} for {pool}")
