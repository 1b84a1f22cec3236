"""`python -m benchmarks.overview`: what the dashboard's overview costs with 200 pools and 2,000 machines.

A journal is made as a daemon would have left it, with a history behind each decision; then the page is read and
rendered again and again, each time from the journal's file. The figures go to build/overview.json and, as the last
lines, to the terminal; it fails above the limits. What never happens here: a server, a browser.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from autoscaler import pool_rules
from autoscaler.config import Settings, parse
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolDecision, PoolName, PoolRules
from autoscaler.journal import Journal, TickRecord, open_journal
from autoscaler.views import standing
from autoscaler.web import assets, pages
from benchmarks import fleet_toml
from policies.contract import (
    DecisionInput,
    Demand,
    History,
    Past,
    QueueDemand,
    Reading,
    Supply,
    Traffic,
    Trust,
)
from policies.decide import decide
from policies.sentence import sentence
from providers.contract import InstanceId, NodeName

POOLS, NODES = 200, 2_000
MOST_MS, MOST_BYTES = 200.0, 300_000
_ROUNDS = 15
_AT = 1_790_000_000.0
_PAST = 60
"""Earlier decisions behind each: five minutes of ticks of five seconds."""
OUT = Path("build/overview.json")
_STATES = (NodeState.READY,) * 7 + (NodeState.BOOTING, NodeState.DRAINING, NodeState.CREATING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured: medians of milliseconds of a processor, whatever else the computer did, and bytes."""

    pools: int
    nodes: int
    look_ms: float
    render_ms: float
    waited_ms: float
    """By the clock on the wall, of both together."""
    page_bytes: int
    weight_bytes: int
    """Of the page with its style sheet and scripts, uncompressed."""


def settings(file: Path, pools: int, tick_s: float = 5.0) -> Settings:
    """A configuration with so many pools."""
    head = fleet_toml.head(
        file,
        'kind = "local"\ndirectory = "/nonexistent"',
        tick_s=tick_s,
        fleet="max_cost_per_month = 90000.0",
    )
    parts = (
        fleet_toml.pool(f"pool-{number:03}", f'kind = "wait"\ntarget_wait = "{30 + number}s"', most=40)
        for number in range(pools)
    )
    return parse(head + "".join(parts), {"PASSWORD": "none"}, source="benchmark")


def fill(
    journal: Journal,
    configured: Settings,
    nodes: int,
    at: float = _AT,
    *,
    states: tuple[NodeState, ...] = _STATES,
) -> None:
    """The first tick of that fleet, whose machines are in these states in turn."""
    made = fleet(configured, nodes, at, states)
    outdated = {node.name: "its image" for node in made[:: len(configured.pools)]}
    tick(journal, configured, nodes, at, new_nodes=made, outdated=outdated)


def fleet(
    configured: Settings, nodes: int, at: float, states: tuple[NodeState, ...] = _STATES
) -> tuple[Node, ...]:
    """So many machines, shared among the pools."""
    rules = [pool_rules.of(name, pool) for name, pool in configured.pools.items()]
    return tuple(
        _node(pool, number, at, states[number % len(states)])
        for pool, share in zip(rules, _shares(len(rules), nodes), strict=True)
        for number in range(share)
    )


def tick(
    journal: Journal,
    configured: Settings,
    nodes: int,
    at: float,
    *,
    number: int = 0,
    new_nodes: tuple[Node, ...] = (),
    outdated: Mapping[NodeName, str] = MappingProxyType({}),
) -> None:
    """A tick in which everything is decided anew; by its `number` what waits is another, in all pools."""
    rules = [pool_rules.of(name, pool) for name, pool in configured.pools.items()]
    decisions = tuple(
        _decision(pool, place + number, share, at)
        for place, (pool, share) in enumerate(zip(rules, _shares(len(rules), nodes), strict=True))
    )
    memory = replace(Memory(), at=at, outdated=outdated)
    journal.commit(TickRecord(at=at, new_nodes=new_nodes, decisions=decisions, memory=memory))


