"""A plan in the making: records by name, and what has been chosen so far.

Those who choose write into it, one after another, and `plan` makes a Plan of it. What never happens here: a choice.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from autoscaler.core import actions, moves, supply
from autoscaler.core.call_budget import CallBudget
from autoscaler.core.facts import Memory, Snapshot
from autoscaler.core.lifecycle import Event
from autoscaler.core.model import CreateNode, FleetRules, Node, NodeTrouble, OrderAnswer, PoolName, Transition
from autoscaler.core.waits import Wait
from providers.contract import NodeName


@dataclass(slots=True, kw_only=True)
class Draft:
    """What one tick has chosen until now. Only the plan's own parts may change it."""

    snapshot: Snapshot
    memory: Memory
    fleet: FleetRules
    calls: CallBudget
    nodes: dict[NodeName, Node]
    transitions: list[Transition] = field(default_factory=list)
    answers: list[OrderAnswer] = field(default_factory=list)
    remarks: list[tuple[PoolName, str]] = field(default_factory=list)
    creates: list[CreateNode] = field(default_factory=list)
    under_way: Counter[actions.Lane] = field(default_factory=Counter)
    """Calls in flight, with those of this plan."""
    troubles: list[NodeTrouble] = field(default_factory=list)
    becoming: dict[NodeName, str] = field(default_factory=dict)
    """What the machines ordered by this plan are to become."""
    waits: list[Wait] = field(default_factory=list)
    _names: dict[PoolName, list[NodeName]] = field(default_factory=dict)
    """Of each pool's nodes: every pool is asked for several times, and a walk over all nodes each would be nodes ×
    pools."""

    def __post_init__(self) -> None:
        for node in self.nodes.values():
            self._names.setdefault(node.pool, []).append(node.name)

    def of_pool(self, pool: PoolName) -> tuple[Node, ...]:
        """The pool's nodes that are not GONE, as they stand now."""
        return supply.there(self.nodes[name] for name in self._names.get(pool, ()))

    def add(self, node: Node) -> None:
        """Take in a new one."""
        self.nodes[node.name] = node
        self._names.setdefault(node.pool, []).append(node.name)

    def move(self, node: Node, event: Event, reason: str) -> None:
        moved, told = moves.move(node, event, reason, at=self.snapshot.at, clocks=self.memory.clocks)
        self.nodes[node.name] = moved
        self.transitions.append(told)

    def remark(self, pool: PoolName, says: str) -> None:
        self.remarks.append((pool, says))
