"""What a run that was killed left running on this computer, found by what runs and not by memory, and ended.

The kernel ends its machines and its daemon with it; the broker has its home in the run's directory. What never happens
here: the end of a process that bears none of the run's marks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

_ROUNDS = 20
_ROUND_S = 0.5


def end(directory: Path, *, mark: str) -> int:
    """End, by force, what bears this directory in the variable `mark` or has its home there. Says how many it was."""
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = list(_processes(directory, mark))
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        ended.update(process.pid for process in found)
        psutil.wait_procs(found, timeout=_ROUND_S)
    return len(ended)


def _processes(directory: Path, mark: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            environment = process.environ()
            home = environment.get("HOME", "")
            if environment.get(mark) == str(directory) or Path(home).is_relative_to(directory):
                yield process
