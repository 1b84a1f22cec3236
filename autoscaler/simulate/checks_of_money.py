"""Whether a month's money is kept, by the world's own account of what everything cost.

A written record and the world go in; out comes nothing, or a `Harm`. What cannot be helped is excused, each with its
reason: a bill runs on while nobody may be sent away, but then nothing is bought, and no more are wanted than the floor.
"""

from __future__ import annotations

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import PoolName
from autoscaler.journal import TickRecord
from autoscaler.simulate.checks import Harm, Known
from autoscaler.simulate.world import World
from policies.contract import Decision, Rule

_PART = 1e-3
_STARTS = frozenset({Rule.PAUSED, Rule.HOLD, Rule.DEMAND_MISSING})
"""A person's word, and what cannot be seen, are no numbers of ours."""
_SAFETY = frozenset({Rule.GOOD_LOOKS, Rule.SUPPLY_MISSING})
_SOON_S = 120.0
"""A quantum that begins in the next month is paid of that month's money."""
_WORTH_S = 600
"""A machine billed in quanta of so long stays until the end of what is paid."""


def bought(world: World, record: TickRecord) -> None:
    """Raise Harm for a purchase that passes a month's ceiling with the first quantum of each machine."""
    new = [node for node in record.new_nodes if node.state is NodeState.CREATING]
    if not new or world.till.doubted:
        return
    bill = world.till.bill()
    for node in new:
        first = node.offer.price_per_h * node.offer.quantum_s / 3600
        bill[node.pool] = bill.get(node.pool, 0.0) + first
    for pool in dict.fromkeys(node.pool for node in new):
        _within(bill[pool], world.fleet.rules[pool].limits.max_cost_per_month, f"{pool} bought")
    _within(sum(bill.values()), world.fleet.max_cost_per_month, "the fleet bought")


def shrinks(world: World, known: Known, record: TickRecord) -> None:
    """Raise Harm for a pool that wants to keep more than its floor when a month's money is spent. To be asked once the
    record is taken in."""
    if world.till.doubted or world.till.month_ends_in_s() < _SOON_S:
        return
    bill = world.till.bill()
    all_spent = _is_spent(sum(bill.values()), world.fleet.max_cost_per_month)
    for decided in record.decisions:
        limits = world.fleet.rules[decided.pool].limits
        spent = all_spent or _is_spent(bill.get(decided.pool, 0.0), limits.max_cost_per_month)
        wanted = decided.decision.wanted
        if not spent or _is_held(decided.decision) or wanted > decided.decision.input.supply.workers:
            continue  # more than there are may be wanted; `bought` sees to it that they are not bought
        stay = max(limits.min_workers, _paid(known, decided.pool))
        if wanted > stay:
            raise Harm(
                "budget_breaches",
                f"{decided.pool} keeps {wanted} workers when the month's money is spent; {stay} may stay",
            )


def _is_held(decision: Decision) -> bool:
    rules = {step.rule for step in decision.steps}
    return decision.steps[0].rule in _STARTS or not rules.isdisjoint(_SAFETY)


def _paid(known: Known, pool: PoolName) -> int:
    """Machines whose paid quantum may have long to go."""
    of_pool = (node for node in known.nodes.values() if node.pool == pool)
    return sum(node.offer.quantum_s >= _WORTH_S for node in of_pool)


def _is_spent(amount: float, most: float | None) -> bool:
    return most is not None and amount > most * (1 + _PART)


def _within(amount: float, most: float | None, who: str) -> None:
    if most is not None and amount > most * (1 + _PART):
        raise Harm("budget_breaches", f"{who}, and the month costs {amount:.4f}, allowed are {most:.4f}")
