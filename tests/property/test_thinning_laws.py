"""Laws of thinning: whoever sums a past by minutes or hours finds what he found of its single looks."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.core.facts import Memory
from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, Sample, TickRecord, open_journal, past, read, thinning
from autoscaler.journal.past import Bin, Past
from autoscaler.journal.thinning import Terms
from autoscaler.study import measured, recorded

T0 = 1_750_003_200.0
"""A whole hour."""
TICK_S = 10.0
LONG_AFTER = T0 + 1e6
_pools = (PoolName(f"pool-{number}") for number in itertools.count())


@pytest.fixture(scope="module")
def journal() -> Iterator[Journal]:
    opened = open_journal("sqlite://")
    yield opened
    opened.close()


def _looks(seed: int, ticks: int, *, blind: float, counts: bool) -> list[Sample]:
    """A pool at which something happens, of which single looks saw nothing."""
    dice = random.Random(seed)
    backlog = busy = 0
    left_s = 0.0
    looks = []
    began_at = T0 + dice.randrange(360) * TICK_S
    arrived = completed = 0
    for tick in range(ticks):
        came, done = dice.choice([0, 0, 3, 40]), min(backlog + busy, dice.choice([0, 1, 20]))
        backlog, arrived, completed, left_s = (
            backlog + came,
            arrived + came,
            completed + done,
            left_s + TICK_S,
        )
        backlog -= min(done, backlog)
        busy = min(backlog, 8)
        backlog -= busy
        sees = tick == 0 or looks[-1].backlog is None or dice.random() >= blind
        looks.append(
            Sample(
                pool=PoolName("images"),
                at=began_at + tick * TICK_S,
                backlog=backlog if sees else None,
                in_progress=busy if sees else None,
                arrivals_per_s=came / TICK_S if sees else None,
                completions_per_s=done / TICK_S if sees else None,
                wait_s=dice.choice([0.0, 0.3, 7.0, 88.0, 1000.0]) if sees else None,
                serving=dice.randrange(5),
                arriving=dice.randrange(2),
                leaving=dice.randrange(2),
                wanted=dice.randrange(1, 6),
                cost_per_h=dice.random(),
                arrived=arrived if sees and counts else None,
                completed=completed if sees and counts else None,
                counted_s=left_s if sees and counts else None,
                busy=dice.choice([busy, None]) if sees else None,
            )
        )
        backlog += busy  # what was running is told apart at each look anew
        busy = 0
        if sees:
            arrived = completed = 0
            left_s = 0.0
    return looks


def _written(journal: Journal, looks: list[Sample]) -> PoolName:
    """They are on record, of a pool that has no others."""
    pool = next(_pools)
    samples = tuple(replace(look, pool=pool) for look in looks)
    journal.commit(TickRecord(at=T0, samples=samples, memory=Memory()))
    return pool


def _thinned(journal: Journal, *, to_hours: bool) -> None:
    terms = Terms(
        ticks_since_at=LONG_AFTER,
        minutes_since_at=LONG_AFTER if to_hours else 0.0,
        decisions_since_at=LONG_AFTER,
        apart_s=38.0,
    )
    while thinning.thin(journal, terms):
        pass


def _all(journal: Journal, pool: PoolName) -> tuple[Sample, ...]:
    return read.samples_between(journal, pool, 0.0, LONG_AFTER)


def _past(journal: Journal, pool: PoolName) -> Past:
    return past.read(journal, pool, T0, LONG_AFTER, bins=1, changes=1)


def _busy_s(samples: tuple[Sample, ...]) -> float:
    looks = recorded.seen(samples)
    within = looks[0].stretch.busy_s if looks[0].stretch else 0.0
    return within + sum(
        recorded.busy_s(before, after, after.at - before.at) for before, after in pairwise(looks)
    )


many = st.tuples(st.integers(0, 2**32), st.integers(2, 900))


@settings(max_examples=15)
@given(many, st.sampled_from([0.0, 0.02, 0.5]), st.booleans())
def test_all_that_is_shown_of_a_time_is_the_same_by_minutes_and_by_hours(
    journal: Journal, many: tuple[int, int], blind: float, counts: bool
) -> None:
    """Looks, instants, peaks, means and counts of the whole, and how long tasks waited."""
    pool = _written(journal, _looks(*many, blind=blind, counts=counts))
    before = _past(journal, pool)

    for to_hours in (False, True):
        _thinned(journal, to_hours=to_hours)
        after = _past(journal, pool)

        (expected,), (found,) = before.bins, after.bins
        for name in (field for field in Bin.__dataclass_fields__ if field != "over_s"):
            assert getattr(expected, name) == pytest.approx(getattr(found, name)), name
        assert found.over_s == (3600.0 if to_hours else 60.0)
        waits = [wait_s for wait_s, looks in before.waits for _ in range(looks)]
        told = [wait_s for wait_s, looks in after.waits for _ in range(looks)]
        assert waits == pytest.approx(told, rel=0.05)


@settings(max_examples=15)
@given(many, st.sampled_from([0.0, 0.02, 0.5]))
def test_what_was_counted_and_how_long_slots_were_busy_is_the_same(
    journal: Journal, many: tuple[int, int], blind: float
) -> None:
    """Sums of rows, over all of the time."""
    pool = _written(journal, _looks(*many, blind=blind, counts=True))
    before = _all(journal, pool)

    for to_hours in (False, True):
        _thinned(journal, to_hours=to_hours)
        after = _all(journal, pool)

        for name in ("arrived", "completed", "counted_s"):
            told = [sum(getattr(one, name) or 0 for one in samples) for samples in (before, after)]
            assert told[0] == pytest.approx(told[1]), name
        assert _busy_s(before) == pytest.approx(_busy_s(after))


@settings(max_examples=15)
@given(many, st.sampled_from([0.0, 0.02]))
def test_a_replay_has_the_same_tasks_of_the_same_length(
    journal: Journal, many: tuple[int, int], blind: float
) -> None:
    """From the first row on: none is lost, none comes twice, and where nobody missed a look there is no gap."""
    pool = _written(journal, _looks(*many, blind=blind, counts=True))
    whole = _all(journal, pool)

    for to_hours in (False, True):
        _thinned(journal, to_hours=to_hours)
        after = _all(journal, pool)
        before = tuple(one for one in whole if one.at >= after[0].at)
        came, comes = (recorded.arrivals(samples, 20.0) for samples in (before, after))

        assert len(recorded.seen(after)) <= 2 + len(whole) * TICK_S / (3600.0 if to_hours else 60.0)
        assert (came.total, came.uncounted, came.gaps) == (comes.total, comes.uncounted, comes.gaps)
        rests_on, rests = (
            sum(period.looks for period in measured.task_times(samples)) for samples in (before, after)
        )
        assert rests_on == rests
        task_s = measured.mean_task_s(measured.task_times(before))
        if task_s is not None:
            assert task_s == pytest.approx(measured.mean_task_s(measured.task_times(after)) or 0.0)


@settings(max_examples=15)
@given(many, st.sampled_from([0.0, 0.02]))
def test_where_nobody_counted_what_must_have_come_is_played(
    journal: Journal, many: tuple[int, int], blind: float
) -> None:
    """By rates, as of single looks: within what rounding to whole tasks and looks that saw nothing leave open."""
    pool = _written(journal, _looks(*many, blind=blind, counts=False))
    whole = _all(journal, pool)

    _thinned(journal, to_hours=True)
    after = _all(journal, pool)
    before = tuple(one for one in whole if one.at >= after[0].at)

    came, comes = (recorded.arrivals(samples, 20.0).total for samples in (before, after))
    assert came == pytest.approx(comes, rel=0.1, abs=60.0)


def test_a_time_without_looks_stays_a_gap_of_a_replay_with_the_tasks_that_must_have_come(
    journal: Journal,
) -> None:
    """The first look after it counted nothing; what is there more than before, and was completed, came meanwhile."""
    looks = _looks(1, 900, blind=0.0, counts=True)
    back = replace(
        looks[540], arrived=None, completed=None, counted_s=None, backlog=(looks[540].backlog or 0) + 777
    )
    after_it = [replace(look, backlog=(look.backlog or 0) + 777) for look in looks[541:]]
    pool = _written(journal, [*looks[:450], back, *after_it])
    whole = _all(journal, pool)

    _thinned(journal, to_hours=True)
    after = _all(journal, pool)
    before = tuple(one for one in whole if one.at >= after[0].at)
    came, comes = (recorded.arrivals(samples, 20.0) for samples in (before, after))

    assert [(910.0, False, False)] == [(gap.lasted_s, gap.counted, gap.blind) for gap in comes.gaps]
    assert [(gap.from_s, gap.to_s) for gap in came.gaps] == [(gap.from_s, gap.to_s) for gap in comes.gaps]
    assert came.total == pytest.approx(comes.total, rel=0.02)
