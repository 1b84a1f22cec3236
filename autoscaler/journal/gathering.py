"""Several looks at a pool as one row: sums of what is added up, the most of what is a peak, the last of what stood.

In go rows of `stretches`, a single look being one of one tick, in order of time; out come fewer of them that say the
same of their time: whoever sums them finds what he found before. What never happens here: SQL, a look lost, or two
looks in one row between which nobody looked for long.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from autoscaler.journal import tables

Row = Mapping[str, Any]
"""The columns of `stretches` but its number, by name."""

COLUMNS = tuple(column.name for column in tables.stretches.columns if column.name != "number")
_SUMS = (
    "ticks", "seen", "in_progress_sum", "arrivals_sum", "arrivals_looks", "completions_sum", "completions_looks",
    "serving_sum", "arriving_sum", "leaving_sum", "wanted_sum", "cost_sum", "arrived", "completed", "counted_s",
    "counted", "busy_sum",
)  # fmt: skip
_MOST = ("backlog_most", "wait_s", "serving_most", "wanted_most", "busy_most")
_LEAST = ("wanted_least",)
_FIRST = ("pool", "since_at")
_LAST = ("at", "serving", "arriving", "leaving", "wanted")
_FIRST_SEEN = ("seen_since_at", "busy_first")
_LAST_SEEN = ("seen_at", "backlog", "in_progress", "busy_last")

_SHORTEST_WAIT_S, _STEP = 0.05, 1.1
"""Waits are counted by steps of a tenth, so that each is told to a twentieth."""
_LONGEST_STEP, _LONGEST_WAIT_S = 300, 1e11


def gathered(rows: Iterable[Row], *, over_s: float, apart_s: float) -> Iterator[dict[str, Any]]:
    """One pool's rows of a time as few. Two are not brought together between which nobody looked for longer than
    `apart_s`, nor a time that was blind for longer with one that was not."""
    for part in _unbroken(rows, apart_s):
        yield _together(part) | {"over_s": over_s}


def _unbroken(rows: Iterable[Row], apart_s: float) -> Iterator[list[Row]]:
    parts: list[list[Row]] = []
    for row in rows:
        if parts and row["since_at"] - parts[-1][-1]["at"] <= apart_s:
            parts[-1].append(row)
        else:
            parts.append([row])
    for part in parts:
        yield from _of_one_sight(part, apart_s)


def _of_one_sight(rows: Sequence[Row], apart_s: float) -> Iterator[list[Row]]:
    """A blind while that is short is part of the time around it."""
    parts: list[list[Row]] = []
    for row in rows:
        if parts and bool(parts[-1][-1]["seen"]) == bool(row["seen"]):
            parts[-1].append(row)
        else:
            parts.append([row])
    whole: list[list[Row]] = []
    for part in parts:
        blind = not part[0]["seen"] and part[-1]["at"] - part[0]["since_at"] > apart_s
        if whole and not blind and not _is_blind(whole[-1], apart_s):
            whole[-1] += part
        else:
            whole.append(part)
    yield from whole


def _is_blind(rows: Sequence[Row], apart_s: float) -> bool:
    return not any(row["seen"] for row in rows) and rows[-1]["at"] - rows[0]["since_at"] > apart_s


def _together(rows: Sequence[Row]) -> dict[str, Any]:
    seeing = [row for row in rows if row["seen"]]
    of: dict[str, Any] = {name: rows[0][name] for name in _FIRST}
    of |= {name: rows[-1][name] for name in _LAST}
    of |= {name: seeing[0][name] if seeing else None for name in _FIRST_SEEN}
    of |= {name: seeing[-1][name] if seeing else None for name in _LAST_SEEN}
    for names, what in ((_SUMS, sum), (_MOST, max), (_LEAST, min)):
        for name in names:
            known = [row[name] for row in rows if row[name] is not None]
            of[name] = what(known) if known else None
    of["busy_s"] = math.fsum([*(row["busy_s"] for row in rows), *map(_between, seeing, seeing[1:])])
    of["waits"] = _waits(rows)
    return of


def _between(before: Row, after: Row) -> float:
    """Seconds of slots from the last look of one to the first of the next: what was seen at both, on average."""
    span_s = max(0.0, after["seen_since_at"] - before["seen_at"])
    return float((before["busy_last"] + after["busy_first"]) / 2.0 * span_s)


def _waits(rows: Iterable[Row]) -> str | None:
    counts: dict[int, int] = {}
    for row in rows:
        if row["waits"] is not None:
            for step, looks in steps(row["waits"]):
                counts[step] = counts.get(step, 0) + looks
        elif row["wait_s"] is not None:
            step = _step(row["wait_s"])
            counts[step] = counts.get(step, 0) + 1
    return " ".join(f"{step}:{looks}" for step, looks in sorted(counts.items())) or None


def _step(wait_s: float) -> int:
    """0 is no wait."""
    if wait_s < _SHORTEST_WAIT_S:
        return 0
    if not wait_s < _LONGEST_WAIT_S:  # nor NaN, which a hand may have written
        return _LONGEST_STEP
    return min(_LONGEST_STEP, 1 + round(math.log(wait_s / _SHORTEST_WAIT_S, _STEP)))


def steps(waits: str) -> Iterator[tuple[int, int]]:
    """How many looks saw which step of waits. Raises ValueError."""
    for part in waits.split(" "):
        step, _, looks = part.partition(":")
        yield int(step), int(looks)


def wait_s(step: int) -> float:
    """About how long those waited. Raises OverflowError, ValueError for what is no step."""
    if not 0 <= step <= _LONGEST_STEP:
        raise ValueError(f"{step} is no step of waits")
    return _SHORTEST_WAIT_S * _STEP ** (step - 1) if step else 0.0
