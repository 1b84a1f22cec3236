"""Pictures of the dashboard are of the pages as they are now, and each of them is there and light."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from tests.tidy.repository import ROOT


def screenshots() -> ModuleType:
    """The script that takes them."""
    spec = importlib.util.spec_from_file_location("screenshots", ROOT / "scripts" / "screenshots.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_were_taken_of_the_pages_as_they_are() -> None:
    """Whoever changes a page runs `make screenshots`, and looks at them."""
    script = screenshots()

    assert script.DIGEST.read_text().strip() == script.digest(), "run `make screenshots`"


def test_every_picture_is_there_and_light() -> None:
    """And no other."""
    script = screenshots()
    found = {path.name: path.stat().st_size for path in script.IMAGES.glob("dashboard-*.png")}

    assert sorted(script.names()) == sorted(found)
    assert {} == {name: size for name, size in found.items() if size > script.MOST_BYTES}
