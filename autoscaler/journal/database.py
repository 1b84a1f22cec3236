"""The database under the journal: opened, one transaction to read or write, every trouble as JournalUnavailable.

All that only SQLite knows stands here: files and their rights, pragmas, when a write lock is taken, what its errors
mean. In goes a URL, out come transactions. What never happens here: tables, records, a wait longer than `BUSY_S`.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc, pool

from autoscaler.journal import schema
from autoscaler.journal.contract import JournalUnavailable

BUSY_S = 5.0
"""How long a command or the daemon waits for the other's write, which takes milliseconds."""
_SMALLEST_BYTES = 512
"""No SQLite database is smaller: one page of the smallest size."""
_WRITING = "journal_writing"

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


class Database:
    """An open database. Any thread may use it; each transaction has a connection of its own."""

    def __init__(self, engine: sa.Engine, *, place: str, file: Path | None) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITING: True})
        self._file = file
        self._identity = None if file is None else _identity(file)
        self.place = place
        """What it is called in messages; never holds a password."""

    @property
    def file(self) -> Path | None:
        """The database's file; None for one in memory."""
        return self._file

    @contextmanager
    def reading(self, doing: str) -> Iterator[sa.Connection]:
        """One consistent look. `doing` completes "cannot …" in the message of a JournalUnavailable."""
        with _translated(self.place, doing), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def writing(self, doing: str) -> Iterator[sa.Connection]:
        """One transaction with the write lock from its start: whole on disk afterwards, or JournalUnavailable."""
        with _translated(self.place, doing), self._writer.connect() as connection, connection.begin():
            self._still_there()
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _still_there(self) -> None:
        """Refuse to write into a file that was moved or replaced: after a restart nobody would read it again."""
        if self._file is not None and _identity(self._file) != self._identity:
            raise JournalUnavailable(f"the journal {self.place} was moved or replaced while it was open")


def open_database(url: str, *, read_only: bool) -> Database:
    """Open a journal's database at today's schema, made or migrated if need be. Raises JournalUnavailable."""
    try:
        parsed = sa.make_url(url)
    except exc.ArgumentError:
        raise JournalUnavailable("the journal's url cannot be understood: expected sqlite:///PATH") from None
    if parsed.get_backend_name() != "sqlite":
        raise JournalUnavailable(
            f"a journal in {parsed.get_backend_name()} is not supported by this release: expected sqlite:///PATH"
        )
    if parsed.database in (None, "", ":memory:"):
        return _open_in_memory()
    file = Path(str(parsed.database)).absolute()
    with _translated(str(file), "open it"):
        if file.is_dir():
            raise JournalUnavailable(f"the journal {file} cannot be opened: it is a directory")
        if not file.exists():
            if read_only:
                raise JournalUnavailable(f"there is no journal at {file} yet")
            _create(file)
        if 0 < file.stat().st_size < _SMALLEST_BYTES:
            # SQLite would take the stump for an empty database, and all that was in it would be forgotten.
            raise JournalUnavailable(
                f"the journal {file} cannot be opened: it was cut off, or is no SQLite database"
            )
        return _open_file(file, read_only=read_only)


def _open_in_memory() -> Database:
    """A journal that ends with its process, for simulations and tests."""
    engine = _engine(sa.create_engine("sqlite://", poolclass=pool.StaticPool, hide_parameters=True))
    database = Database(engine, place="in memory", file=None)
    _bring_up_to_date(database)
    return database


def _open_file(file: Path, *, read_only: bool, place: Path | None = None) -> Database:
    """Open a file that is there. `place` is what it is called in messages, where that is not its own name."""
    mode = "ro" if read_only else "rw"  # never `rwc`: a file that vanished must not come back empty

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
    database = Database(engine, place=str(place or file), file=file)
    try:
        if read_only:
            with database.reading("read its schema") as connection:
                schema.require_current(connection, place=database.place)
        else:
            _bring_up_to_date(database)
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
        _open_file(draft, read_only=False, place=file).close()
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


def _bring_up_to_date(database: Database) -> None:
    with database.reading("read its schema") as connection:
        if schema.is_current(connection, place=database.place):
            return
    if database.file is not None:
        _write_ahead(database.file)
    with database.writing("bring its schema up to date") as connection:
        schema.upgrade(connection, place=database.place)


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


@contextmanager
def _translated(place: str, doing: str) -> Iterator[None]:
    """The one place where other people's errors become ours. Records that cannot be written are among them."""
    try:
        yield
    except exc.DBAPIError as error:
        raise JournalUnavailable(f"the journal {place}: cannot {doing}: {_meaning(error.orig)}") from error
    except sqlite3.Error as error:
        raise JournalUnavailable(f"the journal {place}: cannot {doing}: {_meaning(error)}") from error
    except (exc.SQLAlchemyError, OSError, ValueError, TypeError, OverflowError) as error:
        raise JournalUnavailable(f"the journal {place}: cannot {doing}: {error}") from error


def _meaning(error: BaseException | None) -> str:
    name = getattr(error, "sqlite_errorname", "")
    said = next((says for prefix, says in _MEANINGS if name.startswith(prefix)), "")
    return f"{said} ({error})" if said else str(error)
