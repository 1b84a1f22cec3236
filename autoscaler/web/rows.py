"""The overview's rows and sums: a fleet's standing as short texts, ready for the template.

In goes a `Standing`, out come values of text. What never happens here: markup; the template makes that, and escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote

from autoscaler.views.standing import PoolStanding, Standing
from autoscaler.web import bars, wording
from autoscaler.web.bars import Piece
from policies.phrases import duration


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pool."""

    id: str
    path: str
    name: str
    pills: tuple[tuple[str, str], ...]
    """What stands out of it, each with its look."""
    waiting: str
    oldest: str
    target: str
    late: bool
    in_progress: str
    serving: str
    arriving: str
    leaving: str
    lost: str
    wanted: str
    way: str
    """Where the number goes."""
    cost: str
    spent: str
    projected: str
    sentence: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """The fleet together. None where nothing of it is known."""

    waiting: int | None
    in_progress: int | None
    serving: int
    arriving: int
    leaving: int
    lost: int
    wanted: int | None
    bar: tuple[Piece, ...]


def of(now: Standing) -> tuple[Row, ...]:
    """Each pool, in the order of the configuration."""
    return tuple(_row(pool, now.at) for pool in now.pools)


def sums(pools: Iterable[PoolStanding]) -> Sums:
    """Added up."""
    pools = tuple(pools)
    serving, arriving, leaving, lost = (
        sum(getattr(pool, name) for pool in pools) for name in ("serving", "arriving", "leaving", "lost")
    )
    wanted = _sum(pool.wanted for pool in pools)
    return Sums(
        waiting=_sum(pool.waiting for pool in pools),
        in_progress=_sum(pool.in_progress for pool in pools),
        serving=serving,
        arriving=arriving,
        leaving=leaving,
        lost=lost,
        wanted=wanted,
        bar=bars.workers(serving, arriving, leaving, lost, wanted),
    )


def is_late(pool: PoolStanding) -> bool:
    """Whether a task waits longer than it should."""
    return bool(
        pool.waiting
        and pool.oldest_s is not None
        and pool.target_wait_s is not None
        and pool.oldest_s > pool.target_wait_s
    )


def oldest(pools: Iterable[PoolStanding]) -> PoolStanding | None:
    """The pool whose task waits longest."""
    waiting = [pool for pool in pools if pool.waiting and pool.oldest_s is not None]
    return max(waiting, key=lambda pool: pool.oldest_s or 0.0, default=None)


def pills(pool: PoolStanding) -> tuple[tuple[str, str], ...]:
    """What an operator should know of a pool before its numbers."""
    said = (
        ("note", "paused", pool.paused),
        ("note", f"held at {pool.hold_workers}", pool.hold_workers is not None),
        ("bad", "not seen", bool(pool.unseen)),
        ("note", "not configured", not pool.configured),
        ("note", f"{pool.outdated} outdated", bool(pool.outdated)),
        ("bad", "upstream file", pool.published is not None and bool(pool.published.trouble)),
    )
    return tuple((look, words) for look, words, so in said if so)


def _row(pool: PoolStanding, at: float) -> Row:
    name = str(pool.pool)
    waits = bool(pool.waiting) and pool.oldest_s is not None
    present = pool.serving + pool.arriving
    way = "" if pool.wanted is None or pool.wanted == present else "▲" if pool.wanted > present else "▼"
    path = quote(name, safe="")
    return Row(
        id=f"pool-{path}",
        path=f"/pools/{path}",
        name=name,
        pills=pills(pool),
        waiting=wording.number(pool.waiting),
        oldest=wording.span(pool.oldest_s) if waits else wording.NOTHING,
        target=duration(pool.target_wait_s) if pool.target_wait_s is not None else "",
        late=is_late(pool),
        in_progress=wording.number(pool.in_progress),
        serving=wording.number(pool.serving),
        arriving=wording.number(pool.arriving),
        leaving=wording.number(pool.leaving),
        lost=wording.number(pool.lost),
        wanted=wording.number(pool.wanted),
        way=way,
        cost=wording.amount(pool.cost_per_h),
        spent=wording.amount(pool.bill.spent),
        projected=wording.amount(pool.bill.projected),
        sentence=wording.tail(pool.sentence, name) or "nothing was decided yet",
        at=wording.clock(pool.decided_at, at) if pool.decided_at is not None else "",
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
