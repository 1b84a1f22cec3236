"""Samples as a daemon writes them, with defaults: a test names only what it is about."""

from __future__ import annotations

from typing import Any

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Offer, PoolName
from autoscaler.journal.contract import Sample
from providers.contract import InstanceId, NodeName, ProviderName

BEGINS_AT = 1_750_000_000.0
TICK_S = 10.0


def a_look(tick: float, **fields: Any) -> Sample:
    """The look of that tick: nothing waits, nothing runs, and nothing came or went."""
    usual: dict[str, Any] = {
        "pool": PoolName("images"),
        "at": BEGINS_AT + tick * TICK_S,
        "backlog": 0,
        "in_progress": 0,
        "arrivals_per_s": None,
        "completions_per_s": None,
        "wait_s": None,
        "serving": 1,
        "arriving": 0,
        "leaving": 0,
        "wanted": 1,
        "cost_per_h": 1.0,
        "arrived": 0,
        "completed": 0,
        "counted_s": TICK_S,
        "busy": 0,
    }
    return Sample(**(usual | fields))


def uncounted(tick: float, **fields: Any) -> Sample:
    """A look at which the broker's counters told nothing."""
    return a_look(tick, **({"arrived": None, "completed": None, "counted_s": None} | fields))


def blind(tick: float) -> Sample:
    """A tick on which demand could not be seen."""
    return uncounted(tick, backlog=None, in_progress=None, busy=None)


def a_machine(name: str, ordered_s: float, *, boot_s: float = 90.0, gone_s: float | None = None) -> Node:
    """A machine's record, ordered so long after the first look."""
    gone = gone_s is not None
    return Node(
        name=NodeName(name),
        machine=NodeName(name),
        pool=PoolName("images"),
        offer=Offer(
            provider=ProviderName("cloud"), location="", size="", image="", price_per_h=2.0, quantum_s=3600
        ),
        slots=2,
        queues=("images",),
        state=NodeState.GONE if gone else NodeState.READY,
        reason="made up",
        ordered_at=BEGINS_AT + ordered_s,
        entered_at=BEGINS_AT + (gone_s if gone_s is not None else ordered_s + boot_s),
        entered_on=0.0,
        instance_id=InstanceId(name),
        enrolled_at=BEGINS_AT + ordered_s + boot_s,
    )
