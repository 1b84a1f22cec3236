"""A decision in words: the one sentence of every tick, and the whole account for `autoscaler why`.

A `Decision` goes in, plain text comes out. What never happens here: a reason that the decision does not hold.
"""

from __future__ import annotations

from collections.abc import Callable

from policies.contract import (
    Decision,
    Demand,
    QueueDemand,
    Reading,
    Recommendation,
    Rule,
    Step,
    Supply,
    Traffic,
    Trust,
)
from policies.phrases import count, duration, plain
from policies.traffic import ASSUMED_BOOT_S


def sentence(decision: Decision, *, remarks: tuple[str, ...] = ()) -> str:
    """One line: what becomes of the number, what was seen, which rules made it; the plan's `remarks` come last."""
    parts = (*_reasons(decision), *remarks)
    return f"{_headline(decision)}: {'; '.join(parts)}"


def explain(decision: Decision) -> str:
    """Line by line: facts and how far each is trusted, each wish, each rule, and what would change the number."""
    given = decision.input
    lines = [
        _headline(decision),
        *_demand_lines(given.demand, given.demand_missing, given.at),
        *_supply_lines(given.supply, given.supply_missing),
        *_measured_lines(given.history.traffic),
        *_proposal_lines(decision.proposals),
        "From the wish to the number:",
        *(f"  {_step_line(step)}" for step in decision.steps),
        f"Made by: {decision.binding}",
    ]
    if decision.held:
        lines.append(f"Held: {decision.held}")
    if decision.would_change:
        lines.append(f"What would change it: {decision.would_change}")
    return "\n".join(lines)


def _headline(decision: Decision) -> str:
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


def _demand_lines(demand: Demand | None, missing: str, at: float) -> list[str]:
    if demand is None:
        return [f"Demand: could not be seen: {missing or 'no reason given'}"]
    return [
        f"Demand, measured {duration(at - demand.measured_at)} before:",
        f"  waiting      {demand.backlog}",
        f"  in progress  {demand.in_progress}",
        f"  oldest       {_reading(demand.wait_s, duration)}",
        f"  arrivals     {_reading(demand.arrivals_per_s, _per_s)}",
        f"  completions  {_reading(demand.completions_per_s, _per_s)}",
        *(f"  queue {_queue(queue)}" for queue in demand.queues),
        *(f"  warning: {warning}" for warning in demand.warnings),
    ]


def _reading(reading: Reading, say: Callable[[float], str]) -> str:
    why = f": {reading.why}" if reading.why else ""
    if reading.value is None:
        return f"not measured{why}"
    return f"{say(reading.value)} ({reading.trust}{why})"


def _per_s(rate: float) -> str:
    return f"{plain(rate)} a second"


def _queue(queue: QueueDemand) -> str:
    if queue.missing:
        return f"{queue.name}: does not exist yet"
    consumers = count(queue.consumers, "consumer")
    return f"{queue.name}: {queue.backlog} waiting, {queue.in_progress} in progress, {consumers}"


def _supply_lines(supply: Supply, missing: str) -> list[str]:
    hands = "not heard" if supply.tasks_in_hand is None else str(supply.tasks_in_hand)
    by_state = (
        f"{supply.serving} serving, {supply.arriving} arriving, {supply.leaving} leaving, {supply.lost} lost"
    )
    lines = [
        f"Workers: {by_state}; {count(supply.slots, 'slot')} each; tasks in hand by their own word: {hands}"
    ]
    if supply.scheduled is not None:
        prefetched = f"{supply.prefetched or 0} prefetched by workers whose slots are all busy"
        lines.append(
            f"  besides: {_scheduled(supply.scheduled)}, {prefetched}; {count(supply.idle, 'worker')} idle"
        )
    if missing:
        lines.append(f"  could not be seen now: {missing}")
    return lines


def _measured_lines(traffic: Traffic) -> list[str]:
    """What was measured of machines, and what is assumed before the first."""
    lines = []
    if traffic.boots >= 1.0:
        of = f" of {traffic.boots_of}" if traffic.boots_of else ""
        why = f"; {traffic.boots_why}" if traffic.boots_why else ""
        each = duration(traffic.boot_s / traffic.boots)
        lines.append(f"Boot time: {each}, measured over {count(round(traffic.boots), 'machine')}{of}{why}")
    else:
        lines.append(f"Boot time: {duration(ASSUMED_BOOT_S)}, assumed: no machine has become a worker yet")
    if traffic.drains >= 1.0:
        each = duration(traffic.drain_s / traffic.drains)
        lines.append(
            f"Drain time of idle workers: {each}, measured over {count(round(traffic.drains), 'drain')}"
        )
    return lines


def _proposal_lines(proposals: tuple[Recommendation, ...]) -> list[str]:
    if not proposals:
        return ["Policies: not asked"]
    lines = ["Policies:"]
    for proposal in proposals:
        wish = "has no opinion" if proposal.workers is None else f"asks for {proposal.workers}"
        lines.append(f"  {proposal.policy} {wish}: {proposal.why}")
        if proposal.at_most_why not in {"", proposal.why}:
            lines.append(f"    {proposal.at_most_why}")
        if proposal.would_change:
            lines.append(f"    {proposal.would_change}")
    return lines


def _step_line(step: Step) -> str:
    change = f"{step.before} → {step.after}" if step.before != step.after else f"{step.after} stays"
    return f"{step.rule}: {change}: {step.why}"
