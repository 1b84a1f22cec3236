"""The whole account of a decision, for `autoscaler why` and the pages: facts, wishes, the way to the number.

A `Decision` goes in; parts with rows of a label, a figure and words come out, or the same as lines whose columns align.
What never happens here: a reason that the decision does not hold, a colour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from policies import sentence
from policies.contract import Decision, Demand, QueueDemand, Reading, Recommendation, Step, Supply, Traffic
from policies.phrases import count, duration, plain
from policies.traffic import ASSUMED_BOOT_S

_UNKNOWN = "–"
_WIDEST_LABEL = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fact or reason. The figure may be empty, and so may the label where a row goes on from the one above."""

    label: str
    figure: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A headline, and what stands below it."""

    head: str
    rows: tuple[Row, ...] = ()


def account(decision: Decision) -> tuple[Part, ...]:
    """Facts and how far each is trusted, each wish, each rule, and what would change the number."""
    given = decision.input
    parts = [
        Part(head=sentence.headline(decision)),
        _demand(given.demand, given.demand_missing, given.at),
        _workers(given.supply, given.supply_missing),
        _machines(given.history.traffic),
        _policies(decision.proposals),
        Part(head="From the wish to the number:", rows=tuple(map(_step, decision.steps))),
        Part(head=f"Made by: {decision.binding}"),
    ]
    if decision.held:
        parts.append(Part(head=f"Held: {decision.held}"))
    if decision.would_change:
        parts.append(Part(head=f"What would change it: {decision.would_change}"))
    return tuple(parts)


def explain(decision: Decision) -> str:
    """The account as lines. The figures of all parts stand to the right of one column, and the words align."""
    parts = account(decision)
    labels, figures = widths(parts)
    lines = []
    for part in parts:
        lines.append(part.head)
        lines += [
            f"  {row.label:<{labels}}  {row.figure:>{figures}}  {row.words}".rstrip() for row in part.rows
        ]
    return "\n".join(lines)


def widths(parts: Iterable[Part]) -> tuple[int, int]:
    """How wide the columns of labels and of figures are. A name of unusual length does not push all others away."""
    rows = [row for part in parts for row in part.rows]
    labels = [len(row.label) for row in rows]
    usual = max((wide for wide in labels if wide <= _WIDEST_LABEL), default=0)
    return usual, max((len(row.figure) for row in rows), default=0)


def _demand(demand: Demand | None, missing: str, at: float) -> Part:
    if demand is None:
        return Part(head=f"Demand: could not be seen: {missing or 'no reason given'}")
    rows = (
        Row(label="waiting", figure=str(demand.backlog)),
        Row(label="in progress", figure=str(demand.in_progress)),
        _reading("oldest", demand.wait_s, duration),
        _reading("arrivals", demand.arrivals_per_s, _per_s),
        _reading("completions", demand.completions_per_s, _per_s),
        *map(_queue, demand.queues),
        *(Row(label="warning", words=warning) for warning in demand.warnings),
    )
    return Part(head=f"Demand, measured {duration(at - demand.measured_at)} before:", rows=rows)


def _reading(label: str, reading: Reading, say: Callable[[float], str]) -> Row:
    why = f": {reading.why}" if reading.why else ""
    if reading.value is None:
        return Row(label=label, figure=_UNKNOWN, words=f"not measured{why}")
    return Row(label=label, figure=say(reading.value), words=f"{reading.trust}{why}")


def _per_s(rate: float) -> str:
    return f"{plain(rate)} a second"


def _queue(queue: QueueDemand) -> Row:
    label = f"queue {queue.name}"
    if queue.missing:
        return Row(label=label, figure=_UNKNOWN, words="does not exist yet")
    consumers = count(queue.consumers, "consumer")
    return Row(
        label=label, figure=str(queue.backlog), words=f"waiting, {queue.in_progress} in progress, {consumers}"
    )


def _workers(supply: Supply, missing: str) -> Part:
    hands = supply.tasks_in_hand
    rows = [
        Row(label="serving", figure=str(supply.serving)),
        Row(label="arriving", figure=str(supply.arriving)),
        Row(label="leaving", figure=str(supply.leaving)),
        Row(label="lost", figure=str(supply.lost)),
        Row(
            label="tasks in hand",
            figure=_UNKNOWN if hands is None else str(hands),
            words="not heard" if hands is None else "by their own word",
        ),
    ]
    if supply.scheduled is not None:
        rows += [
            Row(
                label="scheduled", figure=str(supply.scheduled), words="wait on workers for their time (ETA)"
            ),
            Row(
                label="prefetched",
                figure=str(supply.prefetched or 0),
                words="prefetched by workers whose slots are all busy",
            ),
            Row(label="idle", figure=str(supply.idle), words="workers without a task"),
        ]
    if missing:
        rows.append(Row(label="unseen", words=f"could not be seen now: {missing}"))
    return Part(head=f"Workers, {count(supply.slots, 'slot')} each:", rows=tuple(rows))


def _machines(traffic: Traffic) -> Part:
    """What was measured of machines, and what is assumed before the first."""
    if traffic.boots >= 1.0:
        of = f" of {traffic.boots_of}" if traffic.boots_of else ""
        why = f"; {traffic.boots_why}" if traffic.boots_why else ""
        words = f"measured over {count(round(traffic.boots), 'machine')}{of}{why}"
        rows = [Row(label="boot time", figure=duration(traffic.boot_s / traffic.boots), words=words)]
    else:
        words = "assumed: no machine has become a worker yet"
        rows = [Row(label="boot time", figure=duration(ASSUMED_BOOT_S), words=words)]
    if traffic.drains >= 1.0:
        words = f"of idle workers, measured over {count(round(traffic.drains), 'drain')}"
        rows.append(Row(label="drain time", figure=duration(traffic.drain_s / traffic.drains), words=words))
    return Part(head="Machines:", rows=tuple(rows))


def _policies(proposals: tuple[Recommendation, ...]) -> Part:
    if not proposals:
        return Part(head="Policies: not asked")
    return Part(
        head="Policies, and the workers that each asks for:",
        rows=tuple(row for each in proposals for row in _proposal(each)),
    )


def _proposal(proposal: Recommendation) -> Iterator[Row]:
    if proposal.workers is None:
        yield Row(label=proposal.policy, figure=_UNKNOWN, words=f"has no opinion: {proposal.why}")
    else:
        yield Row(label=proposal.policy, figure=str(proposal.workers), words=proposal.why)
    if proposal.at_most_why not in {"", proposal.why}:
        yield Row(label="", words=proposal.at_most_why)
    if proposal.would_change:
        yield Row(label="", words=proposal.would_change)


def _step(step: Step) -> Row:
    changed = step.before != step.after
    return Row(
        label=step.rule,
        figure=f"{step.before} → {step.after}" if changed else str(step.after),
        words=step.why,
    )
