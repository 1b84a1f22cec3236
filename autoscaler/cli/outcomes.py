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

_HEADERS = ("POLICY", "COST", "IN TIME", "P50", "P95", "P99", "LONGEST", "BOUGHT", "AT ONCE")


def facts(file: Path, workload: Workload, results: Sequence[Outcome]) -> Mapping[str, object]:
    """For scripts."""
    return {
        "workload": {
            "file": str(file),
            "seconds": workload.span_s,
            "tasks": len(workload),
            "work_seconds": workload.work_s,
        },
        "results": [asdict(result) for result in results],
    }


def told(workload: Workload, terms: Terms, results: Sequence[Outcome]) -> list[RenderableType]:
    """For people: what it was, a row a result, and a sentence that compares them. The first result is our own."""
    title = (
        f"{workload.name}: {count(len(workload), 'task')} within {duration(workload.span_s)}, "
        f"{duration(workload.work_s)} of work; in time is a start within {duration(terms.target_wait_s)}"
    )
    own, *others = results
    lines = [_compared(own, others)] if others else []
    lines += [
        f"{result.policy}: {count(result.tasks_arrived - result.tasks_done, 'task')} not done in the end."
        for result in results
        if result.tasks_done < result.tasks_arrived
    ]
    return [
        output.words(title, output.STRONG),
        table(results),
        *(["", *lines] if lines else []),
    ]


def table(results: Sequence[Outcome]) -> RenderableType:
    """A row a result."""
    return output.columns(_HEADERS, map(_row, results), right=_HEADERS[1:])


def _row(result: Outcome) -> tuple[str, ...]:
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
    as_good = [other for other in others if other.within_target >= own.within_target]
    if not as_good:
        best = max(others, key=lambda other: (other.within_target, -other.cost))
        return (
            f"None of the others had as many tasks in time; the nearest, {best.policy}, had "
            f"{share(best.within_target)} and cost {_times(best, own)}."
        )
    cheapest = min(as_good, key=lambda other: other.cost)
    return (
        f"Of the others {len(as_good)} of {len(others)} had as many tasks in time; the cheapest of them, "
        f"{cheapest.policy}, cost {_times(cheapest, own)}."
    )


def _times(other: Outcome, own: Outcome) -> str:
    if own.cost == other.cost:
        return "the same"
    if own.cost == 0:
        return f"{output.amount(other.cost)} against 0"
    return f"{other.cost / own.cost:.2f} times as much"
