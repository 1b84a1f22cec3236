"""A pool's history as a picture: demand, traffic, wait, workers and cost on one axis of a clock, decisions marked.

A `History` goes in, a `Picture` comes out. What never happens here: a colour, a file, a look at a journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from autoscaler.plots.contract import Calendar, Moment, Panel, Picture, Points, Scale, Series, Shape, Table
from autoscaler.views import wording
from autoscaler.views.history import History, Point
from policies.phrases import count, duration


def picture(past: History, *, ahead_s: float = 0.0, zone: str = "UTC") -> Picture:
    """The time that was asked for, all of it, by a clock that is so far ahead of UTC."""
    return Picture(
        title=f"{past.pool}: the last {duration(past.until_at - past.since_at)}",
        subtitle=summary(past),
        span_s=past.until_at - past.since_at,
        owners=(past.pool,),
        shown=frozenset({0}),
        panels=tuple(_panels(past)),
        table=Table(headers=("WHAT IT COST", past.currency, "WITH"), rows=tuple(costs(past))),
        notes=(),
        moments=tuple(
            Moment(
                at_s=change.at - past.since_at,
                label=f"{change.before} → {change.after}",
                says=change.sentence,
            )
            for change in past.changes
        ),
        calendar=Calendar(begins_at=past.since_at, ahead_s=ahead_s, zone=zone),
    )


def summary(past: History) -> str:
    """The totals in one line."""
    totals = past.totals
    if not past.points:
        return "nothing is on record of that time"
    parts = [f"{totals.cost:,.2f} {past.currency} for {totals.machine_hours:,.1f} machine-hours"]
    if totals.tasks_done is not None:
        parts.append(f"{count(totals.tasks_done, 'task')} done")
    if totals.wait_p50_s is not None and totals.wait_p95_s is not None:
        parts.append(
            f"oldest task {duration(totals.wait_p50_s)} at half of the looks, "
            f"{duration(totals.wait_p95_s)} at 95 %"
        )
    parts += [
        f"what is older than {duration(past.until_at - each.until_at)} is on record by the {wording.rows(each.over_s)}"
        for each in past.coarse
    ]
    return "; ".join(parts)


def costs(past: History) -> Iterator[tuple[str, str, str]]:
    """What the time cost, and what it would have cost otherwise: what, the sum, on what it rests."""
    if not past.points:
        return
    totals, fixed, paas = past.totals, past.fixed, past.paas
    yield (
        "as it was",
        f"{totals.cost:,.2f}",
        f"{count(totals.machines, 'machine')}, {count(totals.most_serving, 'worker')} at once at most",
    )
    if fixed is not None:
        with_ = f"{count(fixed.workers, 'worker')} all the time at {fixed.price_per_h:.4g} an hour"
        yield "a fixed fleet for its peak", f"{fixed.cost:,.2f}", with_ + _against(fixed.cost, totals.cost)
    if paas is not None:
        with_ = f"{count(paas.workers, 'worker')} all the time at {paas.price_per_month:,.2f} a month"
        yield "a PaaS for its peak", f"{paas.cost:,.2f}", with_ + _against(paas.cost, totals.cost)


def _against(cost: float, was: float) -> str:
    """What that is beside what it was; nothing where nothing was paid."""
    if was <= 0.0:
        return ""
    times = cost / was
    return f": {times:.2g} times what it was" if times < 9.95 else f": {times:,.0f} times what it was"


def _panels(past: History) -> Iterator[Panel]:
    def drawn(name: str, shape: Shape, value: Callable[[Point], float | None]) -> Series:
        return Series(name=name, owner=0, shape=shape, points=_points(past, value))

    yield Panel(
        title="Demand",
        unit="tasks that wait; in progress (dashed)",
        scale=Scale.COUNT,
        series=(
            drawn("waiting", Shape.AREA, lambda point: point.backlog),
            drawn("in progress", Shape.DASHED, lambda point: point.in_progress),
        ),
    )
    yield Panel(
        title="Traffic",
        unit="tasks a second that arrive; that are completed (dashed)",
        series=(
            drawn("arrivals a second", Shape.LINE, lambda point: point.arrivals_per_s),
            drawn("completions a second", Shape.DASHED, lambda point: point.completions_per_s),
        ),
    )
    target_s = past.target_wait_s
    yield Panel(
        title="Wait",
        unit="of the oldest task, the longest",
        scale=Scale.DURATION,
        mark=None if target_s is None else (f"target {duration(target_s)}", target_s),
        series=(drawn("oldest", Shape.AREA, lambda point: point.wait_s),),
    )
    yield Panel(
        title="Workers",
        unit="serving, arriving, leaving (the lighter), wanted (dashed)",
        scale=Scale.COUNT,
        series=(
            drawn("all", Shape.LIGHTEST_AREA, lambda point: point.serving + point.arriving + point.leaving),
            drawn("serving and arriving", Shape.LIGHT_AREA, lambda point: point.serving + point.arriving),
            drawn("serving", Shape.AREA, lambda point: point.serving),
            drawn("wanted", Shape.DASHED, lambda point: point.wanted),
        ),
    )
    fixed = past.fixed
    yield Panel(
        title="Cost",
        unit=f"{past.currency} an hour",
        mark=None if fixed is None else ("a fixed fleet for its peak", fixed.workers * fixed.price_per_h),
        series=(drawn("an hour", Shape.AREA, lambda point: point.cost_per_h),),
    )


def _points(past: History, value: Callable[[Point], float | None]) -> Points:
    """With a hole wherever nobody looked. One in which the daemon was blind has its holes in the values."""
    holes = [(gap.from_at + gap.until_at) / 2.0 for gap in past.gaps if not gap.blind]
    points = [(point.at, value(point)) for point in past.points]
    points += [(at, None) for at in holes]
    return tuple((at - past.since_at, each) for at, each in sorted(points, key=lambda point: point[0]))
