"""A picture's chart as a fragment of HTML, and the style and the script that go with every chart.

The fragment holds no style and no script, so a page whose policy allows only files of its own may show it: it serves
`style()` and `script()` as files. The drawing is there without the script, which adds figures under the pointer (and
the arrow keys), tells what happened at an instant, and hides and shows owners; a chart that is put into the page later
is found by itself. What never happens here: text that becomes markup.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib import resources

from autoscaler.plots import palette, scales
from autoscaler.plots.contract import Panel, Picture, Series, Shape

_WIDTH, _LEFT, _RIGHT = 1100, 64, 14
_TITLE, _HEIGHT, _BELOW, _AXIS = 26, 126, 14, 34
_ACROSS = _WIDTH - _LEFT - _RIGHT
_LABEL_SHARE = 0.06
"""Of the width that a moment's label takes."""
_CLASSES = {
    Shape.LINE: "line", Shape.DASHED: "line dashed", Shape.AREA: "area", Shape.LIGHT_AREA: "area light",
    Shape.LIGHTEST_AREA: "area lightest",
}  # fmt: skip


def fragment(picture: Picture, name: str = "chart") -> str:
    """The chart with its figures in one `figure` element. `name` is its id; a page may hold several by several names.

    It must be a word of letters, digits, `-` and `_`.
    """
    return "\n".join(
        (
            f'<figure class="chart-of" id="{escape(name)}">',
            *(_legend(picture) if len(picture.owners) > 1 else ()),
            *_chart(picture, name),
            f'<template class="figures">{_figures(picture)}</template>',
            "</figure>",
        )
    )


def style() -> str:
    """The style of charts, on a light and on a dark ground. A page may set `data-theme` of its root element."""
    return asset("chart.css").replace("/* colours */", _colours())


def script() -> str:
    """The script of charts."""
    return asset("chart.js")


def asset(name: str) -> str:
    """A file of this room."""
    return resources.files("autoscaler.plots").joinpath(name).read_text(encoding="utf-8")


def _colours() -> str:
    light = "".join(f"--chart-owner-{n}:{colour};" for n, colour in enumerate(palette.LIGHT))
    dark = "".join(f"--chart-owner-{n}:{colour};" for n, colour in enumerate(palette.DARK))
    rules = "".join(
        f".chart-of .owner-{n}{{--chart-own:var(--chart-owner-{n})}}" for n in range(len(palette.LIGHT))
    )
    dim = f'@media (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{{dark}}}}}'
    return f':root{{{light}}}{dim}:root[data-theme="dark"]{{{dark}}}{rules}'


def _owned(owner: int | None) -> str:
    place = palette.place(owner)
    return "everybody" if place is None else f"owner-{place}"


def _legend(picture: Picture) -> Iterator[str]:
    yield '<div class="legend" role="group" aria-label="Shown in the plots">'
    for n, owner in enumerate(picture.owners):
        pressed = "true" if n in picture.shown else "false"
        yield (
            f'<button type="button" class="{_owned(n)}" data-toggles="{n}" aria-pressed="{pressed}">'
            f"<span></span>{escape(owner)}</button>"
        )
    yield "</div>"


def _chart(picture: Picture, name: str) -> Iterator[str]:
    rows = len(picture.panels)
    height = rows * (_TITLE + _HEIGHT + _BELOW) + _AXIS
    across = _across(picture)
    yield '<div class="wide"><div class="chart" tabindex="0" role="slider"'
    yield ' aria-label="Instant that figures are shown of"'
    yield f' aria-valuemin="0" aria-valuemax="{picture.span_s:.0f}" aria-valuenow="0" aria-valuetext="none">'
    yield f'<svg viewBox="0 0 {_WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" data-left="{_LEFT}"'
    yield f' data-across="{_ACROSS}" aria-hidden="true">'
    yield f'<defs><clipPath id="{escape(name)}-box"><rect x="{_LEFT}" y="-2" width="{_ACROSS}" height="{_HEIGHT + 2}"/>'
    yield "</clipPath></defs>"
    ticks = scales.ticks_of(picture)
    for row, panel in enumerate(picture.panels):
        yield from _panel(picture, panel, _Place(name=name, row=row, ticks=ticks, across=across))
    below = rows * (_TITLE + _HEIGHT + _BELOW)
    yield from _moments(picture, below - _BELOW, across)
    for at_s, label in ticks:
        anchor = (
            "start" if at_s < 0.03 * picture.span_s else "end" if at_s > 0.97 * picture.span_s else "middle"
        )
        yield _text("tick", across(at_s), below + 4, label, anchor)
    yield _text("axis", _LEFT + _ACROSS / 2, below + 24, picture.axis, "middle")
    yield f'<line class="cursor" y1="{_TITLE}" y2="{below - _BELOW}"/>'
    yield '</svg><div class="readout" role="presentation"></div></div></div>'


