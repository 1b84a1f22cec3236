"""All looks at pools that are on record, whether each has a row of its own or many have one: in the columns of
`stretches`.

What never happens here: a statement carried out.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from autoscaler.journal import tables
from autoscaler.journal.gathering import COLUMNS


def single() -> dict[str, sa.ColumnElement[Any]]:
    """What a sample is as a stretch of one tick, by column."""
    table = tables.samples.c
    seen = table.backlog.is_not(None)
    busy = sa.case((seen, sa.func.coalesce(table.busy, table.in_progress, 0)))
    instant = sa.case((seen, table.at))

    def told(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.case((column.is_not(None), 1), else_=0)

    return {
        "over_s": sa.literal_column("0"),
        "since_at": table.at,
        "ticks": sa.literal_column("1"),
        "seen": told(table.backlog),
        "seen_since_at": instant,
        "seen_at": instant,
        "backlog_most": table.backlog,
        "waits": sa.null(),
        "in_progress_sum": table.in_progress,
        "arrivals_sum": table.arrivals_per_s,
        "arrivals_looks": told(table.arrivals_per_s),
        "completions_sum": table.completions_per_s,
        "completions_looks": told(table.completions_per_s),
        "serving_sum": table.serving,
        "serving_most": table.serving,
        "arriving_sum": table.arriving,
        "leaving_sum": table.leaving,
        "wanted_sum": table.wanted,
        "wanted_least": table.wanted,
        "wanted_most": table.wanted,
        "cost_sum": table.cost_per_h,
        "counted": told(table.arrived),
        "busy_first": busy,
        "busy_last": busy,
        "busy_most": busy,
        "busy_sum": busy,
        "busy_s": sa.literal_column("0.0"),
    }


def samples() -> sa.Select[Any]:
    """Of looks that have a row of their own."""
    of = single()
    own = tables.samples.c
    return sa.select(*((of[name] if name in of else own[name]).label(name) for name in COLUMNS))


def stretches() -> sa.Select[Any]:
    """Of those that have one together."""
    return sa.select(*(tables.stretches.c[name] for name in COLUMNS))
