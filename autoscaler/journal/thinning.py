"""The past thinner the older it is: looks of each tick, then of each minute, then of each hour; each decision, then
those that changed the number, then the last of six hours.

A journal that keeps every tick for a month is mostly ticks on which nothing happened. What goes in are instants before
which a past is thinned, out comes how much there was to do. Each call is a few short transactions, as the loop's
commits wait for them. What never happens here: a count lost or counted twice, a scan of a whole table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from autoscaler.journal import gathering, looked, tables
from autoscaler.journal.journal import Journal

MINUTE_S, HOUR_S = 60.0, 3_600.0
DECISION_S = 21_600.0
"""Of a time that is on record by the hour one decision in so long: each is as large as eight hours."""
_DECISIONS = 1_000
"""Looked through in one transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is kept whole: epoch seconds since when."""

    ticks_since_at: float
    minutes_since_at: float
    decisions_since_at: float
    """Each decision: before the longest window and cooldown of any pool. Of older ones those are kept that changed the
    number, and of times that are on record by the hour the last in `DECISION_S`."""
    apart_s: float
    """Between two looks further apart than this nobody looked: they stay two rows."""
    tick_s: float = 10.0
    """Between two looks, usually: by it rows of a transaction are reckoned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """From rows of one kind to rows of the next."""

    table: sa.Table
    select: sa.Select[Any]
    which: sa.ColumnElement[bool]
    """Of that table those that are of the kind."""
    among: sa.ColumnElement[bool]
    """The same, as a term that no index serves: of some pools they are found by the index over pools."""
    over_s: float
    rows: int
    """In one transaction, about: those of some pools."""


_TO_MINUTES = _Step(
    table=tables.samples,
    select=looked.samples(),
    which=sa.true(),
    among=sa.true(),
    over_s=MINUTE_S,
    rows=1_500,
)
_TO_HOURS = _Step(
    table=tables.stretches,
    select=looked.stretches(),
    which=tables.stretches.c.over_s == int(MINUTE_S),
    among=tables.stretches.c.over_s + 0 == int(MINUTE_S),
    over_s=HOUR_S,
    rows=2_400,
)


def thin(journal: Journal, terms: Terms) -> int:
    """Thin a part of what is due, and return how many rows were looked through: call again while it is not 0.

    Raises JournalUnavailable.
    """
    whole_at = _oldest_at(journal)
    minutes_at = terms.minutes_since_at if whole_at is None else min(terms.minutes_since_at, whole_at)
    return (
        _gather(journal, _TO_MINUTES, terms.ticks_since_at, terms, row_s=terms.tick_s)
        # An hour is made once all of its ticks are minutes.
        + _gather(journal, _TO_HOURS, minutes_at, terms, row_s=MINUTE_S)
        + _forget_decisions(journal, terms)
    )


def _oldest_at(journal: Journal) -> float | None:
    with journal.reading("find what is to be thinned") as connection:
        return connection.execute(sa.select(sa.func.min(tables.samples.c.at))).scalar()


class _Changed(Exception):
    """Somebody else was at these rows since they were read."""


def _gather(journal: Journal, step: _Step, before_at: float, terms: Terms, *, row_s: float) -> int:
    """Bring the oldest minute, or hour, of some pools together, and return how many rows it had. A pool has one each
    `row_s`, usually."""
    pools = max(1, int(step.rows * min(1.0, row_s / step.over_s)))
    before_at = math.floor(before_at / step.over_s) * step.over_s
    with journal.reading("find what is to be thinned") as connection:
        within = _oldest(connection, step, before_at, pools)
        if within is None:
            return 0
        table = step.table.c
        query = step.select.where(within).order_by(table.pool, table.at, table.number)
        found = connection.execute(query)
        names = tuple(found.keys())
        rows = [dict(zip(names, row, strict=True)) for row in found]
    fewer = [
        row
        for _, of_pool in groupby(rows, key=itemgetter("pool"))
        for row in gathering.gathered(of_pool, over_s=step.over_s, apart_s=terms.apart_s)
    ]
    try:
        with journal.writing("thin its past") as connection:
            gone = connection.execute(sa.delete(step.table).where(within)).rowcount
            if gone != len(rows):
                raise _Changed  # which undoes the transaction
            connection.execute(sa.insert(tables.stretches), fewer)
    except _Changed:
        return 0
    return len(rows)


