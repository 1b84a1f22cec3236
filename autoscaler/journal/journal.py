"""What the daemon remembers: the records it wakes up with, and one commit a tick, before anything is dispatched.

In go `TickRecord`s, out come nodes, memory, orders, wishes and past decisions. Every trouble is JournalUnavailable.
What never happens here: a choice, a clock, a record that is half written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from types import MappingProxyType

import sqlalchemy as sa

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Order, OrderAnswer, PoolName, PoolWish
from autoscaler.journal import codec, committing, file_lease, tables, timed_lease
from autoscaler.journal.contract import JournalUnavailable, LeaseHolder, LeaseTerms, Migration, TickRecord
from autoscaler.journal.database import Database, Manner
from autoscaler.journal.lease import Lease
from autoscaler.journal.opening import open_database
from autoscaler.journal.timed_lease import Elapsed, Watch
from policies.contract import Past
from policies.prospect import Slice

PURGE_ROWS = 5_000
"""Rows of one table that one purge takes: some milliseconds of the write lock, and more than an hour of ticks adds."""

LOGS_KEPT = 500
"""Ends of logs of failed boots: at 16 kB each no journal grows by more than 8 MB for them."""

_BOOTTIME = SystemClock().boottime


def open_journal(
    url: str, *, password: str | None = None, read_only: bool = False, make: bool = True
) -> Journal:
    """Open the journal at `sqlite:///PATH` (or `sqlite://`, in memory) or `postgresql+psycopg://USER@HOST/DATABASE`.

    It is made if there is none, and migrated if need be; if `read_only` or not `make`, neither is done, and it raises
    JournalAbsent or JournalUnavailable instead. A new file is its owner's alone (0600), as is its directory if that is
    missing too. Several processes may hold one journal open. Raises JournalUnavailable.
    """
    manner = Manner(read_only=read_only, make=make and not read_only)
    return Journal(open_database(url, password=password, manner=manner))


class Journal:
    """An open journal. Any thread may read and renew the lease; one thread commits.

    `elapsed` measures the lease's times: seconds that never step, and go on while the machine sleeps.
    """

    def __init__(self, database: Database, *, elapsed: Elapsed = _BOOTTIME) -> None:
        self._database = database
        self._elapsed = elapsed
        self._watch = Watch(elapsed)
        self._lease: Lease | None = None
        self._known: dict[tuple[object, ...], Node] = {}
        """Rows of live nodes as they were read last, and what they hold: most are the same at the next tick."""
        self._committed: tuple[str, Memory] | None = None
        """The memory that we wrote last, as a document too."""

    @property
    def place(self) -> str:
        """What it is called in messages: a file, or a database and its server."""
        return self._database.place

    @property
    def served(self) -> bool:
        """Whether a server keeps it: then a daemon may stand by until the lease is free."""
        return self._database.served

    @property
    def migration(self) -> Migration | None:
        """What opening it did to its schema, where that was another release's."""
        return self._database.migration

    def reading(self, doing: str) -> AbstractContextManager[sa.Connection]:
        """One consistent look, for the journal's own readers."""
        return self._database.reading(doing)

    def writing(self, doing: str) -> AbstractContextManager[sa.Connection]:
        """One transaction, for those who give orders."""
        return self._database.writing(doing)

    def claim(self, owner: str, terms: LeaseTerms | None = None) -> LeaseHolder:
        """Become the one daemon of this journal. Raises LeaseHeld, JournalUnavailable.

        In a file the lease lasts for the life of the process, or until `release`. On a server it is to be renewed
        within its terms; there, a lease whose holder died is free once calls of this have seen it unrenewed for so
        long as its holder said.
        """
        if self._lease is None:
            if self._database.served:
                self._lease = timed_lease.claim(
                    self._database, owner, terms or LeaseTerms(), self._watch, self._elapsed
                )
            else:
                self._lease = file_lease.claim(self._database, owner)
        return self._lease.holder

    def renew(self) -> None:
        """Say that the holder of the lease lives. Raises LeaseLost, JournalUnavailable."""
        if self._lease is not None:
            self._lease.renew(self._database)

    def led(self) -> LeaseHolder | None:
        """Who leads, if that is we: no record changes but by our own commits, until another takes the lease."""
        return None if self._lease is None else self._lease.holder

    def may_act(self) -> bool:
        """Whether the lease is surely ours at this instant. Asks nobody and never waits."""
        return self._lease is not None and self._lease.is_sure()

    def release(self) -> None:
        """Give back the lease, if it is ours."""
        if self._lease is not None:
            mine, self._lease = self._lease, None
            mine.release(self._database)

    def close(self) -> None:
        """Give back the lease, if that can be written down, and let go of the database."""
        try:
            # One that cannot be given back is free all the same once the process has ended, or its term.
            with suppress(JournalUnavailable):
                self.release()
        finally:
            self._database.close()

    def live_nodes(self) -> tuple[Node, ...]:
        """Every record that is not GONE, by name."""
        # A state that is missing from a damaged row is not GONE: the row is read, and stops the tick by its name.
        live = tables.nodes.c.state.is_distinct_from(NodeState.GONE.value)
        query = sa.select(tables.nodes).where(live)
        with self.reading("read the nodes") as connection:
            found = connection.execute(query)
            # Names of all rows at once, and all rows at once: a mapping of each would cost as much as reading it.
            names, rows = tuple(found.keys()), found.all()
            known, before = {}, self._known
            for row in map(tuple, rows):
                node = before.get(row)
                known[row] = codec.read_node(dict(zip(names, row, strict=True))) if node is None else node
        self._known = known
        # Sorted here: databases differ in what comes first, `a-b` or `ab`.
        return tuple(sorted(known.values(), key=lambda node: node.name))

    def memory(self) -> Memory:
        """What the last tick handed to the next; empty before the first."""
        with self.reading("read the memory") as connection:
            document = connection.execute(sa.select(tables.memory.c.document)).scalar()
        if document is None:
            return Memory()
        written = self._committed
        same = (
            written is not None and written[0] == document and "NaN" not in document
        )  # which reading refuses
        return written[1] if written is not None and same else codec.read_memory(document)

    def waiting_orders(self) -> tuple[Order, ...]:
        """Orders without an answer, oldest first."""
        orders = tables.orders
        query = sa.select(orders).where(orders.c.answered_at.is_(None)).order_by(orders.c.number)
        with self.reading("read the orders") as connection:
            return tuple(codec.read_order(row).order for row in connection.execute(query).mappings())

    def wishes(self) -> Mapping[PoolName, PoolWish]:
        """The operators' standing word on each pool that has one."""
        with self.reading("read the wishes") as connection:
            rows = connection.execute(sa.select(tables.wishes)).mappings()
            wishes = [codec.read_row(codec.WISH, row, table="wishes", key=row["pool"]) for row in rows]
        return MappingProxyType({wish.pool: wish for wish in wishes})

    def past(self, since_at: float) -> Mapping[PoolName, tuple[Past, ...]]:
        """Earlier decisions of each pool since then, oldest first, begun by the one that still stood at that time."""
        table = tables.decisions.c
        wanted = table.pool, table.at, table.recommended, table.wanted, table.workers, table.number
        before = _standing_before(since_at).subquery()
        query = sa.union_all(
            sa.select(*wanted).where(table.at >= since_at),
            sa.select(*wanted).where(table.number.in_(sa.select(before.c.number))),
        ).order_by("at", "number")
        found: dict[PoolName, list[Past]] = {}
        with self.reading("read the past decisions") as connection:
            for row in connection.execute(query).mappings():
                past = {name: row[name] for name in codec.PAST_FIELDS}
                of_pool = found.setdefault(PoolName(row["pool"]), [])
                of_pool.append(
                    codec.read_row(codec.PAST, past, table="decisions", key=f"{row['pool']} at {row['at']}")
                )
        return MappingProxyType({pool: tuple(of_pool) for pool, of_pool in found.items()})

    def slices(self, pool: PoolName, since_at: float, before_at: float) -> tuple[Slice, ...]:
        """What came to a pool in each slice that began in that time, the end excluded, oldest first.

        A damaged row is left out: a slice that is not known is no reason to stop.
        """
        table = tables.slices.c
        query = sa.select(table.since_at, table.arrived, table.looked_s)
        query = query.where(table.pool == pool, table.since_at >= since_at, table.since_at < before_at)
        query = query.order_by(table.since_at, table.number)
        with self.reading("read the slices of its past") as connection:
            rows = [dict(row) for row in connection.execute(query).mappings()]
        found = []
        for row in rows:
            with suppress(JournalUnavailable):
                found.append(codec.read_row(codec.SLICE, row, table="slices", key=row["since_at"]))
        return tuple(found)

    def commit(self, record: TickRecord) -> None:
        """Write one tick: whole on disk when this returns. Raises JournalUnavailable, of which LeaseLost is one, also
        for a journal that another release has migrated since it was opened.

        Then nothing was written; only when a server went away in the middle it cannot be known, and a look will tell.
        Duty of the caller: dispatch nothing that stands in a record whose commit failed.
        """
        with self._confirming(), self.writing("write down the tick") as connection:
            # Before the first statement: a server ends a transaction that it waits for, and rows of ten thousand
            # nodes take a busy machine a second or two.
            rows = committing.rows(record)
            if self._lease is not None:
                self._lease.require(connection)
            committing.write(connection, record, rows)
        self._committed = rows.memory, record.memory

    def answer(self, answers: tuple[OrderAnswer, ...], at: float) -> None:
        """Answer orders that are about no node and no pool, between two ticks. Raises as `commit` does."""
        with self._confirming(), self.writing("answer an order") as connection:
            if self._lease is not None:
                self._lease.require(connection)
            committing.answer(connection, answers, at)

    def _confirming(self) -> AbstractContextManager[None]:
        return nullcontext() if self._lease is None else self._lease.confirming()

    def purge(self, before_at: float, *, slices_before_at: float | None = None) -> int:
        """Forget what ended before then: GONE nodes, their moves and boots, decisions, samples, answered orders; slices
        that began before their own time, for they are few and what is learned of them needs weeks.

        Takes at most `PURGE_ROWS` of each, and returns how many rows went: call again while it is not 0.
        """
        gone = 0
        for selection in _purgeable(before_at, before_at if slices_before_at is None else slices_before_at):
            with self.writing("forget old records") as connection:
                table = selection.selected_columns[0].table
                assert isinstance(table, sa.Table)
                key = table.primary_key.columns[0]
                keys = selection.limit(
                    PURGE_ROWS
                )  # in no order: sorted by key a database would read all of it
                gone += connection.execute(sa.delete(table).where(key.in_(keys))).rowcount
        with self.writing("forget old logs") as connection:
            _forget_logs(connection)
        return gone


