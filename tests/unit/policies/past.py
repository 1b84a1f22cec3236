"""A pool's past in slices, made up by a rule for each."""

from __future__ import annotations

from collections.abc import Callable

from policies.local_time import at_local
from policies.prospect import Slice
from policies.seasons import SLICE_S

DAY_SLICES = 288
SINCE = 5_700_096
"""A slice that begins a day of UTC: 2024-03-10, a Sunday."""
Shape = Callable[[int], float]
"""Tasks in each slice, by its number since the beginning."""


def at(day: float, hour: float = 0.0) -> float:
    """The instant of that day of the past and that hour of UTC."""
    return (SINCE + day * DAY_SLICES) * SLICE_S + hour * 3600.0


def slices(shape: Shape, *, days: float, since: int = 0) -> list[Slice]:
    """Whole slices, oldest first."""
    return [
        Slice(since_at=(SINCE + number) * SLICE_S, arrived=shape(number), looked_s=SLICE_S)
        for number in range(since, round(days * DAY_SLICES))
    ]


def peak_at_nine(tasks: float = 600.0, *, zone: str = "UTC", hours: int = 1) -> Shape:
    """So many tasks in each slice from nine by the zone's clocks, and ten in all others."""

    def shape(number: int) -> float:
        hour = at_local((SINCE + number) * SLICE_S, zone).hour
        return tasks if 9 <= hour < 9 + hours else 10.0

    return shape
