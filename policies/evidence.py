"""What is kept of a pool's past to judge its growth by: values, as parts of its `Traffic`.

They hold lengths of time and no instants, so no step of a clock makes anything in them older. `policies.growth` and
`policies.redelivery` fill and read them. What never happens here: a judgement.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """What so many workers completed while they had all the work they could do: neighbouring looks, joined."""

    most: int
    """Workers that may have had a part in it, those that left meanwhile included."""
    least: int
    """Workers that had served long enough to be at their pace."""
    seconds: float
    tasks: float
    squares: float
    """The sum over its looks of tasks² ÷ seconds: with it the spread between looks can be told."""
    looks: int
    ago_s: float = 0.0
    """Seconds since its last look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh:
    """So many workers began to serve, so long ago."""

    workers: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Brake:
    """More workers were seen to complete no more: the number does not grow for a while, then a few more are tried."""

    few: int
    few_per_s: float
    """What these fewer workers completed a second before."""
    many: int
    many_per_s: float
    left_s: float
    """Until a few more are tried; while they are, until that is over."""
    holds_s: float
    """How long it holds before a few more are tried: longer each time that they did not help."""
    tried: int | None = None
    """The number that may be grown to while a few more are tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """How completions went with the number of workers."""

    levels: tuple[Level, ...] = ()
    """Oldest first."""
    fresh: tuple[Fresh, ...] = ()
    """Those that began to serve a short while ago."""
    workers: int = 0
    """Serving at the last look."""
    there: int = 0
    """Workers that may have completed something at the last look."""
    backlog: int = 0
    """Waiting at the last look."""
    doubts: int = 0
    """Looks in a row that said that more workers do not help."""
    brake: Brake | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What was delivered in about a minute."""

    seconds: float
    delivered: float
    redelivered: float
    excused: float = 0.0
    """What those that left may have given back: it is no sign of anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redeliveries:
    """How much of what is delivered was delivered before."""

    minutes: tuple[Deliveries, ...] = ()
    """Oldest first."""
    high: bool = False
    """Whether it is so much that more workers would only fail more often; it stays so until it is little, or for a
    time."""
    left_s: float = 0.0
    """While it is high: until that time is over; while a few more are tried, until they were."""
    holds_s: float = 0.0
    """How long growth stops before a few more are tried: longer each time that it was still much."""
    tried: int | None = None
    """The number that may be grown to while a few more are tried."""
