"""What this month's bill comes to: spent until now, and by the month's end if things go on as they were.

Live records and the memory go in, sums in the fleet's currency come out. It heeds no ceiling: whether one will bind is
what it is to tell. What never happens here: a choice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from autoscaler.core import bills, supply
from autoscaler.core.bills import Month
from autoscaler.core.facts import Memory
from autoscaler.core.model import Node, PoolName, PoolRules

_A_DAY_S = 86_400.0
_FEW_S = 7 * _A_DAY_S
"""With so little of a month behind it the one before is looked at, too: a week has quiet days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """One pool's month, or the fleet's."""

    month: str
    """`2026-11`, in UTC."""
    spent: float
    per_h: float
    """What the machines that are there cost an hour."""
    projected: float
    """By the month's end."""
    most: float | None
    """The ceiling."""
    since_at: float | None
    """When the counting began, if that was in this month: what was gone before is in no sum."""

    @property
    def is_too_much(self) -> bool:
        """Whether it comes to more than is allowed."""
        return self.most is not None and max(self.spent, self.projected) > self.most


def of_pools(
    nodes: Iterable[Node], memory: Memory, rules: Mapping[PoolName, PoolRules], at: float
) -> dict[PoolName, Projection]:
    """Of each pool that is configured, has machines or has had some this month."""
    nodes = tuple(nodes)
    month = bills.month_of(at)
    before = bills.month_of(month.start_at - 1.0)
    spent = bills.spent(month, nodes, memory, rules, at)
    earlier = bills.spent(before, nodes, memory, rules, at)
    grouped = supply.by_pool(nodes)
    prices = {name: supply.cost_per_h(grouped.get(name, ())) for name in (*rules, *spent)}
    return {
        name: Projection(
            month=month.name,
            spent=spent.get(name, 0.0),
            per_h=per_h,
            projected=spent.get(name, 0.0)
            + _rate(month, before, spent.get(name, 0.0), earlier.get(name, 0.0), per_h, memory, at)
            * (month.end_at - at)
            / 3600,
            most=rules[name].limits.max_cost_per_month if name in rules else None,
            since_at=_since(memory, month),
        )
        for name, per_h in prices.items()
    }


def of_fleet(pools: Iterable[Projection], most: float | None, memory: Memory, at: float) -> Projection:
    """All of them together."""
    pools, month = tuple(pools), bills.month_of(at)
    return Projection(
        month=month.name,
        spent=sum(pool.spent for pool in pools),
        per_h=sum(pool.per_h for pool in pools),
        projected=sum(pool.projected for pool in pools),
        most=most,
        since_at=_since(memory, month),
    )


def _rate(
    month: Month, before: Month, spent: float, earlier: float, per_h: float, memory: Memory, at: float
) -> float:
    """The mean cost an hour of this month so far, in its first week of the one before, too; with less than a day on
    record what it costs now."""
    counted_at = at if memory.bills.since_at is None else memory.bills.since_at
    if at - month.start_at >= _FEW_S:
        amount, since_at = spent, max(month.start_at, counted_at)
    else:
        amount, since_at = spent + earlier, max(before.start_at, counted_at)
    return per_h if at - since_at < _A_DAY_S else amount / (at - since_at) * 3600


def _since(memory: Memory, month: Month) -> float | None:
    began_at = memory.bills.since_at
    return began_at if began_at is not None and began_at > month.start_at else None
