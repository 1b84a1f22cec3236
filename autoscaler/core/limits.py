"""How many nodes may be bought now: ceilings bind what is billable, not what is useful.

A node whose creation was never answered, one that is lost and one that is leaving all still cost money, so all of them
count. Each bound that holds a purchase back is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autoscaler.core import money, supply
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """How many nodes may be bought, and what keeps it from being more."""

    nodes: int
    bound_by: str = ""


def room(
    rules: PoolRules,
    nodes: Iterable[Node],
    *,
    unrecorded: Sequence[float],
    unrecorded_workers: int | None = None,
    weight: int = 1,
    price_per_h: float,
    asked: int,
    further: Iterable[tuple[int, str]] = (),
) -> Room:
    """The part of `asked` purchases at that price which every limit of the pool allows; each counts as `weight`
    workers.

    `unrecorded` are the prices of this pool's machines without a record: they are paid too; one worker each, if it is
    not said that they are others. `further` are bounds that
    rest on more than the pool as it is now, each by its name.
    """
    paid = supply.billable(nodes)
    limits = rules.limits
    strange = len(unrecorded) if unrecorded_workers is None else unrecorded_workers
    creating = sum(n.state is NodeState.CREATING for n in paid)
    bounds = [
        (
            (limits.max_workers - sum(map(rules.counts_as, paid)) - strange) // weight,
            f"max_workers {limits.max_workers}, leaving ones included",
        ),
        (limits.max_creates_in_flight - creating, f"max_creates_in_flight {limits.max_creates_in_flight}"),
    ]
    if limits.max_cost_per_hour is not None:
        affordable = money.affordable(
            limits.max_cost_per_hour, supply.cost_per_h(paid) + sum(unrecorded), price_per_h, asked
        )
        bounds.append((affordable, f"budget {limits.max_cost_per_hour:g} an hour"))
    bounds += further
    allowed, by = min(bounds, key=lambda bound: bound[0])
    if allowed >= asked:
        return Room(nodes=asked)
    return Room(nodes=max(0, allowed), bound_by=by)
