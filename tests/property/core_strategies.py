"""Arbitrary pictures of a fleet: nodes in every state, facts seen, half seen or missing, answers, orders, memory.

Names are few and times are close to the limits, so that records, machines, workers and deadlines really meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from autoscaler.core import bills
from autoscaler.core.facts import (
    SIGHTINGS_CLOCK,
    Bills,
    Bucket,
    CallKind,
    Hands,
    Idleness,
    Memory,
    Missing,
    Outcome,
    OutcomeKind,
    Rest,
    RestKind,
    Sighting,
    Sightings,
    Snapshot,
    Standstill,
    Stranger,
    Trouble,
    Unconnected,
    listing_clock,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    DrainExpiry,
    FleetRules,
    Node,
    Offer,
    OfferOrder,
    Order,
    OrderKind,
    OrphanRule,
    PoolName,
    PoolRules,
    Timeouts,
    worker_of,
)
from policies.contract import Decision, Limits
from providers.contract import (
    Instance,
    InstanceId,
    InstanceState,
    Listing,
    NodeName,
    ProviderName,
    RateLimit,
)
from tests.property.said_strategies import boots, heard_reports, reports
from tests.unit.core.builders import AT, OFFER, a_demand, a_pool, wanted

S = NodeState
NORTH, SOUTH, UNCONFIGURED = ProviderName("north"), ProviderName("south"), ProviderName("west")
ACCOUNTS = (NORTH, SOUTH)
POOLS = (PoolName("images"), PoolName("mail"))
NAMES = tuple(NodeName(f"n{i}") for i in range(6))
CLOCKS: Mapping[str, float] = {SIGHTINGS_CLOCK: 1_000.0} | {listing_clock(p): 1_000.0 for p in ACCOUNTS}
BLIND = Missing(why="drawn so")

MONTH = bills.month_of(AT).name

near = st.sampled_from([-400.0, -125.0, -61.0, -30.0, -5.0, 0.0])
instants = near.map(lambda s: AT + s)
clock_readings = near.map(lambda s: 1_000.0 + s)
prices = st.sampled_from([0.0, 0.05, 0.1, 0.3])
budgets = st.none() | st.sampled_from([0.0, 0.1, 0.3, 0.6])
"""Of an hour, or of a month: what some machines cost in a few minutes, or in an hour that began."""
gone = st.dictionaries(st.sampled_from([*POOLS, PoolName("removed")]), st.sampled_from([0.05, 0.1, 9.0]))
offers = st.builds(
    Offer,
    provider=st.sampled_from([NORTH, NORTH, SOUTH, UNCONFIGURED]),
    location=st.sampled_from(["osl", "sto"]),
    size=st.just("s"),
    image=st.just("debian"),
    price_per_h=prices,
    quantum_s=st.sampled_from([1, 60, 3600]),
)


@st.composite
def nodes(draw: st.DrawFn, name: NodeName) -> Node:
    """One live record; an adopted one bears another's machine name."""
    state = draw(st.sampled_from([s for s in S if s is not S.GONE]))
    adopted = state in {S.DRAINING, S.DESTROYING} and draw(st.booleans())
    machine = draw(st.sampled_from(NAMES)) if adopted else name
    known = state is not S.CREATING and (adopted or draw(st.booleans()))
    return Node(
        name=NodeName(f"{machine}~{name}") if adopted else name,
        machine=machine,
        pool=draw(st.sampled_from([*POOLS, PoolName("removed")])),
        offer=draw(offers),
        slots=draw(st.sampled_from([2, 2, 2, 4])),
        queues=("images",),
        state=state,
        reason="drawn so",
        ordered_at=draw(instants),
        entered_at=draw(instants),
        entered_on=draw(clock_readings),
        instance_id=InstanceId(f"i-{name}") if known else None,
        missing_on=draw(st.none() | clock_readings) if state is not S.CREATING else None,
        worker_pid=draw(st.sampled_from([None, 7, 8])),
        consumer_order=draw(st.sampled_from(ConsumerOrder)),
        confirmed_on=draw(st.none() | clock_readings) if state is S.DRAINING else None,
        stop_due=state is S.DESTROYING and draw(st.booleans()),
        stopped_at=draw(st.none() | instants) if state is S.DESTROYING else None,
        destroy_asks=draw(st.integers(0, 6)),
        next_ask_at=draw(st.sampled_from([0.0, AT - 1, AT + 30, AT + 1e9])),
        becomes=draw(st.sampled_from(["", "new", "old"])),
        replace_due=draw(st.sampled_from([False, False, True])),
    )


rate_limits = st.builds(
    RateLimit,
    remaining=st.integers(0, 200),
    resets_at=st.floats(AT - 100.0, AT + 1e9),
    told_at=st.floats(AT - 100.0, AT + 100.0),
    per_s=st.floats(0.0, 2.0),
    listing_requests=st.integers(1, 5),
)


