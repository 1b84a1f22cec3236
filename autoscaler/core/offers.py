"""Which offers rest after a refusal, and for how long; which one is bought next of those awake is `preference`'s.

An offer rests after a refusal, longer each time, and comes back by itself. One that was rejected as wrong rests until
tomorrow: repeating it unchanged is useless, but nobody should have to wake it by hand once the cause is mended. After
a rest for what is likely to last, one machine at a time is tried until one becomes a worker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from autoscaler.core import accounts
from autoscaler.core.facts import CallKind, Memory, Outcome, OutcomeKind, Rest, RestKind, SlowDown, Snapshot
from autoscaler.core.lifecycle import ARRIVING, Event, NodeState
from autoscaler.core.model import Node, Offer, OfferName, PoolName, PoolRules, Transition
from autoscaler.core.reports import Boots, Phase
from providers.contract import ProviderName

_Key = TypeVar("_Key")

_FIRST_REST_S = 30.0
_LONGEST_REST_S = 1800.0  # stock comes back within the hour at most hosts; asking twice an hour harms nobody
_REJECTED_REST_S = 86_400.0
_LONGEST_UNPREPARED_S = 300.0  # trying costs no machine, and the pool has nowhere else to go
_THROTTLED_REST_S = 60.0  # where the provider names no time of its own
_LONGEST_THROTTLE_S = 3600.0  # whatever it names: a destroy waits for this too, and an hour is money
_QUIET_S = 10.0  # for looks, where it names no time: while blind nothing is bought
_SLOW_DISKS = 2
"""Machines in a row that were refused for their disk before the offer rests: one may have a noisy neighbour."""
TRIED_ONE_BY_ONE = frozenset(
    {RestKind.REJECTED, RestKind.NEVER_ENROLLED, RestKind.SLOW_DISK, RestKind.MISPLACED}
)
"""After these a rest's end proves nothing: the cause may last."""
_WOKEN_BY_A_RESTART = frozenset(
    {RestKind.REJECTED, RestKind.NEVER_ENROLLED, RestKind.SLOW_DISK, RestKind.UNPREPARED}
)


def awake(offers: Iterable[Offer], pool: PoolName, memory: Memory, at: float) -> tuple[Offer, ...]:
    """The offers that may be asked now for this pool, in the operator's order."""
    return tuple(offer for offer in offers if why_resting(offer, pool, memory, at) is None)


def why_resting(offer: Offer, pool: PoolName, memory: Memory, at: float) -> str | None:
    """Why this offer is not asked now for this pool, or None if it may be."""
    rests = memory.offer_rests
    for rest in (
        memory.account_rests.get(offer.provider),
        rests.get(offer.name),
        rests.get(for_pool(offer.name, pool)),
    ):
        if rest is not None and rest.until_at > at:
            return rest.why
    return accounts.why_resting(offer.provider, memory, at)


def probes_left(offer: Offer, pool: PoolName, memory: Memory, nodes: Iterable[Node]) -> int | None:
    """How many machines of an offer may be tried whose rest is over and whose cause may last: one at a time.

    None where nothing is to be proven. It ends with a worker that is heard, or a day after the rest.
    """
    rests = memory.offer_rests
    own, of_pool = rests.get(offer.name), rests.get(for_pool(offer.name, pool))
    doubtful_everywhere = own is not None and own.kind in TRIED_ONE_BY_ONE
    doubtful_here = of_pool is not None and of_pool.kind in TRIED_ONE_BY_ONE
    if not doubtful_everywhere and not doubtful_here:
        return None
    tried = any(
        n.state in ARRIVING and n.offer.name == offer.name and (doubtful_everywhere or n.pool == pool)
        for n in nodes
    )
    return 0 if tried else 1


def stock_left(offer: Offer, memory: Memory, nodes: Iterable[Node]) -> int | None:
    """How many machines may be ordered where stock was empty, while another offer serves: one at a time.

    So the next refusal costs one machine's tick and not that of all. It ends with the first order that is taken; None
    where nothing was refused.
    """
    rest = memory.offer_rests.get(offer.name)
    if rest is None or rest.kind is not RestKind.REFUSED:
        return None
    asked = any(n.state is NodeState.CREATING and n.offer.name == offer.name for n in nodes)
    return 0 if asked else 1


def remember(snapshot: Snapshot) -> Memory:
    """Memory with the refusals and successes of this tick's answers taken in, and rests long over forgotten."""
    memory = snapshot.memory
    nodes = {node.name: node for node in snapshot.nodes}
    for outcome in snapshot.outcomes:
        node = nodes.get(outcome.node)
        if node is not None:
            memory = _after(memory, node, outcome, snapshot.at)
    for provider, listing in snapshot.listings.items():
        if isinstance(listing, SlowDown):
            quiet_s = throttle_s(listing.retry_after_s, _QUIET_S)
            memory = _in_peace(memory, provider, listing.why, snapshot.at, listing.retry_after_s, quiet_s)
    return replace(
        memory,
        offer_rests=_kept(memory.offer_rests, snapshot.at, longest_s=_REJECTED_REST_S),
        account_rests=_kept(memory.account_rests, snapshot.at, longest_s=_LONGEST_THROTTLE_S),
    )


