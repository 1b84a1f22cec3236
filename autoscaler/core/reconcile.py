"""What the world did to us: facts and records in, moved records out. Passive; nothing here is a wish.

No event fires from the absence of a thing on a tick on which we could not have seen it: deadlines and absences run on
clocks that stand still while their fact is missing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from autoscaler.core import (
    absences,
    bills,
    claims,
    enrolment,
    lessons,
    moves,
    namesakes,
    node_facts,
    patience,
    stalls,
    strangers,
    witness,
)
from autoscaler.core.facts import (
    Memory,
    Missing,
    Outcome,
    Snapshot,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    FleetRules,
    Node,
    NodeTrouble,
    OrderAnswer,
    PoolName,
    PoolRules,
    Timeouts,
    Transition,
)
from autoscaler.core.reports import Report
from autoscaler.core.waits import Wait
from providers.contract import Listing, NodeName

Rules = Mapping[PoolName, PoolRules]
_NO_REPORTS: Mapping[NodeName, Report] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciled:
    """All records as the world left them (those that just became GONE included), and what is remembered."""

    nodes: tuple[Node, ...]
    transitions: tuple[Transition, ...]
    memory: Memory
    troubles: tuple[NodeTrouble, ...] = ()
    """Nodes whose facts could not be taken in; their records are as they were."""
    answers: tuple[OrderAnswer, ...] = ()
    """To orders that are about what is remembered."""
    waits: tuple[Wait, ...] = ()


def reconcile(snapshot: Snapshot, rules: Rules, fleet: FleetRules) -> Reconciled:
    """Take in every fact. Doing it twice with the same facts changes nothing more than doing it once."""
    clocks = moves.advance_clocks(snapshot)
    indices = {p: claims.index(li) for p, li in snapshot.listings.items() if isinstance(li, Listing)}
    doubts = absences.doubt(snapshot, {provider: of.by_id for provider, of in indices.items()})
    snapshot = doubts.snapshot
    answers: dict[NodeName, list[Outcome]] = defaultdict(list)
    for outcome in snapshot.outcomes:
        answers[outcome.node].append(outcome)
    nodes: list[Node] = []
    told: list[Transition] = []
    troubles: list[NodeTrouble] = []
    voices = namesakes.voices(snapshot.nodes)
    booting = enrolment.take_in(snapshot)
    view = node_facts.View(
        snapshot, clocks, fleet, Timeouts(), outcomes=(), indices=indices, voices=voices, booting=booting
    )
    views = {name: replace(view, timeouts=pool.timeouts) for name, pool in rules.items()}
    for node in snapshot.nodes:
        of_pool = views.get(node.pool, view)
        answered = answers.get(node.name)
        of_node = replace(of_pool, outcomes=tuple(answered)) if answered else of_pool
        after, transitions = _reconcile_isolated(node, of_node, troubles)
        nodes.append(after)
        told.extend(transitions)
    learnt = lessons.learn(snapshot, tuple(told), rules, clocks, fleet, booting)
    found = strangers.find(snapshot, learnt.memory, tuple(nodes), rules, fleet, indices)
    stalled = stalls.watch(snapshot, nodes, rules, clocks)
    memory = replace(learnt.memory, strangers=found.strangers, sweeps=found.sweeps, stalls=stalled)
    return Reconciled(
        nodes=(*nodes, *found.adopted),
        transitions=(*told, *found.transitions),
        memory=bills.settled(snapshot, memory, (*nodes, *found.adopted), told, rules),
        troubles=tuple(troubles),
        answers=learnt.answers,
        waits=(*doubts.waits, *found.waits),
    )


def _reconcile_isolated(
    node: Node, view: node_facts.View, troubles: list[NodeTrouble]
) -> tuple[Node, list[Transition]]:
    """The node after this tick's facts; as it was, and in `troubles`, where they cannot be taken in."""
    try:
        return node_facts.reconcile_node(node, view)
    except Exception as error:  # noqa: BLE001 - around one node: one that is odd never stops the others
        troubles.append(NodeTrouble(node=node.name, pool=node.pool, error=f"{type(error).__name__}: {error}"))
        return node, []


def of_interest(
    nodes: tuple[Node, ...],
    memory: Memory,
    rules: Rules,
    reports: Mapping[NodeName, Report] | Missing = _NO_REPORTS,
) -> tuple[Node, ...]:
    """Whose workers others may have to be asked about: not those in time to enrol that do not say that they failed,
    nor whose end was asked for."""
    return tuple(node for node in nodes if _of_interest(node, memory, rules, reports))


def _of_interest(
    node: Node, memory: Memory, rules: Rules, reports: Mapping[NodeName, Report] | Missing
) -> bool:
    match node.state:
        case NodeState.BOOTING:
            times = patience.times_of(node, _timeouts(rules, node), memory, memory.booting, reports)
            overdue = moves.lasted_s(node, memory.clocks) >= times.enrol_s
            return overdue or enrolment.says_that_it_failed(node, memory, reports)
        case NodeState.DESTROYING:
            return witness.awaits(node)
        case _:
            return True


def _timeouts(rules: Rules, node: Node) -> Timeouts:
    pool = rules.get(node.pool)
    return pool.timeouts if pool else Timeouts()
