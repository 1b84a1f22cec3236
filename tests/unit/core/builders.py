"""Builders with defaults: a test names only what its rule is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from autoscaler.core.facts import (
    SIGHTINGS_CLOCK,
    Hands,
    Idleness,
    Memory,
    Missing,
    Sighting,
    Sightings,
    Snapshot,
    Unconnected,
    listing_clock,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    FleetRules,
    Node,
    Offer,
    PoolName,
    PoolRules,
    Timeouts,
    WorkerName,
    worker_of,
)
from policies.contract import (
    Decision,
    DecisionInput,
    Demand,
    History,
    Limits,
    PolicySpec,
    Reading,
    Stabilization,
    Supply,
    Trust,
)
from providers.contract import Instance, InstanceId, InstanceState, Listing, NodeName, ProviderName

AT = 1_000_000.0
CLOUD = ProviderName("cloud")
POOL = PoolName("images")
OFFER = Offer(provider=CLOUD, location="osl", size="s", image="debian", price_per_h=0.1, quantum_s=60)
SECOND_OFFER = replace(OFFER, location="sto")
FLEET = FleetRules(name="shop")
CLOCKS = {SIGHTINGS_CLOCK: 5_000.0, listing_clock(CLOUD): 5_000.0}
ABSENT = Reading(value=None, trust=Trust.ABSENT, why="not measured")


def a_node(name: str = "n1", state: NodeState = NodeState.READY, **fields: Any) -> Node:
    """A node of pool `images`, in its state for 1000 s of sight; past BOOTING, its worker was heard once."""
    known = state is not NodeState.CREATING
    enrolled = known and state is not NodeState.BOOTING
    usual: dict[str, Any] = {
        "machine": NodeName(name),
        "pool": POOL,
        "offer": OFFER,
        "slots": 2,
        "queues": ("images",),
        "reason": "a test says so",
        "ordered_at": AT - 2_000,
        "entered_at": AT - 1_000,
        "entered_on": 4_000.0,
        "instance_id": InstanceId(f"i-{name}") if known else None,
        "enrolled_at": AT - 1_500 if enrolled else None,
    }
    return Node(name=NodeName(name), state=state, **(usual | fields))


def an_instance(name: str = "n1", **fields: Any) -> Instance:
    """The machine of `a_node(name)`."""
    usual: dict[str, Any] = {
        "instance_id": InstanceId(f"i-{name}"),
        "state": InstanceState.RUNNING,
        "pool": POOL,
        "created_at": AT - 1_900,
    }
    return Instance(name=name, **(usual | fields))


def a_listing(*names: str, complete: bool = True) -> Listing:
    return Listing(instances=tuple(an_instance(n) for n in names), complete=complete)


def a_sighting(name: str = "n1", **fields: Any) -> Sighting:
    usual: dict[str, Any] = {"silent_s": 1.0, "online": True, "pid": 7, "active": 0}
    return Sighting(worker=worker_of(NodeName(name)), **(usual | fields))


def heard(*sightings: Sighting, listening_s: float = 1_000.0) -> Sightings:
    return Sightings(listening_s=listening_s, workers={s.worker: s for s in sightings})


def idle(age_s: float = 0.0, **fields: Any) -> Idleness:
    usual: dict[str, Any] = {"hands": Hands(active=0, reserved=0, scheduled=0), "unacknowledged": 0}
    return Idleness(age_s=age_s, **(usual | fields))


def nobody_there() -> Idleness:
    """The broker's word that no worker of that name is connected."""
    return idle(hands=Missing(why="no answer"), unacknowledged=Unconnected(why="no connection"))


def a_demand(backlog: int = 0, in_progress: int = 0, **fields: Any) -> Demand:
    usual: dict[str, Any] = {
        "arrivals_per_s": ABSENT,
        "completions_per_s": ABSENT,
        "wait_s": ABSENT,
        "measured_at": AT,
    }
    return Demand(backlog=backlog, in_progress=in_progress, **(usual | fields))


def nobody_named(*names: str) -> dict[WorkerName, int | Missing]:
    """The same word about machines without a record."""
    return {worker_of(NodeName(name)): Unconnected(why="no connection") for name in names}


def a_snapshot(*nodes: Node, **fields: Any) -> Snapshot:
    """Everything seen: every node listed, every serving or draining worker heard, nobody connected of those that are
    lost or ending, nothing waiting."""
    listed = [n.machine for n in nodes if n.state is not NodeState.CREATING]
    speaking = [n.machine for n in nodes if n.state in {NodeState.READY, NodeState.DRAINING}]
    silent = [n.name for n in nodes if n.state in {NodeState.LOST, NodeState.DESTROYING}]
    usual: dict[str, Any] = {
        "at": AT,
        "elapsed_s": 10.0,
        "demand": {POOL: a_demand()},
        "listings": {CLOUD: a_listing(*listed)},
        "sightings": heard(*(a_sighting(n) for n in speaking)),
        "idleness": {name: nobody_there() for name in silent},
        "memory": Memory(clocks=CLOCKS, good_looks={POOL: 10}),
        "name_seed": "seed",
        "settle_s": {CLOUD: 30.0},
    }
    return Snapshot(nodes=nodes, **(usual | fields))


def a_pool(**fields: Any) -> PoolRules:
    usual: dict[str, Any] = {
        "name": POOL,
        "queues": ("images",),
        "slots": 2,
        "policies": (PolicySpec(kind="backlog", options={"messages_per_worker": 10}),),
        "limits": Limits(max_workers=5),
        "stabilization": Stabilization(scale_in_window_s=0.0, scale_in_cooldown_s=0.0),
        "timeouts": Timeouts(),
        "offers": (OFFER, SECOND_OFFER),
    }
    return PoolRules(**(usual | fields))


def rules(*pools: PoolRules) -> Mapping[PoolName, PoolRules]:
    return {pool.name: pool for pool in (pools or (a_pool(),))}


def wanted(workers: int, *, pool: PoolRules | None = None, **fields: Any) -> Decision:
    """A decision for that many workers, as if policies had made it; `fields` are of its input."""
    pool = pool or a_pool()
    given = DecisionInput(
        pool=pool.name,
        at=AT,
        demand=a_demand(),
        supply=Supply(serving=0, arriving=0, leaving=0, lost=0, slots=2),
        history=History(),
        policies=pool.policies,
        limits=pool.limits,
        stabilization=pool.stabilization,
    )
    given = replace(given, **fields)
    return Decision(input=given, proposals=(), recommended=workers, steps=(), wanted=workers, binding="test")
