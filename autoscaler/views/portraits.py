"""One pool, or one node, as its page shows it: records, lives, boots and the last decision, as values.

In go the journal and the settings. What never happens here: words for people, and a look at a broker or a cloud.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from autoscaler.config import Settings
from autoscaler.core import bills
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolDecision, PoolName, Transition
from autoscaler.core.reports import Boot
from autoscaler.journal import Journal, read
from autoscaler.journal.contract import BootRecord
from autoscaler.views import boots
from autoscaler.views.boots import Known
from providers.contract import NodeName

MOST_MOVES = 60
"""Moves of a pool that are told: some screens of them, whatever a flood brought."""
MOST_NODES = 150
"""Nodes of one pool that are drawn, those on their way first; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePortrait:
    """One node with its life, oldest move first, and its boot as far as it is known."""

    node: Node
    moves: tuple[Transition, ...]
    booted: BootRecord | None
    boot: Boot | None
    """What is known of its boot by now, of one under way too."""
    cost: float
    """So far, in the fleet's currency."""
    outdated: str
    """Why it is of an older definition of its pool, or too old; empty where it is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPortrait:
    """One pool: its nodes that are there, those on their way first, its last moves, newest first, and its boots."""

    pool: PoolName
    at: float
    max_workers: int | None
    """Its ceiling; None for a pool that is configured no more."""
    decision: PoolDecision | None
    nodes: tuple[NodePortrait, ...]
    more_nodes: int
    moves: tuple[Transition, ...]
    boots: tuple[Known, ...]


_FIRST = (NodeState.CREATING, NodeState.BOOTING, NodeState.LOST, NodeState.DRAINING, NodeState.DESTROYING)


def of_pool(journal: Journal, settings: Settings, pool: PoolName, at: float) -> PoolPortrait | None:
    """That pool; None where neither configuration nor journal knows one of that name. Raises JournalUnavailable."""
    configured = settings.pools.get(pool)
    nodes = sorted(read.nodes(journal, pool=pool), key=_order)
    decision = read.decision_at(journal, pool, at)
    if configured is None and not nodes and decision is None:
        return None
    shown = nodes[:MOST_NODES]
    return PoolPortrait(
        pool=pool,
        at=at,
        max_workers=configured.limits.max_workers if configured else None,
        decision=decision,
        nodes=_portraits(journal, shown, at),
        more_nodes=len(nodes) - len(shown),
        moves=read.last_transitions(journal, limit=MOST_MOVES, pool=pool),
        boots=tuple(known for known in boots.known(journal.memory(), settings) if known.pool == pool),
    )


def of_node(journal: Journal, name: NodeName, at: float) -> NodePortrait | None:
    """That node, one that is gone too; None where no record knows it. Raises JournalUnavailable."""
    found = read.nodes(journal, name=name, include_gone=True)
    return _portraits(journal, found[:1], at)[0] if found else None


def _portraits(journal: Journal, nodes: list[Node] | tuple[Node, ...], at: float) -> tuple[NodePortrait, ...]:
    names = [node.name for node in nodes]
    lives, booted, memory = read.lives(journal, names), read.boots(journal, names), journal.memory()
    under_way: Mapping[NodeName, Boot] = memory.booting
    found = []
    for node in nodes:
        record = booted.get(node.name)
        found.append(
            NodePortrait(
                node=node,
                moves=lives[node.name],
                booted=record,
                boot=under_way.get(node.name) or (record.boot if record else None),
                cost=bills.in_all_of_node(node, at),
                outdated=memory.outdated.get(node.name, ""),
            )
        )
    return tuple(found)


def _order(node: Node) -> tuple[int, float]:
    """What changes comes first, then those that serve, the newest first."""
    place = _FIRST.index(node.state) if node.state in _FIRST else len(_FIRST)
    return place, -node.ordered_at
