"""A pool's past, thinned by the database: bins of its samples, changes of its number, waits by how often, machines.

However long the time and however short the ticks, what comes out is bounded by what was asked for, so 30 days of
ticks cost no more memory than a minute of them. Everything is one consistent look. What never happens here: a row a
tick in our own hands, or a guess for a time without rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import pairwise, repeat, starmap
from typing import Any

import sqlalchemy as sa

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Offer, PoolName
from autoscaler.journal import gathering, looked, tables
from autoscaler.journal.journal import Journal
from providers.contract import ProviderName

_TOGETHER = 50
"""Ranges that one statement asks for: a statement a range would be a round trip each, and SQLite joins at most 500."""
_SHAPES = (5, 15, _TOGETHER)
"""Ranges that a statement may have; what is left over are empty ones. A statement for each number of ranges was 50 of a
kind, each kept by SQLAlchemy and by every connection: 70 MiB once a pool's number had moved that often."""
_EMPTY = (0.0, 0.0)
_TENTHS_UP_TO_S, _SECONDS_UP_TO_S = 10.0, 600.0
"""Waits are counted by the tenth of a second up to ten, by the second up to ten minutes, by the minute beyond: some
thousand numbers at most, each within a tenth of the truth or less. Rows of minutes and hours hold coarser ones."""

