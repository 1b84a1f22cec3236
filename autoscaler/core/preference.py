"""In which order a pool's offers are asked: as they are listed, or by what a unit of work costs there.

In go the offers that may be asked now and what was measured of them, out come the same offers, the best one first. By
price the last one bought stays first while none is clearly better, so that a fleet does not scatter over places that
cost nearly the same. What never happens here: an offer left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from autoscaler.core.facts import Memory, Missing, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, Offer, OfferName, OfferOrder, Plan, PoolName, PoolRules
from autoscaler.core.offers import for_pool
from policies.contract import Span

_ENOUGH_TASKS = 100.0
"""So many tasks must have been begun on an offer before its speed counts: of fewer one long task tells too much."""
_REMEMBERED_S = 14_400.0
"""Seconds of busy slots that a speed is measured over; what is older fades. Hardware behind a name changes seldom."""
_FASTEST = 4.0
"""No offer is taken to be more than so many times as fast, or as slow, as the pool's average: it may be a slow hour."""


def in_order(
    offers: Iterable[Offer], pool: PoolRules, memory: Memory, *, workers: int | None = None
) -> tuple[Offer, ...]:
    """These offers, the one to be asked first in front; for so many workers, if that is said: of a large machine only
    the part that is wanted has a worth."""
    listed = tuple(offers)
    if pool.offer_order is OfferOrder.LISTED or len(listed) < 2:
        return listed
    costs = {offer.name: cost_of_work(offer, pool, memory, workers=workers) for offer in listed}
    ranked = sorted(listed, key=lambda offer: costs[offer.name])  # of equals the first one listed
    last = memory.bought.get(pool.name)
    if last in costs and costs[last] <= costs[ranked[0].name] * (1.0 + pool.offer_margin):
        ranked.sort(key=lambda offer: offer.name != last)
    return tuple(ranked)


def cost_of_work(offer: Offer, pool: PoolRules, memory: Memory, *, workers: int | None = None) -> float:
    """What an hour of one slot costs there, as if it were as fast as the pool's average."""
    slots = pool.slots_of(offer.name)
    used = slots if workers is None else max(1, min(slots, workers * pool.slots))
    return offer.price_per_h / used / speed(offer, pool, memory)


def speed(offer: Offer, pool: PoolRules, memory: Memory) -> float:
    """How many tasks a busy slot of it takes up, beside the average of the pool's offers; 1 while that is not known."""
    known = [
        span
        for each in pool.offers
        if (span := memory.delivered.get(for_pool(each.name, pool.name))) and span.amount >= _ENOUGH_TASKS
    ]
    own = memory.delivered.get(for_pool(offer.name, pool.name))
    if own is None or own.amount < _ENOUGH_TASKS or len(known) < 2:
        return 1.0
    average = sum(span.amount for span in known) / sum(span.seconds for span in known)
    return min(_FASTEST, max(1.0 / _FASTEST, own.amount / own.seconds / average))


def delivered(snapshot: Snapshot, rules: Mapping[PoolName, PoolRules]) -> dict[OfferName, Span]:
    """Of each configured offer for a pool: seconds that slots were busy, and tasks begun in them, by the workers' own
    word. What cannot be heard measures nothing, and neither does an idle worker."""
    after = {
        key: span
        for name, pool in rules.items()
        for offer in pool.offers
        for key in [for_pool(offer.name, name)]
        if (span := snapshot.memory.delivered.get(key)) is not None
    }
    if isinstance(snapshot.sightings, Missing) or not snapshot.elapsed_s:
        return after
    busy: dict[OfferName, float] = {}
    begun: dict[OfferName, float] = {}
    for node in snapshot.nodes:
        said = snapshot.sightings.workers.get(node.worker) if node.state is NodeState.READY else None
        if said is not None and said.active and said.processed_per_s is not None:
            key = for_pool(node.offer.name, node.pool)
            busy[key] = busy.get(key, 0.0) + said.active * snapshot.elapsed_s
            begun[key] = begun.get(key, 0.0) + said.processed_per_s * snapshot.elapsed_s
    wanted = {for_pool(offer.name, name) for name, pool in rules.items() for offer in pool.offers}
    for key in wanted & busy.keys():
        before = after.get(key, Span(seconds=0.0, amount=0.0))
        after[key] = _faded(Span(seconds=before.seconds + busy[key], amount=before.amount + begun[key]))
    return after


def bought(memory: Memory, plan: Plan) -> Memory:
    """The memory with what this plan bought last of each pool."""
    orders = {action.pool: action.offer.name for action in plan.actions if isinstance(action, CreateNode)}
    return replace(memory, bought={**memory.bought, **orders}) if orders else memory


def _faded(span: Span) -> Span:
    if span.seconds <= _REMEMBERED_S:
        return span
    kept = _REMEMBERED_S / span.seconds
    return Span(seconds=_REMEMBERED_S, amount=span.amount * kept)
