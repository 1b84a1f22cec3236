"""Axes: from values to shares of a height, and where their marks stand, in units that people count in.

What never happens here: a colour, a font, a format of files.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from autoscaler.plots.contract import Calendar, Moment, Panel, Picture, Points, Scale
from policies.phrases import duration

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
_TIME_STEPS_S = (
    1, 2, 5, 10, 15, 30, *(MINUTE_S * n for n in (1, 2, 5, 10, 15, 30)), *(HOUR_S * n for n in (1, 2, 3, 6, 12)),
    *(DAY_S * n for n in (1, 2, 7, 14, 28, 91, 364)),
)  # fmt: skip
_DURATIONS_S = (0.0, 1.0, 10.0, MINUTE_S, 10 * MINUTE_S, HOUR_S, 10 * HOUR_S, 4 * DAY_S)
_HEADROOM = {Scale.LINEAR: 1.06, Scale.COUNT: 1.06, Scale.DURATION: 2.5}
_ROOM_FOR_WORDS = 1.25
"""Above a mark, where its name stands."""

Tick = tuple[float, str]
"""Where, and what is written there."""


def time_ticks(span_s: float, about: int = 9) -> tuple[Tick, ...]:
    """Round instants from 0 on, about so many."""
    step_s = next(
        (step for step in _TIME_STEPS_S if span_s / step <= about), math.ceil(span_s / about / DAY_S) * DAY_S
    )
    in_hours = HOUR_S <= step_s < DAY_S and span_s <= 2 * DAY_S
    return tuple(
        (at_s, "0" if not at_s else f"{at_s / HOUR_S:g} h" if in_hours else duration(at_s))
        for at_s in (place * step_s for place in range(int(span_s / step_s) + 1))
    )


def ticks_of(picture: Picture) -> tuple[Tick, ...]:
    """Where the marks of its axis of time stand."""
    if picture.calendar is None:
        return time_ticks(picture.span_s)
    return calendar_ticks(picture.calendar, picture.span_s)


def calendar_ticks(calendar: Calendar, span_s: float, about: int = 9) -> tuple[Tick, ...]:
    """Round instants of that clock; midnights bear their date."""
    step_s = next(
        (step for step in _TIME_STEPS_S if span_s / step <= about), math.ceil(span_s / about / DAY_S) * DAY_S
    )
    begins_at = calendar.begins_at + calendar.ahead_s
    first = math.ceil(begins_at / step_s)
    last = math.floor((begins_at + span_s) / step_s)
    return tuple(
        (place * step_s - begins_at, _clock(place * step_s, step_s)) for place in range(first, last + 1)
    )


def _clock(at: float, step_s: float) -> str:
    shown = datetime.fromtimestamp(at, UTC)
    if at % DAY_S == 0:
        return f"{shown.day} {shown:%b}"
    return f"{shown:%H:%M:%S}" if step_s < MINUTE_S else f"{shown:%H:%M}"


def instant(calendar: Calendar | None, second: float) -> str:
    """That second of a picture in words."""
    if calendar is None:
        return duration(second)
    shown = datetime.fromtimestamp(calendar.begins_at + calendar.ahead_s + second, UTC)
    return f"{shown.day} {shown:%b %H:%M:%S}"


def labelled(moments: Sequence[Moment], span_s: float, least_share: float) -> tuple[Moment, ...]:
    """Those whose labels have room, none closer to the one before than this share of the axis, nor to its end."""
    kept: list[Moment] = []
    for moment in moments:
        if moment.at_s > span_s * (1 - least_share):
            break
        if not kept or moment.at_s - kept[-1].at_s >= span_s * least_share:
            kept.append(moment)
    return tuple(kept)


def stretches(points: Points) -> tuple[tuple[tuple[float, float], ...], ...]:
    """The parts of a line that are known; a single point of them is drawn as long as nothing."""
    parts: list[list[tuple[float, float]]] = [[]]
    for at_s, value in points:
        if value is not None:
            parts[-1].append((at_s, value))
        elif parts[-1]:
            parts.append([])
    return tuple(tuple(part) for part in parts if part)


def top(panel: Panel) -> float:
    """The highest value that must have room; above zero."""
    values = (value for series in panel.series for _, value in series.points)
    known = (value for value in values if value is not None and math.isfinite(value))
    highest = _HEADROOM[panel.scale] * max(known, default=0.0)
    if panel.mark:
        highest = max(highest, panel.mark[1] * max(_ROOM_FOR_WORDS, _HEADROOM[panel.scale]))
    return highest if highest > 0 else 1.0


def value_ticks(scale: Scale, highest: float) -> tuple[Tick, ...]:
    """Marks from zero to at most the highest value."""
    if scale is Scale.DURATION:
        return tuple((s, duration(s)) for s in _DURATIONS_S if s <= highest)
    step = _round_step(max(highest / 4, 1.0) if scale is Scale.COUNT else highest / 4)
    return tuple((place * step, number(place * step)) for place in range(int(highest / step + 1e-9) + 1))


def _round_step(least: float) -> float:
    size = 10.0 ** math.floor(math.log10(least))
    return next(size * n for n in (1, 2, 5, 10) if size * n >= least * (1 - 1e-9))


def height(scale: Scale, highest: float) -> Callable[[float], float]:
    """From a value to a share of the height, 0 to 1."""
    if scale is Scale.DURATION:
        whole = math.log1p(highest)
        return lambda value: math.log1p(max(value, 0.0)) / whole
    return lambda value: value / highest


def number(value: float) -> str:
    """With thousands set apart, and as many decimals as tell something."""
    if value == 0:
        return "0"
    if abs(value) >= 100 or value.is_integer():
        return f"{value:,.0f}".replace(",", "\u202f")
    return f"{value:.3g}"


def at(points: Sequence[tuple[float, float]], second: float) -> float | None:
    """The value of the line there; None outside of it."""
    for (before_s, before), (after_s, after) in pairwise(points):
        if before_s <= second <= after_s:
            share = (second - before_s) / (after_s - before_s) if after_s > before_s else 1.0
            return before + (after - before) * share
    return None
