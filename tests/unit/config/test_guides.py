"""The guides to single providers hold offers that work: what they tell people to write is read and opened here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from autoscaler import config
from autoscaler.clock import SystemClock
from providers import open_provider
from tests.unit.config import documents

GUIDES = sorted((Path(__file__).parents[3] / "docs" / "providers").glob("*.md"))
EXAMPLE = re.compile(
    r"^```toml\n(\[providers\..*?\[\[pools\.images\.offers\]\].*?)^```", re.DOTALL | re.MULTILINE
)
A_BROKER = documents.DOCUMENT.replace('[[pools.images.offers]]\nprovider = "here"\n', "")


@pytest.mark.parametrize(
    "guide", [each for each in GUIDES if EXAMPLE.search(each.read_text())], ids=lambda each: each.stem
)
def test_a_guides_example_is_a_configuration(guide: Path) -> None:
    """Appended to a whole configuration it has no problem, and its account opens; nothing is sent."""
    example = EXAMPLE.search(guide.read_text())
    assert example
    secrets = dict.fromkeys(re.findall(r'env = "(\w+)"', example[1]), "a-secret")

    settings = config.parse(A_BROKER + example[1], {**documents.ENVIRON, **secrets})

    offered = {offer.provider for offer in settings.pools["images"].offers}
    assert offered
    for name in offered:
        section = settings.providers[name]
        opened = open_provider(
            section.kind, name=name, fleet="shop", options=section.options(), clock=SystemClock()
        )
        opened.close()
