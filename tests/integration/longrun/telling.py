"""What a long run came to: the verdicts as lines, and the samples as a picture.

In go samples, those of a run that was cut as well, out come text and build/soak-real.png. What never happens here: a
process that is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from autoscaler.plots import image
from autoscaler.plots.contract import Panel, Picture, Scale, Series, Shape, Table
from testbed import steady
from testbed.steady import Bound, Sample, Verdict

BOUNDS = {
    "rss_mib": Bound(share=0.05, more=3.0),
    "uss_mib": Bound(share=0.05, more=3.0),
    "handles": Bound(more=2.0),
    "threads": Bound(more=2.0),
    "children": Bound(),
    "to_amqp": Bound(),
    "to_management": Bound(),
    "broker_connections": Bound(),
    "broker_channels": Bound(),
    "broker_queues": Bound(),
    "broker_exclusive_queues": Bound(),
    "broker_consumers": Bound(),
    "wal_mib": Bound(more=4.0),
}
"""At rest. A connection to the journal holds two handles and is opened when one more is needed at once, as a thread is
begun: one of each may come late. What each wave, reload, kill or look left open would be ten and more. The journal's
own growth is told and not bounded: it holds 30 days, and two hours are no share of that."""
_PANELS = (
    ("memory of the daemon", "MiB", (("resident", "rss_mib"), ("its own", "uss_mib"))),
    ("handles and threads of the daemon", "", (("file handles", "handles"), ("threads", "threads"))),
    ("connections", "", (("of the broker", "broker_connections"), ("of the daemon to it", "to_amqp"))),
    ("machines", "", (("machines", "machines"),)),
    ("tasks", "", (("not done yet", "undone"),)),
)


def read(file: Path) -> list[Sample]:
    """What a run wrote as it went. A last line that was cut is left out."""
    return list(_samples(file.read_text().splitlines()))


def _samples(lines: Sequence[str]) -> Iterator[Sample]:
    for line in lines:
        try:
            told = json.loads(line)
        except ValueError:
            return
        yield Sample(at_s=told["at_s"], rest=told["rest"], figures=told["figures"])


def verdicts(samples: Sequence[Sample], whole_s: float) -> tuple[Verdict, ...]:
    """One for each of BOUNDS."""
    return steady.judged(samples, BOUNDS, whole_s)


def sentence(verdict: Verdict) -> str:
    """One line of text."""
    if verdict.first is None or verdict.last is None or verdict.grows is None:
        return f"{verdict.figure:<24} too few looks at rest to tell: {verdict.samples}  NOT FLAT"
    return (
        f"{verdict.figure:<24} {verdict.first:>8.2f} -> {verdict.last:>8.2f}, by its slope {verdict.grows:+.2f}, "
        f"may {verdict.allowed:+.2f}  {'flat' if verdict.flat else 'NOT FLAT'}"
    )


def draw(samples: Sequence[Sample], whole_s: float, file: Path) -> None:
    """The course of the run. Raises PlotsUnavailable without matplotlib."""
    owners = ("first named", "second named")
    panels = tuple(
        Panel(
            title=title,
            unit=f"{unit}  {' / '.join(name for name, _ in lines)}".strip(),
            scale=Scale.LINEAR,
            series=tuple(
                Series(
                    name=name,
                    owner=place,
                    shape=Shape.LINE,
                    points=tuple((each.at_s, each.figures.get(figure)) for each in samples),
                )
                for place, (name, figure) in enumerate(lines)
            ),
        )
        for title, unit, lines in _PANELS
    )
    picture = Picture(
        title="The real daemon in real time",
        subtitle=f"a real RabbitMQ, local workers of three pools; not judged: the first {steady.warm_s(whole_s):.0f} s",
        span_s=whole_s,
        owners=owners,
        shown=frozenset({0, 1}),
        panels=panels,
        table=Table(headers=(), rows=()),
    )
    file.write_bytes(image.png(picture))
