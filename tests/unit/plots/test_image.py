"""The image: a PNG of the size that was meant, whatever the words are, and a sentence where the library is missing."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from autoscaler.plots import image
from autoscaler.plots.contract import Picture, PlotsUnavailable
from tests.unit.plots.pictures import HOSTILE, a_picture


def size_of(png: bytes) -> tuple[int, int]:
    assert b"\x89PNG\r\n\x1a\n" == png[:8]
    assert b"IHDR" == png[12:16]
    wide, high = struct.unpack(">II", png[16:24])
    return wide, high


@pytest.mark.parametrize(
    "picture",
    [a_picture(), a_picture(HOSTILE, ("$", "_keda $\\frac{$")), a_picture("日本\u0007")],
    ids=["plain", "formulas", "signs without a form"],
)
def test_an_image_is_drawn_whatever_the_words_are(picture: Picture, recwarn: pytest.WarningsRecorder) -> None:
    """What looks like a formula is no formula, and a sign that the font lacks is no news."""
    pytest.importorskip("matplotlib")

    assert (1320, 612) == size_of(image.png(picture))
    assert [] == list(recwarn)


def test_the_same_picture_is_the_same_image() -> None:
    """No date in it and no version: who draws it again sees no change. More panels make it higher."""
    pytest.importorskip("matplotlib")
    picture = a_picture()
    doubled = replace(picture, panels=picture.panels * 2)

    assert image.png(picture) == image.png(picture)
    assert size_of(image.png(doubled))[1] > size_of(image.png(picture))[1]


def test_without_matplotlib_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """And that a page needs nothing."""

    def missing(name: str) -> None:
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(image.importlib, "import_module", missing)

    with pytest.raises(PlotsUnavailable, match=r"pip install 'vps-autoscaler\[plots\]'.*HTML needs nothing"):
        image.png(a_picture())