@st.composite
def listings(draw: st.DrawFn, records: tuple[Node, ...], *, seen: bool) -> Listing | Missing:
    """Some of the records' machines, and perhaps some that have no record."""
    if not seen and draw(st.booleans()):
        return BLIND
    shown = [n for n in records if draw(st.booleans())]
    strange = draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
    found = [(n.machine, n.instance_id or f"i-{n.name}", n.pool) for n in shown]
    found += [(name, InstanceId(f"i-strange-{name}"), draw(st.sampled_from(POOLS))) for name in strange]
    machines = tuple(
        Instance(
            name=name,
            instance_id=InstanceId(key),
            state=draw(st.sampled_from(InstanceState)),
            pool=draw(st.sampled_from([pool, None])),
            created_at=draw(st.none() | instants),
        )
        for name, key, pool in found
    )
    return Listing(instances=machines, complete=seen or draw(st.booleans()), why_incomplete="drawn so")


@st.composite
def sightings(draw: st.DrawFn) -> Sightings:
    """Some workers heard, some of them long ago or with a goodbye."""
    heard = draw(st.lists(st.sampled_from(NAMES), max_size=6, unique=True))
    return Sightings(
        listening_s=draw(st.sampled_from([0.0, 30.0, 61.0, 1_000.0])),
        workers={
            worker_of(name): Sighting(
                worker=worker_of(name),
                silent_s=draw(st.sampled_from([0.0, 20.0, 60.0, 61.0])),
                online=draw(st.sampled_from([True, True, False])),
                pid=draw(st.sampled_from([None, 7, 8])),
                began_s=draw(st.sampled_from([None, 0.0, 40.0])),
                active=draw(st.sampled_from([None, 0, 1])),
                processed=draw(st.sampled_from([None, 9, 9, 9, 0])),
                processed_per_s=draw(st.sampled_from([None, 0.0, 0.5])),
            )
            for name in heard
        },
    )


standstills = st.builds(
    Standstill,
    pid=st.sampled_from([None, 7, 8]),
    processed=st.sampled_from([9, 9, 0]),
    since_on=clock_readings,
    starving=st.booleans(),
    starved_s=st.sampled_from([0.0, 145.0, 295.0, 400.0]),
)

counts = st.sampled_from([0, 0, 1])
idlenesses = st.builds(
    Idleness,
    age_s=st.sampled_from([0.0, 3.0, 30.0]),
    hands=st.just(BLIND) | st.builds(Hands, active=counts, reserved=counts, scheduled=counts),
    unacknowledged=st.just(BLIND) | st.just(Unconnected(why="drawn so")) | counts,
)


@st.composite
def outcomes(draw: st.DrawFn, node: NodeName) -> Outcome:
    call, kind = draw(st.sampled_from(CallKind)), draw(st.sampled_from(OutcomeKind))
    made = call is CallKind.CREATE and kind is OutcomeKind.DONE
    return Outcome(
        node=node,
        call=call,
        kind=kind,
        at=draw(instants),
        retry_after_s=draw(st.sampled_from([None, 20.0, 1e9])) if kind is OutcomeKind.THROTTLED else None,
        instance=Instance(name=node, instance_id=InstanceId(f"i-{node}"), state=InstanceState.PENDING)
        if made
        else None,
    )


orders = st.builds(
    Order,
    number=st.integers(1, 99),
    kind=st.sampled_from(OrderKind),
    target=st.sampled_from([*NAMES, *POOLS, "nobody", "*"]),
    given_at=instants,
    given_by=st.just("kari"),
    workers=st.integers(0, 6),
    until_at=instants,
    force=st.booleans(),
)
rests = st.builds(
    Rest,
    until_at=st.sampled_from([AT - 1, AT + 60, AT + 1e9]),
    refusals=st.integers(1, 9),
    why=st.just("no"),
    kind=st.sampled_from(RestKind),
)
troubles = st.builds(Trouble, calls=st.integers(0, 4), rest=st.none() | rests)
buckets = st.builds(Bucket, calls=st.sampled_from([0.0, 0.5, 1.0, 3.0]), at=instants)
strangers = st.builds(
    Stranger,
    provider=st.sampled_from(ACCOUNTS),
    instance=st.sampled_from(NAMES).map(
        lambda name: Instance(
            name=name, instance_id=InstanceId(f"i-strange-{name}"), state=InstanceState.RUNNING
        )
    ),
    since_on=clock_readings,
)


