"""Arbitrary demand, supply, history and whole decision inputs, for every law about how many workers are wanted.

Numbers are drawn small and close together, so that thresholds, windows and limits are really met.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from policies.contract import (
    Allowance,
    DecisionInput,
    Demand,
    History,
    Hold,
    Limits,
    Past,
    PolicySpec,
    QueueDemand,
    Reading,
    Span,
    Stabilization,
    Supply,
    Traffic,
    Trust,
)
from policies.evidence import Brake, Deliveries, Growth, Redeliveries
from policies.prospect import Foreseen, Prospect

NOW = 1_700_000_000.0

counts = st.one_of(st.integers(0, 12), st.integers(0, 300))
workers = st.one_of(st.integers(0, 6), st.integers(0, 40))
seconds = st.one_of(st.sampled_from([0.0, 10.0, 60.0, 300.0]), st.floats(0, 900))
words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=20)


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    """A figure with its trust; absent ones have no value."""
    trust = draw(st.sampled_from(Trust))
    value = None if trust is Trust.ABSENT else draw(st.floats(0, 1e6))
    return Reading(value=value, trust=trust, why=draw(words))


queue_demands = st.builds(
    QueueDemand, name=words, backlog=counts, in_progress=counts, consumers=workers, missing=st.booleans()
)
demands = st.builds(
    Demand,
    backlog=counts,
    in_progress=counts,
    arrivals_per_s=readings(),
    completions_per_s=readings(),
    wait_s=readings(),
    measured_at=st.floats(NOW - 60, NOW),
    queues=st.lists(queue_demands, max_size=2).map(tuple),
    warnings=st.lists(words, max_size=2).map(tuple),
)
supplies = st.builds(
    Supply,
    serving=workers,
    arriving=workers,
    leaving=workers,
    lost=workers,
    slots=st.integers(1, 8),
    tasks_in_hand=st.none() | counts,
    arriving_for_s=st.just(()) | st.lists(seconds, max_size=5).map(tuple),
    scheduled=st.none() | counts,
    prefetched=st.none() | counts,
    idle=workers,
    quantum_s=st.sampled_from([1.0, 60.0, 600.0, 3600.0]),
)


amounts = st.floats(0, 500)
spans = st.lists(st.builds(Span, seconds=st.floats(0.1, 100), amount=amounts), max_size=12).map(tuple)
rates = st.floats(0.01, 500)
brakes = st.builds(
    Brake,
    few=st.integers(1, 40),
    few_per_s=rates,
    many=st.integers(2, 60),
    many_per_s=rates,
    left_s=seconds,
    holds_s=seconds,
    tried=st.none() | st.integers(1, 60),
)
deliveries = st.builds(Deliveries, seconds=seconds, delivered=amounts, redelivered=amounts, excused=amounts)
traffics = st.builds(
    Traffic,
    growth=st.builds(Growth, brake=st.none() | brakes),
    redeliveries=st.builds(
        Redeliveries, minutes=st.lists(deliveries, max_size=6).map(tuple), high=st.booleans()
    ),
    drains=st.floats(0, 20),
    drain_s=st.floats(0, 10_000),
    arrivals=spans,
    arrivals_per_s=amounts,
    recent_per_s=amounts,
    peaks=spans,
    tasks=st.floats(0, 1000),
    busy_s=st.floats(0, 1e6),
    busy=st.floats(0, 200),
    pressed=spans,
    boots=st.floats(0, 20),
    boot_s=st.floats(0, 10_000),
)


foreseen = st.builds(
    Foreseen,
    says=words,
    per_s=st.lists(st.floats(0, 20) | st.floats(), max_size=14).map(tuple),
    error=st.floats(0, 10),
    present_error=st.floats(0, 10),
    slices=st.integers(0, 4000),
)
prospects = st.builds(
    Prospect,
    from_at=st.floats(NOW - 900, NOW + 900),
    slice_s=st.just(300.0),
    soon=st.none() | foreseen,
    later=st.none() | foreseen,
    why=words,
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    """Up to eight decisions, oldest first; some dated after now, as after a clock was set back."""
    ages_s = sorted(draw(st.lists(st.floats(-100, 1200), max_size=8)), reverse=True)
    past = tuple(
        Past(
            at=NOW - age_s,
            recommended=draw(st.none() | workers),
            wanted=draw(workers),
            workers=draw(workers),
        )
        for age_s in ages_s
    )
    return History(
        past=past,
        good_looks=draw(st.integers(0, 5)),
        traffic=draw(traffics),
        prospect=draw(st.none() | prospects),
    )


backlog_specs = st.builds(
    lambda share, progress: PolicySpec(
        kind="backlog", options={"messages_per_worker": share, "count_in_progress": progress}
    ),
    st.sampled_from([0.5, 0.7, 1, 2.5, 10, 20]),
    st.booleans(),
)


@st.composite
def steps_specs(draw: st.DrawFn) -> PolicySpec:
    """Thresholds in order, with steps that do not shrink."""
    above = sorted(draw(st.sets(st.integers(0, 30), min_size=1, max_size=3)))
    add = sorted(draw(st.lists(st.integers(1, 6), min_size=len(above), max_size=len(above))))
    below = sorted(draw(st.sets(st.integers(1, above[0]), max_size=2))) if above[0] else []
    remove = sorted(draw(st.lists(st.integers(1, 6), min_size=len(below), max_size=len(below))), reverse=True)
    options: dict[str, object] = {
        "out": [{"above": a, "add": n} for a, n in zip(above, add, strict=True)],
        "in": [{"below": b, "remove": n} for b, n in zip(below, remove, strict=True)],
    }
    return PolicySpec(kind="steps", options=options)


# NOW is 2023-11-14 22:13:20 UTC, so that some of these are in force, some end or begin soon, and some are far away.
schedule_rows = st.builds(
    lambda cron, minutes, floor, span: {
        "cron": cron,
        "lasts_s": minutes * 60.0,
        **({} if floor is None else {"min_workers": floor}),
        **({} if span is None else {"max_workers": (floor or 0) + span}),
    },
    st.sampled_from(
        ["* * * * *", "13 22 * * *", "0 7 * * mon-fri", "*/7 * * * *", "0 0 14 nov wed", "0 0 29 2 *"]
    ),
    st.integers(1, 28 * 24 * 60) | st.integers(1, 30),
    st.none() | workers,
    st.none() | workers,
).filter(lambda row: len(row) > 2)
schedule_specs = st.builds(
    lambda zone, rows: PolicySpec(kind="schedule", options={"time_zone": zone, "windows": rows}),
    st.sampled_from(["UTC", "Europe/Oslo", "Australia/Lord_Howe", "America/St_Johns"]),
    st.lists(schedule_rows, min_size=1, max_size=3),
)

wait_specs = st.builds(
    lambda target_s: PolicySpec(kind="wait", options={"target_wait_s": target_s}),
    st.sampled_from([1, 30, 120, 3600]),
)
forecast_specs = st.builds(
    lambda target_s, zone: PolicySpec(
        kind="forecast", options={"target_wait_s": target_s, "time_zone": zone}
    ),
    st.sampled_from([1, 30, 3600]),
    st.sampled_from(["UTC", "Europe/Oslo", "Australia/Lord_Howe"]),
)
rate_specs = st.builds(
    lambda share: PolicySpec(kind="rate", options={"messages_per_s": share}),
    st.sampled_from([0.001, 0.7, 10, 5_000]),
)
policy_specs = st.one_of(wait_specs, backlog_specs, rate_specs, steps_specs(), schedule_specs, forecast_specs)


@st.composite
def limits(draw: st.DrawFn) -> Limits:
    """A ceiling at or above the floor, as a configuration must have it."""
    floor = draw(st.integers(0, 8))
    return Limits(
        min_workers=floor,
        max_workers=floor + draw(workers),
        on_unknown=draw(st.integers(0, 12)),
    )


# Most drawn rules of stabilization hold almost any change; half of the inputs go without, so that wishes get through.
uncalmed = Stabilization(scale_in_window_s=0.0, scale_in_cooldown_s=0.0, tolerance=0.0, good_looks=0)
stabilizations = st.just(uncalmed) | st.builds(
    Stabilization,
    scale_out_window_s=seconds,
    scale_in_window_s=seconds,
    scale_out_cooldown_s=seconds,
    scale_in_cooldown_s=seconds,
    tolerance=st.sampled_from([0.0, 0.1, 0.25, 0.9]),
    max_step_out=st.none() | st.integers(1, 5),
    max_step_in=st.none() | st.integers(1, 5),
    good_looks=st.integers(0, 4),
)
holds = st.builds(Hold, workers=workers, until_at=st.floats(NOW - 100, NOW + 10_000))


@st.composite
def decision_inputs(draw: st.DrawFn) -> DecisionInput:
    """Any input that a tick may put together: seen or blind, paused, held, or left to the policies."""
    demand = draw(st.one_of(demands, demands, st.none()))
    return DecisionInput(
        pool=draw(st.sampled_from(["images", "mail"])),
        at=NOW,
        demand=demand,
        demand_missing="" if demand else draw(words),
        supply=draw(supplies),
        supply_missing=draw(st.just("") | words),
        history=draw(histories()),
        policies=tuple(draw(st.lists(policy_specs, max_size=3))),
        limits=draw(limits()),
        stabilization=draw(stabilizations),
        paused=draw(st.sampled_from([False, False, False, True])),
        hold=draw(st.none() | st.none() | holds),
        allowance=draw(
            st.none() | st.none() | st.builds(Allowance, workers=workers, why=st.just("drawn so"))
        ),
    )


def left_to_policies(given: DecisionInput) -> DecisionInput:
    """The same input without an operator's word."""
    return replace(given, paused=False, hold=None)
