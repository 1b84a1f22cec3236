"""A journal in one SQLite file: files and their rights, pragmas, when a write lock is taken, what its errors mean.

In goes a path, out comes a `Database`. What never happens here: tables, records, a wait longer than `BUSY_S`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import pool

from autoscaler.clock import SystemClock
from autoscaler.journal import backup, file_lease
from autoscaler.journal.contract import JournalAbsent, JournalUnavailable
from autoscaler.journal.database import Database, Manner, Tongue, bring_up_to_date, translated

BUSY_S = 5.0
"""How long a command or the daemon waits for the other's write, which takes milliseconds."""
_CACHE_KIB = 512
"""Pages that a connection keeps. By default it is 2 MB of each, filled over hours; the system keeps the file's pages
as well, and reading a pool's history from there takes no longer."""
_SMALLEST_BYTES = 512
"""No SQLite database is smaller: one page of the smallest size."""
_WRITING = "journal_writing"
_NOW = SystemClock().now

_MEANINGS = (
    ("SQLITE_FULL", "the disk is full"),
    ("SQLITE_READONLY", "it may only be read"),
    ("SQLITE_NOTADB", "it is not an SQLite database"),
    ("SQLITE_CORRUPT", "it is damaged"),
    ("SQLITE_BUSY", f"another program kept it locked for more than {BUSY_S:g} s"),
    (
        "SQLITE_CANTOPEN",
        "it cannot be opened: is it there, and may this user read it and write in its directory?",
    ),
    ("SQLITE_IOERR", "its disk failed, or allows no more"),
    ("SQLITE_PERM", "this user may not open it"),
    ("SQLITE_CONSTRAINT", "a record contradicts those already there"),
)
"""What SQLite's error names mean to an operator; matched by how they start."""


def _explain(error: BaseException | None) -> str:
    name = getattr(error, "sqlite_errorname", "")
    said = next((says for prefix, says in _MEANINGS if name.startswith(prefix)), "")
    return f"{said} ({error})" if said else str(error)


_TONGUE = Tongue(errors=sqlite3.Error, explain=_explain)


def open_sqlite(path: str | None, manner: Manner) -> Database:
    """Open the file, made or migrated if need be; without a path, a journal that ends with its process.

    Raises JournalUnavailable.
    """
    if path in (None, "", ":memory:"):
        return _open_in_memory()
    file = Path(str(path)).absolute()
    with translated(str(file), "open it", _TONGUE):
        if file.is_dir():
            raise JournalUnavailable(f"the journal {file} cannot be opened: it is a directory")
        if not file.exists():
            if not manner.make:
                raise JournalAbsent(str(file))
            _create(file)
        if 0 < file.stat().st_size < _SMALLEST_BYTES:
            # SQLite would take the stump for an empty database, and all that was in it would be forgotten.
            raise JournalUnavailable(
                f"the journal {file} cannot be opened: it was cut off, or is no SQLite database"
            )
        return _open_file(file, manner)


def _open_in_memory() -> Database:
    """For simulations and tests."""
    engine = _engine(sa.create_engine("sqlite://", poolclass=pool.StaticPool, hide_parameters=True))
    database = Database(engine=engine, place="in memory", tongue=_TONGUE, writing={_WRITING: True})
    bring_up_to_date(database, Manner(), _lock_schema)
    return database


def _open_file(file: Path, manner: Manner, *, place: Path | None = None) -> Database:
    """Open a file that is there. `place` is what it is called in messages, where that is not its own name."""
    mode = "ro" if manner.read_only else "rw"  # never `rwc`: a file that vanished must not come back empty

    def connect() -> sqlite3.Connection:
        uri = f"file:{quote(str(file))}?mode={mode}"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)

    engine = _engine(
        sa.create_engine(
            "sqlite://",
            creator=connect,
            poolclass=pool.QueuePool,
            pool_timeout=BUSY_S,
            hide_parameters=True,  # records hold operators' words; errors end up in logs
        )
    )
    named = str(place or file)
    identity = _identity(file)

    def still_there() -> None:
        """Refuse to write into a file that was moved or replaced: after a restart nobody would read it again."""
        if _identity(file) != identity:
            raise JournalUnavailable(f"the journal {named} was moved or replaced while it was open")

    database = Database(
        engine=engine,
        place=named,
        tongue=_TONGUE,
        file=file,
        writing={_WRITING: True},
        before_writing=still_there,
    )
    try:
        if file.stat().st_size == 0 and manner.make and not manner.read_only:
            _write_ahead(file)
        # An empty file is an operator's, who made it with the rights it should have.
        bring_up_to_date(database, manner, _lock_schema, lambda standing: _keep(file, standing, place=named))
        if not manner.read_only:
            _require_whole_nodes(database)
    except BaseException:
        database.close()
        raise
    return database


def _create(file: Path) -> None:
    """Make the journal at once whole: nobody who starts now sees an empty or half-made file at its place."""
    if not file.parent.exists():
        file.parent.mkdir(mode=0o700)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # for its owner only
    os.close(handle)
    draft = Path(name)
    try:
        _open_file(draft, Manner(), place=file).close()
        with suppress(FileExistsError):  # another program was quicker; its journal is as good
            file.hardlink_to(draft)
    finally:
        for leftover in (draft, Path(f"{name}-wal"), Path(f"{name}-shm")):
            leftover.unlink(missing_ok=True)
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # a power cut must not take back the name of a file that knows paid machines
    finally:
        os.close(directory)


def _require_whole_nodes(database: Database) -> None:
    """Refuse a file in which records of nodes are lost: a damaged page can read as an empty one, without an error.

    Only this table and its indices are looked at, which takes milliseconds.
    """
    with database.reading("check its nodes") as connection:
        found = connection.exec_driver_sql("PRAGMA integrity_check(nodes)").scalar()
    if found != "ok":
        raise JournalUnavailable(
            f"the journal {database.place}: its nodes cannot be relied on: it is damaged ({found})"
        )


def _lock_schema(_: sa.Connection) -> None:
    """There is nothing to do: a writer is alone from its beginning."""


def _keep(file: Path, standing: str, *, place: str) -> Path:
    """Before a change of the schema: nobody works with the journal, and there is a copy. Raises LeaseHeld."""
    file_lease.require_free(file)
    with translated(place, "keep a copy before its schema is changed, so nothing was changed", _TONGUE):
        return backup.keep(file, standing, _NOW())


def _write_ahead(file: Path) -> None:
    """Let commands read while the daemon writes. SQLite keeps this mode in the file."""
    connection = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _engine(engine: sa.Engine) -> sa.Engine:
    sa.event.listen(engine, "connect", _on_connect)
    sa.event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions at moments of its own
    connection.execute("PRAGMA synchronous=FULL")  # a committed order outlives a power cut
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")


def _on_begin(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later cannot wait for the lock: SQLite fails it at once. So a writer
    # takes the lock at its start, where it waits its turn.
    writing = connection.get_execution_options().get(_WRITING, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
