"""Files that commands write: beside their place, which they take when all is there.

So nobody ever reads half a file, and one that cannot be written is told before anything was computed for it. A database
is never written over: it may be a journal, which knows what is paid. What never happens here: a look at what is
written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from autoscaler.cli import exits

_DATABASE = b"SQLite format 3\0"
"""How each begins (https://www.sqlite.org/fileformat.html, 1.3.1)."""


@contextmanager
def placed(path: Path, expected: str) -> Iterator[BinaryIO]:
    """A file that takes its place at the end of the block, if that ends well; `expected` names what it will be.

    Raises CommandFailed where it cannot be written.
    """
    with _told(path):
        place = path.resolve()
        if place.exists() and not place.is_file():
            raise exits.CommandFailed(f"{path} is no ordinary file; expected a name for {expected}.")
        if is_database(place):
            raise exits.CommandFailed(
                f"{path} is a database, perhaps a journal; expected a name for {expected}."
            )
        beside = place.with_name(f".{place.name[:200]}.{os.getpid()}")
        file = beside.open("xb")
        try:
            with file:
                yield file
            beside.replace(place)
        finally:
            with suppress(OSError):
                beside.unlink()


def is_database(path: Path) -> bool:
    """Whether there is one by that name. Raises OSError where that cannot be seen."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_DATABASE)) == _DATABASE


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise exits.CommandFailed(f"{path} cannot be written: {error.strerror}. {exits.ELSEWHERE}") from error
    except RuntimeError as error:
        if "Symlink loop" not in str(error):
            raise
        raise exits.CommandFailed(
            f"{path} cannot be written: its links lead in a circle. {exits.ELSEWHERE}"
        ) from error
