"""How long it takes to give a machine back, from the order to drain to the confirmed end: measured on idle workers.

Paid time is left that much before it ends. A worker amid tasks takes as much longer as its tasks do, which `quanta`
adds by itself; so only drains count here in which the worker was never seen to hold anything. Snapshot and moves go in,
what is remembered comes out. What never happens here: a choice who leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from autoscaler.core import moves
from autoscaler.core.facts import CallKind, Hands, Idleness, Missing, Outcome, OutcomeKind, Snapshot
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import FleetRules, Node, PoolName, Transition
from policies.contract import Traffic
from providers.contract import NodeName

_BUSY = -1.0
"""In place of seconds: it was seen to hold something, so its drain tells of its tasks."""
_UNWATCHED_S = 60.0
"""So long a part of a drain may have passed unseen."""
_REMEMBERED = 20.0
_PRIOR = 2.0
"""So many drains the computed time counts as (the proofs' lag and four ticks); less the more were measured."""
_SPREAD = 2.0
"""Standard deviations above the mean: 1 in 40 takes longer, and is taken back to use the next quantum."""
_LEAST, _MOST = 0.5, 4.0
"""Times the computed time. Half of it is two ticks at least: nobody must miss the time to leave. Most clouds that take
longer than four times to confirm an end are not paid meanwhile."""


def watch(snapshot: Snapshot, told: Iterable[Transition]) -> dict[NodeName, float]:
    """Seconds from the order to the proof, of the machines that drained idle and whose end is not confirmed yet."""
    before = snapshot.memory.drains
    proven = {move.node for move in told if move.event is Event.DRAINED}
    over = {outcome.node for outcome in snapshot.outcomes if _confirms(outcome)}
    found: dict[NodeName, float] = {}
    for node in snapshot.nodes:
        if node.name in over:
            continue  # it is asked for until its absence is proven, and each yes after the first says nothing new
        if node.state is NodeState.DRAINING:
            busy = before.get(node.name) == _BUSY or _holds(node, snapshot)
            if busy:
                found[node.name] = _BUSY
            elif node.name in proven:
                found[node.name] = _lasted_s(node, snapshot)
        elif node.state is NodeState.DESTROYING and node.stop_due and before.get(node.name, _BUSY) != _BUSY:
            found[node.name] = before[node.name]
    return found


def ended(snapshot: Snapshot) -> dict[PoolName, list[float]]:
    """Seconds from the order to the confirmed end, of the idle drains whose end was confirmed on this tick.

    A tick is added: a machine is told to leave at the first tick at which it is time.
    """
    found: dict[PoolName, list[float]] = {}
    nodes = {node.name: node for node in snapshot.nodes}
    for outcome in snapshot.outcomes:
        node = nodes.get(outcome.node)
        proof_s = snapshot.memory.drains.get(outcome.node, _BUSY)
        if _confirms(outcome) and node is not None and node.state is NodeState.DESTROYING and proof_s >= 0.0:
            seconds = proof_s + max(0.0, outcome.at - node.entered_at) + snapshot.elapsed_s
            found.setdefault(node.pool, []).append(seconds)
    return found


def with_drains(before: Traffic, seconds: Iterable[float], longest_s: float) -> Traffic:
    """The traffic after drains that took so long; a step of the wall clock makes none longer than that."""
    told = [min(s, longest_s) for s in seconds if math.isfinite(s) and s >= 0.0]
    if not told:
        return before
    drains = before.drains + len(told)
    kept = min(1.0, _REMEMBERED / drains)
    return replace(
        before,
        drains=drains * kept,
        drain_s=(before.drain_s + sum(told)) * kept,
        drain_squares=(before.drain_squares + sum(s * s for s in told)) * kept,
    )


def drain_s(traffic: Traffic, fleet: FleetRules) -> float:
    """How long before the end of its paid time an idle machine is told to leave: mean and spread of what was measured.

    Never less than half of what was computed, and never more than four times that.
    """
    prior = _PRIOR * max(0.0, 1.0 - traffic.drains / _REMEMBERED)
    drains = traffic.drains + prior
    mean = (traffic.drain_s + prior * fleet.drain_s) / drains
    squares = (traffic.drain_squares + prior * fleet.drain_s**2) / drains
    spread = math.sqrt(max(0.0, squares - mean * mean))
    return min(max(mean + _SPREAD * spread, _LEAST * fleet.drain_s), longest_s(fleet))


def longest_s(fleet: FleetRules) -> float:
    """No drain is taken to last longer than this."""
    return _MOST * fleet.drain_s


def _confirms(outcome: Outcome) -> bool:
    return outcome.call is CallKind.DESTROY and outcome.kind in {OutcomeKind.DONE, OutcomeKind.ABSENT}


def _holds(node: Node, snapshot: Snapshot) -> bool:
    """Whether anybody says that it holds anything, tasks that wait for their time included."""
    seen = snapshot.idleness.get(node.name)
    heard = None if isinstance(snapshot.sightings, Missing) else snapshot.sightings.workers.get(node.worker)
    return bool(heard is not None and heard.active) or (seen is not None and _witnessed(seen))


def _witnessed(seen: Idleness) -> bool:
    """What is no count is no reason to fail here: that node's own turn tells of it."""
    hands, held = seen.hands, seen.unacknowledged
    counts = (hands.active, hands.reserved, hands.scheduled) if isinstance(hands, Hands) else ()
    return any(type(count) is int and count > 0 for count in (*counts, held))


def _lasted_s(node: Node, snapshot: Snapshot) -> float:
    """How long it drained; of no worth where much of that passed unseen."""
    clocks: Mapping[str, float] = snapshot.memory.clocks
    lasted_s = snapshot.at - node.entered_at
    return lasted_s if abs(lasted_s - moves.lasted_s(node, clocks)) <= _UNWATCHED_S else _BUSY
