"""A past that grows thinner as it ages: nothing that was counted is lost, no gap is closed, no table is scanned."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa

from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, Sample, gathering, open_journal, past, read, tables, thinning
from autoscaler.journal.thinning import Terms
from tests.unit.journal.records import IMAGES, a_sample, a_tick

T0 = 3_600_000.0
"""A whole hour."""
MAIL = PoolName("mail")
BLIND = {
    "backlog": None,
    "in_progress": None,
    "wait_s": None,
    "arrivals_per_s": None,
    "completions_per_s": None,
}


def _terms(ticks_since_at: float, minutes_since_at: float = 0.0) -> Terms:
    return Terms(
        ticks_since_at=ticks_since_at,
        minutes_since_at=minutes_since_at,
        decisions_since_at=0.0,
        apart_s=38.0,
    )


def _thin(journal: Journal, ticks_since_at: float, minutes_since_at: float = 0.0) -> None:
    for _ in range(1_000):
        if not thinning.thin(journal, _terms(ticks_since_at, minutes_since_at)):
            return
    raise AssertionError("it never ends")


def _fill(journal: Journal, seconds: int, **changes: Any) -> None:
    """A sample each ten seconds, the backlog of each its own number, of two pools."""
    samples = [
        a_sample(
            pool, at=T0 + at, backlog=at // 10, in_progress=at // 10 % 6, wait_s=float(at), arrived=3, completed=2,
            counted_s=10.0, cost_per_h=float(at % 60), **changes,
        )
        for at in range(0, seconds, 10)
        for pool in ("images", "mail")
    ]  # fmt: skip
    journal.commit(a_tick(T0, samples=tuple(samples)))


def _rows(journal: Journal, pool: PoolName = IMAGES) -> tuple[Sample, ...]:
    return read.samples_between(journal, pool, 0.0, 9e9)


def _over_s(journal: Journal) -> list[float]:
    return [row.stretch.over_s if row.stretch else 0.0 for row in _rows(journal)]


def test_older_ticks_become_minutes_with_all_that_was_counted(journal: Journal) -> None:
    """Demand is that of the last look, the wait the longest, the cost the mean; and how busy slots were is not lost."""
    _fill(journal, 300)

    _thin(journal, T0 + 130.0)

    first, second, *rest = _rows(journal)
    assert [60.0, 60.0, *[0.0] * 18] == _over_s(journal)
    assert [T0 + 50.0, T0 + 110.0, T0 + 120.0] == [first.at, second.at, rest[0].at]
    assert (5, 5, 50.0, 25.0) == (first.backlog, first.in_progress, first.wait_s, first.cost_per_h)
    assert (18, 12, 60.0) == (second.arrived, second.completed, second.counted_s)
    assert second.stretch is not None
    assert (T0 + 60.0, 6, 6, 6, 11) == (
        second.stretch.since_at, second.stretch.ticks, second.stretch.seen, second.stretch.counted,
        second.stretch.backlog_most,
    )  # fmt: skip
    assert (0, 5, 15, 125.0) == (
        second.stretch.busy_first, second.stretch.busy_most, second.stretch.busy_sum, second.stretch.busy_s
    )  # fmt: skip
    assert [row.arrived for row in _rows(journal)] == [row.arrived for row in _rows(journal, MAIL)]


def test_minutes_become_hours_and_all_of_an_hour_only(journal: Journal) -> None:
    """One row has all of it, also where ticks of its last minute were there still when minutes were asked for."""
    _fill(journal, 7_200)

    thinning.thin(journal, _terms(T0 + 3_540.0, T0 + 3_600.0))
    _thin(journal, T0 + 3_540.0, T0 + 3_600.0)
    assert [60.0] * 59 == [over_s for over_s in _over_s(journal) if over_s]
    _thin(journal, T0 + 7_200.0, T0 + 3_600.0)

    assert [3_600.0, *[60.0] * 60] == _over_s(journal)
    hour = _rows(journal)[0]
    assert (1_080, 720, 3_600.0, 3_590.0) == (hour.arrived, hour.completed, hour.counted_s, hour.wait_s)
    assert hour.stretch is not None
    assert (360, 359) == (hour.stretch.ticks, hour.stretch.backlog_most)


def test_minutes_are_no_gaps_and_a_time_without_looks_stays_one(journal: Journal) -> None:
    """Within an hour, too: a row stands for no time in which nobody looked."""
    ticks = [*range(0, 1_200, 10), *range(1_800, 3_600, 10)]
    journal.commit(a_tick(T0, samples=tuple(a_sample(at=T0 + at) for at in ticks)))

    for minutes_since_at in (0.0, T0 + 3_600.0):
        _thin(journal, T0 + 3_600.0, minutes_since_at)

        found = past.read(journal, IMAGES, T0, T0 + 3_600.0, bins=600, changes=1).bins
        away = [
            (before.last_at - T0, after.first_at - T0)
            for before, after in pairwise(found)
            if after.first_at - before.last_at > 38.0
        ]
        assert [(1_190.0, 1_800.0)] == away


def test_a_long_blind_while_stays_one_and_a_short_one_does_not_count(journal: Journal) -> None:
    """Of a minute in which one look was blind the others tell; of twenty blind minutes no row says anything else."""
    blind = {10, *range(1_200, 2_400, 10)}
    samples = tuple(a_sample(at=T0 + at, **(BLIND if at in blind else {})) for at in range(0, 3_600, 10))
    journal.commit(a_tick(T0, samples=samples))

    _thin(journal, T0 + 3_600.0, T0 + 3_600.0)

    rows = _rows(journal)
    assert [False, True, False] == [row.backlog is None for row in rows]
    assert [(120, 119), (120, 0), (120, 120)] == [
        (row.stretch.ticks, row.stretch.seen) for row in rows if row.stretch
    ]


def test_demand_is_that_of_the_last_look_that_saw_it(journal: Journal) -> None:
    """At the instant of that look; what was wanted is of the last one, whatever it saw."""
    samples = [a_sample(at=T0, backlog=7, wanted=2), a_sample(at=T0 + 10.0, wanted=3, **BLIND)]
    journal.commit(a_tick(T0, samples=tuple(samples)))

    _thin(journal, T0 + 60.0)

    (row,) = _rows(journal)
    assert (T0, 7, 3) == (row.at, row.backlog, row.wanted)
    assert (T0, T0 + 10.0) == read.sampled(journal, IMAGES) or (T0 + 10.0,) * 2 == read.sampled(
        journal, IMAGES
    )


def test_rows_that_somebody_else_thinned_are_not_counted_twice(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that was stopped while it thinned goes on after another took over: one of them does it."""
    with closing(open_journal(url)) as journal, closing(open_journal(url)) as other:
        _fill(journal, 60)
        whole = thinning.gathering.gathered

        def meanwhile(*given: Any, **more: Any) -> Any:
            monkeypatch.setattr(thinning.gathering, "gathered", whole)
            _thin(other, T0 + 60.0)
            return whole(*given, **more)

        monkeypatch.setattr(thinning.gathering, "gathered", meanwhile)
        _thin(journal, T0 + 60.0)

        assert [18] == [row.arrived for row in _rows(journal)]


