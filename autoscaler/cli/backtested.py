"""What a backtest came to: the facts for scripts; a table, the differences and every doubt in words for people.

What never happens here: a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType

from autoscaler.cli import outcomes, output
from autoscaler.cli.replays import Past
from autoscaler.core.model import PoolRules
from autoscaler.study.contract import Outcome, Terms
from autoscaler.study.history import History
from autoscaler.study.recorded import Gap
from autoscaler.views import wording
from policies.contract import DecisionInput, Trust
from policies.phrases import ago, count, duration, plain

NO_CHANGE = "The candidate changes nothing that is played here: both rows are today's settings."
_GAPS_NAMED = 5
_NEAR = 0.005
"""Costs that differ by less than half a per cent are the same."""
_LATE_TICKS = 6.0
"""A record that ends, or begins, so many ticks off what was asked for is told of."""
_SPREAD_TOLD = 1.2
_COARSE_S = 60.0
"""Rows of a longer time are played otherwise than it was."""


def facts(
    past: Past, terms: Terms, given_cv: float, results: Sequence[Outcome], doubts: Sequence[str]
) -> Mapping[str, Any]:
    """For scripts: as `simulate` has them, today's settings first; with what was recorded beside them."""
    history = past.history
    return {
        "workload": {
            "file": past.place,
            "seconds": history.ends_at - history.begins_at,
            "tasks": len(history.workload),
            "work_seconds": history.workload.work_s,
        },
        "results": [asdict(result) for result in results],
        "says": [*_compared(past, results), _measured(history, given_cv)],
        "recorded": asdict(history.recorded),
        "record": {
            "begins_at": history.begins_at,
            "ends_at": history.ends_at,
            "tick_s": history.tick_s,
            "coarse": [{"over_s": over_s, "until_at": until_at} for over_s, until_at in history.coarse],
            "target_wait_s": terms.target_wait_s,
            "trust": _trust(history).value,
            "tasks_not_counted": history.arrivals.uncounted,
            "task_s": history.task_s,
            "task_cv": given_cv,
            "boot_s": history.boot[0],
            "boot_cv": history.boot[1],
            "boots_measured": history.boots.machines if history.boots else 0,
            "gaps": [
                {
                    "from_at": history.begins_at + gap.from_s,
                    "to_at": history.begins_at + gap.to_s,
                    "seconds": gap.lasted_s,
                    "tasks": gap.arrived,
                    "counted": gap.counted,
                    "blind": gap.blind,
                }
                for gap in history.arrivals.gaps
            ],
            "doubts": list(doubts),
        },
    }


def told(
    pool: str, past: Past, terms: Terms, given_cv: float, results: Sequence[Outcome], doubts: Sequence[str]
) -> list[RenderableType]:
    """For people: what was played, a row each, what it means, and how far it may be trusted."""
    history = past.history
    lasted = duration(history.ends_at - history.begins_at)
    title = (
        f"{pool}, {lasted} since {output.local(history.begins_at)}: {count(len(history.workload), 'task')}, "
        f"{duration(history.workload.work_s)} of work; in time is a start within {duration(terms.target_wait_s)}"
    )
    return [
        output.words(title, output.STRONG),
        outcomes.table((history.recorded, *results)),
        "",
        *_compared(past, results),
        "",
        output.words(_measured(history, given_cv), output.DIM),
        *(output.words(doubt, output.NOTE) for doubt in doubts),
    ]


def _compared(past: Past, results: Sequence[Outcome]) -> tuple[str, str]:
    configured, candidate = results
    against_today = difference(candidate, configured, "today's settings")
    against_record = difference(configured, past.history.recorded, "what is recorded")
    return (
        f"The candidate would have {against_today}.",
        f"Today's settings, played again, {against_record}: smaller differences say little.",
    )


def difference(one: Outcome, other: Outcome, than: str) -> str:
    """What one costs and keeps, in words: `cost 12 % less than … (95.00 instead of 108.00) and started …`."""
    if other.cost == one.cost or (other.cost and abs(one.cost / other.cost - 1.0) < _NEAR):
        money = f"cost as much as {than} ({output.amount(one.cost)} and {output.amount(other.cost)})"
    elif not other.cost:
        money = f"cost {output.amount(one.cost)} instead of nothing"
    else:
        share = one.cost / other.cost - 1.0
        more = "more" if share > 0.0 else "less"
        money = (
            f"cost {_percent(abs(share))} {more} than {than} "
            f"({output.amount(one.cost)} instead of {output.amount(other.cost)})"
        )
    kept, before = outcomes.share(one.within_target), outcomes.share(other.within_target)
    time = f"as many in time ({kept})" if kept == before else f"{kept} in time instead of {before}"
    return f"{money} and started {time}"


def doubts(past: Past, rules: PoolRules, kinds: Sequence[str]) -> list[str]:
    """Every reason to trust the figures less, in words. `kinds` are those of all policies that were played."""
    history = past.history
    return [
        *_of_span(past),
        *_of_gaps(history),
        *_of_counts(history),
        *_of_settings(past, rules),
        *_of_prices(past, rules),
        *(
            f"A policy {kind} learns from more history than is played here, and has little or no opinion."
            for kind in dict.fromkeys(kinds)
            if kind in LEARNING
        ),
    ]


