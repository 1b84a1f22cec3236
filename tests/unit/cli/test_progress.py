"""Bars: on the standard error of a terminal, and nowhere else."""

from __future__ import annotations

import sys

import pytest

from autoscaler.cli import progress
from tests.unit.cli import terminals

_SCRIPT = """\
import time
from autoscaler.cli import progress
def slowly():
    for number in range(3):
        time.sleep(0.3)
        yield number
print("sum", sum(progress.along(slowly(), 3, "replays")))
"""


def test_who_waits_on_a_terminal_sees_how_far_it_is() -> None:
    """And at its end the bar is gone and the cursor is back."""
    with terminals.opened(environment={}, program=(sys.executable, "-c", _SCRIPT)) as terminal:
        code = terminal.to_the_end()

    assert 0 == code
    assert b"replays" in terminal.shown
    assert b"1/3" in terminal.shown
    assert b"sum 3" in terminal.shown
    assert terminal.shown.rindex(b"\x1b[?25h") < terminal.shown.index(b"sum 3")


def test_elsewhere_nothing_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    """The results come all the same, one by one."""
    assert [1, 2, 3] == list(progress.along(iter([1, 2, 3]), 3, "replays"))

    assert ("", "") == capfd.readouterr()
