"""What a tick writes down: everything that it changed, as one record for one commit.

In go the snapshot, the records as the world left them, decisions and plan, out comes a `TickRecord`. What never happens
here: a choice, a write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from autoscaler.core import lifecycle, measuring, remembering, repeats, supply
from autoscaler.core.facts import Memory, Missing, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import FleetRules, Node, Plan, PoolDecision, PoolName, PoolRules
from autoscaler.core.orders import PoolOrders
from autoscaler.core.reconcile import Reconciled
from autoscaler.core.remarks import by_pool
from autoscaler.core.repeats import Kept
from autoscaler.journal.contract import BootRecord, Sample, TickRecord
from policies.contract import Decision
from policies.sentence import sentence


def record(
    snapshot: Snapshot,
    reconciled: Reconciled,
    decisions: Mapping[PoolName, Decision],
    plan: Plan,
    asked: PoolOrders,
    rules: Mapping[PoolName, PoolRules],
    fleet: FleetRules,
    kept: Mapping[PoolName, Kept],
) -> TickRecord:
    """All of it. Of nodes those alone that are not as they were; `kept` is on record of the decisions before."""
    before, nodes = {node.name: node for node in snapshot.nodes}, supply.by_pool(plan.nodes)
    remarks = by_pool(plan.remarks)
    decided = tuple(
        PoolDecision(
            pool=pool,
            at=snapshot.at,
            decision=decision,
            sentence=sentence(decision, remarks=remarks[pool]),
        )
        for pool, decision in decisions.items()
    )
    return TickRecord(
        at=snapshot.at,
        new_nodes=tuple(n for n in plan.nodes if n.name not in before),
        changed_nodes=tuple(n for n in plan.nodes if before.get(n.name, n) is not n and n != before[n.name]),
        transitions=(*reconciled.transitions, *plan.transitions),
        decisions=decided,
        repeats=repeats.of(decided, remarks, kept),
        answers=(*asked.answers, *plan.answers),
        wishes=asked.changed,
        memory=remembering.after(snapshot, reconciled, plan, rules, fleet),
        samples=tuple(
            _sample(rules[pool], decision, nodes[pool], snapshot) for pool, decision in decisions.items()
        ),
        slices=measuring.slices(snapshot, rules),
        boots=_boots(snapshot, reconciled.memory),
    )


def _boots(snapshot: Snapshot, memory: Memory) -> tuple[BootRecord, ...]:
    """Of machines of which something became known on this tick; with the log, where that is why one failed."""
    reports = {} if isinstance(snapshot.reports, Missing) else snapshot.reports
    found = []
    for node in snapshot.nodes:
        boot = memory.booting.get(node.name)
        if boot is None or boot == snapshot.memory.booting.get(node.name):
            continue
        report = reports.get(node.name)
        log = report.log if report is not None and report.log and boot.failed is not None else None
        found.append(
            BootRecord(
                node=node.name, pool=node.pool, offer=node.offer.name, at=snapshot.at, boot=boot, log=log
            )
        )
    return tuple(found)


def _sample(pool: PoolRules, decision: Decision, nodes: tuple[Node, ...], snapshot: Snapshot) -> Sample:

    def workers(states: Collection[NodeState]) -> int:
        return supply.workers(nodes, pool.counts_as, states)

    demand = decision.input.demand
    flow = demand.flow if demand else None
    return Sample(
        pool=pool.name,
        at=decision.input.at,
        backlog=demand.backlog if demand else None,
        in_progress=demand.in_progress if demand else None,
        arrivals_per_s=demand.arrivals_per_s.value if demand else None,
        completions_per_s=demand.completions_per_s.value if demand else None,
        wait_s=demand.wait_s.value if demand else None,
        serving=workers(lifecycle.SERVING),
        arriving=workers(lifecycle.ARRIVING),
        leaving=workers(lifecycle.LEAVING),
        wanted=decision.wanted,
        cost_per_h=supply.cost_per_h(nodes),
        arrived=flow.arrived if flow else None,
        completed=flow.completed if flow else None,
        counted_s=flow.over_s if flow else None,
        busy=supply.busy(nodes, snapshot),
    )
