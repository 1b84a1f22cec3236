"""One tick into the journal's tables: nodes, moves, decisions, samples, answers and the memory.

In go a record and a connection within a transaction, out comes every row of it, or the error that undoes them all.
What never happens here: a transaction begun or ended, a lease.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import OrderAnswer
from autoscaler.journal import codec, tables
from autoscaler.journal.contract import JournalUnavailable, TickRecord

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What takes time to be made of a record."""

    new_nodes: list[Row]
    changed_nodes: list[Row]
    decisions: list[Row]
    memory: str


def rows(record: TickRecord) -> Rows:
    """All that is large."""
    whole = record.repeats.whole
    return Rows(
        new_nodes=[codec.node_row(node) for node in record.new_nodes],
        # The key in an update's condition needs a name that no column has.
        changed_nodes=[codec.node_row(node) | {"key": node.name} for node in record.changed_nodes],
        decisions=[codec.decision_row(one) for one in record.decisions if (one.pool, one.at) not in whole],
        memory=codec.memory_document(record.memory),
    )


def write(connection: sa.Connection, record: TickRecord, rows: Rows) -> None:
    """All of it. Raises JournalUnavailable for a record that would not be true, and what the database raises."""
    _insert_nodes(connection, record, rows.new_nodes)
    _update_nodes(connection, record, rows.changed_nodes)
    _append(connection, record)
    _decide(connection, record, rows.decisions)
    _add(connection, record)
    answer(connection, record.answers, record.at)
    _replace(connection, record, rows.memory)
    _keep_boots(connection, record)


def _insert_nodes(connection: sa.Connection, record: TickRecord, rows: list[Row]) -> None:
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


def _update_nodes(connection: sa.Connection, record: TickRecord, rows: list[Row]) -> None:
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
        (tables.samples, [codec.sample_row(sample) for sample in record.samples]),
    ):
        if rows:
            connection.execute(sa.insert(table), rows)


def _decide(connection: sa.Connection, record: TickRecord, rows: list[Row]) -> None:
    """Each decision stands in the place of the one before; what says another thing becomes part of the past as well."""
    if not rows:
        return
    anew = [row for row in rows if (row["pool"], row["at"]) not in record.repeats.said]
    if anew:
        connection.execute(sa.insert(tables.decisions), anew)
    table = tables.standing
    connection.execute(
        sa.delete(table).where(table.c.pool == sa.bindparam("of_pool")),
        [{"of_pool": row["pool"]} for row in rows],
    )
    # Of two about one pool in one record, as a batch of ticks has them, the later stands.
    connection.execute(sa.insert(table), list({row["pool"]: row for row in rows}.values()))


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


def answer(connection: sa.Connection, answers: tuple[OrderAnswer, ...], at: float) -> None:
    """The first answer to an order stands."""
    table = tables.orders
    for answer in answers:
        waiting = sa.update(table).where(table.c.number == answer.number, table.c.answered_at.is_(None))
        said = {"answered_at": at, "carried_out": answer.carried_out, "says": answer.says}
        connection.execute(waiting.values(said))


def _replace(connection: sa.Connection, record: TickRecord, document: str) -> None:
    """What has one row and no history."""
    for wish in record.wishes:
        connection.execute(sa.delete(tables.wishes).where(tables.wishes.c.pool == wish.pool))
        connection.execute(sa.insert(tables.wishes).values(codec.wish_row(wish)))
    connection.execute(sa.delete(tables.memory))
    connection.execute(sa.insert(tables.memory).values(slot=1, at=record.at, document=document))


def _keep_boots(connection: sa.Connection, record: TickRecord) -> None:
    """One row for each machine. A log stays until another comes: the last report of a failed boot may bring none."""
    table = tables.boots
    for boot in record.boots:
        row = codec.boot_row(boot)
        if not connection.execute(sa.update(table).where(table.c.node == boot.node).values(row)).rowcount:
            connection.execute(sa.insert(table).values(row))
