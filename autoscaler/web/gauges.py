"""What metrics tell of the fleet: a table of gauges, each with how its values are read from what `views` found.

In goes a `Measures`, out come numbers under labels. A number that is not known has no series, and none is a machine's
name. What never happens here: a format, or a number that is not in `views`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from autoscaler.core.enrolment import middle_and_high
from autoscaler.core.lifecycle import NodeState
from autoscaler.views.measures import Measures, PoolMeasures
from autoscaler.views.standing import PoolStanding

Labelled = tuple[tuple[str, ...], float | None]
"""Values of the labels, and the number; None: not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """One metric that is read when it is asked for. `unit` is for people; names have it too, where it is one."""

    name: str
    unit: str
    means: str
    labels: tuple[str, ...]
    read: Callable[[Measures], Iterable[Labelled]]


def _one(name: str, unit: str, means: str, value: Callable[[Measures], float | None], *labels: str) -> Gauge:
    return Gauge(
        name=f"autoscaler_{name}", unit=unit, means=means, labels=labels, read=lambda m: [((), value(m))]
    )


def _pool(name: str, unit: str, means: str, value: Callable[[PoolStanding], float | None]) -> Gauge:
    """A number of each pool's standing: the same as on the page and in `status --json`."""
    return Gauge(
        name=f"autoscaler_pool_{name}",
        unit=unit,
        means=means,
        labels=("pool",),
        read=lambda m: [((each.pool,), value(each)) for each in m.standing.pools],
    )


def _more(
    name: str,
    unit: str,
    means: str,
    value: Callable[[PoolMeasures], Iterable[Labelled]],
    *labels: str,
) -> Gauge:
    """Numbers of each pool beside its standing; `labels` besides `pool`."""
    return Gauge(
        name=f"autoscaler_pool_{name}",
        unit=unit,
        means=means,
        labels=("pool", *labels),
        read=lambda m: [
            ((each.standing.pool, *more), number) for each in m.pools for more, number in value(each)
        ],
    )


def _fleet_info(found: Measures) -> Iterator[Labelled]:
    yield (found.standing.fleet, found.standing.currency), 1.0


def _seen(pool: PoolMeasures) -> Iterator[Labelled]:
    if pool.decision is not None:
        given = pool.decision.input
        yield ("demand",), float(not given.demand_missing)
        yield ("supply",), float(not given.supply_missing)


def _rates(pool: PoolMeasures, which: str) -> Iterator[Labelled]:
    demand = pool.decision.input.demand if pool.decision is not None else None
    if demand is not None:
        yield (), demand.arrivals_per_s.value if which == "arrivals" else demand.completions_per_s.value


def _workers(pool: PoolMeasures) -> Iterator[Labelled]:
    now = pool.standing
    yield ("serving",), now.serving
    yield ("arriving",), now.arriving
    yield ("leaving",), now.leaving
    yield ("lost",), now.lost


def _machines(pool: PoolMeasures) -> Iterator[Labelled]:
    for state in NodeState:
        if state is not NodeState.GONE:
            yield (state.value,), pool.machines.get(state, 0)


def _limits(pool: PoolMeasures) -> Iterator[Labelled]:
    if pool.limits is not None:
        yield ("floor",), pool.limits.min_workers
        yield ("ceiling",), pool.limits.max_workers


def _proposals(pool: PoolMeasures) -> Iterator[Labelled]:
    for place, proposal in enumerate(pool.decision.proposals if pool.decision is not None else (), 1):
        yield (proposal.policy, str(place)), proposal.workers


def _rules(pool: PoolMeasures) -> Iterator[Labelled]:
    steps = pool.decision.steps if pool.decision is not None else ()
    for rule in dict.fromkeys(step.rule.value for step in steps):
        yield (rule,), 1.0


def _boots(found: Measures) -> Iterator[Labelled]:
    for known in found.boots:
        for share, seconds in zip(("50", "95"), middle_and_high(known.boots.whole_s) or (), strict=False):
            yield (known.pool, known.offer.name, share), seconds


def _phases(found: Measures) -> Iterator[Labelled]:
    for known in found.boots:
        for phase, taken in known.boots.took_s.items():
            for share, seconds in zip(("50", "95"), middle_and_high(taken) or (), strict=False):
                yield (known.pool, known.offer.name, phase.value, share), seconds


def _failed_boots(found: Measures) -> Iterator[Labelled]:
    for known in found.boots:
        for phase, machines in known.boots.failed.items():
            yield (known.pool, known.offer.name, phase.value), machines


def _accounts(name: str, unit: str, means: str, value: Callable[[Measures], Iterable[Labelled]]) -> Gauge:
    return Gauge(name=f"autoscaler_{name}", unit=unit, means=means, labels=("provider",), read=value)


