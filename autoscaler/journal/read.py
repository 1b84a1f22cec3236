"""The journal as commands read it: records out, newest or oldest first as each function says.

Every function is one consistent look and raises JournalUnavailable when it cannot be had.
What never happens here: writing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolDecision, PoolName, Transition
from autoscaler.journal import codec, lease, tables
from autoscaler.journal.contract import BootRecord, LeaseHolder, OrderRecord, Sample
from autoscaler.journal.journal import Journal
from providers.contract import NodeName


def nodes(
    journal: Journal,
    *,
    pool: PoolName | None = None,
    name: NodeName | None = None,
    states: Collection[NodeState] | None = None,
    include_gone: bool = False,
) -> tuple[Node, ...]:
    """Nodes, the first ordered first. `states`, where given, decides alone whether GONE ones are among them."""
    table = tables.nodes.c
    query = sa.select(tables.nodes)
    if pool is not None:
        query = query.where(table.pool == pool)
    if name is not None:
        query = query.where(table.name == name)
    if states is not None:
        query = query.where(table.state.in_([state.value for state in states]))
    elif not include_gone:
        query = query.where(table.state.is_distinct_from(NodeState.GONE.value))
    with journal.reading("read the nodes") as connection:
        found = [codec.read_node(row) for row in connection.execute(query).mappings()]
    # Sorted here: databases differ in what comes first, `a-b` or `ab`.
    return tuple(sorted(found, key=lambda node: (node.ordered_at, node.name)))


def of_another_fleet(journal: Journal, fleet: str) -> NodeName | None:
    """A machine on record that another fleet ordered, where none is that this one did; None: the journal is its own, or
    nobody's yet. The name that a machine is ordered by begins with those of its fleet and its pool."""
    table = tables.nodes.c
    live = table.state.is_distinct_from(NodeState.GONE.value)
    # One that was found without a record has another name than its machine, and whoever's name its machine had.
    ordered = sa.select(table.name).where(live, table.name == table.machine).limit(1)
    own = ordered.where(table.name.startswith(sa.literal(f"{fleet}-") + table.pool + "-"))
    with journal.reading("read whose it is") as connection:
        if connection.execute(own).first() is not None:
            return None
        name = connection.execute(ordered).scalar()
    return None if name is None else NodeName(name)


def transitions_of(journal: Journal, node: NodeName) -> tuple[Transition, ...]:
    """A node's life so far, oldest first."""
    table = tables.transitions.c
    return _transitions(
        journal, sa.select(tables.transitions).where(table.node == node).order_by(table.number)
    )


def lives(journal: Journal, nodes: Collection[NodeName]) -> Mapping[NodeName, tuple[Transition, ...]]:
    """The lives of these nodes so far, each oldest first."""
    table = tables.transitions.c
    query = sa.select(tables.transitions).where(table.node.in_(list(nodes))).order_by(table.number)
    found: dict[NodeName, list[Transition]] = {name: [] for name in nodes}
    for move in _transitions(journal, query):
        found[move.node].append(move)
    return {name: tuple(moves) for name, moves in found.items()}


def last_transitions(journal: Journal, *, limit: int, pool: PoolName | None = None) -> tuple[Transition, ...]:
    """The fleet's, or one pool's, last moves, newest first."""
    table = tables.transitions.c
    query = sa.select(tables.transitions).order_by(table.number.desc()).limit(limit)
    return _transitions(journal, query if pool is None else query.where(table.pool == pool))


def last_decisions(journal: Journal) -> Mapping[PoolName, PoolDecision]:
    """The decision that stands about each pool, with its figures as they are now, and when it was made last."""
    found = _decisions(journal, _standing(sa.select(tables.memory.c.at).scalar_subquery()))
    return MappingProxyType({decision.pool: decision for decision in found})


def decision_at(journal: Journal, pool: PoolName, at: float) -> PoolDecision | None:
    """The decision that held at that instant: the one that stands if it is as old, else the latest of the past.

    Those that repeated it are not on record, so its figures may be of a while before.
    """
    table, now = tables.decisions.c, tables.standing.c
    found = _decisions(journal, _standing(sa.literal(at)).where(now.pool == pool, now.at <= at))
    if not found:
        query = sa.select(tables.decisions).where(table.pool == pool, table.at <= at)
        found = _decisions(journal, query.order_by(table.at.desc(), table.number.desc()).limit(1))
    return found[0] if found else None


def decisions_between(
    journal: Journal, pool: PoolName, since_at: float, until_at: float
) -> tuple[PoolDecision, ...]:
    """A pool's decisions in that time that did not repeat the one before, both ends included, oldest first."""
    table = tables.decisions.c
    query = sa.select(tables.decisions).where(table.pool == pool, table.at.between(since_at, until_at))
    return _decisions(journal, query.order_by(table.at, table.number))


def samples_between(journal: Journal, pool: PoolName, since_at: float, until_at: float) -> tuple[Sample, ...]:
    """A pool's demand and supply in that time, both ends included, oldest first. Of an older time a sample stands for
    the looks of a minute or an hour, and belongs to the time in which the last of them was."""
    table, older = tables.samples.c, tables.stretches.c
    query = sa.select(*(column for column in table if column is not table.number))
    query = query.where(table.pool == pool, table.at.between(since_at, until_at)).order_by(
        table.at, table.number
    )
    together = sa.select(tables.stretches).where(older.pool == pool, older.at.between(since_at, until_at))
    with journal.reading("read the history") as connection:
        rows = connection.execute(together.order_by(older.at, older.number)).mappings()
        found = [codec.read_stretch(row) for row in rows]
        rows = connection.execute(query).mappings()
        single = [
            codec.read_row(codec.SAMPLE, row, table="samples", key=f"{pool} at {row['at']}") for row in rows
        ]
    # Both are in order, and mostly all of the one are before all of the other.
    mixed = found and single and single[0].at < found[-1].at
    return tuple(sorted(found + single, key=lambda sample: sample.at) if mixed else found + single)


