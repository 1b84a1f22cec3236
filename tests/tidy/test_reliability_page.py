"""The table of faults and the code say the same: each kind of fault has a row, and each row a test that is there."""

from __future__ import annotations

import re

from autoscaler.simulate.contract import Fault
from tests.tidy.repository import ROOT

_PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in _PAGE.partition("### Fault by fault")[2].partition("\n## ")[0].splitlines()
    if line.startswith("| ") and not line.startswith("| Fault ")
]


def test_every_kind_of_fault_has_its_row() -> None:
    """In the order of the code, so that a new kind is not forgotten."""
    assert [fault.value for fault in Fault] == [row[0] for row in _ROWS]


def test_every_test_that_a_row_names_is_there() -> None:
    """A row whose test was renamed or removed shows nothing any more."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    there = {name for source in sources for name in re.findall(r"def (test_\w+)", source)}
    named = [re.findall(r"`(test_\w+)`", row[2]) for row in _ROWS]

    assert [] == [row[0] for row, tests in zip(_ROWS, named, strict=True) if not tests]
    assert set() == {test for tests in named for test in tests} - there
