"""Where ceilings on money must agree with prices and floors: a ceiling binds nothing without prices, and a floor that
alone costs more than a month's ceiling cannot be kept under it.

As `agreement`, it reads the document as written and passes over what has not the right shape. What never happens here:
a look at what was spent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.config.problem import Place
from autoscaler.config.report import Finding

_HOURS_OF_A_MONTH = 31 * 24
_HOURLY, _MONTHLY = "max_cost_per_hour", "max_cost_per_month"


def disagreements(fleet: Mapping[str, Any], pools: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Every ceiling that could not do what it says."""
    for name, pool in pools.items():
        place: Place = ("pools", name)
        limits = _table(pool.get("limits"))
        if {_HOURLY, _MONTHLY} & {*limits, *fleet}:
            yield from _unpriced((*place, "offers"), pool)
        yield from _floor((*place, "limits", _MONTHLY), limits.get(_MONTHLY), [pool])
    yield from _floor(("fleet", _MONTHLY), fleet.get(_MONTHLY), list(pools.values()))


def _unpriced(place: Place, pool: Mapping[str, Any]) -> Iterator[Finding]:
    offers = pool.get("offers")
    for number, offer in enumerate(offers if isinstance(offers, list) else []):
        if isinstance(offer, dict) and "price_per_hour" not in offer:
            yield Finding(
                place=(*place, number, "price_per_hour"),
                found="nothing, but there is a ceiling on money",
                expected="the offer's price, or 0 if it costs nothing",
                advice="Without it the ceiling would never bind.",
            )


def _floor(place: Place, ceiling: object, pools: list[Mapping[str, Any]]) -> Iterator[Finding]:
    costs = [_floor_cost(pool) for pool in pools]
    if not isinstance(ceiling, int | float) or sum(costs) <= ceiling:
        return
    yield Finding(
        place=place,
        found=f"{ceiling:g}",
        expected=f"at least {sum(costs):.2f}, which min_workers alone cost in a month of 31 days",
        advice="The floor is never sent away, so the ceiling could not be kept.",
    )


def _floor_cost(pool: Mapping[str, Any]) -> float:
    """What the pool's floor costs in a long month, at its cheapest offer; 0 where that cannot be told."""
    workers = _table(pool.get("limits")).get("min_workers", 0)
    offers = pool.get("offers")
    prices = [
        offer.get("price_per_hour", 0.0)
        for offer in (offers if isinstance(offers, list) else [])
        if isinstance(offer, dict)
    ]
    if not all(isinstance(number, int | float) for number in (workers, *prices)) or not prices:
        return 0.0
    return float(workers * min(prices) * _HOURS_OF_A_MONTH)


def _table(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
