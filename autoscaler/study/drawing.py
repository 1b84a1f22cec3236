"""Runs as a picture: demand, supply, waits and cost on one axis of time, ours with others beside it.

Courses go in, the panels of a picture come out. What never happens here: a colour, a file, a run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from autoscaler.plots.contract import Panel, Picture, Scale, Series, Shape, Table
from autoscaler.study.contract import Terms, Workload
from autoscaler.study.course import Course, Points
from policies.phrases import count, duration

_ALL_SHOWN = 3
"""More owners at once than these cannot be followed by eye."""


def picture(
    workload: Workload,
    terms: Terms,
    courses: Sequence[Course],
    *,
    best: str | None,
    bound: float | None,
    table: Table,
    notes: Sequence[str] = (),
) -> Picture:
    """The first course is our own. Of many, it and the one named `best` are shown at first."""
    owners = tuple(course.policy for course in courses)
    shown = {n for n, owner in enumerate(owners) if n == 0 or len(owners) <= _ALL_SHOWN or owner == best}
    return Picture(
        title=workload.name,
        subtitle=(
            f"{count(len(workload), 'task')} within {duration(workload.span_s)}, {duration(workload.work_s)} of work; "
            f"machines of {count(terms.slots, 'slot')} that boot for {duration(terms.boot_s)}, billed by "
            f"{duration(terms.quantum_s)}"
        ),
        # One that never ends would press all others together.
        span_s=max(courses[n].ends_s for n in shown) or 1.0,
        owners=owners,
        shown=frozenset(shown),
        panels=tuple(_panels(terms, courses, bound)),
        table=table,
        notes=tuple(notes),
    )


def _panels(terms: Terms, courses: Sequence[Course], bound: float | None) -> Iterator[Panel]:
    own = courses[0]
    by_minute = tuple((at_s, per_s * 60.0) for at_s, per_s in own.arrivals)
    yield Panel(
        title="Arrivals",
        unit="tasks a minute",
        series=(_of(None, "arrivals a minute", by_minute, Shape.AREA),),
    )
    yield Panel(
        title="Backlog",
        unit="tasks that wait",
        scale=Scale.COUNT,
        series=tuple(_of(n, "waiting", course.backlog) for n, course in enumerate(courses)),
    )
    yield Panel(
        title="Machines",
        unit=f"of {own.policy}: serving, arriving, leaving (the lighter), wanted (dashed); of others: paid",
        scale=Scale.COUNT,
        series=(
            _of(0, "paid", own.paid, Shape.LIGHTEST_AREA),
            _of(0, "serving and arriving", own.workers, Shape.LIGHT_AREA),
            _of(0, "serving", own.serving, Shape.AREA),
            _of(0, "wanted", own.wanted, Shape.DASHED),
            *(_of(n, "paid", course.paid) for n, course in enumerate(courses) if n),
        ),
    )
    yield Panel(
        title="Wait",
        unit=f"95 % of the tasks waited no longer; shaded: the longest of {own.policy}",
        scale=Scale.DURATION,
        mark=(f"target {duration(terms.target_wait_s)}", terms.target_wait_s),
        series=(
            _of(0, "longest wait", own.longest, Shape.LIGHT_AREA),
            *(_of(n, "wait of 95 %", course.usual) for n, course in enumerate(courses)),
        ),
    )
    yield Panel(
        title="Cost",
        unit="so far, begun quanta included",
        mark=None if bound is None else ("no schedule costs less", bound),
        series=tuple(_of(n, "cost", course.cost) for n, course in enumerate(courses)),
    )


def _of(owner: int | None, name: str, points: Points, shape: Shape = Shape.LINE) -> Series:
    return Series(name=name, owner=owner, shape=shape, points=points)
