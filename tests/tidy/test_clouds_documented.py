"""Every cloud that a dialect speaks to is documented, has a guide, and is held to the contract of providers."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers import clouds_page
from providers.dialects import DIALECTS

ROOT = Path(__file__).resolve().parents[2]
WORLDS = "\n".join(path.read_text() for path in (ROOT / "tests" / "contract").glob("*world*.py"))


def test_the_page_is_what_the_dialects_say() -> None:
    """`docs/providers.md` is what `make pages` writes today."""
    assert clouds_page.render() == (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("driver", DIALECTS)
def test_every_cloud_has_a_world(driver: str) -> None:
    """A dialect that no contract test has seen is a guess."""
    assert f'"driver": "{driver}"' in WORLDS


@pytest.mark.parametrize("driver", DIALECTS)
def test_every_cloud_has_a_guide(driver: str) -> None:
    """With an offer that works (`tests/unit/config/test_guides.py` opens it) and all that comes before it."""
    guide = (ROOT / "docs" / "providers" / f"{driver}.md").read_text(encoding="utf-8")

    assert f'driver = "{driver}"' in guide
    assert [] == [
        chapter
        for chapter in (
            "Credentials",
            "Where, what, of what",
            "Network",
            "Prices",
            "How it behaves",
            "How this was proven",
        )
        if f"\n## {chapter}\n" not in guide
    ]


@pytest.mark.parametrize("driver", DIALECTS)
def test_a_dialect_says_how_it_was_proven_and_what_it_leaves(driver: str) -> None:
    """The table of clouds has no empty cell."""
    assert DIALECTS[driver].proof
    assert DIALECTS[driver].left_over


@pytest.mark.parametrize("driver", DIALECTS)
def test_a_dialect_s_file_bears_its_driver_s_name(driver: str) -> None:
    """Whoever looks for a cloud finds its file."""
    assert (ROOT / "providers" / "dialects" / f"{driver}.py").is_file()


@pytest.mark.parametrize("driver", DIALECTS)
def test_the_page_says_whose_machines_are_asked_for(driver: str) -> None:
    """Only a request that bears the fleet's mark asks for the fleet's machines only."""
    (row,) = (
        line for line in clouds_page.render().splitlines() if f"`{driver}` |" in line and " s |" in line
    )

    assert bool(DIALECTS[driver].listing.filter.fleet) is ("our fleet's only" in row)
