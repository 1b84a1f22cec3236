"""The buying half of a plan: so many more are wanted, and each is ordered that limits, sight and accounts allow.

A draft and a decision go in; records in CREATING, their calls and what held others back are written into the draft.
What never happens here: a machine ordered on a picture that could not be seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace

from autoscaler.core import limits, money, offers, preference, purchases, residency, strangers
from autoscaler.core.draft import Draft
from autoscaler.core.facts import Missing, listing_clock
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, Node, Offer, OrphanRule, PoolName, PoolRules, Transition
from autoscaler.core.money import Books
from autoscaler.core.reconcile import Rules
from policies.contract import Decision
from providers.contract import NodeName


@dataclass(slots=True, kw_only=True)
class _Purchase:
    """What one pool wants and has got of it until now."""

    pool: PoolRules
    decision: Decision
    asked: int
    left: int
    offers: list[Offer]
    """Those that may still be asked."""
    reasons: list[str] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return not self.left or not self.offers

    @property
    def share(self) -> float:
        """How much of what it wants it has."""
        return 1.0 - self.left / max(1, self.decision.wanted)


def buy(
    draft: Draft, rules: Rules, decisions: Mapping[PoolName, Decision], short: Mapping[PoolName, int]
) -> None:
    """Order what each pool is short of, or as much as may be; the rest is named in a remark.

    Where the fleet's money is limited pools buy one machine a turn, the one that has the smallest share of what it
    wants first; else each buys all of its own at once.
    """
    wanted = [_wanted(draft, rules[name], decisions[name], more) for name, more in short.items() if more]
    open_ones = [purchase for purchase in wanted if purchase is not None]
    if not open_ones:
        return
    books = money.open_books(draft.nodes.values(), draft.memory, rules, draft.fleet, draft.snapshot.at)
    # One by one is dearer to work out, so only where it matters.
    turns = books.is_shared
    # Of equals the first, as they are configured. Of one that waits the share stays what it is.
    waiting = [(one.share, place, one) for place, one in enumerate(open_ones) if not one.is_over]
    heapify(waiting)
    while waiting:
        _, place, one = waiting[0]
        _go_on(draft, books, one, 1 if turns else one.left)
        if one.is_over:
            heappop(waiting)
        else:
            heapreplace(waiting, (one.share, place, one))
    for one in open_ones:
        if one.left and one.reasons:
            got = one.asked - one.left
            reasons = "; ".join(dict.fromkeys(one.reasons))
            draft.remark(one.pool.name, f"{got} of {one.asked} more bought: {reasons}")


def _wanted(draft: Draft, pool: PoolRules, decision: Decision, asked: int) -> _Purchase | None:
    """What may be asked for at all; None, and a remark, where nothing may."""
    snapshot = draft.snapshot
    blind = purchases.why_not(snapshot, draft.memory, pool) or _unsettled(draft, pool)
    if blind:
        draft.remark(pool.name, blind)
        return None
    if decision.input.demand is None:
        asked = _asked_unseen(draft, pool, decision, asked)
        if not asked:
            return None
    buyable = residency.buyable(pool.offers, pool, draft.fleet)
    awake = offers.awake(buyable, pool.name, draft.memory, snapshot.at)
    if not awake:
        draft.remark(pool.name, f"no offer can be asked now: {_why_none(draft, pool, buyable)}")
        return None
    unseen = {offer.provider: purchases.why_blind(snapshot, offer.provider) for offer in awake}
    seen = [offer for offer in awake if not unseen[offer.provider]]
    reasons = [why for why in unseen.values() if why]
    if not seen:
        draft.remark(pool.name, f"no offer can be asked now: {reasons[0]}")
        return None
    return _Purchase(
        pool=pool,
        decision=decision,
        asked=asked,
        left=asked,
        offers=seen,
        reasons=reasons,
    )


def _why_none(draft: Draft, pool: PoolRules, buyable: tuple[Offer, ...]) -> str | None:
    """Why no offer of the pool may be asked, by its first one."""
    if buyable:
        return offers.why_resting(buyable[0], pool.name, draft.memory, draft.snapshot.at)
    if not pool.offers:
        return "none configured"
    return residency.why_refused(pool.offers[0].provider, pool.offers[0].location, pool, draft.fleet)


def _go_on(draft: Draft, books: Books, one: _Purchase, at_most: int) -> None:
    """Order up to so many of the offer that comes next, and leave it if it can give no more."""
    one.offers = list(preference.in_order(one.offers, one.pool, draft.memory, workers=one.left))
    offer = one.offers[0]
    weight = one.pool.weight_of(offer.name)
    # What is less than a large machine is bought of it all the same, if nothing better is to be had.
    asked = max(1, at_most // weight)
    count, by, exhausted = _part(draft, books, one, offer, asked)
    _order(draft, one.pool, one.decision, offer, count)
    books.ordered(one.pool, offer, count)
    one.left = max(0, one.left - count * weight)
    if count < asked:
        one.reasons += [by] if by else []
        # What leaves no room for a large machine may leave some for a smaller one.
        exhausted = exhausted and weight == min(one.pool.weight_of(each.name) for each in one.offers)
        one.offers = [] if exhausted else one.offers[1:]


def _part(draft: Draft, books: Books, one: _Purchase, offer: Offer, asked: int) -> tuple[int, str, bool]:
    """How many of `asked` are bought of this offer, what binds that, and whether it binds the other offers too."""
    pool = one.pool
    nodes, memory = draft.of_pool(pool.name), draft.memory
    room = limits.room(
        pool,
        nodes,
        unrecorded=strangers.prices_per_h(memory, pool),
        unrecorded_workers=strangers.workers(memory, pool),
        weight=pool.weight_of(offer.name),
        price_per_h=offer.price_per_h,
        asked=asked,
        further=books.bounds(pool, offer, asked),
    )
    means = purchases.Means(
        at=draft.snapshot.at,
        memory=memory,
        fleet=draft.fleet,
        calls=draft.calls,
        under_way=draft.under_way[offer.provider],
        nodes=draft.nodes.values(),
        becoming={**memory.becoming, **draft.becoming},
        others=len(one.offers) > 1,
    )
    lot = purchases.lot(offer, pool, room.nodes, means)
    draft.waits.extend(lot.waits)
    return lot.count, lot.bound_by or room.bound_by, lot.count == room.nodes


def _order(draft: Draft, pool: PoolRules, decision: Decision, offer: Offer, count: int) -> None:
    """Record so many new machines of that offer as ordered, each with the call that orders it."""
    snapshot, becomes = draft.snapshot, pool.becomes.get(offer.name)
    for _ in range(count):
        number = len(draft.creates)
        name = NodeName(f"{draft.fleet.name}-{pool.name}-{snapshot.name_seed}{number:x}")
        draft.add(
            Node(
                name=name,
                machine=name,
                pool=pool.name,
                offer=offer,
                slots=pool.slots_of(offer.name),
                queues=pool.queues,
                state=NodeState.CREATING,
                reason=f"wanted workers: {decision.wanted}",
                ordered_at=snapshot.at,
                entered_at=snapshot.at,
                entered_on=draft.memory.clocks.get(listing_clock(offer.provider), 0.0),
                becomes=becomes or "",
            )
        )
        draft.transitions.append(
            Transition(
                node=name,
                pool=pool.name,
                at=snapshot.at,
                event=None,
                before=None,
                after=NodeState.CREATING,
                reason=f"wanted workers: {decision.wanted}",
            )
        )
        draft.creates.append(
            CreateNode(node=name, pool=pool.name, offer=offer, timeout_s=pool.timeouts.call_s)
        )
        draft.calls.buy(offer.provider)
        draft.under_way[offer.provider] += 1
        if becomes:
            draft.becoming[name] = becomes


def _asked_unseen(draft: Draft, pool: PoolRules, decision: Decision, asked: int) -> int:
    """What may be bought of `asked` while demand cannot be seen: up to `on_unknown`, no further on a memory."""
    floor = pool.limits.on_unknown - (decision.wanted - asked)
    if floor < asked:
        draft.remark(
            pool.name,
            f"{max(0, floor)} of {asked} more bought: cannot see demand, on_unknown is {pool.limits.on_unknown}",
        )
    return max(0, min(asked, floor))


def _unsettled(draft: Draft, pool: PoolRules) -> str:
    """After a lost journal the fleet works on without records: it is taken in, not bought a second time."""
    if draft.fleet.orphans is not OrphanRule.DESTROY or isinstance(draft.snapshot.sightings, Missing):
        return ""
    mine = [each for each in draft.memory.strangers if each.instance.pool == pool.name]
    recorded = {node.machine for node in draft.nodes.values()} if mine else set()
    at_work = [
        stranger
        for stranger in mine
        if stranger.instance.name not in recorded
        and strangers.works(draft.snapshot.sightings, stranger.instance, pool.timeouts.silence_s)
    ]
    return (
        f"not buying before {len(at_work)} working machines without a record are taken in" if at_work else ""
    )
