"""Figures over time on a terminal: columns of eighths of a block over a marked axis, gaps left empty.

In go points, out come lines as wide as they may be. Every axis begins at zero and ends at a round number that is
written beside it. What never happens here: a value between two looks that nobody made.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.text import Text

from autoscaler.cli import output
from autoscaler.plots import scales
from autoscaler.plots.contract import Calendar, Scale

_EIGHTHS = " ▁▂▃▄▅▆▇█"
_PLAIN = "  ...:::#"
"""For a terminal whose signs are those of ASCII."""
_HEIGHT = 5
_LABEL = 9
_DURATIONS_S = (10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0, 43_200.0, 86_400.0)

Points = Sequence[tuple[float, float | None]]
"""(second, value), in order of time; None where nobody looked, until the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sketch:
    """One chart. `over` is drawn as dots over the columns, as `wanted` over what serves."""

    title: str
    points: Points
    style: str
    scale: Scale
    say: Callable[[float], str]
    mean: bool = False
    """Whether points that share a column are averaged; else the highest stands for them."""
    over: Points = ()


def lines(sketch: Sketch, span_s: float, width: int) -> list[Text]:
    """A headline and the rows."""
    room = max(10, width - _LABEL - 1)
    values = columns(sketch.points, span_s, room, mean=sketch.mean)
    over = columns(sketch.over, span_s, room, mean=sketch.mean)
    known = [value for value in (*values, *over) if value is not None]
    highest = top(sketch.scale, max(known, default=0.0))
    blocks, dot, side = (_EIGHTHS, "·", "│") if _draws_blocks() else (_PLAIN, "-", "|")
    heights = [None if value is None else _eighths(value, highest) for value in values]
    dots = [None if value is None else min(_HEIGHT - 1, int(value / highest * _HEIGHT)) for value in over]
    told = [Text(sketch.title, style=output.STRONG)]
    for row in reversed(range(_HEIGHT)):
        label = {_HEIGHT - 1: sketch.say(highest), 0: "0"}.get(row, "")
        signs = []
        for place, eighths in enumerate(heights):
            filled = 0 if eighths is None else min(max(eighths - 8 * row, 0), 8)
            dotted = not filled and bool(dots) and dots[place] == row
            signs.append(dot if dotted else blocks[filled])
        line = Text.assemble(
            (f"{label:>{_LABEL - 1}} {side}", output.DIM), ("".join(signs).rstrip(), sketch.style)
        )
        told.append(line)
    return told


def axis(calendar: Calendar, span_s: float, width: int) -> Text:
    """The marks of a clock under the rows."""
    room = max(10, width - _LABEL - 1)
    row = [" "] * room
    for at_s, label in scales.calendar_ticks(calendar, span_s, about=max(2, room // 12)):
        at = min(int(at_s / span_s * room), room - 1)
        begin = max(0, min(at - len(label) // 2, room - len(label)))
        if all(sign == " " for sign in row[max(0, begin - 1) : begin + len(label) + 1]):
            row[begin : begin + len(label)] = label
    return Text(f"{'':{_LABEL}} {''.join(row).rstrip()}  {calendar.zone}", style=output.DIM)


def columns(points: Points, span_s: float, room: int, *, mean: bool) -> list[float | None]:
    """A value for each column. Between two points that stand for more columns than one the earlier goes on."""
    held: list[list[float]] = [[] for _ in range(room)]
    broken = [False] * room
    for at_s, value in points:
        place = min(max(int(at_s / span_s * room), 0), room - 1)
        if value is None:
            broken[place] = True
        else:
            held[place].append(value)
    last = max((place for place in range(room) if held[place]), default=-1)
    found: list[float | None] = []
    for place, values in enumerate(held):
        if values:
            found.append(sum(values) / len(values) if mean else max(values))
        else:
            found.append(None if broken[place] or not found or place > last else found[-1])
    return found


def top(scale: Scale, highest: float) -> float:
    """The round number at which the axis ends."""
    if scale is Scale.DURATION:
        return next((s for s in _DURATIONS_S if s >= highest), math.ceil(highest / 86_400.0) * 86_400.0)
    if highest <= 0.0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(highest))
    rounded = next(size * n for n in (1, 2, 3, 4, 5, 6, 8, 10) if size * n >= highest * (1 - 1e-9))
    return max(1.0, rounded) if scale is Scale.COUNT else rounded


def _eighths(value: float, highest: float) -> int:
    """What is more than nothing is seen."""
    if value <= 0.0:
        return 0
    return max(1, round(value / highest * _HEIGHT * 8))


def _draws_blocks() -> bool:
    try:
        _EIGHTHS.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