LEARNING = frozenset({"forecast"})
"""Kinds of policy that rest on a history which a study does not give them."""


def _measured(history: History, cv: float) -> str:
    means_s = [period.task_s for period in history.periods]
    mean = _short(history.task_s)
    if not means_s:
        tasks = f"Tasks are taken to run for {mean}"
    elif max(means_s) > _SPREAD_TOLD * min(means_s):
        tasks = f"Tasks ran for {mean} on average, from {_short(min(means_s))} to {_short(max(means_s))}"
    else:
        tasks = f"Tasks ran for {mean} on average"
    spread = f"with a spread taken to be {plain(cv)} times that"
    boots = (
        f"machines took {_short(history.boot[0])} to their first task (measured over {history.boots.machines})"
        if history.boots
        else f"machines are taken to need {_short(history.boot[0])} to their first task"
    )
    return f"{tasks}, {spread}; {boots}."


def _short(seconds: float) -> str:
    return duration(seconds) if seconds >= 10.0 else f"{seconds:.2g} s"


def _trust(history: History) -> Trust:
    rough = (
        history.arrivals.uncounted
        or any(period.is_rough for period in history.periods)
        or any(over_s > _COARSE_S for over_s, _ in history.coarse)
    )
    return Trust.ROUGH if rough else Trust.SOLID


def _of_span(past: Past) -> Iterator[str]:
    history = past.history
    late_s = max(_LATE_TICKS * history.tick_s, 60.0)
    since_s = past.read_at - history.begins_at
    if past.asked_s - since_s > late_s:
        yield f"The record goes back {duration(since_s)}, not {duration(past.asked_s)}."
    for over_s, until_at in history.coarse:
        yield (
            f"Until {output.local(until_at)} it is on record by the {wording.rows(over_s)} only: all tasks "
            "are played, spread evenly over each; what waited within, nobody knows any more."
        )
    if past.read_at - history.ends_at > late_s:
        yield f"It ends {ago(history.ends_at, past.read_at)}: no daemon has looked since."


def _of_gaps(history: History) -> Iterator[str]:
    gaps = sorted(history.arrivals.gaps, key=lambda gap: -gap.lasted_s)
    yield from (_gap(gap, history.begins_at) for gap in gaps[:_GAPS_NAMED])
    if rest := gaps[_GAPS_NAMED:]:
        tasks = sum(gap.arrived for gap in rest)
        lasted = duration(sum(gap.lasted_s for gap in rest))
        yield f"{len(rest)} shorter gaps, {lasted} together, hold {count(tasks, 'task')}."


def _gap(gap: Gap, begins_at: float) -> str:
    what = "Demand could not be seen" if gap.blind else "No daemon looked"
    when = f"{what} for {duration(gap.lasted_s)} from {output.local(begins_at + gap.from_s)}"
    if gap.counted:
        return f"{when}; the broker counted {count(gap.arrived, 'task')} meanwhile, spread evenly here."
    if not gap.arrived:
        return f"{when}; nothing shows that work came meanwhile, and none is played."
    return f"{when}; {count(gap.arrived, 'task')} must have come meanwhile, spread evenly here."


def _of_counts(history: History) -> Iterator[str]:
    came = history.arrivals
    outside = came.uncounted - sum(gap.arrived for gap in came.gaps if not gap.counted)
    if outside > 0:
        yield (
            f"{count(outside, 'task')} of {came.total} were not counted but follow from rates and queues (rough): "
            "samples of an older release, or counters that were reset."
        )
    if any(period.is_rough for period in history.periods):
        yield "Task times rest on few tasks (rough)."
    if history.boots is None:
        yield "No machine booted under our eyes in that time; the boot time is assumed."


def _of_settings(past: Past, rules: PoolRules) -> Iterator[str]:
    """Whether what is recorded is the doing of today's settings."""
    today = _played(rules)
    given = [decision.decision.input for decision in past.decisions]
    others = [one for one in given if _played(one) != today]
    if others:
        part = "all" if len(others) == len(given) else "a part"
        yield f"For {part} of that time the pool's settings were others than today's: the record is not their doing."
    if any(one.paused or one.hold for one in given):
        yield "At times the pool was paused or held by an operator, which is not played."


def _played(one: PoolRules | DecisionInput) -> tuple[object, ...]:
    """Of a pool's settings those that a study heeds."""
    return one.policies, one.stabilization, one.limits.min_workers, one.limits.max_workers


def _of_prices(past: Past, rules: PoolRules) -> Iterator[str]:
    offer = rules.offers[0]
    bought = {
        (node.offer.price_per_h, node.offer.quantum_s)
        for node in past.nodes
        if node.ordered_at >= past.history.begins_at
    }
    if bought - {(offer.price_per_h, offer.quantum_s)}:
        yield "Some recorded machines were bought at other prices or quanta than the first offer's, which is played."


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.095 else f"{share * 100:.1f} %"
