"""A journal in the test's own directory, closed afterwards."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.journal import Journal, open_journal


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    opened = open_journal(url)
    yield opened
    opened.close()
