"""Builders of what the journal keeps, with defaults: a test names only what it is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Node, Offer, PoolDecision, PoolName, Transition
from autoscaler.journal import Sample, TickRecord
from policies.contract import (
    Decision,
    DecisionInput,
    Demand,
    History,
    Limits,
    Past,
    PolicySpec,
    QueueDemand,
    Reading,
    Recommendation,
    Stabilization,
    Step,
    Supply,
    Trust,
)
from providers.contract import NodeName, ProviderName

IMAGES = PoolName("images")
OFFER = Offer(
    provider=ProviderName("hetzner"),
    location="hel1",
    size="cx22",
    image="debian-12",
    price_per_h=0.0065,
    quantum_s=3600,
)


def a_node(name: str = "images-1", **changes: Any) -> Node:
    node = Node(
        name=NodeName(name),
        machine=NodeName(name),
        pool=IMAGES,
        offer=OFFER,
        slots=4,
        queues=("images", "thumbs.large"),
        state=NodeState.CREATING,
        reason="120 waiting",
        ordered_at=1000.0,
        entered_at=1000.0,
        entered_on=10.0,
    )
    return replace(node, **changes)


def a_transition(node: str = "images-1", **changes: Any) -> Transition:
    transition = Transition(
        node=NodeName(node),
        pool=IMAGES,
        at=1000.0,
        event=Event.INSTANCE_SEEN,
        before=NodeState.CREATING,
        after=NodeState.BOOTING,
        reason="listed",
    )
    return replace(transition, **changes)


def a_decision(
    pool: str = "images",
    at: float = 1000.0,
    *,
    wanted: int = 4,
    recommended: int | None = 5,
    past: tuple[Past, ...] = (),
) -> PoolDecision:
    demand = Demand(
        backlog=120,
        in_progress=8,
        arrivals_per_s=Reading(value=2.5, trust=Trust.SOLID),
        completions_per_s=Reading(value=1.25, trust=Trust.ROUGH, why="the counters are young"),
        wait_s=Reading(value=38.0, trust=Trust.SOLID),
        measured_at=at,
        queues=(QueueDemand(name="images", backlog=120, in_progress=8, consumers=2),),
    )
    asked = DecisionInput(
        pool=pool,
        at=at,
        demand=demand,
        supply=Supply(serving=2, arriving=1, leaving=0, lost=0, slots=4, tasks_in_hand=8),
        history=History(past=past, good_looks=7),
        policies=(PolicySpec(kind="backlog", options={"messages_per_worker": 24}),),
        limits=Limits(max_workers=4),
        stabilization=Stabilization(),
    )
    decision = Decision(
        input=asked,
        proposals=(Recommendation(policy="backlog", workers=5, why="120 waiting, 24 a worker"),),
        recommended=recommended,
        steps=(Step(rule="ceiling", before=5, after=4, why="max_workers is 4"),),
        wanted=wanted,
        binding="ceiling",
    )
    return PoolDecision(
        pool=PoolName(pool), at=at, decision=decision, sentence=f"{pool}: 3 → {wanted} workers"
    )


def a_sample(pool: str = "images", at: float = 1000.0, **changes: Any) -> Sample:
    sample = Sample(
        pool=PoolName(pool),
        at=at,
        backlog=120,
        in_progress=8,
        arrivals_per_s=2.5,
        completions_per_s=1.25,
        wait_s=38.0,
        serving=2,
        arriving=1,
        leaving=0,
        wanted=4,
        cost_per_h=0.0195,
    )
    return replace(sample, **changes)


def a_tick(at: float = 1000.0, **parts: Any) -> TickRecord:
    return TickRecord(at=at, memory=parts.pop("memory", Memory()), **parts)


def a_whole_tick(number: int) -> TickRecord:
    """A tick with one of each, so that a half-written one would show."""
    at, node = 1000.0 + number, f"images-{number}"
    return a_tick(
        at,
        new_nodes=(a_node(node, ordered_at=at),),
        transitions=(a_transition(node, at=at),),
        decisions=(a_decision(at=at),),
        samples=(a_sample(at=at),),
        memory=Memory(clocks={"ticks": float(number)}),
    )
