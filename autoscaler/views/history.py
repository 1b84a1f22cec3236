"""A pool's history as values: demand, wait, supply and cost over a time, what changed the number, what it all came to.

In go the journal and the settings. However long the time, so many points come out at most, each for a stretch of it:
the most that waited and the longest wait, the mean of the rest. A time without looks is a gap, never a line drawn
across. What never happens here: a guess at what was in a gap, words for people.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from autoscaler import pool_rules
from autoscaler.config import Settings
from autoscaler.core import bills
from autoscaler.core.model import OfferName, PoolName, PoolRules
from autoscaler.journal import Journal, past
from autoscaler.journal.past import Bin, Change, Machine, Past
from autoscaler.views import heartbeat

POINTS = 600
"""As many as a screen has places to tell apart."""
CHANGES = 80
HOURS_A_MONTH = 730.0
"""A year's hours in twelve parts, as clouds count a month of one machine."""
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One stretch of the time. None is "not seen". The cost is in the fleet's currency."""

    at: float
    """The middle of its looks."""
    samples: int
    """Looks."""
    backlog: int | None
    """The most."""
    in_progress: float | None
    arrivals_per_s: float | None
    completions_per_s: float | None
    wait_s: float | None
    """The longest that the oldest task was waiting."""
    serving: float
    arriving: float
    leaving: float
    wanted: float
    cost_per_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which nobody looked, or demand could not be seen."""

    from_at: float
    until_at: float
    blind: bool
    """The daemon ticked and could not see demand; else it did not tick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coarse:
    """That the looks of a time are on record together."""

    over_s: float
    """The time of which one row tells: 60 or 3600."""
    until_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the time came to, from the first look in it to the last."""

    lasted_s: float
    cost: float
    """Quanta that began in it, of every machine on record."""
    machine_hours: float
    """That machines were there, from their order on."""
    machines: int
    tasks_done: int | None
    """None where nobody counted."""
    wait_p50_s: float | None
    """At half of the looks the oldest task was waiting no longer than this; None where it was never measured."""
    wait_p95_s: float | None
    most_serving: int
    """Workers at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """The same time with a fleet that never changes, sized for its peak."""

    workers: int
    """The most that served at once."""
    offer: OfferName
    """The cheapest that is configured, by the worker."""
    price_per_h: float
    """Of one worker on it."""
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Paas:
    """The same time with as many workers that are always on, where they are sold by the month."""

    workers: int
    price_per_month: float
    """Of one worker."""
    cost: float


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All of it. `points` is empty where nothing is on record of that time, and then nothing is compared."""

    pool: PoolName
    currency: str
    since_at: float
    until_at: float
    target_wait_s: float | None
    """The shortest that a policy `wait` names today."""
    points: tuple[Point, ...]
    gaps: tuple[Gap, ...]
    coarse: tuple[Coarse, ...]
    """The longest rows first; empty where each look is on record by itself."""
    changes: tuple[Change, ...]
    """Decisions that changed the number; of many the greatest, at most one a point."""
    totals: Totals
    fixed: Fixed | None
    paas: Paas | None


def look(
    journal: Journal,
    settings: Settings,
    pool: PoolName,
    *,
    since_at: float,
    until_at: float,
    paas_price_per_month: float | None = None,
    points: int = POINTS,
) -> History:
    """That pool's time, both ends included. Raises JournalUnavailable; ValueError for one without a length."""
    if not since_at < until_at:
        raise ValueError(f"a time from {since_at} to {until_at} has no length")
    found = past.read(journal, pool, since_at, until_at, bins=points, changes=CHANGES)
    patience_s = heartbeat.patience_s(settings)
    totals = _totals(found)
    configured = settings.pools.get(pool)
    rules = pool_rules.of(pool, configured) if configured is not None else None
    return History(
        pool=pool,
        currency=settings.fleet.currency,
        since_at=since_at,
        until_at=until_at,
        target_wait_s=pool_rules.own_target_s(rules) if rules else None,
        points=tuple(_point(each, since_at) for each in found.bins),
        gaps=tuple(_gaps(found.bins, patience_s)),
        coarse=tuple(_coarse(found.bins)),
        changes=found.changes,
        totals=totals,
        fixed=_fixed(rules, totals) if rules and found.bins else None,
        paas=_paas(paas_price_per_month, totals) if found.bins else None,
    )


