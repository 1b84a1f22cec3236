"""A decision in words: the one sentence of every tick. The whole account stands in `account`.

A `Decision` goes in, plain text comes out. What never happens here: a reason that the decision does not hold.
"""

from __future__ import annotations

from policies.contract import (
    Decision,
    Demand,
    Rule,
    Supply,
    Trust,
)
from policies.phrases import count, duration


def sentence(decision: Decision, *, remarks: tuple[str, ...] = ()) -> str:
    """One line: what becomes of the number, what was seen, which rules made it; the plan's `remarks` come last."""
    parts = (*_reasons(decision), *remarks)
    return f"{headline(decision)}: {'; '.join(parts)}"


def headline(decision: Decision) -> str:
    """`images: 2 → 4 workers`, `images: 3 workers stay`, `images: holding 3 workers`."""
    pool, present, wanted = decision.input.pool, decision.input.supply.workers, decision.wanted
    arriving = f" ({decision.input.supply.arriving} arriving)" if decision.input.supply.arriving else ""
    if wanted != present:
        return f"{pool}: {present}{arriving} → {wanted} {'worker' if wanted == 1 else 'workers'}"
    if decision.held:
        return f"{pool}: holding {count(wanted, 'worker')}{arriving}"
    if wanted == 0:
        return f"{pool}: no workers"
    return f"{pool}: {count(wanted, 'worker')} {'stays' if wanted == 1 else 'stay'}{arriving}"


def _reasons(decision: Decision) -> list[str]:
    demand = decision.input.demand
    # A queue that does not exist is the first thing to know of a pool that stays at nothing: its name may be a slip.
    parts = [] if demand is None else [_demand_phrase(demand), *demand.warnings]
    parts += _held_phrases(decision.input.supply, demand)
    plain_wish = not _worth_saying(decision, demand)
    parts += [step.why for step in decision.steps if not (step.rule is Rule.PROPOSALS and plain_wish)]
    told = any(step.rule is Rule.SUPPLY_MISSING for step in decision.steps)
    if decision.input.supply_missing and not told:
        parts.append(f"cannot see the workers ({decision.input.supply_missing})")
    return parts


def _worth_saying(decision: Decision, demand: Demand | None) -> bool:
    """The winner's reason is left out where it is plain: nothing to do asks for nobody, or all is as it should be."""
    if decision.recommended == 0 and demand is not None and demand.backlog == 0:
        return False
    # Workers with nothing to do are there for a reason that the demand does not tell.
    idle = demand is not None and demand.backlog == demand.in_progress == 0
    return decision.recommended != decision.input.supply.workers or (idle and bool(decision.recommended))


def _demand_phrase(demand: Demand) -> str:
    parts = [f"{demand.backlog} waiting" if demand.backlog else "nothing waiting"]
    if demand.in_progress:
        parts.append(f"{demand.in_progress} in progress")
    if demand.backlog and demand.wait_s.value is not None:
        about = "about " if demand.wait_s.trust is Trust.ROUGH else ""
        parts.append(f"oldest {about}{duration(demand.wait_s.value)}")
    return ", ".join(parts)


def _held_phrases(supply: Supply, demand: Demand | None) -> list[str]:
    """What workers hold and do not run: for its time, which nobody can help, or in vain, which a setting mends."""
    parts = []
    if supply.scheduled:
        parts.append(_scheduled(supply.scheduled))
    if demand is not None and demand.backlog == 0 and supply.prefetched and supply.idle:
        verb = "is" if supply.prefetched == 1 else "are"
        idle = f"{count(supply.idle, 'worker')} {'idles' if supply.idle == 1 else 'idle'}"
        parts.append(
            f"{count(supply.prefetched, 'task')} {verb} prefetched by busy workers while {idle}: "
            "set worker_prefetch_multiplier = 1 (and task_acks_late)"
        )
    return parts


def _scheduled(tasks: int) -> str:
    verb, whose = ("waits", "its") if tasks == 1 else ("wait", "their")
    return f"{count(tasks, 'task')} {verb} on workers for {whose} time (ETA)"
