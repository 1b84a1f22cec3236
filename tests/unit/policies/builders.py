"""Demand, supply, history and whole inputs with defaults, so that a test names only what its rule is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policies.contract import (
    DecisionInput,
    Demand,
    History,
    Limits,
    Past,
    PolicySpec,
    Reading,
    Stabilization,
    Supply,
    Trust,
)

NOW = 1_000_000.0
ABSENT = Reading(value=None, trust=Trust.ABSENT, why="not measured here")
CALM = Stabilization(scale_in_window_s=0.0, scale_in_cooldown_s=0.0, tolerance=0.0, good_looks=0)
"""No rule calms anything."""


def a_demand(backlog: int = 0, in_progress: int = 0, **given: Any) -> Demand:
    """So many waiting and in progress, nothing else measured."""
    readings = {
        "arrivals_per_s": ABSENT,
        "completions_per_s": ABSENT,
        "wait_s": ABSENT,
        "measured_at": NOW - 3,
    }
    return Demand(backlog=backlog, in_progress=in_progress, **(readings | given))


def a_supply(serving: int = 0, arriving: int = 0, **given: Any) -> Supply:
    """Workers of two slots."""
    return Supply(serving=serving, arriving=arriving, **({"leaving": 0, "lost": 0, "slots": 2} | given))


def a_history(*rows: tuple[float, int | None, int], good_looks: int = 100) -> History:
    """Rows of (seconds before now, recommended, wanted), oldest first."""
    past = tuple(
        Past(at=NOW - ago_s, recommended=recommended, wanted=wanted, workers=wanted)
        for ago_s, recommended, wanted in rows
    )
    return History(past=past, good_looks=good_looks)


def backlog_spec(messages_per_worker: float = 10, **options: object) -> PolicySpec:
    """The policy `backlog`."""
    return PolicySpec(kind="backlog", options={"messages_per_worker": messages_per_worker, **options})


def steps_spec(
    out: Iterable[tuple[int, int]] = ((20, 2),), into: Iterable[tuple[int, int]] = ()
) -> PolicySpec:
    """The policy `steps`, from pairs of threshold and step."""
    options: dict[str, object] = {"out": [{"above": above, "add": add} for above, add in out]}
    rows = [{"below": below, "remove": remove} for below, remove in into]
    return PolicySpec(kind="steps", options=options | ({"in": rows} if rows else {}))


def an_input(backlog: int | None = 0, workers: int = 0, **given: Any) -> DecisionInput:
    """A pool `images` of one `backlog` policy, ten messages a worker, room for a hundred workers, nothing calmed.

    `backlog` None means that demand cannot be seen.
    """
    defaults: dict[str, Any] = {
        "pool": "images",
        "at": NOW,
        "demand": None if backlog is None else a_demand(backlog),
        "demand_missing": "connection refused" if backlog is None else "",
        "supply": a_supply(workers),
        "history": a_history(),
        "policies": (backlog_spec(),),
        "limits": Limits(max_workers=100),
        "stabilization": CALM,
    }
    return DecisionInput(**(defaults | given))


def schedule_spec(
    *windows: tuple[str, float, int | None, int | None], zone: str = "Europe/Oslo"
) -> PolicySpec:
    """The policy `schedule`, from tuples of cron, hours, floor and ceiling."""
    rows = [
        {"cron": cron, "lasts_s": hours * 3600.0}
        | ({} if floor is None else {"min_workers": floor})
        | ({} if ceiling is None else {"max_workers": ceiling})
        for cron, hours, floor, ceiling in windows
    ]
    return PolicySpec(kind="schedule", options={"time_zone": zone, "windows": rows})
