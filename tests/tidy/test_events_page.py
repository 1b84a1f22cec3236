"""docs/events.md tells all that the daemon may say and keep, and nothing else."""

from __future__ import annotations

from autoscaler.cli import events_page
from autoscaler.journal import tables
from tests.tidy.repository import ROOT


def test_the_page_of_events_is_what_the_catalogue_says() -> None:
    """Renew it with `make pages`."""
    assert events_page.render() == (ROOT / "docs" / "events.md").read_text(encoding="utf-8")


def test_every_table_of_the_journal_is_on_the_page() -> None:
    """A table more or less is told."""
    assert set(events_page.KEPT) == set(tables.metadata.tables)