def waits_since(journal: Journal, since_at: float) -> Mapping[PoolName, tuple[float, ...]]:
    """How old the message at the head was on each tick since then, of every pool of which that was seen."""
    table = tables.samples.c
    query = sa.select(table.pool, table.wait_s).where(table.at >= since_at, table.wait_s.is_not(None))
    found: dict[PoolName, list[float]] = {}
    with journal.reading("read how long tasks waited") as connection:
        for pool, wait_s in connection.execute(query):
            found.setdefault(PoolName(pool), []).append(float(wait_s))
    return MappingProxyType({pool: tuple(waits) for pool, waits in found.items()})


def sampled(journal: Journal, pool: PoolName) -> tuple[float, float] | None:
    """The instants of a pool's first and last sample; None where there is none."""
    with journal.reading("read how far its history goes") as connection:
        spans = [
            connection.execute(
                sa.select(sa.func.min(table.c.at), sa.func.max(table.c.at)).where(table.c.pool == pool)
            ).one()
            for table in (tables.stretches, tables.samples)
        ]
    instants = [at for span in spans for at in span if at is not None]
    return (min(instants), max(instants)) if instants else None


def orders(journal: Journal, *, limit: int = 100) -> tuple[OrderRecord, ...]:
    """The last orders with their answers, newest first."""
    query = sa.select(tables.orders).order_by(tables.orders.c.number.desc()).limit(limit)
    with journal.reading("read the orders") as connection:
        return tuple(codec.read_order(row) for row in connection.execute(query).mappings())


def order_marks(journal: Journal) -> tuple[int | None, int]:
    """What changes when an order is given or answered: the newest one's number, and how many were answered."""
    query = sa.select(sa.func.max(tables.orders.c.number), sa.func.count(tables.orders.c.answered_at))
    with journal.reading("see whether there are new orders") as connection:
        newest, answered = connection.execute(query).one()
    return newest, answered


def boots(journal: Journal, nodes: Collection[NodeName]) -> Mapping[NodeName, BootRecord]:
    """What is known of how these machines became workers, or failed to; of those that never said anything nothing."""
    query = sa.select(tables.boots).where(tables.boots.c.node.in_(list(nodes)))
    with journal.reading("read how machines booted") as connection:
        found = [codec.read_boot(row) for row in connection.execute(query).mappings()]
    return {record.node: record for record in found}


def failed_boots(journal: Journal, *, limit: int) -> tuple[BootRecord, ...]:
    """The last machines that said they cannot become workers, newest first; without their logs."""
    table = tables.boots.c
    query = sa.select(*(column for column in table if column is not table.log))
    query = query.where(table.failed_phase.is_not(None)).order_by(table.at.desc()).limit(limit)
    with journal.reading("read which boots failed") as connection:
        return tuple(codec.read_boot({**row, "log": None}) for row in connection.execute(query).mappings())


def last_sentences(journal: Journal, *, limit: int) -> tuple[tuple[float, str], ...]:
    """When the last decisions of all pools were made, and what they say, newest first."""
    table = tables.decisions.c
    query = sa.select(table.at, table.sentence).order_by(table.number.desc()).limit(limit)
    with journal.reading("read the last decisions") as connection:
        return tuple((at, sentence) for at, sentence in connection.execute(query))


def rows(journal: Journal) -> Mapping[str, int]:
    """How many rows each table has."""
    with journal.reading("count its rows") as connection:
        return {
            table.name: connection.execute(sa.select(sa.func.count()).select_from(table)).scalar() or 0
            for table in tables.metadata.sorted_tables
        }


def last_tick_at(journal: Journal) -> float | None:
    """When the last tick was written; None before the first."""
    with journal.reading("read the time of the last tick") as connection:
        return connection.execute(sa.select(tables.memory.c.at)).scalar()


def lease_holder(journal: Journal) -> LeaseHolder | None:
    """The daemon that holds the lease, by its own word. A killed one still stands here: compare `last_tick_at`."""
    with journal.reading("read who holds its lease") as connection:
        return lease.read_holder(connection)


def _standing(until_at: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """What stands, each with the instant of the last tick up to then that decided so.

    One that repeats the one before in every figure is not written once more; the sample of its tick is.
    """
    standing, samples = tables.standing.c, tables.samples.c
    sampled_at = (
        sa.select(sa.func.max(samples.at))
        .where(samples.pool == standing.pool, samples.at <= until_at)
        .correlate(tables.standing)
        .scalar_subquery()
    )
    at = sa.case((sampled_at > standing.at, sampled_at), else_=standing.at).label("at")
    return sa.select(*(at if column is standing.at else column for column in standing))


def _transitions(journal: Journal, query: sa.Select[tuple[object, ...]]) -> tuple[Transition, ...]:
    with journal.reading("read the transitions") as connection:
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return tuple(
        codec.read_row(codec.TRANSITION, row, table="transitions", key=row.pop("number")) for row in rows
    )


def _decisions(journal: Journal, query: sa.Select[tuple[object, ...]]) -> tuple[PoolDecision, ...]:
    with journal.reading("read the decisions") as connection:
        return tuple(codec.read_decision(row) for row in connection.execute(query).mappings())