def _oldest(
    connection: sa.Connection, step: _Step, before_at: float, pools: int
) -> sa.ColumnElement[bool] | None:
    """Which rows are of the oldest minute, or hour, and of so many pools in it; None where none is due."""
    table = step.table.c
    due = sa.select(table.pool, table.at).where(step.which, table.at < before_at)
    first = connection.execute(due.order_by(table.at).limit(pools)).all()
    if not first:
        return None
    begins_at = math.floor(first[0].at / step.over_s) * step.over_s
    ends_at = begins_at + step.over_s
    names = {row.pool for row in first if row.at < ends_at}
    return sa.and_(
        step.among, table.pool.in_(sorted(names)), table.at >= begins_at, table.at < min(ends_at, before_at)
    )


def _forget_decisions(journal: Journal, terms: Terms) -> int:
    """Forget some of those that changed nothing, and of times that are on record by the hour all but one of six hours.

    A decision is judged once its pool has a later one that is as old: the newest before that time is what windows begin
    with. Returns how many were looked through.
    """
    decisions, thinned = tables.decisions, tables.thinned
    hours_at = min(terms.minutes_since_at, terms.decisions_since_at)
    with journal.reading("find what is to be thinned") as connection:
        done = connection.execute(sa.select(thinned.c.changes, thinned.c.hours)).one_or_none() or (0, 0)
        changes = _later(connection, done[0], terms.decisions_since_at)
        # Of those alone that were judged by what they changed: else one goes for the next, that for what it repeats.
        hours = [number for number in _later(connection, done[1], hours_at) if number <= done[0]]
        gone = [
            *_judged(connection, changes, terms.decisions_since_at, _repeats),
            *_judged(connection, hours, hours_at, _is_followed),
        ]
    if not changes and not hours:
        return 0
    with journal.writing("thin its decisions") as connection:
        if gone:
            connection.execute(sa.delete(decisions).where(decisions.c.number.in_(gone)))
        connection.execute(sa.delete(thinned))
        reached = {"changes": max(changes, default=done[0]), "hours": max(hours, default=done[1])}
        connection.execute(sa.insert(thinned).values(slot=1, **reached))
    return len(changes) + len(hours)


def _later(connection: sa.Connection, done: int, before_at: float) -> Sequence[int]:
    """The next decisions that are due, by number: the wall clock may have been set."""
    table = tables.decisions.c
    # By the index over instants; a decision that was made after it is not looked at yet.
    newest = sa.select(table.number).where(table.at < before_at).order_by(table.at.desc()).limit(1)
    due = sa.and_(table.number > done, table.number <= newest.scalar_subquery())
    query = sa.select(table.number).where(due).order_by(table.number).limit(_DECISIONS)
    return connection.execute(query).scalars().all()


def _judged(
    connection: sa.Connection,
    numbers: Sequence[int],
    before_at: float,
    goes: Callable[[sa.Row[Any]], int | None],
) -> Iterator[int]:
    """Of the ones before these, each of its pool, those that go: it, or the one before it."""
    if not numbers:
        return
    later, it, before = (tables.decisions.alias(name) for name in ("later", "it", "before"))
    due = sa.and_(later.c.number.between(numbers[0], numbers[-1]), later.c.at < before_at)
    query = (
        sa.select(it.c.number, it.c.at, it.c.wanted)
        .add_columns(
            before.c.number.label("number_before"),
            before.c.at.label("at_before"),
            before.c.wanted.label("wanted_before"),
        )
        .join_from(later, it, it.c.number == _before(later))
        .outerjoin(before, before.c.number == _before(it))
        .where(due)
    )
    yield from (number for row in connection.execute(query) if (number := goes(row)) is not None)


def _before(one: sa.FromClause) -> sa.ScalarSelect[Any]:
    """The number of the decision before that one, of its pool."""
    earlier = tables.decisions.alias("earlier")
    query = sa.select(earlier.c.number).where(earlier.c.pool == one.c.pool, earlier.c.number < one.c.number)
    return query.order_by(earlier.c.number.desc()).limit(1).correlate(one).scalar_subquery()


def _repeats(row: sa.Row[Any]) -> int | None:
    """It, where it wants what the one before it did."""
    return int(row.number) if row.wanted == row.wanted_before else None


def _is_followed(row: sa.Row[Any]) -> int | None:
    """The one before it, where it is of the same six hours."""
    before = row.number_before
    same = before is not None and row.at_before // DECISION_S == row.at // DECISION_S
    return int(before) if same else None
