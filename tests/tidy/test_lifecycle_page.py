"""The page about the life cycle says what the table says."""

from pathlib import Path

from autoscaler.core import lifecycle_page

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"


def test_the_lifecycle_page_is_the_table() -> None:
    """Renew it with `make pages`."""
    expected = lifecycle_page.render()

    assert expected == PAGE.read_text()
