"""What the daemon remembers: the records it wakes up with, and one commit a tick, before anything is dispatched.

In go `TickRecord`s, out come nodes, memory, orders, wishes and past decisions. Every trouble is JournalUnavailable.
What never happens here: a choice, a clock, a record that is half written.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Order, OrderAnswer, PoolName, PoolWish
from autoscaler.journal import codec, file_lease, tables, timed_lease
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
            rows = connection.execute(query)
            names = tuple(
                rows.keys()
            )  # of all rows at once: a mapping of each would cost as much as reading it
            found = [codec.read_node(dict(zip(names, row, strict=True))) for row in rows]
        # Sorted here: databases differ in what comes first, `a-b` or `ab`.
        return tuple(sorted(found, key=lambda node: node.name))

    def memory(self) -> Memory:
        """What the last tick handed to the next; empty before the first."""
        with self.reading("read the memory") as connection:
            document = connection.execute(sa.select(tables.memory.c.document)).scalar()
            return Memory() if document is None else codec.read_memory(document)

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
        standing = sa.select(sa.func.max(table.number)).where(table.at < since_at).group_by(table.pool)
        query = sa.select(table.pool, table.at, table.recommended, table.wanted, table.workers)
        query = query.where(sa.or_(table.at >= since_at, table.number.in_(standing)))
        query = query.order_by(table.at, table.number)
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
            # Before the first statement: a server ends a transaction that it waits for, and the rows of ten thousand
            # nodes take a busy machine a second or two.
            new = [codec.node_row(node) for node in record.new_nodes]
            # The key in an update's condition needs a name that no column has.
            changed = [codec.node_row(node) | {"key": node.name} for node in record.changed_nodes]
            if self._lease is not None:
                self._lease.require(connection)
            _insert_nodes(connection, record, new)
            _update_nodes(connection, record, changed)
            _append(connection, record)
            _add(connection, record)
            _answer(connection, record.answers, record.at)
            _replace(connection, record)
            _keep_boots(connection, record)

    def answer(self, answers: tuple[OrderAnswer, ...], at: float) -> None:
        """Answer orders that are about no node and no pool, between two ticks. Raises as `commit` does."""
        with self._confirming(), self.writing("answer an order") as connection:
            if self._lease is not None:
                self._lease.require(connection)
            _answer(connection, answers, at)

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
                keys = selection.order_by(key).limit(PURGE_ROWS)
                gone += connection.execute(sa.delete(table).where(key.in_(keys))).rowcount
        with self.writing("forget old logs") as connection:
            _forget_logs(connection)
        return gone


def _insert_nodes(connection: sa.Connection, record: TickRecord, rows: list[dict[str, Any]]) -> None:
    """Names are the keys of creations, used once ever: one that has a record in any state fails the tick."""
    if not record.new_nodes:
        return
    names = [node.name for node in record.new_nodes]
    used = sa.select(tables.nodes.c.name, tables.nodes.c.state).where(tables.nodes.c.name.in_(names))
    for name, state in connection.execute(used):
        raise JournalUnavailable(
            f"node {name} cannot be ordered: its name was used before, by a node that is {state}"
        )
    connection.execute(sa.insert(tables.nodes), rows)


def _update_nodes(connection: sa.Connection, record: TickRecord, rows: list[dict[str, Any]]) -> None:
    """A node that has no live record fails the tick: GONE is final, and nothing is known that was not ordered."""
    if not record.changed_nodes:
        return
    table = tables.nodes
    names = [node.name for node in record.changed_nodes]
    live = sa.select(table.c.name).where(table.c.name.in_(names), table.c.state != NodeState.GONE.value)
    known = frozenset(connection.execute(live).scalars())
    for node in record.changed_nodes:
        if node.name not in known:
            raise JournalUnavailable(
                f"node {node.name} cannot become {node.state.value}: it has no live record"
            )
    # One statement for all of them.
    statement = sa.update(table).where(table.c.name == sa.bindparam("key"))
    statement = statement.values(
        {name: sa.bindparam(name) for name in rows[0] if name not in {"name", "key"}}
    )
    connection.execute(statement, rows)


def _append(connection: sa.Connection, record: TickRecord) -> None:
    """What is only ever added."""
    for table, rows in (
        (tables.transitions, [codec.transition_row(transition) for transition in record.transitions]),
        (tables.decisions, [codec.decision_row(decision) for decision in record.decisions]),
        (tables.samples, [codec.sample_row(sample) for sample in record.samples]),
    ):
        if rows:
            connection.execute(sa.insert(table), rows)


def _add(connection: sa.Connection, record: TickRecord) -> None:
    """What is added up in its row: the first tick of a slice makes that."""
    table = tables.slices.c
    rows = [
        {"pool": pool, "since_at": of.since_at, "arrived": of.arrived, "looked_s": of.looked_s}
        for pool, of in record.slices.items()
    ]
    if not rows:
        return
    begun = sa.select(table.pool, table.since_at).where(table.since_at.in_({row["since_at"] for row in rows}))
    there = {(pool, since_at) for pool, since_at in connection.execute(begun)}
    new = [row for row in rows if (row["pool"], row["since_at"]) not in there]
    more = [
        {
            "of_pool": row["pool"],
            "began_at": row["since_at"],
            "further": row["arrived"],
            "longer_s": row["looked_s"],
        }
        for row in rows
        if (row["pool"], row["since_at"]) in there
    ]
    if new:
        connection.execute(sa.insert(tables.slices), new)
    if more:
        same = sa.and_(table.pool == sa.bindparam("of_pool"), table.since_at == sa.bindparam("began_at"))
        added = {
            "arrived": table.arrived + sa.bindparam("further"),
            "looked_s": table.looked_s + sa.bindparam("longer_s"),
        }
        connection.execute(sa.update(tables.slices).where(same).values(added), more)


def _answer(connection: sa.Connection, answers: tuple[OrderAnswer, ...], at: float) -> None:
    """The first answer to an order stands."""
    table = tables.orders
    for answer in answers:
        waiting = sa.update(table).where(table.c.number == answer.number, table.c.answered_at.is_(None))
        said = {"answered_at": at, "carried_out": answer.carried_out, "says": answer.says}
        connection.execute(waiting.values(said))


def _replace(connection: sa.Connection, record: TickRecord) -> None:
    """What has one row and no history."""
    for wish in record.wishes:
        connection.execute(sa.delete(tables.wishes).where(tables.wishes.c.pool == wish.pool))
        connection.execute(sa.insert(tables.wishes).values(codec.wish_row(wish)))
    connection.execute(sa.delete(tables.memory))
    document = codec.memory_document(record.memory)
    connection.execute(sa.insert(tables.memory).values(slot=1, at=record.at, document=document))


def _keep_boots(connection: sa.Connection, record: TickRecord) -> None:
    """One row for each machine. A log stays until another comes: the last report of a failed boot may bring none."""
    table = tables.boots
    for boot in record.boots:
        row = codec.boot_row(boot)
        if not connection.execute(sa.update(table).where(table.c.node == boot.node).values(row)).rowcount:
            connection.execute(sa.insert(table).values(row))


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
    yield sa.select(nodes.name).where(nodes.state == NodeState.GONE.value, nodes.entered_at < before_at)
    yield sa.select(transitions.number).where(transitions.at < before_at, transitions.node.not_in(live))
    yield sa.select(tables.boots.c.node).where(tables.boots.c.node.not_in(sa.select(nodes.name)))
    yield sa.select(tables.decisions.c.number).where(tables.decisions.c.at < before_at)
    yield sa.select(tables.samples.c.number).where(tables.samples.c.at < before_at)
    yield sa.select(tables.slices.c.number).where(tables.slices.c.since_at < slices_before_at)
    yield sa.select(orders.number).where(orders.answered_at < before_at)
    yield sa.select(leases.epoch).where(leases.since_at < before_at, leases.epoch != newest)
