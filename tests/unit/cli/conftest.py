"""What the tests of commands share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.office import Office


@pytest.fixture
def office(tmp_path: Path) -> Office:
    """A configuration without a journal yet."""
    return Office(tmp_path)
