"""What an operator should read beside a decision: nodes that leave or enrol later than they should, and why.

Remarks end in the pool's sentence, so the log, `status` and `why` say the same. They change nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from autoscaler.core import lifecycle, moves, patience, quanta, residency
from autoscaler.core.facts import Idleness, Memory, Missing, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, NodeTrouble, PoolName, PoolRules, Timeouts
from policies.phrases import duration

Remark = tuple[PoolName, str]


def by_pool(remarks: Iterable[Remark]) -> Mapping[str, tuple[str, ...]]:
    """The words of each pool, none of one that has no remark."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for pool, says in remarks:
        found[pool] += (says,)
    return found


def slow_drains(
    snapshot: Snapshot,
    nodes: Iterable[Node],
    rules: Mapping[PoolName, PoolRules],
    clocks: Mapping[str, float],
) -> tuple[Remark, ...]:
    """One remark for each node that drains longer than `timeouts.drain`, with what keeps it from being proven idle."""
    return tuple(
        (node.pool, f"{node.machine} drains longer than {limit_s:.0f} s: {_said(_why, node, snapshot)}")
        for node in nodes
        if node.state is NodeState.DRAINING
        for limit_s in [_timeouts(rules, node).drain_s]
        if moves.lasted_s(node, clocks) >= limit_s
    )


def paid_surplus(nodes: Iterable[Node], pool: PoolRules, wanted: int, at: float) -> str:
    """That more workers stay than are wanted, because their time is paid; empty where none do."""
    there = [n for n in nodes if n.state in lifecycle.SERVING | lifecycle.ARRIVING]
    paid = [quanta.left_s(n, at) for n in there if quanta.is_long(n)]
    long = sum(pool.counts_as(n) for n in there if quanta.is_long(n))
    more = min(sum(map(pool.counts_as, there)) - wanted, long)
    if more <= 0:
        return ""
    return f"{more} more than wanted stay, paid already; the first quantum ends in {duration(min(paid))}"


def misplaced(memory: Memory) -> tuple[Remark, ...]:
    """One remark for each machine that stands where its pool's machines may not."""
    return tuple((one.pool, residency.why_misplaced(one)) for one in memory.misplaced)


def troubles(found: Iterable[NodeTrouble]) -> tuple[Remark, ...]:
    """One remark for each node that could not be dealt with."""
    return tuple((t.pool, f"{t.node} could not be dealt with and stays as it was: {t.error}") for t in found)


def late_enrolments(
    snapshot: Snapshot,
    nodes: Iterable[Node],
    rules: Mapping[PoolName, PoolRules],
    clocks: Mapping[str, float],
) -> tuple[Remark, ...]:
    """One remark for each node that is past its time to enrol and is kept, because its worker may be at work."""
    memory = snapshot.memory
    return tuple(
        (
            node.pool,
            f"{node.machine} has not enrolled for {lasted_s:.0f} s and is kept: {_said(_kept_why, node, snapshot)}",
        )
        for node in nodes
        if node.state is NodeState.BOOTING
        for lasted_s in [moves.lasted_s(node, clocks)]
        for times in [
            patience.times_of(node, _timeouts(rules, node), memory, memory.booting, snapshot.reports)
        ]
        if lasted_s >= times.enrol_s
    )


def _said(why: Callable[[Node, Snapshot], str], node: Node, snapshot: Snapshot) -> str:
    """Why, or that it cannot be said: a remark changes nothing, so an odd fact about one node takes no tick with it."""
    try:
        return why(node, snapshot)
    except Exception as error:  # noqa: BLE001 - around the words about one node
        return f"what is known of it cannot be read ({type(error).__name__})"


def _kept_why(node: Node, snapshot: Snapshot) -> str:
    idleness = snapshot.idleness.get(node.name)
    held = Missing(why="the broker was not asked yet") if idleness is None else idleness.unacknowledged
    if isinstance(held, Missing):
        return f"it cannot be told whether its worker is at work ({held.why})"
    return (
        "its worker is connected to the broker but not heard; are its heartbeats switched off, "
        "or do they go to another exchange than broker.event_exchange?"
    )


def _why(node: Node, snapshot: Snapshot) -> str:
    if isinstance(snapshot.sightings, Missing):
        return f"workers cannot be heard: {snapshot.sightings.why}"
    if node.confirmed_on is None:
        return "its worker has not confirmed that it stopped consuming"
    idleness = snapshot.idleness.get(node.name)
    return "nobody could be asked" if idleness is None else _witnesses(idleness)


def _witnesses(idleness: Idleness) -> str:
    hands, held = idleness.hands, idleness.unacknowledged
    if isinstance(hands, Missing):
        return f"its worker does not say what it holds: {hands.why}"
    if isinstance(held, Missing):
        return f"the broker does not say what it holds for it: {held.why}"
    waiting = f", {hands.scheduled} of them for their time (ETA)" if hands.scheduled else ""
    return f"its worker holds {hands.total} tasks{waiting}, the broker {held} messages for it"


def _timeouts(rules: Mapping[PoolName, PoolRules], node: Node) -> Timeouts:
    pool = rules.get(node.pool)
    return pool.timeouts if pool else Timeouts()
