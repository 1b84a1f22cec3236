"""The graph of a run: uploads, answers, the queue and the workers on one axis of time.

In go nginx's lines and the pool's samples, out comes a picture for `autoscaler.plots`. What never happens here: a
figure that is not in them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from judge import Sample, percentile

from autoscaler.plots.contract import Panel, Picture, Points, Scale, Series, Shape, Table

_OWNERS = (
    "answered 202",
    "answered otherwise",
    "waiting",
    "in progress",
    "serving",
    "arriving, leaving or lost",
)
_ANSWERED, _OTHERWISE, _WAITING, _IN_PROGRESS, _SERVING, _MOVING = range(len(_OWNERS))
_MARK_MS = 100.0


def picture(
    lines: Sequence[Mapping[str, object]],
    samples: Sequence[Sample],
    *,
    began_at: float,
    ceiling: int,
    note: str,
) -> Picture:
    """All of it. `lines` are those of nginx's log, `began_at` is the instant that samples count from."""
    span_s = max((sample.at_s for sample in samples), default=0.0) or 1.0
    posts = [line for line in lines if line.get("method") == "POST"]
    by_second: dict[int, list[Mapping[str, object]]] = defaultdict(list)
    for line in posts:
        by_second[int(float(str(line["at"])) - began_at)].append(line)
    return Picture(
        title="Uploads through the whole stack",
        subtitle=note,
        span_s=span_s,
        owners=_OWNERS,
        shown=frozenset(range(len(_OWNERS))),
        panels=(*_of_answers(by_second, range(int(span_s) + 1)), *_of_the_pool(samples, ceiling)),
        table=Table(headers=(), rows=()),
    )


def _of_answers(by_second: Mapping[int, Sequence[Mapping[str, object]]], seconds: range) -> tuple[Panel, ...]:
    """How many answers there were, and how soon, by the second in which they were given."""

    def each(good: bool) -> Points:
        return tuple(
            (float(s), float(sum((a["status"] == 202) is good for a in by_second.get(s, ()))))
            for s in seconds
        )

    def took(share: float) -> Points:
        values = (
            (s, percentile([float(str(a["seconds"])) for a in by_second[s]], share))
            for s in sorted(by_second)
        )
        return tuple((float(s), value * 1000) for s, value in values if value is not None and s in seconds)

    return (
        Panel(
            title="Uploads",
            unit="a second",
            series=(
                Series(name="answered 202", owner=_ANSWERED, shape=Shape.LINE, points=each(good=True)),
                Series(name="otherwise", owner=_OTHERWISE, shape=Shape.LINE, points=each(good=False)),
            ),
            scale=Scale.COUNT,
        ),
        Panel(
            title="Time to the answer: median, and 99 of 100 (dashed)",
            unit="ms, at nginx",
            series=(
                Series(name="median", owner=_ANSWERED, shape=Shape.LINE, points=took(0.5)),
                Series(name="99 of 100", owner=_ANSWERED, shape=Shape.DASHED, points=took(0.99)),
            ),
            mark=("100 ms", _MARK_MS),
        ),
    )


def _of_the_pool(samples: Sequence[Sample], ceiling: int) -> tuple[Panel, ...]:
    """What waited, and who was there for it, as sampled."""
    return (
        Panel(
            title="Queue",
            unit="tasks",
            series=(
                Series(name="waiting", owner=_WAITING, shape=Shape.AREA, points=_over(samples, "waiting")),
                Series(name="in progress", owner=_IN_PROGRESS, shape=Shape.LINE, points=_over(samples, "in_progress")),
            ),
            scale=Scale.COUNT,
        ),
        Panel(
            title="Workers",
            unit="machines",
            series=(
                Series(name="all", owner=_MOVING, shape=Shape.LIGHT_AREA, points=_over(samples, "machines")),
                Series(name="serving", owner=_SERVING, shape=Shape.AREA, points=_over(samples, "serving")),
            ),
            scale=Scale.COUNT,
            mark=("ceiling", float(ceiling)),
        ),
    )  # fmt: skip


def _over(samples: Sequence[Sample], field: str) -> Points:
    return tuple(
        (sample.at_s, float(value)) for sample in samples if (value := getattr(sample, field)) is not None
    )