_MONEY = "currency of `autoscaler_fleet_info`"

GAUGES: tuple[Gauge, ...] = (
    Gauge(
        name="autoscaler_fleet_info",
        unit="1",
        means="The fleet's name, and the currency of every metric that tells a cost.",
        labels=("fleet", "currency"),
        read=_fleet_info,
    ),
    _one(
        "daemon_running",
        "0 or 1",
        "Whether a daemon ticks, by its journal.",
        lambda m: float(m.standing.daemon.running),
    ),
    _one(
        "last_tick_timestamp_seconds",
        "Unix time",
        "When the last tick was written down. `time() - …` is its age.",
        lambda m: m.standing.daemon.last_tick_at,
    ),
    _one(
        "tick_interval_seconds",
        "seconds",
        "Time between two ticks, as configured (`loop.tick`).",
        lambda m: m.tick_s,
    ),
    _one(
        "lease_taken_timestamp_seconds",
        "Unix time",
        "When the daemon that leads took its lease. A change is a restart, or another daemon that took over.",
        lambda m: m.standing.daemon.holder.since_at if m.standing.daemon.holder else None,
    ),
    _one("waiting_orders", "orders", "Operators' orders not answered yet.", lambda m: len(m.standing.orders)),
    Gauge(
        name="autoscaler_holds",
        unit="things",
        means="What is wanted and held back now, by what holds it: see [breakers](breakers.md). All kinds are there.",
        labels=("kind",),
        read=lambda m: [((str(kind),), number) for kind, number in m.holds.items()],
    ),
    _one(
        "cost_per_hour", f"{_MONEY} per hour", "What all machines cost now.", lambda m: m.standing.bill.per_h
    ),
    _one(
        "cost_limit_per_hour",
        f"{_MONEY} per hour",
        "What they may cost (`fleet.max_cost_per_hour`); absent where nothing is said.",
        lambda m: m.most_per_h,
    ),
    _one(
        "month_spent", _MONEY, "This calendar month's bill (UTC) until now.", lambda m: m.standing.bill.spent
    ),
    _one(
        "month_projected",
        _MONEY,
        "The same by the month's end, if things go on as they were.",
        lambda m: m.standing.bill.projected,
    ),
    _one(
        "month_limit",
        _MONEY,
        "What a month may cost (`fleet.max_cost_per_month`); absent where nothing is said.",
        lambda m: m.standing.bill.most,
    ),
    _pool("waiting_messages", "messages", "Ready, not yet delivered.", lambda p: p.waiting),
    _pool("in_progress_messages", "messages", "Delivered, not yet acknowledged.", lambda p: p.in_progress),
    _pool(
        "oldest_message_seconds",
        "seconds",
        "Age of the message at the head of the longest-waiting queue.",
        lambda p: p.oldest_s,
    ),
    _more(
        "wait_percentile_seconds",
        "seconds",
        "The age of the message at the head, over the ticks of the last ten minutes.",
        lambda p: [((f"{100 * share:g}",), seconds) for share, seconds in p.waits_s.items()],
        "percentile",
    ),
    _more(
        "wait_target_seconds",
        "seconds",
        "The shortest `target_wait` of its policies; absent where none has one.",
        lambda p: [((), p.target_wait_s)],
    ),
    _more(
        "arrivals_per_second",
        "tasks per second",
        "As the broker counts them.",
        lambda p: _rates(p, "arrivals"),
    ),
    _more(
        "completions_per_second",
        "tasks per second",
        "As the broker counts them.",
        lambda p: _rates(p, "completions"),
    ),
    _more(
        "fact_seen",
        "0 or 1",
        "Whether its last decision saw its `demand` (the broker) and its `supply` (machines and workers).",
        _seen,
        "fact",
    ),
    _more("workers", "workers", "Its supply: `serving`, `arriving`, `leaving` or `lost`.", _workers, "state"),
    _more("machines", "machines", "Its machines by the [life of a node](lifecycle.md).", _machines, "state"),
    _more(
        "overdue_machines",
        "machines",
        "Told to end five times or more, and still there. They are paid.",
        lambda p: [((), p.overdue)],
    ),
    _pool(
        "outdated_machines",
        "machines",
        "Of an older definition of the pool, or too old.",
        lambda p: p.outdated,
    ),
    _pool(
        "wanted_workers",
        "workers",
        "What its last decision wants, after every limit of the pool.",
        lambda p: p.wanted,
    ),
    _more(
        "recommended_workers",
        "workers",
        "The strongest proposal before it was calmed and limited; absent where nothing was asked.",
        lambda p: [((), p.decision.recommended if p.decision is not None else None)],
    ),
    _more(
        "proposed_workers",
        "workers",
        "Each policy's own wish; `place` is its place among the pool's policies. Absent where it has no opinion.",
        _proposals,
        "policy",
        "place",
    ),
    _more(
        "rule_applied",
        "1",
        "The rules its last decision went through to its number: where a wish began, and what changed it. Absent: it "
        "did not.",
        _rules,
        "rule",
    ),
    _more(
        "limit_workers", "workers", "`floor` (`min_workers`) and `ceiling` (`max_workers`).", _limits, "bound"
    ),
    _pool("paused", "0 or 1", "Whether it is paused.", lambda p: float(p.paused)),
    _pool(
        "held", "0 or 1", "Whether an operator holds its number.", lambda p: float(p.hold_workers is not None)
    ),
    _pool(
        "decision_timestamp_seconds", "Unix time", "When it was decided about last.", lambda p: p.decided_at
    ),
    _pool("cost_per_hour", f"{_MONEY} per hour", "What its machines cost now.", lambda p: p.cost_per_h),
    _more(
        "cost_limit_per_hour",
        f"{_MONEY} per hour",
        "What they may cost (`limits.max_cost_per_hour`); absent where nothing is said.",
        lambda p: [((), p.limits.max_cost_per_hour if p.limits is not None else None)],
    ),
    _pool("month_spent", _MONEY, "Its part of this month's bill until now.", lambda p: p.bill.spent),
    _pool("month_projected", _MONEY, "The same by the month's end.", lambda p: p.bill.projected),
    _pool(
        "month_limit",
        _MONEY,
        "What a month of it may cost; absent where nothing is said.",
        lambda p: p.bill.most,
    ),
    _pool(
        "published_servers",
        "machines",
        "Machines in its upstream file, as its reader took it in; absent where it has none.",
        lambda p: len(p.published.servers) if p.published else None,
    ),
    _pool(
        "publishing_troubled",
        "0 or 1",
        "Whether that file is not what it should be; absent where it has none.",
        lambda p: float(bool(p.published.trouble)) if p.published else None,
    ),
    Gauge(
        name="autoscaler_boot_percentile_seconds",
        unit="seconds",
        means="From the order to the first heartbeat, of the last twenty machines of the offer.",
        labels=("pool", "offer", "percentile"),
        read=_boots,
    ),
    Gauge(
        name="autoscaler_boot_phase_percentile_seconds",
        unit="seconds",
        means="The same for each [phase](enrolment.md); phases run side by side and do not add up.",
        labels=("pool", "offer", "phase", "percentile"),
        read=_phases,
    ),
    Gauge(
        name="autoscaler_boot_late_after_seconds",
        unit="seconds",
        means="After how long a machine of the offer counts as late.",
        labels=("pool", "offer"),
        read=lambda m: [((known.pool, known.offer.name), known.late_after_s) for known in m.boots],
    ),
    Gauge(
        name="autoscaler_boot_failed_machines",
        unit="machines",
        means="Machines that said which phase failed, as far as is remembered.",
        labels=("pool", "offer", "phase"),
        read=_failed_boots,
    ),
    _accounts(
        "account_seen",
        "0 or 1",
        "Whether the account's machines are listed whole.",
        lambda m: [((a.account,), float(a.unseen_since_at is None)) for a in m.standing.accounts],
    ),
    _accounts(
        "account_troubled",
        "0 or 1",
        "Whether it is not seen, or is left in peace because it refused or did not answer.",
        lambda m: [((a.account,), float(bool(a.trouble))) for a in m.standing.accounts],
    ),
    _accounts(
        "account_requests_left",
        "requests",
        "That it takes before its limit is renewed, by its own word; absent where it says nothing.",
        lambda m: [((a.account,), a.requests_left) for a in m.standing.accounts],
    ),
    _accounts(
        "orphan_machines",
        "machines",
        "With our mark and without a record. They are paid.",
        lambda m: [((o.provider,), o.machines) for o in m.orphans],
    ),
    _accounts(
        "orphan_cost_per_hour",
        f"{_MONEY} per hour",
        "What these cost, by the offers they were most likely bought by.",
        lambda m: [((o.provider,), o.cost_per_h) for o in m.orphans],
    ),
    _accounts(
        "orphan_month_spent",
        _MONEY,
        "What these have cost this month, by the same.",
        lambda m: [((o.provider,), o.spent) for o in m.orphans],
    ),
    _accounts(
        "misplaced_machines",
        "machines",
        "That stand where residency does not allow it.",
        lambda m: [((a.account,), m.misplaced.get(a.account, 0)) for a in m.standing.accounts],
    ),
)
