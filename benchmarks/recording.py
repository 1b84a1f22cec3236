"""A record as a daemon would have left it: a study is run, and what it saw on each tick goes into a journal.

A workload, terms and a rule go in, samples and nodes come out, and through `Journal.commit` into a file or a server.
What never happens here: a look at a clock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Offer, PoolDecision, PoolName
from autoscaler.journal import Journal, Sample, TickRecord
from autoscaler.study.contract import Outcome, Start, Terms, Workload
from autoscaler.study.fleet import Fleet
from autoscaler.study.run import Configured, run
from policies.contract import Decision
from policies.sentence import sentence
from providers.contract import InstanceId, NodeName, ProviderName

_ROWS_AT_ONCE = 2_000
"""Samples of one commit: a daemon writes one a tick, which would only take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a daemon would have written, and what the run came to."""

    samples: tuple[Sample, ...]
    nodes: tuple[Node, ...]
    first: PoolDecision
    """The decision of the first tick: it holds what was known then."""
    outcome: Outcome


def record(
    workload: Workload, terms: Terms, chooser: Configured, *, pool: str, begins_at: float, seed: int = 0
) -> Record:
    """Let the workload come to that pool from that instant on."""
    samples: list[Sample] = []
    told: list[tuple[Fleet, Decision]] = []

    def watch(_at_s: float, fleet: Fleet, decision: Decision) -> None:
        if not told:
            told.append((fleet, decision))
        samples.append(_sample(pool, terms, decision))

    start = Start(at=begins_at)
    outcome = run(workload, terms, chooser, seed=seed, watch=watch, start=start)
    (fleet, decision), ends_s = told[0], samples[-1].at - begins_at
    nodes = tuple(
        _node(number, life, terms, chooser.tick_s, pool, begins_at, ends_s)
        for number, life in enumerate(fleet.all_lives())
    )
    first = PoolDecision(
        pool=PoolName(pool), at=samples[0].at, decision=decision, sentence=sentence(decision)
    )
    return Record(samples=tuple(samples), nodes=nodes, first=first, outcome=outcome)


def write(journal: Journal, made: Record) -> None:
    """Commit it, as a daemon would but many ticks at once."""
    rows = made.samples
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        part: Sequence[Sample] = rows[first : first + _ROWS_AT_ONCE]
        new, decided = (made.nodes, (made.first,)) if first == 0 else ((), ())
        journal.commit(
            TickRecord(at=part[-1].at, samples=tuple(part), new_nodes=new, decisions=decided, memory=Memory())
        )


def _sample(pool: str, terms: Terms, decision: Decision) -> Sample:
    given = decision.input
    demand, supply = given.demand, given.supply
    assert demand is not None
    assert demand.flow is not None
    return Sample(
        pool=PoolName(pool),
        at=given.at,
        backlog=demand.backlog,
        in_progress=demand.in_progress,
        arrivals_per_s=demand.flow.arrived / demand.flow.over_s,
        completions_per_s=demand.flow.completed / demand.flow.over_s,
        wait_s=None,
        serving=supply.serving,
        arriving=supply.arriving,
        leaving=supply.leaving,
        wanted=decision.wanted,
        cost_per_h=terms.price_per_h * (supply.workers + supply.leaving),
        arrived=demand.flow.arrived,
        completed=demand.flow.completed,
        counted_s=demand.flow.over_s,
        busy=demand.in_progress,
    )


def _node(
    number: int,
    life: tuple[float, float],
    terms: Terms,
    tick_s: float,
    pool: str,
    begins_at: float,
    ends_s: float,
) -> Node:
    """A machine's record; that its worker is there is noted on the tick after."""
    ordered_s, gone_s = life
    name = NodeName(f"{pool}-{number}")
    enrolled_s = math.ceil((ordered_s + terms.boot_s) / tick_s) * tick_s
    gone = gone_s < ends_s
    return Node(
        name=name,
        machine=name,
        pool=PoolName(pool),
        offer=Offer(
            provider=ProviderName("cloud"),
            location="",
            size="",
            image="",
            price_per_h=terms.price_per_h,
            quantum_s=terms.quantum_s,
        ),
        slots=terms.slots,
        queues=(pool,),
        state=NodeState.GONE if gone else NodeState.READY,
        reason="made up",
        ordered_at=begins_at + ordered_s,
        entered_at=begins_at + (gone_s if gone else enrolled_s),
        entered_on=0.0,
        instance_id=InstanceId(name),
        enrolled_at=begins_at + enrolled_s if enrolled_s <= min(gone_s, ends_s) else None,
    )