def test_each_call_is_one_short_piece(journal: Journal) -> None:
    """The loop's next commit waits for it: of a month that nobody thinned a minute, or an hour, of some pools."""
    pools = [f"pool-{number}" for number in range(300)]
    samples = (a_sample(pool, at=T0 + at) for at in range(0, 120, 10) for pool in pools)
    journal.commit(a_tick(T0, samples=tuple(samples)))

    assert [1_500, 300, 1_500, 300, 0] == [thinning.thin(journal, _terms(T0 + 120.0)) for _ in range(5)]
    assert 80 == thinning.thin(journal, _terms(T0, T0 + 3_600.0))


def test_what_is_older_than_the_retention_is_forgotten_by_minutes_and_hours_too(journal: Journal) -> None:
    """As ticks are."""
    _fill(journal, 7_200)
    _thin(journal, T0 + 7_200.0, T0 + 3_600.0)

    while journal.purge(T0 + 3_700.0):
        pass

    assert T0 + 3_710.0 == _rows(journal)[0].at
    assert [60.0] * 59 == _over_s(journal)


@contextmanager
def _heard() -> Iterator[dict[str, Any]]:
    """Statements with what they were given."""
    said: dict[str, Any] = {}

    def hear(_: Any, __: Any, statement: str, given: Any, ___: Any, many: bool) -> None:
        said.setdefault(statement, given[0] if many else given)

    sa.event.listen(sa.Engine, "before_cursor_execute", hear)
    try:
        yield said
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", hear)


def test_no_table_is_scanned(file_url: str) -> None:
    """Neither by thinning nor by purging what was thinned: each statement goes along an index, as SQLite plans it."""
    with closing(open_journal(file_url)) as journal:
        _fill(journal, 7_200)
        terms = Terms(ticks_since_at=9e9, minutes_since_at=9e9, decisions_since_at=9e9, apart_s=38.0)
        with _heard() as said:
            while thinning.thin(journal, terms):
                pass
            journal.purge(T0 + 1.0)
        large = {tables.samples.name, tables.stretches.name, tables.decisions.name}
        asked = {s: given for s, given in said.items() if s.startswith(("SELECT", "DELETE"))}
        with journal.reading("see how") as connection:
            plans = {
                statement: [
                    row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)
                ]
                for statement, given in asked.items()
            }

    assert len(plans) > 12
    assert {} == {
        statement: plan
        for statement, plan in plans.items()
        if any(line.startswith("SCAN") and line.split()[1] in large for line in plan)
    }
    hours = [
        plan
        for statement, plan in plans.items()
        if statement.startswith("DELETE FROM stretches WHERE stretches.over_s +")
    ]
    assert [["SEARCH stretches USING INDEX ix_stretches_pool_at (pool=? AND at>? AND at<?)"]] == hours


@pytest.mark.parametrize(("tick_s", "pools"), [(10.0, 2), (0.04, 1)])
def test_however_short_ticks_are_a_transaction_is(journal: Journal, tick_s: float, pools: int) -> None:
    """Ticks wait for it: of pools that are looked at more often fewer are taken at once."""
    _fill(journal, 60)

    done = thinning.thin(journal, replace(_terms(T0 + 60.0), tick_s=tick_s))

    assert pools * 6 == done


def test_waits_that_no_calendar_holds_are_the_longest_there_are() -> None:
    """Whoever wrote them: a row that cannot be taken in would keep all others from it."""
    row = {**dict.fromkeys(gathering.COLUMNS), "at": T0, "since_at": T0, "seen": 0, "busy_s": 0.0}
    rows = [row | {"wait_s": wait_s} for wait_s in (1e308, math.inf, math.nan)]

    (one,) = gathering.gathered(rows, over_s=60.0, apart_s=38.0)

    assert "300:3" == one["waits"]
