"""A picture as one HTML file, for reading: it holds its own drawing, script and figures, and asks nobody for anything.

The drawing is there without the script, which adds figures under the pointer (and the arrow keys) and hides and shows
owners. A policy in the file forbids the browser every address and any other script. What never happens here: text that
becomes markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from html import escape
from importlib import resources

from autoscaler.plots import palette, scales
from autoscaler.plots.contract import Panel, Picture, Series, Shape

_WIDTH, _LEFT, _RIGHT = 1100, 64, 14
_TITLE, _HEIGHT, _BELOW, _AXIS = 26, 126, 14, 34
_ACROSS = _WIDTH - _LEFT - _RIGHT
_CLASSES = {
    Shape.LINE: "line", Shape.DASHED: "line dashed", Shape.AREA: "area", Shape.LIGHT_AREA: "area light",
    Shape.LIGHTEST_AREA: "area lightest",
}  # fmt: skip


def html(picture: Picture) -> str:
    """The whole file."""
    style = _asset("page.css").replace("/* colours */", _colours())
    script = _asset("page.js")
    policy = f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    title = escape(picture.title)
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{title}</title>",
            f"<style>{style}</style></head><body><main>",
            f"<h1>{title}</h1>",
            f'<p class="subtitle">{escape(picture.subtitle)}</p>',
            *_table(picture),
            f'<div class="notes">{escape(chr(10).join(picture.notes))}</div>',
            *_legend(picture),
            *_chart(picture),
            f'<script type="application/json" id="figures">{_figures(picture)}</script>',
            f"<script>{script}</script>",
            "</main></body></html>",
            "",
        )
    )


def _asset(name: str) -> str:
    return resources.files("autoscaler.plots").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _colours() -> str:
    light = "".join(f"--owner-{n}:{colour};" for n, colour in enumerate(palette.LIGHT))
    dark = "".join(f"--owner-{n}:{colour};" for n, colour in enumerate(palette.DARK))
    rules = "".join(f".owner-{n}{{--own:var(--owner-{n})}}" for n in range(len(palette.LIGHT)))
    return f":root{{{light}}}@media (prefers-color-scheme:dark){{:root{{{dark}}}}}{rules}"


def _owned(owner: int | None) -> str:
    place = palette.place(owner)
    return "everybody" if place is None else f"owner-{place}"


def _table(picture: Picture) -> Iterator[str]:
    first, *others = picture.table.headers
    yield '<div class="wide"><table><thead><tr>'
    yield f'<th scope="col">{escape(first)}</th>'
    yield from (f'<th scope="col" class="number">{escape(header)}</th>' for header in others)
    yield "</tr></thead><tbody>"
    for name, *cells in picture.table.rows:
        numbers = "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells)
        yield f'<tr><th scope="row">{escape(name)}</th>{numbers}</tr>'
    yield "</tbody></table></div>"


def _legend(picture: Picture) -> Iterator[str]:
    yield '<div class="legend" role="group" aria-label="Shown in the plots">'
    for n, owner in enumerate(picture.owners):
        pressed = "true" if n in picture.shown else "false"
        yield (
            f'<button type="button" class="{_owned(n)}" data-toggles="{n}" aria-pressed="{pressed}">'
            f"<span></span>{escape(owner)}</button>"
        )
    yield "</div>"


def _chart(picture: Picture) -> Iterator[str]:
    rows = len(picture.panels)
    height = rows * (_TITLE + _HEIGHT + _BELOW) + _AXIS
    across = _across(picture)
    yield '<div class="wide"><div id="chart" tabindex="0" role="slider" aria-label="Instant that figures are shown of"'
    yield f' aria-valuemin="0" aria-valuemax="{picture.span_s:.0f}" aria-valuenow="0" aria-valuetext="none">'
    yield f'<svg viewBox="0 0 {_WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" data-left="{_LEFT}"'
    yield f' data-across="{_ACROSS}" aria-hidden="true">'
    yield f'<defs><clipPath id="box"><rect x="{_LEFT}" y="-2" width="{_ACROSS}" height="{_HEIGHT + 2}"/>'
    yield "</clipPath></defs>"
    ticks = scales.time_ticks(picture.span_s)
    for row, panel in enumerate(picture.panels):
        yield from _panel(picture, panel, row, ticks, across)
    below = rows * (_TITLE + _HEIGHT + _BELOW)
    for at_s, label in ticks:
        anchor = "start" if not at_s else "end" if at_s > 0.97 * picture.span_s else "middle"
        yield _text("tick", across(at_s), below + 4, label, anchor)
    yield _text("axis", _LEFT + _ACROSS / 2, below + 24, "time since the start of the workload", "middle")
    yield f'<line class="cursor" id="cursor" y1="{_TITLE}" y2="{below - _BELOW}"/>'
    yield '</svg><div id="readout" role="presentation"></div></div></div>'


def _across(picture: Picture) -> Callable[[float], float]:
    return lambda at_s: _LEFT + at_s / picture.span_s * _ACROSS


def _panel(
    picture: Picture, panel: Panel, row: int, ticks: tuple[scales.Tick, ...], across: Callable[[float], float]
) -> Iterator[str]:
    shown = [series for series in panel.series if series.owner is None or series.owner in picture.shown]
    highest = scales.top(replace(panel, series=tuple(shown)))
    share = scales.height(panel.scale, highest)
    head = row * (_TITLE + _HEIGHT + _BELOW) + _TITLE
    yield f'<g class="panel" data-panel="{row}" data-top="{highest:.6g}" transform="translate(0 {head})">'
    yield _text("title", _LEFT, -8, panel.title)
    yield _text("unit", _WIDTH - _RIGHT, -8, panel.unit, "end")
    yield from (
        f'<line class="grid" x1="{across(at_s):.1f}" x2="{across(at_s):.1f}" y1="0" y2="{_HEIGHT}"/>'
        for at_s, _ in ticks
    )
    yield '<g class="levels">'
    for value, label in scales.value_ticks(panel.scale, highest):
        y = _HEIGHT * (1 - share(value))
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text("tick", _LEFT - 7, y + 4, label, "end")
    yield f'</g><g clip-path="url(#box)"><g class="drawn" data-height="{_HEIGHT}">'
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
    places = [f"{across(at_s):.1f} {_HEIGHT * (1 - share(value)):.1f}" for at_s, value in series.points]
    steps = "L".join(places)
    drawn = f"M{steps}" if places else ""
    if places and "area" in _CLASSES[series.shape]:
        first, last = across(series.points[0][0]), across(series.points[-1][0])
        drawn = f"M{first:.1f} {_HEIGHT}L{steps}L{last:.1f} {_HEIGHT}Z"
    hidden = series.owner is not None and series.owner not in picture.shown
    strong = " own" if series.owner == 0 else ""
    of = "" if series.owner is None else f' data-owner="{series.owner}"'
    gone = ' display="none"' if hidden else ""
    return f'<path class="{_CLASSES[series.shape]} {_owned(series.owner)}{strong}"{of}{gone} d="{drawn}"/>'


def _figures(picture: Picture) -> str:
    """What the script shows, with every sign that could end its element written as an escape."""
    facts = {
        "span": picture.span_s,
        "owners": picture.owners,
        "panels": [
            {
                "title": panel.title,
                "scale": panel.scale,
                "mark": panel.mark[1] if panel.mark else None,
                "series": [
                    {
                        "name": series.name,
                        "owner": series.owner,
                        "t": [round(at_s, 1) for at_s, _ in series.points],
                        "v": [float(f"{value:.5g}") for _, value in series.points],
                    }
                    for series in panel.series
                ],
            }
            for panel in picture.panels
        ],
    }
    text = json.dumps(facts, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
