"""A picture as one HTML file, for reading: it holds its own drawing, script and figures, and asks nobody for anything.

A policy in the file forbids the browser every address and any other script. What never happens here: text that becomes
markup.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from html import escape

from autoscaler.plots import chart, scales
from autoscaler.plots.contract import Picture


def html(picture: Picture) -> str:
    """The whole file."""
    style = chart.style() + chart.asset("page.css")
    script = chart.script()
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
            chart.fragment(picture),
            *_moments(picture),
            f"<script>{script}</script>",
            "</main></body></html>",
            "",
        )
    )


def _moments(picture: Picture) -> Iterator[str]:
    """What happened, for who does not point at the lines."""
    if not picture.moments:
        return
    yield "<details><summary>What is marked</summary><ol>"
    for moment in picture.moments:
        at = escape(scales.instant(picture.calendar, moment.at_s))
        yield f"<li>{at}: {escape(moment.says or moment.label)}</li>"
    yield "</ol></details>"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


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
