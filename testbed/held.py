"""A directory that belongs to one process until it ends, and what a former one left in it.

In goes a path, out comes the hold, a descriptor that the kernel lets go with the process, however it ends. What never
happens here: anything is started or ended, or taken away that was not named.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable
from pathlib import Path


class Taken(Exception):
    """Another process holds the directory: `holder`, its id as far as it said so."""

    def __init__(self, directory: Path, holder: str) -> None:
        super().__init__(f"{directory} is held by process {holder}")
        self.holder = holder


def take(directory: Path) -> int:
    """Make the directory, where it is not there, and hold it. Raises Taken, OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.read(lock, 20).decode(errors="replace").strip() or "unknown"
        os.close(lock)
        raise Taken(directory, holder) from error
    os.truncate(lock, 0)
    os.write(lock, f"{os.getpid()}\n".encode())
    return lock


def clear(directory: Path, *, folders: Iterable[str], files: Iterable[str]) -> None:
    """Take away what a former run left: folders by name, files by pattern. Its processes must have ended. Raises
    OSError."""
    for name in folders:
        shutil.rmtree(directory / name, ignore_errors=True)
    for pattern in files:
        for file in directory.glob(pattern):
            file.unlink()
