"""A machine that is to become something new is tried alone: one in flight, until one of its kind has enrolled.

What a machine becomes is known by a fingerprint of its image, size and bootstrap, which the configuration brings along.
A pool that never had a worker is not held up: it has nothing to fall back on, and its operator is watching. What never
happens here: the end of a machine; workers of the old kind serve on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import ARRIVING, Event
from autoscaler.core.model import Node, Offer, PoolName, PoolRules, Transition
from providers.contract import NodeName

_REMEMBERED = 20
"""Fingerprints a pool keeps: enough to go back to yesterday's release without trying it again."""


def probes_left(
    offer: Offer, pool: PoolRules, memory: Memory, becoming: Mapping[NodeName, str], nodes: Iterable[Node]
) -> int | None:
    """How many machines of this offer may be ordered for the pool: one at a time, or None where none is to be proven.

    `becoming` are the fingerprints of machines on their way, those of the plan in the making included.
    """
    new = pool.becomes.get(offer.name)
    proven = memory.proven.get(pool.name, ())
    if not pool.canary or new is None or not proven or new in proven:
        return None
    tried = any(n.pool == pool.name and n.state in ARRIVING and becoming.get(n.name) == new for n in nodes)
    return 0 if tried else 1


def learn(
    memory: Memory,
    told: Iterable[Transition],
    nodes: Iterable[Node],
    rules: Mapping[PoolName, PoolRules],
) -> Memory:
    """Memory in which what became a worker on this tick is proven; pools no longer configured are forgotten."""
    before = {node.name: node for node in nodes}
    proven = {pool: known for pool, known in memory.proven.items() if pool in rules}
    for move in told:
        node = before.get(move.node)
        became = memory.becoming.get(move.node)
        if move.event is not Event.WORKER_SEEN or node is None or node.enrolled_at is not None or not became:
            continue
        known = [f for f in proven.get(node.pool, ()) if f != became]
        proven[node.pool] = (*known, became)[-_REMEMBERED:]
    return replace(memory, proven=proven)
