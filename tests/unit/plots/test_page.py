"""The page: one file that needs nothing, holds what it shows, and lets no word become markup."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from autoscaler.plots import page
from tests.unit.plots.pictures import HOSTILE, a_picture

SVG = "{http://www.w3.org/2000/svg}"


class Read(HTMLParser):
    """Tags in order, attributes, and the text of each kind of element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)


def svg_of(text: str) -> ET.Element:
    drawn = re.search(r"<svg.*</svg>", text, re.DOTALL)
    assert drawn
    return ET.fromstring(drawn[0])


def figures_of(text: str) -> dict[str, object]:
    held = re.search(r'<template class="figures">(.*?)</template>', text, re.DOTALL)
    assert held
    return dict(json.loads(held[1]))


def test_the_page_is_well_formed_and_holds_what_it_shows() -> None:
    """Every element ends, the drawing is XML, and the figures for the pointer are those of the picture."""
    picture = a_picture()
    text = page.html(picture)
    read = Read(text)

    assert [] == read.open
    drawing = svg_of(text)
    assert len(picture.panels) == len(drawing.findall(f".//{SVG}g[@class='panel']"))
    words = {element.text for element in drawing.iter(f"{SVG}text")}
    assert {"Machines", "Wait", "of a day", "target a day", "1 min", "30 min"} <= words
    figures = figures_of(text)
    assert ["configured", "keda"] == figures["owners"]
    panels = figures["panels"]
    assert isinstance(panels, list)
    assert [0.0, 4.0, 2.0] == panels[0]["series"][0]["v"]
    assert {"POLICY", "COST"} <= set(read.texts["th"])
    assert "a note on a day\nanother" in read.texts["div"]


def test_lines_lie_where_their_values_are() -> None:
    """An area ends at the ground; the highest value is the highest point; of hidden owners nothing is drawn."""
    drawing = svg_of(page.html(a_picture()))
    by_class = {path.get("class"): path for path in drawing.iter(f"{SVG}path")}
    area, hidden = by_class["area owner-0 own"].get("d", ""), by_class["line owner-1"]

    points = [tuple(map(float, pair.split())) for pair in area.strip("MZ").split("L")]
    ground, peak = points[0][1], min(y for _, y in points)
    assert ground == points[-1][1]
    assert [y for _, y in points].index(peak) == 2
    assert (ground - peak) / 2 == pytest.approx(ground - points[3][1], abs=0.2)
    assert "none" == hidden.get("display")


def test_no_word_becomes_markup() -> None:
    """A file's name and a policy's may be anything; in text, in attributes and among the figures they stay words."""
    text = page.html(a_picture(HOSTILE, ("configured", HOSTILE)))
    read = Read(text)

    assert 1 == sum(tag == "script" for tag, _ in read.tags)
    assert "b" not in {tag for tag, _ in read.tags}
    assert HOSTILE in read.texts["h1"]
    owners = figures_of(text)["owners"]
    assert isinstance(owners, list)
    assert HOSTILE == owners[1]
    assert HOSTILE in "".join(text_ or "" for text_ in svg_of(text).itertext())


def test_the_page_asks_nobody_for_anything() -> None:
    """No address in it, and a policy that forbids the browser all but the script and the style that it holds."""
    text = page.html(a_picture())
    read = Read(text)

    asking = {"src", "href", "action", "data", "srcset", "poster", "xlink:href"}
    assert set() == {name for _, attributes in read.tags for name in attributes} & asking
    assert set() == set(re.findall(r"https?://[^\s\"'<]+", text)) - {"http://www.w3.org/2000/svg"}
    assert not re.search(r"url\((?!#chart-box)|@import|fetch\(|XMLHttp|import\(", text)
    (policy,) = (
        one["content"] for tag, one in read.tags if one.get("http-equiv") == "Content-Security-Policy"
    )
    script, style = (read.texts[tag][-1] for tag in ("script", "style"))
    for held in (script, style):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(held.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';")


def test_the_page_can_be_read_without_a_mouse() -> None:
    """The drawing can be focused and says what it is; each owner has a button that says whether it is shown."""
    read = Read(page.html(a_picture()))

    (chart,) = (attributes for tag, attributes in read.tags if attributes.get("class") == "chart")
    assert ("0", "slider", "7200") == (chart["tabindex"], chart["role"], chart["aria-valuemax"])
    pressed = [attributes["aria-pressed"] for tag, attributes in read.tags if tag == "button"]
    assert ["true", "false"] == pressed
