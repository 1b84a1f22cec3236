"""Machines that bear our mark and have no live record: who they are, and when they are taken into the records.

An orphan is believed only after it was seen in complete listings for the settle time. One whose worker is heard is
recorded as DRAINING: what it holds is finished before it goes, and if load asks for it, it is taken back. A silent one
is recorded straight into DESTROYING. Nothing is ever ended from here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.core.facts import (
    SIGHTINGS_CLOCK,
    Memory,
    Missing,
    Sightings,
    Snapshot,
    Stranger,
    listing_clock,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    FleetRules,
    Node,
    Offer,
    OrderKind,
    OrphanRule,
    PoolName,
    PoolRules,
    Timeouts,
    Transition,
    worker_of,
)
from providers.contract import Instance, InstanceId, Listing, NodeName, ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Strangers still being watched, and those that now have a record."""

    strangers: tuple[Stranger, ...]
    adopted: tuple[Node, ...]
    transitions: tuple[Transition, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A listing to look machines up in, so that a tick over many nodes does not read it once for each."""

    by_id: Mapping[InstanceId, Instance]
    oldest_by_name: Mapping[str, Instance]


def index(listing: Listing) -> Index:
    """Where two machines bear one name, the older is found by it."""
    by_age = sorted(listing.instances, key=lambda i: (i.created_at or 0.0, i.instance_id), reverse=True)
    return Index(
        by_id={i.instance_id: i for i in listing.instances}, oldest_by_name={i.name: i for i in by_age}
    )


def claimed_by(node: Node, listed: Index) -> Instance | None:
    """The listed instance that is this node's: by id once that is known, else the oldest of its name."""
    if node.instance_id is not None:
        return listed.by_id.get(node.instance_id)
    return listed.oldest_by_name.get(node.machine)


def prices_per_h(memory: Memory, pool: PoolRules) -> tuple[float, ...]:
    """What each machine of this pool without a record is likely to cost."""
    return tuple(_offer_of(s, pool).price_per_h for s in memory.strangers if s.instance.pool == pool.name)


def find(
    snapshot: Snapshot,
    memory: Memory,
    nodes: tuple[Node, ...],
    rules: Mapping[PoolName, PoolRules],
    fleet: FleetRules,
) -> Found:
    """Compare every listing with the records. Incomplete listings add nothing and take nothing away."""
    watched: list[Stranger] = []
    adopted: list[Node] = []
    told: list[Transition] = []
    swept = any(order.kind is OrderKind.SWEEP for order in snapshot.orders)
    machines = Counter(node.machine for node in nodes if node.state is not NodeState.GONE)
    for provider, listing in snapshot.listings.items():
        now_on = memory.clocks.get(listing_clock(provider), 0.0)
        for stranger in _watch(provider, listing, memory, nodes, now_on):
            settled = now_on - stranger.since_on >= snapshot.settle_s.get(provider, 60.0)
            visible = isinstance(listing, Listing) and listing.complete
            end_it = fleet.orphans is OrphanRule.DESTROY or swept
            pool = rules.get(PoolName(stranger.instance.pool or ""))
            twin = machines[NodeName(stranger.instance.name)] > 0
            state = _state_for(stranger, snapshot, pool, twin=twin, swept=swept)
            if not (settled and visible and end_it) or state is None:
                watched.append(stranger)
                continue
            node = _adopt(stranger, state, snapshot, memory, pool, len(adopted))
            adopted.append(node)
            told.append(
                Transition(
                    node=node.name,
                    pool=node.pool,
                    at=snapshot.at,
                    event=None,
                    before=None,
                    after=node.state,
                    reason=node.reason,
                )
            )
    return Found(strangers=tuple(watched), adopted=tuple(adopted), transitions=tuple(told))


def _watch(
    provider: ProviderName,
    listing: Listing | Missing,
    memory: Memory,
    nodes: tuple[Node, ...],
    now_on: float,
) -> list[Stranger]:
    known = {s.instance.instance_id: s for s in memory.strangers if s.provider == provider}
    if isinstance(listing, Missing) or not listing.complete:
        return list(known.values())
    listed = index(listing)
    claimed = {
        instance.instance_id
        for node in nodes
        if node.state is not NodeState.GONE
        for instance in [claimed_by(node, listed)]
        # Two accounts of the configuration may be one at the provider: a machine recorded under the other is no
        # stranger here. Ids of different providers may be alike, so the name must be too.
        if instance is not None and (node.offer.provider == provider or instance.name == node.machine)
    }
    return [
        Stranger(
            provider=provider,
            instance=instance,
            since_on=known[instance.instance_id].since_on if instance.instance_id in known else now_on,
        )
        for instance in listing.instances
        if instance.instance_id not in claimed
    ]


def _state_for(
    stranger: Stranger, snapshot: Snapshot, pool: PoolRules | None, *, twin: bool, swept: bool
) -> NodeState | None:
    """DRAINING for one that works, DESTROYING for one that does not, None while it cannot be told.

    A twin (a second machine of a name that has a live record) shares its worker's name with the recorded one: while
    that name is heard nothing can be proven about the twin, so it is only reported, and ended on an operator's word.
    """
    if isinstance(snapshot.sightings, Missing):
        return None
    silence_s = (pool.timeouts if pool else Timeouts()).silence_s
    if works(snapshot.sightings, stranger.instance, silence_s):
        if twin:
            return NodeState.DESTROYING if swept else None
        return NodeState.DRAINING
    return NodeState.DESTROYING if snapshot.sightings.would_hear_within(silence_s) else None


def works(sightings: Sightings, instance: Instance, silence_s: float) -> bool:
    """Whether the worker of that machine's name is heard."""
    heard = sightings.workers.get(worker_of(NodeName(instance.name)))
    return heard is not None and heard.online and heard.silent_s <= silence_s


def _adopt(
    stranger: Stranger,
    state: NodeState,
    snapshot: Snapshot,
    memory: Memory,
    pool: PoolRules | None,
    number: int,
) -> Node:
    instance = stranger.instance
    clock = SIGHTINGS_CLOCK if state is NodeState.DRAINING else listing_clock(stranger.provider)
    works = state is NodeState.DRAINING
    return Node(
        name=NodeName(f"{instance.name}~{snapshot.name_seed}{number:x}"),
        machine=NodeName(instance.name),
        pool=pool.name if pool else PoolName(instance.pool or ""),
        offer=_offer_of(stranger, pool),
        slots=pool.slots if pool else 1,
        queues=pool.queues if pool else (),
        state=state,
        reason="a machine of ours without a record" + (", its worker is heard" if works else ""),
        ordered_at=instance.created_at or snapshot.at,
        entered_at=snapshot.at,
        entered_on=memory.clocks.get(clock, 0.0),
        instance_id=instance.instance_id,
        instance_created_at=instance.created_at,
        consumer_order=ConsumerOrder.CANCEL if works else ConsumerOrder.NONE,
    )


def _offer_of(stranger: Stranger, pool: PoolRules | None) -> Offer:
    """The offer it was most likely bought by: same account and size, else same account, else one of price 0."""
    offers = [o for o in pool.offers if o.provider == stranger.provider] if pool else []
    alike = [o for o in offers if o.size == stranger.instance.size] or offers
    if alike:
        return alike[0]
    return Offer(
        provider=stranger.provider,
        location=stranger.instance.location,
        size=stranger.instance.size,
        image="",
        price_per_h=0.0,
        quantum_s=1,
    )
