"""What simulated runs came to: the facts for scripts, and a table with a sentence for people.

What never happens here: a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import RenderableType

from autoscaler.cli import output
from autoscaler.study.contract import Outcome, Terms, Workload
from policies.phrases import count, duration

HEADERS = ("POLICY", "COST", "IN TIME", "P50", "P95", "P99", "LONGEST", "BOUGHT", "AT ONCE")


def facts(
    file: Path, workload: Workload, results: Sequence[Outcome], optimum: Mapping[str, object] | None
) -> Mapping[str, object]:
    """For scripts."""
    facts_ = {
        "workload": {
            "file": str(file),
            "seconds": workload.span_s,
            "tasks": len(workload),
            "work_seconds": workload.work_s,
        },
        "results": [asdict(result) for result in results],
    }
    return facts_ if optimum is None else {**facts_, "optimum": optimum}


def told(
    workload: Workload, terms: Terms, rows: Sequence[tuple[str, ...]], lines: Sequence[str]
) -> list[RenderableType]:
    """For people: what it was, the rows, and the lines."""
    title = (
        f"{workload.name}: {count(len(workload), 'task')} within {duration(workload.span_s)}, "
        f"{duration(workload.work_s)} of work; in time is a start within {duration(terms.target_wait_s)}"
    )
    return [
        output.words(title, output.STRONG),
        output.columns(HEADERS, rows, right=HEADERS[1:]),
        *(["", *lines] if lines else []),
    ]


def table(results: Sequence[Outcome]) -> RenderableType:
    """A row a result."""
    return output.columns(HEADERS, map(row, results), right=HEADERS[1:])


def compared(results: Sequence[Outcome]) -> list[str]:
    """A sentence that compares the first result, our own, with the others, and one for each that left tasks undone."""
    own, *others = results
    lines = [_compared(own, others)] if others else []
    return lines + [
        f"{result.policy}: {count(result.tasks_arrived - result.tasks_done, 'task')} not done in the end."
        for result in results
        if result.tasks_done < result.tasks_arrived
    ]


def best(results: Sequence[Outcome]) -> Outcome | None:
    """Of the others, the cheapest that kept as many in time as our own; else the nearest. None where there are none."""
    own, *others = results
    as_good = [other for other in others if other.within_target >= own.within_target]
    if as_good:
        return min(as_good, key=lambda other: other.cost)
    return max(others, key=lambda other: (other.within_target, -other.cost), default=None)


def row(result: Outcome) -> tuple[str, ...]:
    """Under the headers."""
    return (
        result.policy,
        output.amount(result.cost),
        share(result.within_target),
        duration(result.wait_p50_s),
        duration(result.wait_p95_s),
        duration(result.wait_p99_s),
        duration(result.wait_max_s),
        str(result.creates),
        str(result.nodes_peak),
    )


def share(part: float) -> str:
    """Rounded down: 100 % is all."""
    return f"{math.floor(part * 1000 + 1e-9) / 10:.1f} %"


def _compared(own: Outcome, others: Sequence[Outcome]) -> str:
    """One sentence: the cheapest of the others that kept as many in time, or that none did."""
    as_good = sum(other.within_target >= own.within_target for other in others)
    chosen = best((own, *others))
    assert chosen is not None
    if not as_good:
        return (
            f"None of the others had as many tasks in time; the nearest, {chosen.policy}, had "
            f"{share(chosen.within_target)} and cost {_times(chosen, own)}."
        )
    return (
        f"Of the others {as_good} of {len(others)} had as many tasks in time; the cheapest of them, "
        f"{chosen.policy}, cost {_times(chosen, own)}."
    )


def _times(other: Outcome, own: Outcome) -> str:
    if own.cost == other.cost:
        return "the same"
    if own.cost == 0:
        return f"{output.amount(other.cost)} against 0"
    return f"{other.cost / own.cost:.2f} times as much"
