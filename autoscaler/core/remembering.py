"""What a tick leaves to the next one, once its plan is made: calls counted, new machines noted, waits dated.

Calls are taken off what accounts said that they still take, too. In go the memory that reconcile left and the plan, out
comes the memory that is committed with both.
"""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core import bills, call_budget, drift, preference, rations
from autoscaler.core.facts import Memory, Snapshot
from autoscaler.core.lifecycle import ARRIVING
from autoscaler.core.model import CreateNode, FleetRules, Plan
from autoscaler.core.reconcile import Reconciled, Rules
from autoscaler.core.waits import Wait


def after(snapshot: Snapshot, reconciled: Reconciled, plan: Plan, rules: Rules, fleet: FleetRules) -> Memory:
    """The memory to write down with this plan."""
    memory = preference.bought(reconciled.memory, plan)
    arriving = {node.name for node in plan.nodes if node.state in ARRIVING}
    ordered = {
        action.node: becomes
        for action in plan.actions
        if isinstance(action, CreateNode)
        for becomes in [rules[action.pool].becomes.get(action.offer.name)]
        if becomes
    }
    becoming = {**memory.becoming, **ordered}
    return replace(
        memory,
        buckets=call_budget.remember(snapshot, memory, plan.actions, fleet),
        rate_limits=rations.spent(memory, plan.actions),
        becoming={name: becomes for name, becomes in becoming.items() if name in arriving},
        # Those that an operator forgot; what the world ended is in them since it was reconciled.
        bills=bills.closed(memory.bills, reconciled.nodes, plan.transitions, snapshot.at),
        outdated=drift.outdated(plan.nodes, rules, snapshot.at),
        published=snapshot.published,
        waits=_dated(memory.waits, (*reconciled.waits, *plan.waits)),
    )


def _dated(before: tuple[Wait, ...], now: tuple[Wait, ...]) -> tuple[Wait, ...]:
    """What waits now, since when it has been waiting without a break."""
    since = {(wait.kind, wait.subject): wait.since_at for wait in before}
    dated = {
        (wait.kind, wait.subject): replace(wait, since_at=since.get((wait.kind, wait.subject), wait.since_at))
        for wait in now
    }
    return tuple(dated.values())
