"""Facts of the right types and of no sense, through a whole tick's thinking: nothing raises, nothing is done that rests
on them.

The gateways and providers keep such facts out; a provider or policy of somebody else's making may not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from autoscaler.core import invariants, money, orders, supply
from autoscaler.core.facts import Missing, Sighting, Sightings, Snapshot
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import CreateNode, DestroyNode, WorkerName
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.journal import codec
from autoscaler.observe import sound
from policies.contract import Demand, Reading, Trust
from policies.decide import decide
from policies.sentence import sentence
from providers.contract import Instance, InstanceId, InstanceState, Listing
from tests.fuzz import odd
from tests.property.core_strategies import ACCOUNTS, NAMES, POOLS, Rulings, rulings, snapshots
from tests.unit.core.builders import AT

much = settings(odd.fewer(1), suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
NAN, INF = float("nan"), float("inf")
instants = st.sampled_from([None, 0.0, -1.0, AT + 1e9, 1e300, -1e300, INF, -INF, NAN, AT])
names = st.sampled_from(
    ["", " ", *NAMES, "n1~n1", "n1/../n2", "\0", "\udcff", "x" * 5_000, "ø\u202e", "celery@n1"]
)
odd_instances = st.builds(
    Instance,
    name=names,
    instance_id=names.map(InstanceId) | st.sampled_from([InstanceId(f"i-{name}") for name in NAMES]),
    state=st.sampled_from(InstanceState),
    pool=st.sampled_from([None, "", *POOLS, "removed", "\udcff"]),
    created_at=instants,
    location=names,
    size=names,
)
figures = st.sampled_from([0.0, 1.0, -1.0, 1e300, INF, -INF, NAN])
# What the broker says is never negative or no number: tests/fuzz/test_management_api.py holds that. It may be huge.
readings = st.sampled_from([0.0, 1e-300, 1.0, 1e12, 1e300]).map(
    lambda value: Reading(value=value, trust=Trust.SOLID)
)
odd_demands = st.builds(
    Demand,
    backlog=st.sampled_from([0, 5, 10**12, 10**15]),
    in_progress=st.sampled_from([0, 5, 10**15]),
    arrivals_per_s=readings,
    completions_per_s=readings,
    wait_s=readings,
    measured_at=figures,
)
odd_sightings = st.builds(
    Sighting,
    worker=names.map(lambda name: WorkerName(f"celery@{name}")),
    silent_s=figures,
    online=st.booleans(),
    pid=st.sampled_from([None, 0, -1, 2**60]),
    active=st.sampled_from([None, 0, 2**60]),
    processed_per_s=figures,
)


@st.composite
def odd_ticks(draw: st.DrawFn) -> tuple[Snapshot, Rulings]:
    """A picture of the kind that property tests draw, with odd facts among the others."""
    snapshot = draw(snapshots())
    listings: dict[Any, Listing | Missing] = {}
    for account in ACCOUNTS:
        listing = snapshot.listings[account]
        if isinstance(listing, Listing):
            more = draw(st.lists(odd_instances, max_size=3))
            listing = sound(replace(listing, instances=(*listing.instances, *more, *more[:1])))
        listings[account] = listing
    seen = snapshot.sightings
    if isinstance(seen, Sightings):
        heard = {s.worker: s for s in draw(st.lists(odd_sightings, max_size=3))}
        seen = replace(seen, workers={**seen.workers, **heard})
    demand = {p: d if isinstance(d, Missing) else draw(odd_demands) for p, d in snapshot.demand.items()}
    snapshot = replace(snapshot, listings=listings, sightings=seen, demand=demand)
    return snapshot, draw(rulings(snapshot))


@much
@given(odd_ticks())
def test_no_odd_fact_ends_a_tick_or_reaches_the_journal(tick: tuple[Snapshot, Rulings]) -> None:
    """Thought through to the end by the real policies, checked, and written as rows that read back as they were."""
    snapshot, ruled = tick
    asked = orders.apply_to_pools(snapshot.orders, snapshot.wishes, ruled.pools)
    reconciled = reconcile(snapshot, ruled.pools, ruled.fleet)
    allowed = money.allowances(reconciled.nodes, reconciled.memory, ruled.pools, ruled.fleet, snapshot.at)
    decisions = {
        name: decide(
            supply.decision_input(
                pool, snapshot, reconciled.nodes, reconciled.memory, asked.wishes.get(name), allowed.get(name)
            )
        )
        for name, pool in ruled.pools.items()
    }
    made = plan(snapshot, reconciled, decisions, ruled.pools, ruled.fleet)
    invariants.check(snapshot, reconciled, made, ruled.pools, ruled.fleet)

    for name, decision in decisions.items():
        assert (
            0
            <= decision.wanted
            <= max(ruled.pools[name].limits.max_workers, decision.input.supply.workers, 6)
        )
        assert sentence(decision)
    for node in made.nodes:
        assert node == codec.read_node(codec.node_row(node))
        for text in (node.name, node.machine, node.pool, node.instance_id or ""):
            text.encode()
    codec.read_memory(codec.memory_document(reconciled.memory))


@much
@given(odd_ticks())
def test_no_odd_fact_ends_or_buys_a_machine(tick: tuple[Snapshot, Rulings]) -> None:
    """A machine that is listed is not gone, and one is bought only where every listing could be taken as it was."""
    snapshot, ruled = tick
    reconciled = reconcile(snapshot, ruled.pools, ruled.fleet)
    made = plan(snapshot, reconciled, ruled.decisions, ruled.pools, ruled.fleet)
    listed = {
        (provider, instance.instance_id)
        for provider, listing in snapshot.listings.items()
        if isinstance(listing, Listing)
        for instance in listing.instances
    }
    nodes = {node.name: node for node in made.nodes}

    for told in reconciled.transitions:
        node = nodes[told.node]
        if told.event is Event.INSTANCE_GONE and node.instance_id is not None:
            assert (node.offer.provider, node.instance_id) not in listed
    for action in made.actions:
        if isinstance(action, CreateNode):
            listing = snapshot.listings[action.offer.provider]
            assert isinstance(listing, Listing)
            assert listing.complete
        if isinstance(action, DestroyNode):
            assert nodes[action.node].state is NodeState.DESTROYING


@given(st.lists(odd_instances, max_size=5), st.booleans())
@example([Instance(name="", instance_id=InstanceId("i"), state=InstanceState.RUNNING)], True)
def test_a_machine_that_cannot_be_recorded_makes_its_listing_incomplete(
    machines: list[Instance], complete: bool
) -> None:
    """It is there and it is paid, so nothing is bought and no absence is believed; but no tick fails because of it."""
    given_ = Listing(
        instances=tuple(machines), complete=complete, why_incomplete="" if complete else "half of it"
    )
    taken = sound(given_)

    assert len(taken.instances) <= len(machines)
    assert not taken.complete or (complete and len(machines) == len(taken.instances))
    assert taken.complete or taken.why_incomplete
    assert {i.instance_id for i in taken.instances} <= {i.instance_id for i in machines}
