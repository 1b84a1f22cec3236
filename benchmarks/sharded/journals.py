"""The journal of each fleet and the lease on it, on virtual time: PostgreSQL with the production lease, or in memory.

A `Shelf` keeps one fleet's journal; a daemon opens it for a `Seat`, claims the lease, renews it, and loses it. On the
server all fleets have one database, and a schema each. What never happens here: a wait, or a look at a real clock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import sqlalchemy as sa

from autoscaler.journal import Journal, JournalUnavailable, LeaseHeld, LeaseTerms, TickRecord
from autoscaler.journal.database import Database, Manner
from autoscaler.journal.opening import open_database
from autoscaler.loop import Journal as Read
from autoscaler.simulate.ledger import Ledger, LedgerOfOne

_SURE_OF_TERM = 0.75
"""As the production lease has it."""


class Seat(Protocol):
    """One daemon's place at its fleet's journal."""

    @property
    def journal(self) -> Read: ...

    def claim(self) -> bool:
        """Whether the lease is ours now."""
        ...

    def renew(self) -> None:
        """Raises JournalUnavailable where it is lost."""
        ...

    def may_act(self) -> bool: ...

    def leave(self) -> None:
        """The process is gone, and gives nothing back."""
        ...


class Shelf(Protocol):
    """Where one fleet's journal is kept."""

    def fill(self, record: TickRecord) -> None:
        """The machines that are there from the start."""
        ...

    def sit(self, owner: str) -> Seat: ...


class ServedShelf:
    """A schema of its own in a database that a PostgreSQL server keeps."""

    def __init__(self, url: str, elapsed: Callable[[], float], terms: LeaseTerms) -> None:
        self._url = url
        self._elapsed = elapsed
        self._terms = terms

    def fill(self, record: TickRecord) -> None:
        """Before there is a lease."""
        database = self._open()
        Journal(database, elapsed=self._elapsed).commit(record)
        database.close()

    def sit(self, owner: str) -> ServedSeat:
        """A connection to it."""
        return ServedSeat(self._open(), owner, self._elapsed, self._terms)

    def _open(self) -> Database:
        return open_database(self._url, password=None, manner=Manner())


class ServedSeat:
    """The production journal, and its lease that is renewed."""

    def __init__(
        self, database: Database, owner: str, elapsed: Callable[[], float], terms: LeaseTerms
    ) -> None:
        self._database = database
        self._owner = owner
        self._terms = terms
        self.journal = Journal(database, elapsed=elapsed)
        self.renew = self.journal.renew
        self.may_act = self.journal.may_act

    def claim(self) -> bool:
        """As one who stands by looks at it."""
        with suppress(LeaseHeld):
            self.journal.claim(self._owner, self._terms)
            return True
        return False

    def leave(self) -> None:
        """Its connections are cut; the row of its lease stays."""
        self._database.close()


def schemas(url: str, names: list[str]) -> list[str]:
    """Make these schemas in that database, and say how each is reached."""
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for name in names:
            connection.execute(sa.text(f'CREATE SCHEMA "{name}"'))
    engine.dispose()
    return [f"{url}?options=-c%20search_path%3D{name}" for name in names]


class PlayedShelf:
    """A ledger in memory, and a lease that is played: it runs out like the production one."""

    def __init__(self, elapsed: Callable[[], float], terms: LeaseTerms, *, guarded: bool = True) -> None:
        """Without `guarded` there is no lease at all, which is a rule broken on purpose."""
        self._ledger = Ledger()
        self.elapsed = elapsed
        self.term_s = terms.term_s
        self.guarded = guarded
        self.holder: PlayedSeat | None = None
        self.renewed_on = 0.0

    def fill(self, record: TickRecord) -> None:
        """Before there is a lease."""
        self._ledger.claim().commit(record)

    def sit(self, owner: str) -> PlayedSeat:
        """A place beside it."""
        del owner
        return PlayedSeat(self)

    def take(self, seat: PlayedSeat) -> LedgerOfOne | None:
        """The ledger for a new holder, where nobody has renewed the lease for its term."""
        if self.holder is not None and self.elapsed() - self.renewed_on <= self.term_s:
            return None
        self.holder, self.renewed_on = seat, self.elapsed()
        mine = self._ledger.claim()
        return mine if self.guarded else _Unguarded(self._ledger, self._ledger.epoch)


class _Unguarded(LedgerOfOne):
    """A ledger that asks for no lease."""

    def require_lease(self) -> None:
        """Nobody is refused."""


class PlayedSeat:
    """A daemon's place at a ledger in memory."""

    def __init__(self, shelf: PlayedShelf) -> None:
        self._shelf = shelf
        self._mine: LedgerOfOne | None = None
        self._confirmed_on = 0.0

    @property
    def journal(self) -> Read:
        """What the loop reads and writes."""
        assert self._mine is not None
        return self._mine

    def claim(self) -> bool:
        """As one who stands by looks at it."""
        if self._mine is None:
            self._mine = self._shelf.take(self)
            self._confirmed_on = self._shelf.elapsed()
        return self._mine is not None

    def renew(self) -> None:
        """Raises JournalUnavailable where it is lost."""
        if self._shelf.holder is not self:
            if not self._shelf.guarded:
                return
            raise JournalUnavailable("another daemon has the lease")
        self._shelf.renewed_on = self._confirmed_on = self._shelf.elapsed()

    def may_act(self) -> bool:
        """Whether it is surely ours, by our own clock."""
        since_s = self._shelf.elapsed() - self._confirmed_on
        return not self._shelf.guarded or since_s < self._shelf.term_s * _SURE_OF_TERM

    def leave(self) -> None:
        """Nothing is held open."""
