"""One daemon a journal: what its lease is to those who hold it, and the row that says who does.

Each claim writes a row with the next epoch; the newest row is the truth, and every commit checks it in its own
transaction. What keeps two from claiming at once differs: `file_lease` has the kernel's lock, `timed_lease` a server's
and a time to wait. What never happens here: a clock, a choice between daemons.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import sqlalchemy as sa
from pydantic import TypeAdapter

from autoscaler.journal import codec, schema, tables
from autoscaler.journal.contract import LeaseHolder, LeaseLost
from autoscaler.journal.database import Database


class Lease(Protocol):
    """The right to work with one journal, from a claim until `release`, a loss, or the end of the process."""

    @property
    def holder(self) -> LeaseHolder: ...

    def confirming(self) -> AbstractContextManager[None]:
        """Around a transaction that calls `require`: when it ends well, the lease was ours when it began."""
        ...

    def require(self, connection: sa.Connection) -> None:
        """Raise LeaseLost unless the lease is ours; until this transaction ends nobody can take it."""
        ...

    def renew(self, database: Database) -> None:
        """Say that we live. Raises LeaseLost, JournalUnavailable."""
        ...

    def is_sure(self) -> bool:
        """Whether nobody else can hold it at this instant. Asks no database: true means true."""
        ...

    def release(self, database: Database) -> None:
        """Give it back. Raises JournalUnavailable when the row cannot be written; it is no longer used all the same."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """A row of the lease's table. The last two are None where the kernel's lock excludes others."""

    owner: str
    epoch: int
    since_at: float
    released: bool
    renewed_at: float | None = None
    term_s: float | None = None

    @property
    def holder(self) -> LeaseHolder:
        return LeaseHolder(owner=self.owner, epoch=self.epoch, since_at=self.since_at)


_ROW = TypeAdapter(LeaseRow)


def newest(connection: sa.Connection) -> LeaseRow | None:
    """The last claim there was. Raises JournalUnavailable for a row that is damaged."""
    query = sa.select(tables.lease).order_by(tables.lease.c.epoch.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else codec.read_row(_ROW, row, table="lease", key=row["epoch"])


def read_holder(connection: sa.Connection) -> LeaseHolder | None:
    """Who holds the lease, by its row; None when nobody does."""
    row = newest(connection)
    return None if row is None or row.released else row.holder


def require_newest(connection: sa.Connection, mine: LeaseHolder) -> None:
    """Raise LeaseLost when somebody took the lease after us, or changed the tables that we know how to write."""
    schema.require_unchanged(connection)
    row = newest(connection)
    # By the whole row, not by its number alone: a server that came back older than it was counts up to ours again.
    if row is None or row.released or row.holder != mine:
        by = "its row is gone" if row is None else f"{row.owner} took it over"
        raise LeaseLost(f"the lease of {mine.owner} on the journal is lost: {by}")


def give_back(connection: sa.Connection, mine: LeaseHolder) -> None:
    """Mark our row as released."""
    connection.execute(sa.update(tables.lease).where(is_row_of(mine)).values(released=True))


def is_row_of(mine: LeaseHolder) -> sa.ColumnElement[bool]:
    """The condition that finds our row, and never one that another wrote under the same number."""
    row = tables.lease.c
    return sa.and_(row.epoch == mine.epoch, row.owner == mine.owner, row.since_at == mine.since_at)