def _moments(picture: Picture, below: float, across: Callable[[float], float]) -> Iterator[str]:
    """A line through every panel, and above the first what there is room for."""
    for moment in picture.moments:
        x = across(moment.at_s)
        yield f'<line class="moment" x1="{x:.1f}" x2="{x:.1f}" y1="{_TITLE}" y2="{below}"/>'
    for moment in scales.labelled(picture.moments, picture.span_s, _LABEL_SHARE):
        yield _text("moment-label", across(moment.at_s) + 3, _TITLE + 11, moment.label)


def _across(picture: Picture) -> Callable[[float], float]:
    return lambda at_s: _LEFT + at_s / picture.span_s * _ACROSS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a panel stands."""

    name: str
    """Of the chart."""
    row: int
    ticks: tuple[scales.Tick, ...]
    across: Callable[[float], float]


def _panel(picture: Picture, panel: Panel, place: _Place) -> Iterator[str]:
    row, across = place.row, place.across
    shown = [series for series in panel.series if series.owner is None or series.owner in picture.shown]
    highest = scales.top(replace(panel, series=tuple(shown)))
    share = scales.height(panel.scale, highest)
    head = row * (_TITLE + _HEIGHT + _BELOW) + _TITLE
    yield f'<g class="panel" data-panel="{row}" data-top="{highest:.6g}" transform="translate(0 {head})">'
    yield _text("title", _LEFT, -8, panel.title)
    yield _text("unit", _WIDTH - _RIGHT, -8, panel.unit, "end")
    yield from (
        f'<line class="grid" x1="{across(at_s):.1f}" x2="{across(at_s):.1f}" y1="0" y2="{_HEIGHT}"/>'
        for at_s, _ in place.ticks
    )
    yield '<g class="levels">'
    for value, label in scales.value_ticks(panel.scale, highest):
        y = _HEIGHT * (1 - share(value))
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text("tick", _LEFT - 7, y + 4, label, "end")
    yield f'</g><g clip-path="url(#{escape(place.name)}-box)"><g class="drawn" data-height="{_HEIGHT}">'
    for series in sorted(panel.series, key=lambda series: -(-1 if series.owner is None else series.owner)):
        yield _path(picture, series, share, across)
    if panel.mark:
        y = _HEIGHT * (1 - share(panel.mark[1]))
        yield f'<line class="mark" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    yield "</g></g>"
    if panel.mark:
        y = _HEIGHT * (1 - share(panel.mark[1])) - 4
        yield _text("marked", _LEFT + 8, y, panel.mark[0])
    yield "</g>"


def _text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _path(
    picture: Picture, series: Series, share: Callable[[float], float], across: Callable[[float], float]
) -> str:
    area = "area" in _CLASSES[series.shape]
    drawn = "".join(_stretch(part, share, across, area=area) for part in scales.stretches(series.points))
    hidden = series.owner is not None and series.owner not in picture.shown
    strong = " own" if series.owner == 0 else ""
    of = "" if series.owner is None else f' data-owner="{series.owner}"'
    gone = ' display="none"' if hidden else ""
    return f'<path class="{_CLASSES[series.shape]} {_owned(series.owner)}{strong}"{of}{gone} d="{drawn}"/>'


def _stretch(
    part: Sequence[tuple[float, float]],
    share: Callable[[float], float],
    across: Callable[[float], float],
    *,
    area: bool,
) -> str:
    steps = "L".join(f"{across(at_s):.1f} {_HEIGHT * (1 - share(value)):.1f}" for at_s, value in part)
    if area:
        return f"M{across(part[0][0]):.1f} {_HEIGHT}L{steps}L{across(part[-1][0]):.1f} {_HEIGHT}Z"
    # A value between two gaps is a dot.
    return f"M{steps}h.1" if len(part) == 1 else f"M{steps}"


def _figures(picture: Picture) -> str:
    """What the script shows, with every sign that could end its element written as an escape."""
    times: dict[tuple[float, ...], int] = {}
    panels = [
        {
            "title": panel.title,
            "scale": panel.scale,
            "mark": panel.mark[1] if panel.mark else None,
            "series": [
                {
                    "name": series.name,
                    "owner": series.owner,
                    "t": times.setdefault(tuple(round(at_s, 1) for at_s, _ in series.points), len(times)),
                    "v": [None if value is None else float(f"{value:.5g}") for _, value in series.points],
                }
                for series in panel.series
            ],
        }
        for panel in picture.panels
    ]
    facts = {
        "span": picture.span_s,
        "owners": picture.owners,
        "begins": picture.calendar.begins_at + picture.calendar.ahead_s if picture.calendar else None,
        "moments": [
            {"t": round(moment.at_s, 1), "label": moment.label, "says": moment.says}
            for moment in picture.moments
        ],
        # Most lines have the same instants.
        "times": list(times),
        "panels": panels,
    }
    text = json.dumps(facts, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
