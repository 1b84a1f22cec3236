"""A replay beside today's: each figure with its difference in words, and the same as a document.

In go the facts that `backtest --json` told. What never happens here: a run, markup.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.web import bars, wording
from autoscaler.web.bars import Piece

_NEAR = 0.005
"""Figures that differ by less than half a per cent are the same."""
_LONG_ENOUGH_S = 1.0
"""Waits that differ by less are the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure."""

    what: str
    today: str
    candidate: str
    recorded: str
    differs: str
    look: str
    """"good", "bad", or nothing where it is neither."""
    bar_of_today: tuple[Piece, ...]
    bar_of_candidate: tuple[Piece, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    what: str
    key: str
    written: Callable[[float], str]
    least: float = 0.0
    """What differs by less is the same."""
    more: str = "more"
    less: str = "less"
    good_is: int = -1
    """-1: less is better; 1: more is; 0: neither."""


def _share(part: float) -> str:
    """Rounded down: 100 % is all."""
    return f"{math.floor(part * 1000 + 1e-9) / 10:.1f} %"


def _count(value: float) -> str:
    return wording.number(round(value))


def _wait(what: str, key: str) -> _Figure:
    return _Figure(
        what=what, key=key, written=wording.span, least=_LONG_ENOUGH_S, more="longer", less="shorter"
    )


_FIGURES = (
    _Figure(what="Cost", key="cost", written=wording.amount),
    _Figure(what="Started in time", key="within_target", written=_share, least=0.0005, good_is=1),
    _wait("Wait, median", "wait_p50_s"),
    _wait("Wait, 95 %", "wait_p95_s"),
    _wait("Wait, 99 %", "wait_p99_s"),
    _wait("Longest wait", "wait_max_s"),
    _Figure(what="Machines bought", key="creates", written=_count, more="more", less="fewer", good_is=0),
    _Figure(what="Machines at once", key="nodes_peak", written=_count, more="more", less="fewer", good_is=0),
    _Figure(what="Tasks not done", key="undone", written=_count, more="more", less="fewer"),
)


def rows(facts: Mapping[str, Any]) -> tuple[Row, ...]:
    """A row a figure."""
    told = document(facts)
    today, candidate, recorded = (_with_undone(told[name]) for name in ("today", "candidate", "recorded"))
    return tuple(_row(figure, today, candidate, recorded) for figure in _FIGURES)


def document(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a replay came to, under the names of the API."""
    today, candidate = facts["results"]
    return {
        "today": today,
        "candidate": candidate,
        "recorded": facts["recorded"],
        "seconds": facts["workload"]["seconds"],
        "tasks": facts["workload"]["tasks"],
        "target_wait_s": facts["record"]["target_wait_s"],
        "says": facts["says"],
        "doubts": facts["record"]["doubts"],
    }


def _with_undone(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {**outcome, "undone": outcome["tasks_arrived"] - outcome["tasks_done"]}


def _row(
    figure: _Figure, today: Mapping[str, Any], candidate: Mapping[str, Any], recorded: Mapping[str, Any]
) -> Row:
    before, after = today[figure.key], candidate[figure.key]
    differs, way = _difference(figure, before, after)
    whole = 1.0 if figure.key == "within_target" else max(before, after)
    return Row(
        what=figure.what,
        today=figure.written(before),
        candidate=figure.written(after),
        recorded=figure.written(recorded[figure.key]),
        differs=differs,
        look={1: "good", -1: "bad", 0: ""}[way * figure.good_is],
        bar_of_today=bars.share("spent", before, whole),
        bar_of_candidate=bars.share("booting", after, whole),
    )


def _difference(figure: _Figure, before: float, after: float) -> tuple[str, int]:
    """In words, and which way it goes."""
    by = after - before
    same = abs(by) <= figure.least or (before and abs(by / before) < _NEAR and figure.key != "within_target")
    if by == 0 or same:
        return "the same", 0
    word = figure.more if by > 0 else figure.less
    way = 1 if by > 0 else -1
    if figure.key == "within_target":
        return f"{abs(by) * 100:.1f} points {word}", way
    if figure.written is _count:
        return f"{_count(abs(by))} {word}", way
    amount = figure.written(abs(by))
    return (f"{amount} {word}, {_percent(abs(by / before))}" if before else f"{amount} {word}"), way


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %" if share >= 0.095 else f"{share * 100:.1f} %"