def _shares(pools: int, nodes: int) -> list[int]:
    return [nodes // pools + (place < nodes % pools) for place in range(pools)]


def _node(pool: PoolRules, number: int, now: float, state: NodeState) -> Node:
    name = NodeName(f"shop-{pool.name}-{number:04x}c77653")
    at = now - 3600.0 - 17.0 * number
    return Node(
        name=name,
        machine=name,
        pool=pool.name,
        offer=pool.offers[0],
        slots=pool.slots,
        queues=pool.queues,
        state=state,
        reason=f"celery@{name} is heard",
        ordered_at=at,
        entered_at=at + 80.0,
        entered_on=at + 80.0,
        instance_id=InstanceId(f"i-{name}"),
        enrolled_at=at + 80.0,
    )


def _decision(pool: PoolRules, place: int, workers: int, at: float) -> PoolDecision:
    backlog = (place * 37) % 400

    def solid(value: float) -> Reading:
        return Reading(value=value, trust=Trust.SOLID)

    past = tuple(
        Past(at=at - 5.0 * (_PAST - number), recommended=workers, wanted=workers, workers=workers)
        for number in range(_PAST)
    )
    given = DecisionInput(
        pool=pool.name,
        at=at,
        demand=Demand(
            backlog=backlog,
            in_progress=workers * 2,
            arrivals_per_s=solid(3.5),
            completions_per_s=solid(3.25),
            wait_s=solid(backlog / 4.0),
            measured_at=at - 2.0,
            queues=(
                QueueDemand(name=pool.name, backlog=backlog, in_progress=workers * 2, consumers=workers),
            ),
        ),
        supply=Supply(
            serving=workers - 3, arriving=2, leaving=1, lost=0, slots=pool.slots, tasks_in_hand=workers
        ),
        history=History(
            past=past, good_looks=100, traffic=Traffic(tasks=500.0, busy_s=4200.0, boots=4.0, boot_s=320.0)
        ),
        policies=pool.policies,
        limits=pool.limits,
        stabilization=pool.stabilization,
    )
    decision = decide(given)
    return PoolDecision(pool=PoolName(pool.name), at=at, decision=decision, sentence=sentence(decision))


def measure(pools: int = POOLS, nodes: int = NODES, rounds: int = _ROUNDS) -> Figures:
    """Make it, look at it so often, and say what that took."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "journal.db")
        configured = settings(file, pools)
        journal = open_journal(f"sqlite:///{file}")
        try:
            fill(journal, configured, nodes)
            looks, renders, waits, page = [], [], [], b""
            for _ in range(rounds):
                on_the_wall, began = time.perf_counter(), time.process_time()
                now = standing.look(journal, configured, _AT + 1.0)
                looked = time.process_time()
                page = pages.overview(now)
                looks.append((looked - began) * 1000.0)
                renders.append((time.process_time() - looked) * 1000.0)
                waits.append((time.perf_counter() - on_the_wall) * 1000.0)
        finally:
            journal.close()
    sent = sum(
        len(assets.all_of_them()[name].content) for name in ("page.css", "theme.js", "live.js", "orders.js")
    )
    return Figures(
        pools=pools,
        nodes=nodes,
        look_ms=round(statistics.median(looks), 1),
        render_ms=round(statistics.median(renders), 1),
        waited_ms=round(statistics.median(waits), 1),
        page_bytes=len(page),
        weight_bytes=len(page) + sent,
    )


def main() -> int:
    """Measure, write it down, tell it; 1 above the limits."""
    found = measure()
    record = {name: getattr(found, name) for name in Figures.__dataclass_fields__}
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    both_ms = found.look_ms + found.render_ms
    sys.stdout.write(
        f"overview of {found.pools} pools and {found.nodes} machines: {both_ms:.0f} ms of a processor "
        f"({found.look_ms:.0f} to read, {found.render_ms:.0f} to render), limit {MOST_MS:.0f}; "
        f"{found.waited_ms:.0f} ms by the clock\n"
        f"weight with style and scripts: {found.weight_bytes / 1000:.0f} kB, limit {MOST_BYTES / 1000:.0f} kB\n"
    )
    return 0 if both_ms < MOST_MS and found.weight_bytes < MOST_BYTES else 1


if __name__ == "__main__":
    sys.exit(main())
