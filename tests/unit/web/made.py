"""A fleet's standing, a pool and a machine with defaults: a test names only what its rule is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Node, PoolDecision, PoolName, Transition
from autoscaler.core.projection import Projection
from autoscaler.core.reports import Boot, Phase, PhaseTime
from autoscaler.journal import LeaseHolder
from autoscaler.views.heartbeat import Heartbeat
from autoscaler.views.portraits import NodePortrait, PoolPortrait
from autoscaler.views.standing import PoolStanding, Standing
from policies.contract import DecisionInput, History, Limits, PolicySpec, Stabilization, Supply
from policies.decide import decide
from policies.sentence import sentence
from tests.unit.core.builders import AT, POOL, a_demand, a_node


def a_bill(**fields: Any) -> Projection:
    """A month that is in its limits."""
    usual: dict[str, Any] = {
        "month": "1970-01",
        "spent": 4.75,
        "per_h": 0.35,
        "projected": 61.25,
        "most": 90.5,
        "since_at": None,
    }
    return Projection(**(usual | fields))


def a_pool(name: str = POOL, **fields: Any) -> PoolStanding:
    """A pool at work."""
    usual: dict[str, Any] = {
        "configured": True,
        "paused": False,
        "hold_workers": None,
        "hold_until_at": None,
        "decided_at": AT - 3,
        "waiting": 1217,
        "oldest_s": 38.0,
        "target_wait_s": 45.0,
        "in_progress": 23,
        "serving": 11,
        "arriving": 7,
        "leaving": 5,
        "lost": 0,
        "wanted": 19,
        "cost_per_h": 0.35,
        "bill": a_bill(),
        "sentence": f"{name}: 18 → 19 workers: 1217 waiting",
        "unseen": (),
        "outdated": 0,
        "published": None,
    }
    return PoolStanding(pool=PoolName(name), **(usual | fields))


def a_standing(*pools: PoolStanding, **fields: Any) -> Standing:
    """A fleet whose daemon ticks."""
    usual: dict[str, Any] = {
        "at": AT,
        "fleet": "shop",
        "currency": "EUR",
        "daemon": Heartbeat(
            running=True,
            holder=LeaseHolder(owner="pid 7 on here", epoch=1, since_at=AT - 500),
            last_tick_at=AT - 3,
        ),
        "accounts": (),
        "orders": (),
        "strangers": (),
        "held_back": (),
        "misplaced": (),
        "bill": a_bill(),
    }
    return Standing(pools=pools or (a_pool(),), **(usual | fields))


def a_decision(**given: Any) -> PoolDecision:
    """A decision about pool `images`."""
    asked = DecisionInput(
        pool=POOL,
        at=AT - 3,
        demand=a_demand(35),
        supply=Supply(serving=2, arriving=0, leaving=0, lost=0, slots=2),
        history=History(good_looks=10),
        policies=(PolicySpec(kind="backlog", options={"messages_per_worker": 10}),),
        limits=Limits(max_workers=3),
        stabilization=Stabilization(),
    )
    decided = decide(replace(asked, **given))
    return PoolDecision(pool=POOL, at=AT - 3, decision=decided, sentence=sentence(decided))


def a_life(node: Node) -> tuple[Transition, ...]:
    """Ordered, booted, ready."""

    def move(at: float, before: NodeState | None, after: NodeState, event: Event | None) -> Transition:
        return Transition(
            node=node.name,
            pool=node.pool,
            at=at,
            event=event,
            before=before,
            after=after,
            reason="a test says so",
        )

    at = node.ordered_at
    return (
        move(at, None, NodeState.CREATING, None),
        move(at + 20, NodeState.CREATING, NodeState.BOOTING, Event.INSTANCE_SEEN),
        move(at + 90, NodeState.BOOTING, NodeState.READY, Event.WORKER_SEEN),
    )


def a_portrait(node: Node | None = None, **fields: Any) -> NodePortrait:
    """A machine that serves, with its life and its boot."""
    of = node or a_node()
    boot = Boot(
        power_at=of.ordered_at + 20,
        phases=(
            PhaseTime(phase=Phase.BOOTED, from_s=0.0, to_s=12.0),
            PhaseTime(phase=Phase.APPLICATION, from_s=12.0, to_s=55.5),
        ),
        task_at=of.ordered_at + 95,
    )
    usual: dict[str, Any] = {"moves": a_life(of), "booted": None, "boot": boot, "cost": 1.25, "outdated": ""}
    return NodePortrait(node=of, **(usual | fields))


def a_pool_portrait(*nodes: NodePortrait, pool: str = POOL, **fields: Any) -> PoolPortrait:
    """A pool with one machine."""
    nodes = nodes or (a_portrait(),)
    usual: dict[str, Any] = {
        "at": AT,
        "max_workers": 40,
        "decision": a_decision(),
        "more_nodes": 0,
        "moves": nodes[0].moves[::-1],
        "boots": (),
    }
    return PoolPortrait(pool=PoolName(pool), nodes=nodes, **(usual | fields))
