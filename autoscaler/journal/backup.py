"""The copy of a journal in a file, kept beside it before its schema is changed: the way back to the release before.

In go the file and the schema it stands at, out comes the copy's path: whole, on disk, looked into, its owner's alone.
Duty of the caller: hold the file's write lock meanwhile, so that nothing is written between the copy and the change.
What never happens here: a change to the journal, a wait without an end, more copies than a few.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from autoscaler.journal import tables
from autoscaler.journal.contract import JournalUnavailable

SCHEMAS_KEPT = 3
"""Nobody goes back further than some releases; each copy is as large as the journal was."""
OF_EACH_KEPT = 2
"""Where a start fails again and again each try makes one: those would fill a disk, or push out older schemas'."""
_BUSY_TRIES = 20
_BUSY_PAUSE_S = 0.25
"""Readers of a journal are never kept out for long; together 5 s, as for every other lock of it."""


def keep(file: Path, standing: str, at: float) -> Path:
    """Copy the journal as it stands at that schema, and let go of the oldest copies.

    Raises OSError, sqlite3.Error or JournalUnavailable; then there is no new copy, and the old ones are all there.
    """
    made = datetime.fromtimestamp(at, UTC)
    kept = file.with_name(f"{file.name}.schema-{standing}-{made:%Y%m%dT%H%M%SZ}.backup")
    draft = file.with_name(f"{file.name}.backup-draft")
    draft.unlink(missing_ok=True)  # of one that was killed
    try:
        # Made before SQLite opens it, which would ask nobody but the umask who may read it.
        os.close(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        _copy(file, draft)
        _require_good(draft, standing)
        _to_disk(draft)
        draft.replace(kept)
    finally:
        draft.unlink(missing_ok=True)
    _to_disk(file.parent)
    for old in _too_many(file):
        old.unlink(missing_ok=True)
    return kept


def copies(file: Path) -> tuple[Path, ...]:
    """The copies beside that journal, those of the oldest schema first, and of each schema the oldest."""
    name = re.compile(rf"{re.escape(file.name)}\.schema-[0-9a-z]+-[0-9TZ]+\.backup")
    return tuple(sorted(path for path in file.parent.iterdir() if name.fullmatch(path.name)))


def _copy(file: Path, draft: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(f"file:{quote(str(draft))}?mode=rw", uri=True)) as target,
    ):
        source.backup(target, sleep=_BUSY_PAUSE_S, progress=_patience())


def _patience() -> Callable[[int, int, int], None]:
    """SQLite's own loop would try for ever."""
    tries = 0

    def look(status: int, _remaining: int, _total: int) -> None:
        nonlocal tries
        tries += status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
        if tries > _BUSY_TRIES:
            raise JournalUnavailable("the journal was kept locked while a copy of it was to be made")

    return look


def _require_good(draft: Path, standing: str) -> None:
    """A copy that nobody ever read is a hope. Immutable: reading leaves no further files beside it."""
    with closing(sqlite3.connect(f"file:{quote(str(draft))}?mode=ro&immutable=1", uri=True)) as copy:
        (found,) = copy.execute(f"SELECT version_num FROM {tables.SCHEMA_TABLE}").fetchone()  # noqa: S608 - ours
        (nodes,) = copy.execute("PRAGMA integrity_check(nodes)").fetchone()
    if (found, nodes) != (standing, "ok"):
        raise JournalUnavailable(f"a copy of the journal was no good: schema {found}, its nodes: {nodes}")


def _too_many(file: Path) -> tuple[Path, ...]:
    groups = [tuple(group) for _, group in groupby(copies(file), key=_schema_of)]
    old = [path for group in groups[:-SCHEMAS_KEPT] for path in group]
    return (*old, *(path for group in groups[-SCHEMAS_KEPT:] for path in group[:-OF_EACH_KEPT]))


def _schema_of(copy: Path) -> str:
    return copy.name.rpartition(".schema-")[2].partition("-")[0]


def _to_disk(path: Path) -> None:
    """A file's content, or a directory's names."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
