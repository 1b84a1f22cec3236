"""The lease of a journal on a server: renewed while its holder lives, taken over when it was not renewed for its term.

A server cannot tell a daemon that died from one that was stopped or cut off, so nobody takes the lease before the
holder, who measures the same time from before each renewal, has ceased to be sure of it. Both measure on clocks of
their own that no correction steps and no sleep of the machine stops; the server's clock is only written down.
What never happens here: a wait, or trust in two clocks that agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from autoscaler.journal import lease, schema, tables
from autoscaler.journal.contract import LeaseHeld, LeaseHolder, LeaseLost, LeaseTerms
from autoscaler.journal.database import Database
from autoscaler.journal.lease import LeaseRow

Elapsed = Callable[[], float]
"""Seconds that never step back or forth, and go on while the machine sleeps."""

_SURE_OF_TERM = 0.75
"""The share of its term for which a holder trusts its last renewal. The rest is for the way from its last look at this
to the other end of a call, and for clocks that do not run quite alike."""

_now = sa.extract("epoch", sa.func.clock_timestamp()).cast(sa.Double)


class TimedLease:
    """A `lease.Lease` with an end, unless it is renewed. Any thread may use it."""

    def __init__(self, holder: LeaseHolder, terms: LeaseTerms, elapsed: Elapsed, *, asked_on: float) -> None:
        self._holder = holder
        self._terms = terms
        self._elapsed = elapsed
        self._confirmed_on = asked_on
        self._lost = False

    @property
    def holder(self) -> LeaseHolder:
        return self._holder

    @contextmanager
    def confirming(self) -> Iterator[None]:
        # Measured before the server is asked: what it answers was true some time after that.
        asked_on = self._elapsed()
        yield
        self._confirmed_on = max(self._confirmed_on, asked_on)

    def require(self, connection: sa.Connection) -> None:
        # Writing our row takes a lock on its table that a claim waits for; what is read after it stays true.
        mine = lease.is_row_of(self._holder)
        renewed = connection.execute(sa.update(tables.lease).where(mine).values(renewed_at=_now)).rowcount
        try:
            lease.require_newest(connection, self._holder)
            if renewed != 1:
                # What others watch did not move: to them we are silent, and soon another leads.
                raise LeaseLost(
                    f"the lease of {self._holder.owner} on the journal is lost: its row cannot be found"
                )
        except LeaseLost:
            self._lost = True
            raise

    def renew(self, database: Database) -> None:
        with self.confirming(), database.writing("renew the lease") as connection:
            self.require(connection)

    def is_sure(self) -> bool:
        since_s = self._elapsed() - self._confirmed_on
        return not self._lost and 0.0 <= since_s < self._terms.term_s * _SURE_OF_TERM

    def release(self, database: Database) -> None:
        self._lost = True
        with database.writing("give back the lease") as connection:
            lease.give_back(connection, self._holder)


class Watch:
    """What one who stands by saw of the lease: since when, by its own clock, nobody renewed it."""

    def __init__(self, elapsed: Elapsed) -> None:
        self._elapsed = elapsed
        self._mark: tuple[int, float | None] | None = None
        self._since_on = 0.0

    def has_run_out(self, row: LeaseRow) -> bool:
        """Whether the lease was seen unchanged for its own term. A look that fails must be told to `forget`."""
        mark = row.epoch, row.renewed_at
        if mark != self._mark:
            self._mark, self._since_on = mark, self._elapsed()
        return row.term_s is None or self._elapsed() - self._since_on > row.term_s

    def forget(self) -> None:
        """We could not look. Whoever holds the lease may not have been able to renew it either."""
        self._mark = None


def claim(database: Database, owner: str, terms: LeaseTerms, watch: Watch, elapsed: Elapsed) -> TimedLease:
    """Take the lease if it was given back or has run out, else raise LeaseHeld. Raises JournalUnavailable.

    One who has stood by since before the tables were changed would lead and never write: SchemaChanged.
    """
    try:
        with database.reading("read who holds its lease") as connection:
            _require_free(lease.newest(connection), watch, database.place)
        asked_on = elapsed()
        with database.writing("take the lease") as connection:
            # Waits for the holder's commit, if one is under way, and keeps out other claims; only then it is read.
            connection.execute(sa.text(f"LOCK TABLE {tables.lease.name} IN SHARE ROW EXCLUSIVE MODE"))
            schema.require_unchanged(connection)
            last = lease.newest(connection)
            _require_free(last, watch, database.place)
            holder = _write_holder(connection, owner, epoch=last.epoch + 1 if last else 1, terms=terms)
    except LeaseHeld:
        raise
    except BaseException:
        watch.forget()
        raise
    return TimedLease(holder, terms, elapsed, asked_on=asked_on)


def _require_free(row: LeaseRow | None, watch: Watch, place: str) -> None:
    if row is not None and not row.released and not watch.has_run_out(row):
        raise LeaseHeld(row.owner, row.since_at, place=place)


def _write_holder(connection: sa.Connection, owner: str, *, epoch: int, terms: LeaseTerms) -> LeaseHolder:
    row = sa.insert(tables.lease).values(
        owner=owner, epoch=epoch, since_at=_now, released=False, renewed_at=_now, term_s=terms.term_s
    )
    connection.execute(row)
    written = lease.newest(connection)
    assert written is not None
    return written.holder
