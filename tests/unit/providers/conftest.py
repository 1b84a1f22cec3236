"""Gives a test an account of its own on this computer, and ends whatever it leaves running."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from providers.local import processes
from tests.unit.providers.local_account import Here


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Here]:
    account = Here(tmp_path / "machines")
    account.directory.mkdir()
    yield account
    while left := [each for running in processes.machines(account.fleet).values() for each in running]:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1.0)
