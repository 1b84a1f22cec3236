"""Bars that pages draw: a month's money, a pool's workers, a node's life, its boot. Numbers go in, places come out.

A bar is 1000 units wide, whatever it is of. What never happens here: markup, colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from autoscaler.core import enrolment
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Transition
from autoscaler.core.reports import Boot
from policies.phrases import duration

WIDTH = 1000
_SPANS_S = (300.0, 600.0, 1800.0, 3600.0)
_LEAST = 4
"""What was there is seen, however short it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One part of a bar. `kind` names its look, `says` what it is."""

    kind: str
    x: int
    width: int
    says: str = ""

    @property
    def end(self) -> int:
        return self.x + self.width


def money(spent: float, projected: float, most: float | None) -> tuple[Piece, ...]:
    """What was spent, what comes to it, and where the ceiling is."""
    whole = max(spent, projected, most or 0.0)
    if whole <= 0:
        return ()
    over = most is not None and max(spent, projected) > most
    pieces = [
        _piece("coming-over" if over else "coming", 0.0, max(spent, projected), whole),
        _piece("spent-over" if over else "spent", 0.0, spent, whole),
    ]
    if most is not None:
        x = min(WIDTH - 4, round(most / whole * WIDTH))
        pieces.append(Piece(kind="mark", x=x, width=4))
    return tuple(pieces)


def workers(serving: int, arriving: int, leaving: int, lost: int, wanted: int | None) -> tuple[Piece, ...]:
    """Workers by state, one after the other, and a mark at so many as are wanted."""
    whole = float(max(serving + arriving + leaving + lost, wanted or 0))
    if whole <= 0:
        return ()
    pieces, x = [], 0.0
    for kind, amount in (("ready", serving), ("booting", arriving), ("draining", leaving), ("lost", lost)):
        if amount:
            pieces.append(_piece(kind, x, x + amount, whole))
            x += amount
    if wanted is not None:
        at = min(WIDTH - 8, round(wanted / whole * WIDTH))
        pieces.append(Piece(kind="mark", x=at, width=8))
    return tuple(pieces)


def wait(oldest_s: float, target_s: float) -> tuple[Piece, ...]:
    """How much of the target is used up; beyond it the bar shows by how much it is missed."""
    whole = max(oldest_s, target_s)
    over = oldest_s > target_s
    pieces = [_piece("waited-over" if over else "waited", 0.0, oldest_s, whole)]
    return (*pieces, Piece(kind="mark", x=min(WIDTH - 8, round(target_s / whole * WIDTH)), width=8))


def span_of(nodes: Iterable[Node], at: float) -> float:
    """How far back the lives of these nodes are drawn: an hour at most."""
    oldest_s = max((at - node.ordered_at for node in nodes), default=0.0)
    return next((span for span in _SPANS_S if span >= oldest_s), _SPANS_S[-1])


def life(node: Node, moves: tuple[Transition, ...], since_at: float, until_at: float) -> tuple[Piece, ...]:
    """Its states over that time. Moves that were purged leave the state it is in."""
    if until_at <= since_at:
        return ()
    return tuple(
        Piece(
            kind=state.value,
            x=x,
            width=max(_LEAST, round((ends_at - since_at) / (until_at - since_at) * WIDTH) - x),
            says=f"{state.value} for {duration(lasted_s)}",
        )
        for state, began_at, ends_at, lasted_s in _states(node, moves, since_at, until_at)
        for x in [min(WIDTH - _LEAST, round((began_at - since_at) / (until_at - since_at) * WIDTH))]
    )


def _states(
    node: Node, moves: tuple[Transition, ...], since_at: float, until_at: float
) -> Iterator[tuple[NodeState, float, float, float]]:
    """Each state with when it began and ended within that time, and how long it lasted in all."""
    known = [(move.after, move.at) for move in moves] or [(node.state, node.entered_at)]
    ends = [at for _, at in known[1:]] + [until_at]
    for (state, began_at), ended_at in zip(known, ends, strict=True):
        if state is not NodeState.GONE and ended_at > since_at and began_at < until_at:
            yield state, max(began_at, since_at), min(ended_at, until_at), max(0.0, ended_at - began_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One phase of a boot, for its bar and its row."""

    piece: Piece
    phase: str
    from_s: float
    took_s: float
    ok: bool


def boot(of: Boot | None, node: Node) -> tuple[Step, ...]:
    """Where the seconds of a boot went, from the order to its first task."""
    times = enrolment.timeline(of, node.ordered_at, node.enrolled_at) if of is not None else ()
    if not times:
        return ()
    begins_s = min(time.from_s for time in times)
    whole_s = max(time.to_s for time in times) - begins_s
    if whole_s <= 0:
        return ()
    return tuple(
        Step(
            piece=_piece(
                time.phase.value if time.ok else "failed",
                time.from_s - begins_s,
                time.to_s - begins_s,
                whole_s,
                f"{time.phase.value} {time.took_s:.1f} s",
            ),
            phase=time.phase.value,
            from_s=time.from_s,
            took_s=time.took_s,
            ok=time.ok,
        )
        for time in times
    )


def share(kind: str, amount: float, whole: float) -> tuple[Piece, ...]:
    """One amount of a whole."""
    return (_piece(kind, 0.0, amount, whole),) if whole > 0 else ()


def _piece(kind: str, from_: float, to: float, whole: float, says: str = "") -> Piece:
    x = min(WIDTH - _LEAST, round(from_ / whole * WIDTH))
    return Piece(kind=kind, x=x, width=max(_LEAST, min(WIDTH, round(to / whole * WIDTH)) - x), says=says)