def after_enrolments(memory: Memory, told: Iterable[Transition], nodes: Iterable[Node]) -> Memory:
    """Memory after machines of an offer became workers, which wakes it, or failed to, which lets it rest.

    Only a worker that is heard proves an offer: one whose machines boot and never enrol would be bought for ever. That
    is a matter of this pool, whose application may be what fails: others go on buying the same offer. A machine that
    was ordered before the rest began says nothing new: ten that fail one after another are one failure.
    """
    by_name = {node.name: node for node in nodes}
    for move in told:
        node = by_name.get(move.node)
        if node is None:
            continue
        key = for_pool(node.offer.name, node.pool)
        if move.event in {Event.ENROL_EXPIRED, Event.ENROL_FAILED}:
            earlier = memory.offer_rests.get(key)
            if earlier is not None and node.ordered_at < earlier.since_at <= move.at:
                continue
            kind, why = (
                RestKind.NEVER_ENROLLED,
                f"machines of {node.offer.name} do not enrol in pool {node.pool}",
            )
            if move.event is Event.ENROL_FAILED and _failed_in(memory, node) is Phase.DISK:
                refused = memory.phases.get(key, Boots()).slow_disks
                if refused < _SLOW_DISKS:
                    continue
                kind = RestKind.SLOW_DISK
                why = f"{refused} machines of {node.offer.name} in a row had disks too slow for pool {node.pool}"
            becomes = memory.becoming.get(node.name, "")
            memory = _rested(memory, key, move.at, why, kind, becomes=becomes)
        elif move.event in {Event.WORKER_SEEN, Event.WORK_SEEN} and node.enrolled_at is None:
            # Where it stands is not for its worker to say.
            rests = {
                name: rest
                for name, rest in memory.offer_rests.items()
                if name not in {node.offer.name, key} or rest.kind is RestKind.MISPLACED
            }
            memory = replace(memory, offer_rests=rests)
    return memory


def _failed_in(memory: Memory, node: Node) -> Phase | None:
    """The phase of its boot that failed, by its own word."""
    boot = memory.booting.get(node.name)
    return boot.failed.phase if boot is not None and boot.failed is not None else None


def after_changes(memory: Memory, rules: Mapping[PoolName, PoolRules], at: float) -> Memory:
    """Memory in which nothing rests for what the configuration does not buy any more.

    A machine that is to become something else than those that never enrolled may be tried, one at a time.
    """
    now = {
        for_pool(offer, name): becomes
        for name, pool in rules.items()
        for offer, becomes in pool.becomes.items()
    }
    rests = {
        key: replace(rest, until_at=min(rest.until_at, at))
        if rest.becomes and now.get(key, rest.becomes) != rest.becomes
        else rest
        for key, rest in memory.offer_rests.items()
    }
    return replace(memory, offer_rests=rests)


def after_restart(memory: Memory, at: float) -> Memory:
    """Memory of a daemon that begins: what was rejected or never enrolled may be tried again, one machine at a time.

    Whoever mended a configuration, an account or an application restarts the daemon and expects to be heard. That is
    safe even for one that starts again and again: a machine on its way holds back the next. Other rests stand, because
    a restart brings no stock back.
    """
    rests = {
        name: replace(rest, until_at=min(rest.until_at, at)) if rest.kind in _WOKEN_BY_A_RESTART else rest
        for name, rest in memory.offer_rests.items()
    }
    return replace(memory, offer_rests=rests)


def throttle_s(retry_after_s: float | None, usual_s: float = _THROTTLED_REST_S) -> float:
    """How long the provider wants to be left in peace, within reason: its word comes from outside."""
    if retry_after_s is None or retry_after_s <= 0.0:
        return usual_s
    return min(_LONGEST_THROTTLE_S, retry_after_s)  # NaN is less than nothing: it becomes the longest


def why_quiet(memory: Memory, at: float) -> dict[ProviderName, str]:
    """The accounts that are not even asked for their machines now, and why."""
    return {
        provider: f"{rest.why}; it is asked again in {rest.quiet_until_at - at:.0f} s"
        for provider, rest in memory.account_rests.items()
        if at < rest.quiet_until_at <= at + _LONGEST_THROTTLE_S  # beyond that, the wall clock was set back
    }


def for_pool(offer: OfferName, pool: PoolName) -> OfferName:
    """The key under which an offer rests for one pool only."""
    return OfferName(f"{offer} for {pool}")