def _point(of: Bin, since_at: float) -> Point:
    """A row that begins before the time is shown at its beginning."""
    return Point(
        at=max(since_at, (of.first_at + of.last_at) / 2.0),
        samples=of.samples,
        backlog=of.backlog,
        in_progress=of.in_progress,
        arrivals_per_s=of.arrivals_per_s,
        completions_per_s=of.completions_per_s,
        wait_s=of.wait_s,
        serving=of.serving,
        arriving=of.arriving,
        leaving=of.leaving,
        wanted=of.wanted,
        cost_per_h=of.cost_per_h,
    )


def _coarse(bins: Sequence[Bin]) -> Iterator[Coarse]:
    until = {each.over_s: each.last_at for each in bins if each.over_s}
    for over_s, until_at in sorted(until.items(), reverse=True):
        yield Coarse(over_s=over_s, until_at=until_at)


def _gaps(bins: Sequence[Bin], patience_s: float) -> Iterator[Gap]:
    """Shorter ones than a daemon is waited for are none, and none is seen inside a bin."""
    blind: Gap | None = None
    for before, now in pairwise([*bins[:1], *bins]):
        away = now.first_at - before.last_at > patience_s
        if now.seen and blind is not None:
            yield Gap(from_at=blind.from_at, until_at=now.first_at, blind=True)
            blind = None
        if away and blind is None:
            yield Gap(from_at=before.last_at, until_at=now.first_at, blind=False)
        if not now.seen and blind is None:
            from_at = now.first_at if before is now or away else before.last_at
            blind = Gap(from_at=from_at, until_at=now.last_at, blind=True)
    if blind is not None:
        yield Gap(from_at=blind.from_at, until_at=bins[-1].last_at, blind=True)


def _totals(found: Past) -> Totals:
    begins_at = found.bins[0].first_at if found.bins else 0.0
    ends_at = found.bins[-1].last_at if found.bins else 0.0
    there = [machine for machine in found.machines if _hours(machine, begins_at, ends_at) > 0.0]
    return Totals(
        lasted_s=ends_at - begins_at,
        cost=math.fsum(
            bills.within(each.offer, begins_at, ends_at, ordered_at=each.ordered_at, gone_at=each.gone_at)
            for each in there
        ),
        machine_hours=math.fsum(_hours(each, begins_at, ends_at) for each in there),
        machines=len(there),
        tasks_done=_tasks_done(found.bins),
        wait_p50_s=_nearest_rank(found.waits, 0.5),
        wait_p95_s=_nearest_rank(found.waits, 0.95),
        most_serving=max((each.most_serving for each in found.bins), default=0),
    )


def _hours(machine: Machine, begins_at: float, ends_at: float) -> float:
    end_at = ends_at if machine.gone_at is None else min(machine.gone_at, ends_at)
    return max(0.0, end_at - max(machine.ordered_at, begins_at)) / _HOUR_S


def _tasks_done(bins: Sequence[Bin]) -> int | None:
    """Counted by the broker; where it counted none, its rate for as long as the bin lasted."""
    counted = [each.completed for each in bins if each.completed is not None]
    rated = [
        before.completions_per_s * (now.first_at - before.first_at)
        for before, now in pairwise(bins)
        if before.completed is None and before.completions_per_s is not None
    ]
    return round(sum(counted) + math.fsum(rated)) if counted or rated else None


def _nearest_rank(waits: Sequence[tuple[float, int]], share: float) -> float | None:
    """The wait that this share of the looks did not pass."""
    rank = share * sum(samples for _, samples in waits)
    passed = 0
    for wait_s, samples in waits:
        passed += samples
        if passed >= rank:
            return wait_s
    return None


def _fixed(rules: PoolRules, totals: Totals) -> Fixed:
    price_per_h, offer = min(
        (each.price_per_h / rules.weight_of(each.name), each.name) for each in rules.offers
    )
    cost = totals.most_serving * price_per_h * totals.lasted_s / _HOUR_S
    return Fixed(workers=totals.most_serving, offer=offer, price_per_h=price_per_h, cost=cost)


def _paas(price_per_month: float | None, totals: Totals) -> Paas | None:
    if price_per_month is None:
        return None
    cost = totals.most_serving * price_per_month * totals.lasted_s / _HOUR_S / HOURS_A_MONTH
    return Paas(workers=totals.most_serving, price_per_month=price_per_month, cost=cost)
