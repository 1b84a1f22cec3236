"""The chart as a fragment: nothing that a strict policy refuses, several on a page, gaps, moments, a clock."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoscaler.plots import chart, image, scales
from autoscaler.plots.contract import Calendar, Moment, Picture, Series, Shape
from tests.unit.plots.pictures import HOSTILE, a_picture
from tests.unit.plots.test_page import SVG, Read, figures_of, svg_of

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp()


def a_history(says: str = "2 → 4 workers: 120 waiting") -> Picture:
    """Two hours of a clock, with a hole in its first line and something that happened."""
    picture = a_picture(owners=("images", "other"))
    holed = Series(
        name="paid",
        owner=0,
        shape=Shape.AREA,
        points=((0.0, 1.0), (600.0, 2.0), (1800.0, None), (3600.0, 3.0)),
    )
    first = replace(picture.panels[0], series=(holed, *picture.panels[0].series[1:]))
    return replace(
        picture,
        panels=(first, picture.panels[1]),
        moments=(Moment(at_s=60.0, label="2 → 4", says=says), Moment(at_s=90.0, label="4 → 5", says="")),
        calendar=Calendar(begins_at=NOON - 3600.0, ahead_s=3600.0, zone="CET"),
    )


def test_a_fragment_holds_no_style_and_no_script() -> None:
    """A page whose policy allows only files of its own may show it."""
    read = Read(chart.fragment(a_history(HOSTILE)))

    assert [] == read.open
    assert set() == {tag for tag, _ in read.tags} & {"script", "style", "link", "b"}
    for _, attributes in read.tags:
        assert set() == {name for name in attributes if name == "style" or name.startswith("on")}


def test_two_charts_stand_on_one_page() -> None:
    """Each has its name, and what it refers to is its own."""
    both = chart.fragment(a_history(), "images") + chart.fragment(a_history(), "mail")
    ids = [attributes["id"] for _, attributes in Read(both).tags if "id" in attributes]

    assert ["images", "images-box", "mail", "mail-box"] == ids
    assert set(re.findall(r"url\(#([^)]*)\)", both)) == {"images-box", "mail-box"}


def test_nothing_is_drawn_across_a_hole() -> None:
    """The area ends before it and begins again after it; the script is told that nothing is known there."""
    text = chart.fragment(a_history())
    area = next(path for path in svg_of(text).iter(f"{SVG}path") if path.get("class") == "area owner-0 own")

    assert 2 == area.get("d", "").count("M")
    panels = figures_of(text)["panels"]
    assert isinstance(panels, list)
    assert [1.0, 2.0, None, 3.0] == panels[0]["series"][0]["v"]


def test_what_happened_is_a_line_and_its_words_are_told() -> None:
    """A label where there is room; the sentence is with the figures."""
    text = chart.fragment(a_history())
    drawing = svg_of(text)

    assert 2 == sum(line.get("class") == "moment" for line in drawing.iter(f"{SVG}line"))
    labels = [each.text for each in drawing.iter(f"{SVG}text") if each.get("class") == "moment-label"]
    assert ["2 → 4"] == labels
    moments = figures_of(text)["moments"]
    assert isinstance(moments, list)
    assert "2 → 4 workers: 120 waiting" == moments[0]["says"]


def test_a_clock_is_shown_where_the_picture_has_one() -> None:
    """Round instants of that clock, and midnight bears its date."""
    picture = a_history()
    assert picture.calendar
    labels = [label for _, label in scales.ticks_of(picture)]

    assert ("12:00", "14:00") == (labels[0], labels[-1])
    assert "27 Nov 12:30:00" == scales.instant(picture.calendar, 1800.0)
    over_midnight = replace(picture.calendar, begins_at=NOON)
    assert "28 Nov" in [label for _, label in scales.calendar_ticks(over_midnight, 86_400.0)]


def test_an_image_draws_the_same() -> None:
    """Holes, moments and the clock are no trouble for it."""
    pytest.importorskip("matplotlib")

    assert image.png(a_history()).startswith(b"\x89PNG")
    assert image.png(a_history()) != image.png(replace(a_history(), moments=()))