def _kept(rests: Mapping[_Key, Rest], at: float, *, longest_s: float) -> dict[_Key, Rest]:
    """Rests not long over, and none longer than any may be, as they would seem after the wall clock was set back."""
    return {
        key: replace(
            rest,
            until_at=min(rest.until_at, at + longest_s),
            quiet_until_at=min(rest.quiet_until_at, at + longest_s),
        )
        for key, rest in rests.items()
        if rest.until_at > at - _REJECTED_REST_S
    }


def _after(memory: Memory, node: Node, outcome: Outcome, at: float) -> Memory:
    offer = node.offer
    if outcome.kind is OutcomeKind.THROTTLED:
        told_s = outcome.retry_after_s
        # One that names no time may mean this kind of call alone.
        quiet_s = 0.0 if told_s is None else throttle_s(told_s)
        # From now on: the wall clock may have been set since it was answered.
        return _in_peace(memory, offer.provider, outcome.says, at, told_s, quiet_s)
    if outcome.kind is OutcomeKind.UNPREPARED:
        return _unprepared(memory, node, outcome)
    kind = _REFUSALS.get(outcome.kind)
    if outcome.call is CallKind.CREATE and outcome.kind is OutcomeKind.DONE:
        return _taken(memory, node)
    if outcome.call is not CallKind.CREATE or kind is None:
        return memory
    return _rested(memory, offer.name, outcome.at, f"{offer.name} refused: {outcome.says}", kind)


def _in_peace(
    memory: Memory, provider: ProviderName, says: str, at: float, told_s: float | None, quiet_s: float
) -> Memory:
    """Memory in which the account rests: from orders for as long as it said, and from looks for so long. What it said
    before may last longer."""
    before = memory.account_rests.get(provider)
    resting = before is not None and before.until_at > at
    quiet_until_at = at + quiet_s if quiet_s else 0.0
    rest = Rest(
        until_at=max(at + throttle_s(told_s), before.until_at if before else 0.0),
        refusals=before.refusals + 1 if before else 1,
        why=f"{provider} asked us to slow down: {says}",
        kind=RestKind.THROTTLED,
        since_at=before.since_at if before and resting else at,
        quiet_until_at=max(quiet_until_at, before.quiet_until_at if before and resting else 0.0),
    )
    return replace(memory, account_rests={**memory.account_rests, provider: rest})


def _unprepared(memory: Memory, node: Node, outcome: Outcome) -> Memory:
    """The offer rests for that pool alone: nothing was asked of its provider, and other pools may need less."""
    key = for_pool(node.offer.name, node.pool)
    earlier = memory.offer_rests.get(key)
    if earlier is not None and earlier.kind in TRIED_ONE_BY_ONE:
        # What it was doubted for is as doubtful as before.
        rest = replace(earlier, until_at=max(earlier.until_at, outcome.at + _FIRST_REST_S))
        return replace(memory, offer_rests={**memory.offer_rests, key: rest})
    why = f"no machine was ordered at {node.offer.name} for pool {node.pool}: {outcome.says}"
    return _rested(memory, key, outcome.at, why, RestKind.UNPREPARED, longest_s=_LONGEST_UNPREPARED_S)


def _taken(memory: Memory, node: Node) -> Memory:
    """There is stock again, or what the order needs besides. What was ordered before the rest was over proves nothing:
    of a burst the last ones fail."""
    proven = {
        node.offer.name: RestKind.REFUSED,
        for_pool(node.offer.name, node.pool): RestKind.UNPREPARED,
    }
    rests = {
        name: rest
        for name, rest in memory.offer_rests.items()
        if rest.kind is not proven.get(name) or node.ordered_at < rest.until_at
    }
    return replace(memory, offer_rests=rests) if len(rests) < len(memory.offer_rests) else memory


_REFUSALS = {
    OutcomeKind.CAPACITY_REFUSED: RestKind.REFUSED,
    OutcomeKind.REJECTED: RestKind.REJECTED,
}


def _rested(
    memory: Memory,
    name: OfferName,
    at: float,
    why: str,
    kind: RestKind,
    *,
    becomes: str = "",
    longest_s: float = _LONGEST_REST_S,
) -> Memory:
    """The offer rests, twice as long as the last time. What was ordered before a rest began does not prolong it:
    a burst of orders that meets one empty shelf is one refusal."""
    earlier = memory.offer_rests.get(name)
    longest = kind is RestKind.REJECTED
    resting = earlier is not None and earlier.until_at > at
    if resting and not longest:
        return memory
    refusals = earlier.refusals + 1 if earlier else 1
    rest_s = min(longest_s, _FIRST_REST_S * 2 ** min(refusals - 1, 10))
    rest = Rest(
        until_at=at + (_REJECTED_REST_S if longest else rest_s),
        refusals=refusals,
        why=why,
        kind=kind,
        since_at=earlier.since_at if earlier is not None and resting else at,
        becomes=becomes,
    )
    return replace(memory, offer_rests={**memory.offer_rests, name: rest})