@st.composite
def snapshots(draw: st.DrawFn, *, seen: bool = False) -> Snapshot:
    """Everything a tick may see. `seen` draws one on which nothing is missing."""
    live = tuple(draw(nodes(name)) for name in NAMES[: draw(st.integers(0, len(NAMES)))])
    live = tuple({n.name: n for n in live}.values())
    some = st.lists(st.sampled_from(live), max_size=3, unique_by=lambda n: n.name) if live else st.just([])
    blind = not seen and draw(st.booleans())
    return Snapshot(
        at=AT,
        elapsed_s=draw(st.sampled_from([0.0, 10.0, 30.0])),
        demand={p: BLIND if not seen and draw(st.booleans()) else a_demand(backlog=5) for p in POOLS},
        listings={
            p: draw(listings(tuple(n for n in live if n.offer.provider == p), seen=seen)) for p in ACCOUNTS
        },
        sightings=BLIND if blind else draw(sightings()),
        idleness={n.name: draw(idlenesses) for n in live if n.state in {S.DRAINING, S.BOOTING}},
        nodes=live,
        outcomes=tuple(draw(outcomes(n.name)) for n in draw(some)),
        in_flight=frozenset(n.name for n in draw(some)),
        orders=tuple({o.number: o for o in draw(st.lists(orders, max_size=3))}.values()),
        memory=Memory(
            clocks=CLOCKS,
            strangers=tuple(
                draw(st.lists(strangers, max_size=2, unique_by=lambda s: s.instance.instance_id))
            ),
            offer_rests=draw(st.dictionaries(st.just(OFFER.name), rests, max_size=1)),
            account_rests=draw(st.dictionaries(st.sampled_from(ACCOUNTS), rests, max_size=1)),
            troubles=draw(st.dictionaries(st.sampled_from(ACCOUNTS), troubles, max_size=1)),
            buckets=draw(st.dictionaries(st.sampled_from(ACCOUNTS), buckets, max_size=2)),
            proven=draw(st.dictionaries(st.sampled_from(POOLS), st.just(("old",)), max_size=2)),
            stalls=draw(st.dictionaries(st.sampled_from(NAMES), standstills, max_size=6)),
            bills=Bills(gone=draw(st.dictionaries(st.just(MONTH), gone, max_size=1))),
            seen=tuple(draw(st.lists(st.sampled_from(ACCOUNTS), max_size=2, unique=True))),
            booting=draw(boots(NAMES)),
        ),
        name_seed="fresh",
        settle_s=dict.fromkeys(ACCOUNTS, 30.0),
        listing_age_s=draw(st.dictionaries(st.sampled_from(ACCOUNTS), st.floats(0.0, 60.0), max_size=2)),
        rate_limits=draw(st.dictionaries(st.sampled_from(ACCOUNTS), rate_limits, max_size=1)),
        reports={name: draw(reports(name)) for name in NAMES} if seen else draw(heard_reports(NAMES)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulings:
    """A configuration, and how many workers each pool was found to need."""

    fleet: FleetRules
    pools: Mapping[PoolName, PoolRules]
    decisions: Mapping[PoolName, Decision]


@st.composite
def rulings(draw: st.DrawFn, snapshot: Snapshot) -> Rulings:
    pools, decisions = {}, {}
    for name in POOLS:
        ceiling = draw(st.integers(0, 6))
        bought = tuple(
            replace(
                OFFER,
                provider=draw(st.sampled_from(ACCOUNTS)),
                price_per_h=draw(prices),
                quantum_s=draw(st.sampled_from([1, 60, 3600])),
                location=place,
            )
            for place in ("osl", "sto")[: draw(st.integers(0, 2))]
        )
        pool = a_pool(
            name=name,
            limits=Limits(
                min_workers=draw(st.sampled_from([0, 0, min(1, ceiling)])),
                max_workers=ceiling,
                on_unknown=draw(st.integers(0, 2)),
                max_creates_in_flight=draw(st.integers(1, 4)),
                max_cost_per_hour=draw(budgets),
                max_cost_per_month=draw(budgets),
            ),
            canary=draw(st.booleans()),
            becomes={o.name: "new" for o in bought} if draw(st.booleans()) else {},
            replaces_drifted=draw(st.booleans()),
            max_age_s=draw(st.sampled_from([0.0, 0.0, 60.0])),
            timeouts=Timeouts(
                drain_s=60.0,
                drain_expiry=draw(st.sampled_from(DrainExpiry)),
                stall_s=draw(st.sampled_from([0.0, 300.0, 300.0])),
                task_s=draw(st.sampled_from([0.0, 600.0])),
            ),
            offers=bought,
            own_slots={bought[0].name: 4} if bought and draw(st.booleans()) else {},
            offer_order=draw(st.sampled_from(OfferOrder)),
        )
        pools[name] = pool
        demand = snapshot.demand[name]
        if draw(st.integers(0, 9)):  # else its policies failed
            decisions[name] = wanted(
                draw(st.integers(0, ceiling)),
                pool=pool,
                demand=None if isinstance(demand, Missing) else demand,
                paused=draw(st.sampled_from([False, False, False, True])),
            )
    fleet = FleetRules(
        name="shop",
        orphans=draw(st.sampled_from(OrphanRule)),
        max_calls=draw(st.integers(1, 16)),
        calls_per_minute=draw(st.dictionaries(st.sampled_from(ACCOUNTS), st.just(6.0))),
        max_cost_per_hour=draw(budgets),
        max_cost_per_month=draw(budgets),
    )
    return Rulings(fleet=fleet, pools=pools, decisions=decisions)
