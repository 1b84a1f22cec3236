"""The bound of a workload and what lies between it and a policy, as `simulate --optimum` measures and tells it.

What never happens here: a number that is not computed elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from autoscaler.cli import output
from autoscaler.study import gap as gaps
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.gap import Gap, News
from autoscaler.study.run import Configured
from policies.phrases import count, duration

_CENT = 0.005
"""Less is nothing that a reader could see."""


def measured(
    workload: Workload, terms: Terms, configured: Configured, own: Outcome, *, seed: int, limit_s: float
) -> Gap:
    """With news on a terminal. OptimumUnavailable without the libraries."""
    with _news() as news:
        return gaps.measured(
            workload, terms, configured, own, seed=seed, time_limit_s=limit_s, allowance=True, news=news
        )


@contextmanager
def _news() -> Iterator[News | None]:
    if not sys.stderr.isatty():
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.console(errors=True), transient=True) as progress:
        task = progress.add_task("bound")
        yield lambda what, done, of: progress.update(task, description=what, completed=done, total=of)


def facts(gap: Gap) -> Mapping[str, object]:
    """For scripts."""
    parts, bound = gap.parts, gap.bound
    return {
        "cost": bound.cost,
        "node_hours_billed": bound.node_hours_billed,
        "kind": "exact" if gap.is_exact else "lower bound",
        "share_in_time": 1.0,
        "work_node_hours": bound.work_node_hours,
        "cut_short": gap.cut_short,
        "cost_without_boot": gap.bound_without_boot.cost,
        "cost_as_late_as_configured": gap.allowed.cost if gap.allowed else None,
        "gap": {
            "cost": gap.own.cost - bound.cost,
            "ratio": gap.own.cost / bound.cost if bound.cost else None,
            "not_knowing_the_future": parts.future,
            "boot_time": parts.boots,
            "rule": parts.rule,
            "boot_time_in_the_bound": parts.boots_of_bound,
            "cost_if_told": gap.told.cost,
            "cost_if_told_without_boot": gap.told_without_boot.cost,
        },
    }


def row(gap: Gap, columns: int) -> tuple[str, ...]:
    """For the table: only the cost is known of it."""
    name = "optimum" if gap.is_exact else "lower bound"
    return (name, output.amount(gap.bound.cost), *[""] * (columns - 2))


def told(gap: Gap, terms: Terms, limit_s: float) -> list[str]:
    """For people: how far the policy is from the bound, of what that is made, and what the bound heeds not."""
    own, bound = gap.own, gap.bound
    above = own.cost - bound.cost
    kind = (
        "That is the optimum" if gap.is_exact else "That is a lower bound, and perhaps none costs as little"
    )
    lines = [
        f"No schedule that starts every task in time costs less than {output.amount(bound.cost)}. {kind}."
    ]
    if gap.cut_short:
        lines.append(
            f"A search ended after {duration(limit_s)}; a longer --optimum-within may raise the bound."
        )
    if abs(above) < _CENT:
        lines.append(f"{own.policy} costs that.")
    else:
        more = "more" if above > 0.0 else "less"
        lines.append(f"{own.policy} costs {_times(own, bound.cost)}, {output.amount(abs(above))} {more}:")
        lines += [f"  {output.amount(sum_):>9}  {why}" for sum_, why in _reasons(gap)]
    if gap.allowed:
        late = own.tasks_arrived - round(own.within_target * own.tasks_arrived)
        lines.append(
            f"If {count(late, 'task')} may be late, as under {own.policy}, the bound is "
            f"{output.amount(gap.allowed.cost)}; it is looser."
        )
    return lines + list(_unheeded(gap, terms))


def _unheeded(gap: Gap, terms: Terms) -> Iterator[str]:
    """The pool's limits that the bound does not know, where they may be what the rest is made of."""
    name = gap.own.policy
    if terms.min_workers:
        yield (
            f"The bound heeds no floor: what min_workers = {terms.min_workers} costs {name} stands with the rule and "
            "the boots."
        )
    if max(gap.own.nodes_peak, gap.told.nodes_peak) >= terms.max_workers:
        yield (
            f"The bound heeds no ceiling: it may rest on more machines than max_workers = {terms.max_workers}, "
            f"which {name} reached."
        )


def _reasons(gap: Gap) -> tuple[tuple[float, str], ...]:
    parts = gap.parts
    return (
        (parts.future, f"not knowing what comes: told, it would cost {output.amount(gap.told.cost)}"),
        (parts.boots, f"boots, beyond the {output.amount(parts.boots_of_bound)} that they add to the bound"),
        (parts.rule, "the rule, with whole machines and what the bound lies too low"),
    )


def _times(own: Outcome, bound: float) -> str:
    return f"{own.cost / bound:.2f} times that" if bound else f"{output.amount(own.cost)} against 0"