def _standing_before(since_at: float) -> sa.Select[tuple[int | None]]:
    """The number of the last decision of each pool that was written with an instant before that one.

    A look into the index for each pool, not one over all that there ever was. By number and not by instant, as the wall
    clock may have been set; so the instant is made a term that no index serves, or a database would sort by it.
    """
    decisions, pools = tables.decisions.c, tables.standing.c
    last = (
        sa.select(decisions.number)
        .where(decisions.pool == pools.pool, decisions.at + 0.0 < since_at)
        .order_by(decisions.number.desc())
        .limit(1)
        .correlate(tables.standing)
        .scalar_subquery()
    )
    return sa.select(last.label("number")).select_from(tables.standing)


def _forget_logs(connection: sa.Connection) -> None:
    """However fast machines fail, logs of the last ones only are kept: the reasons stand in their records."""
    table = tables.boots
    with_log = sa.select(table.c.at).where(table.c.log.is_not(None))
    oldest_at = connection.execute(with_log.order_by(table.c.at.desc()).offset(LOGS_KEPT).limit(1)).scalar()
    if oldest_at is not None:
        connection.execute(sa.update(table).where(table.c.at <= oldest_at).values(log=None))


def _purgeable(before_at: float, slices_before_at: float) -> Iterator[sa.Select[tuple[object]]]:
    nodes, transitions, orders, leases = tables.nodes.c, tables.transitions.c, tables.orders.c, tables.lease.c
    live = sa.select(nodes.name).where(nodes.state != NodeState.GONE.value)
    newest = sa.select(sa.func.max(leases.epoch)).scalar_subquery()
    decisions = tables.decisions.c
    # However long it stands already: windows that begin after that time begin with it.
    stood = _standing_before(before_at).subquery()
    standing = sa.select(stood.c.number).where(stood.c.number.is_not(None))
    yield sa.select(nodes.name).where(nodes.state == NodeState.GONE.value, nodes.entered_at < before_at)
    yield sa.select(transitions.number).where(transitions.at < before_at, transitions.node.not_in(live))
    yield sa.select(tables.boots.c.node).where(tables.boots.c.node.not_in(sa.select(nodes.name)))
    yield sa.select(decisions.number).where(decisions.at < before_at, decisions.number.not_in(standing))
    yield sa.select(tables.samples.c.number).where(tables.samples.c.at < before_at)
    stretches = tables.stretches.c
    yield sa.select(stretches.number).where(stretches.over_s.in_((60, 3_600)), stretches.at < before_at)
    yield sa.select(tables.slices.c.number).where(tables.slices.c.since_at < slices_before_at)
    yield sa.select(orders.number).where(orders.answered_at < before_at)
    yield sa.select(leases.epoch).where(leases.since_at < before_at, leases.epoch != newest)