Range = tuple[float, float]
"""From an instant, included, to another, which is not."""
Maker = Callable[[int], sa.CompoundSelect[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The samples of one stretch of time. The most of backlog and wait, the mean of all else; None: none measured."""

    samples: int
    """Ticks, of which older ones are on record together."""
    seen: int
    """Those that saw demand."""
    over_s: float
    """0 where each tick has a row of its own; else the longest time, 60 or 3600, of which one row tells."""
    first_at: float
    last_at: float
    backlog: int | None
    in_progress: float | None
    arrivals_per_s: float | None
    completions_per_s: float | None
    wait_s: float | None
    serving: float
    arriving: float
    leaving: float
    wanted: float
    cost_per_h: float
    fewest_wanted: int
    most_wanted: int
    most_serving: int
    completed: int | None
    """Tasks that the broker counted out; None where it counted none of these samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """That a decision set another number than the one before."""

    at: float
    before: int
    after: int
    sentence: str
    """Empty where the decision is not on record any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that was there at some time of it, or may have been."""

    offer: Offer
    ordered_at: float
    gone_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """All of it. The bins are in order, those without a sample left out; so are the changes."""

    bins: tuple[Bin, ...]
    changes: tuple[Change, ...]
    waits: tuple[tuple[float, int], ...]
    """A wait of the oldest task, and how many samples saw about that; the shortest first."""
    machines: tuple[Machine, ...]


def read(
    journal: Journal, pool: PoolName, since_at: float, until_at: float, *, bins: int, changes: int
) -> Past:
    """A pool's time, both ends included, in at most so many bins and with at most so many changes.

    Of changes the greatest of a bin stands for all of it, and of those in more bins than are asked for the greatest.
    Raises JournalUnavailable.
    """
    with journal.reading("read the history") as connection:
        found = tuple(_bins(connection, pool, since_at, until_at, bins))
        return Past(
            bins=found,
            changes=_changes(connection, pool, found, changes),
            waits=_waits(connection, pool, since_at, until_at),
            machines=_machines(connection, pool, since_at, until_at),
        )


def _bins(
    connection: sa.Connection, pool: PoolName, since_at: float, until_at: float, bins: int
) -> Iterator[Bin]:
    width_s = (until_at - since_at) / bins
    edges = [since_at + width_s * place for place in range(bins)]
    # The last instant belongs to it, and a millisecond is shorter than any tick.
    ranges = list(pairwise([*edges, until_at + 0.001]))
    for row in _of_ranges(connection, _statement_of_bins, pool, ranges):
        if row.samples:
            numbers = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
            yield Bin(**{of.name: _plain(numbers[of.name]) for of in fields(Bin)})


def _plain(value: Any) -> Any:
    """PostgreSQL sums and averages whole numbers into decimals."""
    return value if value is None or isinstance(value, int | float) else float(str(value))


def _of_ranges(
    connection: sa.Connection, statement: Maker, pool: PoolName, ranges: Sequence[Range]
) -> Iterator[sa.Row[Any]]:
    """The rows of these ranges, in their order."""
    for begin in range(0, len(ranges), _TOGETHER):
        part = ranges[begin : begin + _TOGETHER]
        shape = next(size for size in _SHAPES if size >= len(part))
        values: dict[str, object] = {"pool": pool}
        for place, (from_at, to_at) in enumerate([*part, *repeat(_EMPTY, shape - len(part))]):
            values |= {f"from_{place}": from_at, f"to_{place}": to_at}
        found = (row for row in connection.execute(statement(shape), values).all() if row.place < len(part))
        yield from sorted(found, key=lambda row: row.place)


def _of_pool(place: int, table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.pool == sa.bindparam("pool"),
        table.c.at >= sa.bindparam(f"from_{place}"),
        table.c.at < sa.bindparam(f"to_{place}"),
    )


@lru_cache(maxsize=len(_SHAPES))
def _statement_of_bins(ranges: int) -> sa.CompoundSelect[Any]:
    """Each range is a look of its own along the index: grouping by an expression would sort every row first."""
    return sa.union_all(*map(_bin, range(ranges)))


def _bin(place: int) -> sa.Select[Any]:
    single = looked.samples().where(_of_pool(place, tables.samples))
    older = looked.stretches().where(_of_pool(place, tables.stretches))
    table, of = sa.union_all(single, older).subquery(f"looks_{place}").c, sa.func

    def mean(total: sa.ColumnElement[Any], looks: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(of.sum(total), sa.Double) / of.nullif(of.sum(looks), 0)

    numbers = (
        of.coalesce(sa.cast(of.sum(table.ticks), sa.BigInteger), 0).label("samples"),
        of.coalesce(sa.cast(of.sum(table.seen), sa.BigInteger), 0).label("seen"),
        of.max(table.over_s).label("over_s"),
        of.min(table.since_at).label("first_at"),
        of.max(table.at).label("last_at"),
        of.max(table.backlog_most).label("backlog"),
        mean(table.in_progress_sum, table.seen).label("in_progress"),
        mean(table.arrivals_sum, table.arrivals_looks).label("arrivals_per_s"),
        mean(table.completions_sum, table.completions_looks).label("completions_per_s"),
        of.max(table.wait_s).label("wait_s"),
        mean(table.serving_sum, table.ticks).label("serving"),
        mean(table.arriving_sum, table.ticks).label("arriving"),
        mean(table.leaving_sum, table.ticks).label("leaving"),
        mean(table.wanted_sum, table.ticks).label("wanted"),
        mean(table.cost_sum, table.ticks).label("cost_per_h"),
        of.min(table.wanted_least).label("fewest_wanted"),
        of.max(table.wanted_most).label("most_wanted"),
        of.max(table.serving_most).label("most_serving"),
        sa.cast(of.sum(table.completed), sa.BigInteger).label("completed"),
    )
    return sa.select(sa.literal_column(str(place)).label("place"), *numbers)


def _changes(connection: sa.Connection, pool: PoolName, bins: Sequence[Bin], most: int) -> tuple[Change, ...]:
    """Looked for only where the number moved at all."""
    moved = [
        (max(before.most_wanted, now.most_wanted) - min(before.fewest_wanted, now.fewest_wanted), before, now)
        for before, now in pairwise([*bins[:1], *bins])
    ]
    greatest = _greatest([each for each in moved if each[0]], most)
    # From the last sample of the bin before, so that a change between two bins is seen.
    ranges = sorted(
        (now.first_at if before is now else before.last_at, now.last_at + 0.001)
        for _, before, now in greatest
    )
    rows = list(_of_ranges(connection, _statement_of_changes, pool, ranges))
    said = _sentences(connection, pool, [row.at for row in rows])
    return tuple(
        Change(at=row.at, before=row.before, after=row.wanted, sentence=said.get(row.at, "")) for row in rows
    )


def _greatest(moved: Sequence[tuple[int, Bin, Bin]], most: int) -> list[tuple[int, Bin, Bin]]:
    """The greatest moves; of equal ones at the limit some from all over the time."""
    if len(moved) <= most:
        return list(moved)
    limit = sorted((size for size, _, _ in moved), reverse=True)[most - 1]
    greater = [each for each in moved if each[0] > limit]
    equal = [each for each in moved if each[0] == limit]
    room = most - len(greater)
    return greater + [equal[place * len(equal) // room] for place in range(room)]


@lru_cache(maxsize=len(_SHAPES))
def _statement_of_changes(ranges: int) -> sa.CompoundSelect[Any]:
    """The greatest change of each range, the last one of equals."""
    return sa.union_all(*map(_greatest_change, range(ranges)))


def _greatest_change(place: int) -> sa.Select[Any]:
    """Of a time that is on record by minutes or hours the decisions tell when the number changed: of older ones those
    are kept that changed it. Where a tick has a row of its own, both say the same."""
    steps = sa.union_all(
        *(
            sa.select(table.c.at, table.c.wanted, table.c.number).where(_of_pool(place, table))
            for table in (tables.samples, tables.stretches, tables.decisions)
        )
    ).subquery(f"steps_{place}")
    before = sa.func.lag(steps.c.wanted).over(order_by=(steps.c.at, steps.c.number)).label("before")
    changes = sa.select(steps.c.at, steps.c.wanted, before).subquery(f"changes_{place}")
    greatest = (
        sa.select(changes)
        .where(changes.c.before != changes.c.wanted)
        .order_by(sa.func.abs(changes.c.wanted - changes.c.before).desc(), changes.c.at.desc())
        .limit(1)
        .subquery(f"greatest_{place}")
    )
    return sa.select(sa.literal_column(str(place)).label("place"), greatest)


def _sentences(connection: sa.Connection, pool: PoolName, instants: Sequence[float]) -> dict[float, str]:
    table = tables.decisions.c
    query = sa.select(table.at, table.sentence).where(table.pool == pool, table.at.in_(instants))
    return {row.at: row.sentence for row in connection.execute(query)} if instants else {}


def _waits(
    connection: sa.Connection, pool: PoolName, since_at: float, until_at: float
) -> tuple[tuple[float, int], ...]:
    table = tables.samples.c
    tenths, seconds, minutes = (
        sa.cast(table.wait_s * per_s, sa.BigInteger) for per_s in (10.0, 1.0, 1.0 / 60.0)
    )
    about = sa.case(
        (table.wait_s <= _TENTHS_UP_TO_S, tenths),
        (table.wait_s <= _SECONDS_UP_TO_S, seconds + 90),
        else_=minutes + 680,
    ).label("about")
    query = sa.select(about, sa.func.max(table.wait_s), sa.func.count()).where(
        table.pool == pool, table.at.between(since_at, until_at), table.wait_s.is_not(None)
    )
    found = [
        (float(longest_s), int(samples))
        for _, longest_s, samples in connection.execute(query.group_by(about))
    ]
    older = tables.stretches.c
    told = sa.select(older.waits).where(
        older.pool == pool, older.at.between(since_at, until_at), older.waits.is_not(None)
    )
    steps: Counter[int] = Counter()
    for waits in connection.execute(told).scalars():
        for step, looks in gathering.steps(waits):
            steps[step] += looks
    return tuple(sorted([*found, *((gathering.wait_s(step), looks) for step, looks in steps.items())]))


def _machines(
    connection: sa.Connection, pool: PoolName, since_at: float, until_at: float
) -> tuple[Machine, ...]:
    """Orders that were refused made none."""
    table = tables.nodes.c
    gone = table.state == NodeState.GONE.value
    query = sa.select(
        table.offer_provider,
        table.offer_location,
        table.offer_size,
        table.offer_image,
        table.offer_price_per_h,
        table.offer_quantum_s,
        table.ordered_at,
        sa.case((gone, table.entered_at)),
    ).where(
        table.pool == pool,
        table.ordered_at <= until_at,
        sa.or_(~gone, sa.and_(table.entered_at > since_at, table.instance_id.is_not(None))),
    )
    return tuple(starmap(_machine, connection.execute(query)))


def _machine(
    provider: str, location: str, size: str, image: str, price_per_h: float, quantum_s: int,
    ordered_at: float, gone_at: float | None,
) -> Machine:  # fmt: skip
    offer = Offer(
        provider=ProviderName(provider),
        location=location,
        size=size,
        image=image,
        price_per_h=price_per_h,
        quantum_s=quantum_s,
    )
    return Machine(offer=offer, ordered_at=ordered_at, gone_at=gone_at)
