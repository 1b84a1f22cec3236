"""The database under the journal, whichever it is: transactions to read or to write, and their troubles in our words.

What only SQLite or only PostgreSQL knows stands in the module of that name, which makes a `Database`. In goes what
they prepared, out come transactions. What never happens here: SQL, tables, a word about one kind of database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy import exc

from autoscaler.journal import schema, tables
from autoscaler.journal.contract import JournalAway, JournalUnavailable, Migration

NO_OPTIONS: Mapping[str, object] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tongue:
    """How one kind of database says that something went wrong."""

    errors: type[Exception]
    """What its driver raises."""
    explain: Callable[[BaseException | None], str]
    """What such an error means to an operator. Never holds a password or a record."""
    is_away: Callable[[BaseException | None], bool] = lambda _error: False
    """Whether it says that the database cannot be reached, which may pass by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """What whoever opens a journal may do to it."""

    read_only: bool = False
    make: bool = True
    """Make it where there is none, and bring an older one up to date: for a daemon. A command would do so under one."""


def nothing() -> None:
    """For databases that have no need to look before they write."""


class Database:
    """An open database. Any thread may use it; each transaction has a connection of its own."""

    def __init__(
        self,
        *,
        engine: sa.Engine,
        place: str,
        tongue: Tongue,
        file: Path | None = None,
        reading: Mapping[str, object] = NO_OPTIONS,
        writing: Mapping[str, object] = NO_OPTIONS,
        before_writing: Callable[[], None] = nothing,
        bounded: Callable[[float | None], AbstractContextManager[None]] | None = None,
    ) -> None:
        """`bounded` is for one that a server keeps: around a transaction, it ends waits for a server that is silent."""
        self._engine = engine
        self._reader = engine.execution_options(**reading)
        self._writer = engine.execution_options(**writing)
        self._tongue = tongue
        self._before_writing = before_writing
        self._bounded = bounded or (lambda _within_s: nullcontext())
        self.place = place
        """What it is called in messages; never holds a password."""
        self.file = file
        """The database's file; None for one in memory or on a server."""
        self.served = bounded is not None
        """Whether a server keeps it, so that programs on several machines may have it open."""
        self.migration: Migration | None = None
        """What opening it did to its schema, where that was another release's."""

    @contextmanager
    def reading(self, doing: str) -> Iterator[sa.Connection]:
        """One consistent look. `doing` completes "cannot …" in the message of a JournalUnavailable."""
        with (
            translated(self.place, doing, self._tongue),
            self._bounded(None),
            self._reader.connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def writing(self, doing: str, *, within_s: float | None = None) -> Iterator[sa.Connection]:
        """One transaction: whole on disk afterwards, or JournalUnavailable. A server may take `within_s` for it, else
        as long as for any."""
        with (
            translated(self.place, doing, self._tongue),
            self._bounded(within_s),
            self._writer.connect() as connection,
            connection.begin(),
        ):
            self._before_writing()
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()


MIGRATION_S = 600.0
"""What a migration may take on a server: an index over millions of rows takes some seconds a million."""


def bring_up_to_date(
    database: Database,
    manner: Manner,
    lock: Callable[[sa.Connection], None],
    keep: Callable[[str], Path] | None = None,
) -> None:
    """Make or migrate the journal, if need be and allowed. `lock` keeps others from it until the transaction ends;
    `keep` makes a copy of one that is to be migrated, or raises, and then it is not."""
    with database.reading("read its schema") as connection:
        if manner.read_only or not manner.make:
            schema.require_current(connection, place=database.place)
            return
        if schema.is_current(connection, place=database.place):
            return
    kept: list[Path] = []
    with database.writing("bring its schema up to date", within_s=MIGRATION_S) as connection:
        lock(connection)
        before = schema.upgrade(
            connection, place=database.place, first=lambda old: kept.extend([keep(old)] if keep else [])
        )
    if before is not None:
        database.migration = Migration(before=before, after=tables.SCHEMA, backup=next(iter(kept), None))


@contextmanager
def translated(place: str, doing: str, tongue: Tongue) -> Iterator[None]:
    """The one place where other people's errors become ours. Records that cannot be written are among them."""
    try:
        yield
    except (exc.DBAPIError, tongue.errors) as error:
        theirs = error.orig if isinstance(error, exc.DBAPIError) else error
        kind = JournalAway if tongue.is_away(theirs) else JournalUnavailable
        raise kind(f"the journal {place}: cannot {doing}: {tongue.explain(theirs)}") from error
    except TimeoutError as error:
        raise JournalAway(f"the journal {place}: cannot {doing}: {error}") from error
    except (exc.SQLAlchemyError, OSError, ValueError, TypeError, OverflowError) as error:
        raise JournalUnavailable(f"the journal {place}: cannot {doing}: {error}") from error
