"""Moving one node along the life cycle: the record after the move, and the Transition that tells of it.

Both the world's moves (reconcile) and ours (plan) go through here, so every change of state is written the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autoscaler.core import lifecycle
from autoscaler.core.facts import SIGHTINGS_CLOCK, Missing, Snapshot, listing_clock
from autoscaler.core.lifecycle import Event, FactKind, NodeState
from autoscaler.core.model import ConsumerOrder, Node, Transition
from providers.contract import Listing

_GIVE_UP = frozenset({Event.DESTROY_CHOSEN, Event.DRAIN_EXPIRED})
"""Ends that an operator chose, knowing what they may cost."""
_CONSUMERS_AFTER = {
    NodeState.DRAINING: ConsumerOrder.CANCEL,
    NodeState.READY: ConsumerOrder.ADD,
}


def reading(node: Node, clocks: Mapping[str, float], kind: FactKind) -> float:
    """What the clock of that fact shows for this node, in seconds of sight."""
    key = SIGHTINGS_CLOCK if kind is FactKind.SIGHTINGS else listing_clock(node.offer.provider)
    return clocks.get(key, 0.0)


def lasted_s(node: Node, clocks: Mapping[str, float]) -> float:
    """How long the node has been in its state, counted only while its deadline's fact could be seen."""
    return reading(node, clocks, _clock_of(node.state)) - node.entered_on


def move(
    node: Node, event: Event, reason: str, *, at: float, clocks: Mapping[str, float]
) -> tuple[Node, Transition]:
    """The node after `event`, and the transition. Raises `IllegalTransition` for a pair not in the table."""
    after = lifecycle.advance(node.state, event, node=node.name)
    moved = replace(
        node,
        state=after,
        reason=reason,
        entered_at=at,
        entered_on=reading(node, clocks, _clock_of(after)),
        consumer_order=_consumers(node, event, after),
        confirmed_on=None,
        stop_due=event is Event.DRAINED,
        given_up=node.given_up or event in _GIVE_UP,
        stopped_at=None,
        missing_on=None if event is Event.INSTANCE_SEEN else node.missing_on,
    )
    told = Transition(
        node=node.name, pool=node.pool, at=at, event=event, before=node.state, after=after, reason=reason
    )
    return moved, told


def _clock_of(state: NodeState) -> FactKind:
    if state in lifecycle.DEADLINES:
        return lifecycle.DEADLINES[state].clock
    return FactKind.SIGHTINGS if state is NodeState.READY else FactKind.INSTANCES


def _consumers(node: Node, event: Event, after: NodeState) -> ConsumerOrder:
    """A worker once told to stop consuming must be told to begin again; one that never was told needs no order.

    That it leave for good stands through silence and return, until an operator takes it back.
    """
    if event is Event.REPLACE_CHOSEN:
        return ConsumerOrder.LEAVE
    if node.consumer_order is ConsumerOrder.LEAVE and event is not Event.UNDRAIN_CHOSEN:
        return ConsumerOrder.LEAVE
    if after is NodeState.READY and node.consumer_order is ConsumerOrder.NONE:
        return ConsumerOrder.NONE
    return _CONSUMERS_AFTER.get(after, node.consumer_order)


def advance_clocks(snapshot: Snapshot) -> dict[str, float]:
    """Clocks of sight run by the time since the tick before, only those of facts that are seen now."""
    clocks = dict(snapshot.memory.clocks)
    seen = [
        listing_clock(p) for p, li in snapshot.listings.items() if isinstance(li, Listing) and li.complete
    ]
    if not isinstance(snapshot.sightings, Missing):
        seen.append(SIGHTINGS_CLOCK)
    for key in seen:
        clocks[key] = clocks.get(key, 0.0) + snapshot.elapsed_s
    return clocks
