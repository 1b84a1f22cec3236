"""What serving workers hold besides the tasks they run, by their own word: asked at a slow pace, and remembered.

Heartbeats tell how many tasks a worker runs, and the broker how many messages are not acknowledged. What lies between,
prefetched or waiting for its time, only the workers tell apart, so they are asked: while the broker holds anything for
a pool, each worker once a minute at most, and a bounded number at a time. What never happens here: a proof that a
worker is idle (that is `reconcile`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autoscaler.core import lifecycle
from autoscaler.core.facts import SIGHTINGS_CLOCK, Hands, Holding, Memory, Missing, Snapshot
from autoscaler.core.model import Node, PoolName, WorkerName
from policies.contract import Demand
from providers.contract import NodeName

_EVERY_S = 60.0
_MUTE_S = 600.0
"""One that did not answer is asked again after this: `solo` workers answer between two tasks only."""
_BELIEVED_S = 180.0
"""How old such a word may be: with some hundred workers everybody's turn comes within this."""
_AT_ONCE = 20
"""Their answers list whole tasks."""


def to_ask(nodes: Iterable[Node], memory: Memory) -> tuple[WorkerName, ...]:
    """The serving workers whose turn it is, those asked longest ago first."""
    now_on = memory.clocks.get(SIGHTINGS_CLOCK, 0.0)
    due = []
    for node in nodes:
        if node.state in lifecycle.SERVING and memory.held_by_broker.get(node.pool):
            known = memory.holdings.get(node.name)
            pause_s = _EVERY_S if known is None or known.answered else _MUTE_S
            if known is None or now_on - known.asked_on >= pause_s:
                due.append((-1.0 if known is None else known.asked_on, node.name, node.worker))
    return tuple(worker for _, _, worker in sorted(due)[:_AT_ONCE])


def learn(snapshot: Snapshot, clocks: Mapping[str, float]) -> dict[NodeName, Holding]:
    """Each serving worker's last word, with the answers of this tick."""
    if not snapshot.hands and not snapshot.memory.holdings:
        return {}  # nobody was asked, as long as the broker holds nothing for any pool
    now_on = clocks.get(SIGHTINGS_CLOCK, 0.0)
    found = {}
    for node in snapshot.nodes:
        if node.state not in lifecycle.SERVING:
            continue
        known = snapshot.memory.holdings.get(node.name)
        if node.worker in snapshot.hands:
            known = _taken(snapshot.hands[node.worker], now_on)
        if known is not None:
            found[node.name] = known
    return found


def held_by_broker(snapshot: Snapshot) -> dict[PoolName, int]:
    """Messages not acknowledged, by pool, where there are any; what is not seen now stays as it was."""
    before = snapshot.memory.held_by_broker
    held = {
        pool: before.get(pool, 0) if isinstance(demand, Missing) else demand.in_progress
        for pool, demand in snapshot.demand.items()
    }
    return {pool: count for pool, count in held.items() if count}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the serving workers of one pool hold besides what they run. None: nobody said it lately."""

    scheduled: int | None = None
    prefetched: int | None = None
    idle: int = 0


def held(nodes: Iterable[Node], snapshot: Snapshot, memory: Memory, demand: Demand | None) -> Held:
    """By the words that are not old; what nobody said counts as work. Never more than the broker knows of."""
    if isinstance(snapshot.sightings, Missing):
        return Held()
    now_on = memory.clocks.get(SIGHTINGS_CLOCK, 0.0)
    scheduled = prefetched = running = idle = told = 0
    for node in nodes:
        if node.state not in lifecycle.SERVING:
            continue
        heard = snapshot.sightings.workers.get(node.worker)
        active = None if heard is None or not heard.online else heard.active
        word = memory.holdings.get(node.name)
        idle += active == 0
        running += active or 0
        if word is None or not word.answered or now_on - word.asked_on > _BELIEVED_S:
            continue
        told += 1
        scheduled += word.scheduled
        prefetched += word.reserved if active is not None and active >= node.slots else 0
    if not told:
        return Held(idle=idle)
    most = demand.in_progress if demand else 0
    scheduled = min(scheduled, most)
    return Held(
        scheduled=scheduled,
        prefetched=min(prefetched, most - scheduled) if _some_wait(most, scheduled, running) else 0,
        idle=idle,
    )


def _some_wait(held: int, scheduled: int, running: int) -> bool:
    """Whether the broker, whose word is of now, still holds more than what runs and what waits for its time.

    Fewer than what runs it holds only where tasks are acknowledged as they start: then all that it holds waits.
    """
    return held > scheduled + running or scheduled < held < running


def _taken(hands: Hands | Missing, now_on: float) -> Holding:
    # Whatever cannot be read back would spoil the whole memory, so it is not written down.
    if not isinstance(hands, Hands) or not all(type(n) is int for n in (hands.reserved, hands.scheduled)):
        return Holding(reserved=0, scheduled=0, asked_on=now_on, answered=False)
    return Holding(reserved=hands.reserved, scheduled=hands.scheduled, asked_on=now_on)
