"""The one call that a node needs now, by its state: the drain and its taking back, the goodbye, and the end.

In go a record and what was seen; out come the action and the record with the asking noted in it. Whether there is room
for the call on this tick is the plan's matter.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from autoscaler.core import moves, namesakes, witness
from autoscaler.core.facts import Memory, Missing, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    Action,
    ConsumerOrder,
    CreateNode,
    DestroyNode,
    DrainNode,
    Node,
    StopWorker,
    Timeouts,
    UndrainNode,
)
from autoscaler.core.waits import Wait, WaitKind
from providers.contract import ProviderName

_FIRST_ASK_S = 5.0
_LONGEST_ASK_S = 300.0  # one provider blocked an account for asking too often
_AT_ACCOUNT = frozenset({NodeState.CREATING, NodeState.BOOTING, NodeState.DESTROYING})


def may_be_due(node: Node) -> bool:
    """Whether a node in this state can need a call at all; most of a fleet serves and needs none."""
    match node.state:
        case NodeState.READY:
            return node.consumer_order is ConsumerOrder.ADD
        case NodeState.DRAINING:
            return node.confirmed_on is None
        case _:
            return node.state is NodeState.DESTROYING


def urgency(node: Node) -> tuple[bool, float, str]:
    """Sort key: what saves money first, and among alike those asked longest ago, so that a few deaf workers do not use
    up every tick's calls."""
    return node.state is not NodeState.DESTROYING, node.next_ask_at, node.name


Lane = ProviderName | None
"""Calls that hang for one reason: those to one account, or (None) those to workers. Each lane has its own bound, so
that a hanging account holds up no other."""


def lane(action: Action) -> Lane:
    """Where a call goes."""
    match action:
        case CreateNode():
            return action.offer.provider
        case DestroyNode():
            return action.provider
        case _:
            return None


def under_way(snapshot: Snapshot) -> Counter[Lane]:
    """Calls in flight by lane, as far as the states of their nodes tell: machines are bought and ended at accounts."""
    return Counter(
        node.offer.provider if node.state in _AT_ACCOUNT else None
        for node in snapshot.nodes
        if node.name in snapshot.in_flight
    )


def needed(node: Node, snapshot: Snapshot, memory: Memory, timeouts: Timeouts) -> tuple[Action | None, Node]:
    """The call this node needs now, if any, and its record once that call was ordered."""
    match node.state:
        case NodeState.READY if node.consumer_order is ConsumerOrder.ADD:
            order: Action = UndrainNode(node=node.name, worker=node.worker, queues=node.queues)
            return order, replace(node, next_ask_at=snapshot.at)
        case NodeState.DRAINING if node.confirmed_on is None:
            order = DrainNode(node=node.name, worker=node.worker, queues=node.queues)
            return order, replace(node, next_ask_at=snapshot.at)
        case NodeState.DESTROYING:
            return _end(node, snapshot, memory, timeouts)
        case _:
            return None, node


def _end(node: Node, snapshot: Snapshot, memory: Memory, timeouts: Timeouts) -> tuple[Action | None, Node]:
    """First a goodbye to a drained worker, then the destroy, repeated with growing pauses until absence is proven."""
    at = snapshot.at
    proven = node.stop_due and not node.given_up
    if proven and node.stopped_at is None:
        return StopWorker(node=node.name, worker=node.worker), replace(node, stopped_at=at)
    if proven and _may_hold_work(node, snapshot, timeouts):
        return None, node
    rest = memory.account_rests.get(node.offer.provider)
    resting = at < node.next_ask_at or (rest is not None and at < rest.until_at)
    if resting or withheld(node, snapshot, memory, timeouts):
        return None, node
    pause_s = min(_LONGEST_ASK_S, _FIRST_ASK_S * 2 ** min(node.destroy_asks, 10))
    action = DestroyNode(
        node=node.name,
        machine=node.machine,
        provider=node.offer.provider,
        instance_id=node.instance_id,
        timeout_s=timeouts.call_s,
    )
    return action, replace(node, destroy_asks=node.destroy_asks + 1, next_ask_at=at + pause_s)


def withheld(node: Node, snapshot: Snapshot, memory: Memory, timeouts: Timeouts) -> Wait | None:
    """That its end is not asked for although it was chosen, and why; None where nothing speaks against it."""
    if not witness.awaits(node):
        return None
    idleness = snapshot.idleness.get(node.name)
    hearing = snapshot.sightings
    twin = node.name != node.machine and namesakes.is_twin(node, namesakes.voices(snapshot.nodes))
    seen = witness.Seen(
        # A machine that was taken into the records on this tick was asked about as one without.
        held=snapshot.strangers_hold.get(node.worker) if idleness is None else idleness.unacknowledged,
        hears=not isinstance(hearing, Missing) and hearing.would_hear_within(timeouts.silence_s),
        twin=twin,
        waited_s=moves.lasted_s(node, memory.clocks),
    )
    why = witness.why_unasked(node, timeouts, seen)
    kind = WaitKind.TWIN if twin else WaitKind.WITNESS
    return Wait(kind=kind, subject=node.name, why=why, since_at=snapshot.at) if why else None


def _may_hold_work(node: Node, snapshot: Snapshot, timeouts: Timeouts) -> bool:
    """Whether a drained worker that was told to shut down may still finish something.

    A goodbye is the beginning of a warm shutdown, not its end: only one with empty hands lets the machine go at once.
    One with tasks in hand is given as long as a drain, any other silence as long as `timeouts.stop`.
    """
    waited_s = snapshot.at - (node.stopped_at or snapshot.at)
    seen = snapshot.sightings
    heard = None if isinstance(seen, Missing) else seen.workers.get(node.worker)
    if heard is None:
        return waited_s < timeouts.stop_s
    if heard.active:
        return waited_s < timeouts.drain_s
    return heard.online and waited_s < timeouts.stop_s
