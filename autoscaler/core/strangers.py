"""Machines that bear our mark and have no live record: who they are, and when they are taken into the records.

An orphan is believed only after it was seen in complete listings for the settle time. One whose worker is heard is
recorded as DRAINING: what it holds is finished before it goes, and if load asks for it, it is taken back. A silent one
is recorded straight into DESTROYING, once it is old enough to have enrolled, the broker says that nobody of its name is
connected, and few of them at a time. Only a second machine of a name that has not enrolled yet is ended at once: later
nobody could tell the two apart. Nothing is ever ended from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autoscaler.core import claims, deadlines, offers, sweep_quota
from autoscaler.core.facts import (
    SIGHTINGS_CLOCK,
    Memory,
    Missing,
    Sightings,
    Snapshot,
    Stranger,
    Unconnected,
    listing_clock,
)
from autoscaler.core.learned import Learned
from autoscaler.core.lifecycle import ARRIVING, NodeState
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
from autoscaler.core.sweep_quota import Quota
from autoscaler.core.waits import Wait, WaitKind
from providers.contract import Instance, Listing, NodeName, ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Strangers still being watched, and those that now have a record."""

    strangers: tuple[Stranger, ...]
    adopted: tuple[Node, ...]
    transitions: tuple[Transition, ...]
    sweeps: Mapping[ProviderName, tuple[float, ...]]
    """As `Memory.sweeps`."""
    waits: tuple[Wait, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One stranger, and what its judgement may look at."""

    stranger: Stranger
    snapshot: Snapshot
    pool: PoolRules | None
    seen_s: float
    """How long it has been seen, in seconds of complete listings."""
    settle_s: float
    namesakes: tuple[Node, ...]
    """Records of machines that bear its name."""
    swept: bool
    askable: bool
    """Whether its account may be asked for its end now, and does not rest."""

    @property
    def times(self) -> Timeouts:
        return self.pool.timeouts if self.pool else Timeouts()

    @property
    def at_work(self) -> bool:
        """Whether the worker of its name is heard."""
        seen = self.snapshot.sightings
        return not isinstance(seen, Missing) and works(seen, self.stranger.instance, self.times.silence_s)

    @property
    def silent(self) -> bool:
        """Whether that worker would have been heard if it spoke."""
        seen = self.snapshot.sightings
        hears = not isinstance(seen, Missing) and seen.would_hear_within(self.times.silence_s)
        return hears and not self.at_work

    @property
    def may_come_back(self) -> bool:
        """Whether its worker was heard and fell silent no longer ago than one with a record may be lost."""
        seen = self.snapshot.sightings
        patience_s = self.times.silence_s + self.times.lost_s
        return not isinstance(seen, Missing) and works(seen, self.stranger.instance, patience_s)

    @property
    def word(self) -> int | Missing | None:
        """What the broker holds for the worker of its name; None before it was asked."""
        return self.snapshot.strangers_hold.get(worker_of(NodeName(self.stranger.instance.name)))

    @property
    def connected(self) -> bool:
        """Whether the broker knows a connection of that worker, heard or not."""
        return isinstance(self.word, int)

    @property
    def unconnected(self) -> bool:
        """Whether the broker says that nobody of that name is there."""
        return isinstance(self.word, Unconnected)

    @property
    def settled(self) -> bool:
        """Whether it was seen for so long that it is believed."""
        return self.seen_s >= self.settle_s

    @property
    def unenrolled_twin(self) -> bool:
        """Whether it is a second machine of a name that no worker was ever heard by."""
        # A namesake that is ending is a twin that was found before this one.
        kept = [n for n in self.namesakes if n.state is not NodeState.DESTROYING]
        return bool(kept) and all(n.state in ARRIVING and n.enrolled_at is None for n in kept)

    @property
    def old_enough(self) -> bool:
        """Whether it had the time to become a worker, by its own account of its age or by ours."""
        created_at = self.stranger.instance.created_at
        age_s = 0.0 if created_at is None else self.snapshot.at - created_at
        name = self.pool.name if self.pool else PoolName("")
        key = offers.for_pool(offer_of(self.stranger, self.pool).name, name)
        of = self.snapshot.memory.learned.get(key, Learned())
        return max(age_s, self.seen_s) >= deadlines.enrol_s(self.times, of, alike=False)


def prices_per_h(memory: Memory, pool: PoolRules) -> tuple[float, ...]:
    """What each machine of this pool without a record is likely to cost."""
    return tuple(offer_of(s, pool).price_per_h for s in memory.strangers if s.instance.pool == pool.name)


def workers(memory: Memory, pool: PoolRules) -> int:
    """As how many workers the pool's machines without a record are likely to count."""
    mine = (s for s in memory.strangers if s.instance.pool == pool.name)
    return sum(pool.weight_of(offer_of(stranger, pool).name) for stranger in mine)


def find(
    snapshot: Snapshot,
    memory: Memory,
    nodes: tuple[Node, ...],
    rules: Mapping[PoolName, PoolRules],
    fleet: FleetRules,
    indices: Mapping[ProviderName, claims.Index],
) -> Found:
    """Compare every listing with the records. Incomplete listings add nothing and take nothing away. `indices` are of
    every listing that was seen."""
    watched: list[Stranger] = []
    adopted: list[Node] = []
    sweeps: dict[ProviderName, tuple[float, ...]] = {}
    waits: list[Wait] = []
    swept = any(order.kind is OrderKind.SWEEP for order in snapshot.orders)
    live = [node for node in nodes if node.state is not NodeState.GONE]
    strangers = {
        provider: _watch(provider, listing, memory, live, indices, snapshot.settle_s.get(provider, 60.0))
        for provider, listing in snapshot.listings.items()
    }
    namesakes = claims.of_names(
        live, {one.instance.name for strange in strangers.values() for one in strange}
    )
    for provider, listing in snapshot.listings.items():
        now_on = memory.clocks.get(listing_clock(provider), 0.0)
        settle_s = snapshot.settle_s.get(provider, 60.0)
        strange = strangers[provider]
        if isinstance(listing, Missing) or not listing.complete:
            watched += strange
            sweeps[provider] = memory.sweeps.get(provider, ())
            continue
        quota = sweep_quota.quota(provider, listing, memory, fleet)
        rest = memory.account_rests.get(provider)
        for stranger in strange:
            if stranger.missing_on is not None:
                watched.append(stranger)
                continue
            if any(
                node.instance_id == stranger.instance.instance_id
                for node in namesakes[stranger.instance.name]
            ):
                continue  # two accounts that are one: it was taken in a moment ago
            case = _Case(
                stranger=stranger,
                snapshot=snapshot,
                pool=rules.get(PoolName(stranger.instance.pool or "")),
                seen_s=now_on - stranger.since_on,
                settle_s=settle_s,
                namesakes=tuple(namesakes[stranger.instance.name]),
                swept=swept,
                askable=rest is None or rest.until_at <= snapshot.at,
            )
            state = _state_for(case, quota) if fleet.orphans is OrphanRule.DESTROY or swept else None
            if state is None:
                watched.append(stranger)
                waits += (*_twin_waits(case), *_unheard_waits(case))
            else:
                node = _adopt(case, state, memory, len(adopted))
                adopted.append(node)
                namesakes[node.machine].append(node)
        sweeps[provider] = quota.spent_on
        waits += quota.waits(snapshot.at)
    return Found(
        strangers=tuple(watched),
        adopted=tuple(adopted),
        transitions=tuple(_begins(node, snapshot.at) for node in adopted),
        sweeps={provider: spent for provider, spent in sweeps.items() if spent},
        waits=tuple(waits),
    )


def _begins(node: Node, at: float) -> Transition:
    return Transition(
        node=node.name,
        pool=node.pool,
        at=at,
        event=None,
        before=None,
        after=node.state,
        reason=node.reason,
    )


def _twin_waits(case: _Case) -> tuple[Wait, ...]:
    """Two machines share the name of a worker that is heard: what an operator should read of it."""
    instance = case.stranger.instance
    if not case.namesakes or not case.at_work:
        return ()
    why = (
        f"two machines bear this name and its worker is heard: {instance.instance_id} has no record and is paid "
        "too, but nobody can tell which of them works"
    )
    return (Wait(kind=WaitKind.TWIN, subject=instance.name, why=why, since_at=case.snapshot.at),)


def _unheard_waits(case: _Case) -> tuple[Wait, ...]:
    """It looks forsaken, and is kept for want of the broker's word: what an operator should read of it."""
    if not (case.settled and case.silent and case.old_enough) or case.unconnected or case.may_come_back:
        return ()
    says = (
        "its worker is connected to the broker"
        if case.connected
        else "the broker does not say who is connected"
    )
    why = f"a silent machine without a record is kept: {says}"
    subject = case.stranger.instance.name
    return (Wait(kind=WaitKind.UNHEARD, subject=subject, why=why, since_at=case.snapshot.at),)


def _watch(
    provider: ProviderName,
    listing: Listing | Missing,
    memory: Memory,
    live: list[Node],
    indices: Mapping[ProviderName, claims.Index],
    settle_s: float,
) -> list[Stranger]:
    known = {s.instance.instance_id: s for s in memory.strangers if s.provider == provider}
    if isinstance(listing, Missing) or not listing.complete:
        return list(known.values())
    now_on = memory.clocks.get(listing_clock(provider), 0.0)
    listed = indices[provider]
    seen = [
        Stranger(
            provider=provider,
            instance=instance,
            since_on=known[instance.instance_id].since_on if instance.instance_id in known else now_on,
        )
        for instance in claims.unclaimed(provider, listing, live, listed)
    ]
    absent = {key: stranger for key, stranger in known.items() if key not in listed.by_id}
    if not absent:
        return seen
    # Ids of different accounts may be alike here, too: the account must be the same, or the name.
    recorded = {(key, node.instance_id) for node in live for key in (node.offer.provider, node.machine)}
    return seen + [
        replace(stranger, missing_on=missing_on)
        for instance_id, stranger in absent.items()
        if not {(provider, instance_id), (stranger.instance.name, instance_id)} & recorded
        for missing_on in [now_on if stranger.missing_on is None else stranger.missing_on]
        if now_on - missing_on < settle_s
    ]


def _state_for(case: _Case, quota: Quota) -> NodeState | None:
    """DRAINING for one that works, DESTROYING for one that does not, None while it cannot be told or may not be yet.

    A twin (a second machine of a name that has a live record) shares its worker's name with the recorded one: while
    that name is heard nothing can be proven about the twin, so it is only reported, and ended on an operator's word.
    Before it is heard one of the two is surely too many, whichever it is; but only if its end can be asked for at once:
    once recorded it would be ended later, too, when its worker may have begun.

    Only the broker's word that nobody of its name is connected ends a silent one unasked: who cannot be heard may work.
    """
    if case.namesakes and not case.askable and not case.swept:
        return None
    if case.silent and case.unenrolled_twin and case.unconnected:
        return NodeState.DESTROYING
    if not case.settled or not (case.silent or case.at_work):
        return None
    if case.swept:
        return _swept(case)
    if case.at_work:
        return None if case.namesakes else NodeState.DRAINING
    ready = case.unconnected and case.old_enough and not case.may_come_back
    return NodeState.DESTROYING if ready and quota.take() else None


def _swept(case: _Case) -> NodeState | None:
    """On an operator's word: a twin ends whoever is heard, another is drained where somebody is there, and is not
    judged before the broker said whether there is."""
    if case.namesakes:
        return NodeState.DESTROYING
    if case.at_work or case.connected:
        return NodeState.DRAINING
    return NodeState.DESTROYING if case.unconnected else None


def works(sightings: Sightings, instance: Instance, silence_s: float) -> bool:
    """Whether the worker of that machine's name is heard."""
    heard = sightings.workers.get(worker_of(NodeName(instance.name)))
    return heard is not None and heard.online and heard.silent_s <= silence_s


def _adopt(case: _Case, state: NodeState, memory: Memory, number: int) -> Node:
    stranger, snapshot, pool = case.stranger, case.snapshot, case.pool
    instance = stranger.instance
    clock = SIGHTINGS_CLOCK if state is NodeState.DRAINING else listing_clock(stranger.provider)
    works = state is NodeState.DRAINING
    return Node(
        name=NodeName(f"{instance.name}~{snapshot.name_seed}{number:x}"),
        machine=NodeName(instance.name),
        pool=pool.name if pool else PoolName(instance.pool or ""),
        offer=offer_of(stranger, pool),
        slots=pool.slots_of(offer_of(stranger, pool).name) if pool else 1,
        queues=pool.queues if pool else (),
        state=state,
        reason="a machine of ours without a record" + (", its worker is there" if works else ""),
        ordered_at=instance.created_at or snapshot.at - case.seen_s,
        entered_at=snapshot.at,
        entered_on=memory.clocks.get(clock, 0.0),
        instance_id=instance.instance_id,
        instance_created_at=instance.created_at,
        enrolled_at=snapshot.at if works else None,
        consumer_order=ConsumerOrder.CANCEL if works else ConsumerOrder.NONE,
        # Whoever sweeps a twin was told that its worker may be the one that is heard.
        given_up=case.swept and bool(case.namesakes),
    )


def offer_of(stranger: Stranger, pool: PoolRules | None) -> Offer:
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
