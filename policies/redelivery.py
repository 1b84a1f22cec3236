"""How much of what is delivered had been delivered before: what each look adds to that, and when it is too much.

A message is delivered again when whoever held it lost it: its task ended the process, it was held for longer than the
broker allows, or the worker left. Where that is much, more workers only fail more often. A look and what was kept go
in, what is kept with it comes out. The reasons stand in decision record 0024. What never happens here: a clock, a
change of the number wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from policies.contract import Demand
from policies.evidence import Deliveries, Redeliveries

_MINUTE_S, _MINUTES = 60.0, 15
_LATELY_S = 300.0
_ENOUGH = 50.0
"""Deliveries to judge by: where the last five minutes hold fewer, up to fifteen are looked at."""
_HIGH, _LOW = 0.2, 0.05
"""Part of all deliveries. A healthy queue has none; at a fifth, a quarter of all work is done for nothing."""
_FEWEST_TO_BEGIN, _FEWEST_TO_GO_ON = 10.0, 3.0
_MINUTES_TO_BEGIN = 3
"""Minutes in which it must be so: a broker or a network that fails gives back everything, once."""
_IN_A_MINUTE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Lately:
    """What the last minutes say."""

    delivered: float
    redelivered: float
    """Without what leavers may have given back."""
    seconds: float
    minutes: int
    """In which it was noticeable."""

    @property
    def share(self) -> float:
        """Part of all deliveries that were not the first."""
        return min(1.0, self.redelivered / self.delivered) if self.delivered else 0.0


def with_look(before: Redeliveries, demand: Demand, excused: float = 0.0) -> Redeliveries:
    """What is kept after this look. `excused` messages may come back because their holders were sent away."""
    flow = demand.flow
    if flow is None or flow.over_s <= 0.0:
        return before if excused == 0.0 else replace(before, minutes=_excused(before.minutes, excused))
    new = Deliveries(
        seconds=flow.over_s, delivered=flow.delivered, redelivered=flow.redelivered, excused=excused
    )
    minutes = _with(before.minutes, new)
    some = any(minute.redelivered for minute in minutes)
    return Redeliveries(minutes=minutes, high=some and _is_high(lately(minutes), before_high=before.high))


def lately(minutes: Sequence[Deliveries]) -> Lately:
    """The last five minutes, or as many more as it takes to judge."""
    found: list[Deliveries] = []
    seconds = delivered = 0.0
    for minute in reversed(minutes):
        if seconds >= _LATELY_S and delivered >= _ENOUGH:
            break
        found.append(minute)
        seconds += minute.seconds
        delivered += minute.delivered
    again = sum(minute.redelivered for minute in found) - sum(minute.excused for minute in found)
    return Lately(
        delivered=delivered,
        redelivered=max(0.0, again),
        seconds=seconds,
        minutes=sum(minute.redelivered >= max(1.0, _IN_A_MINUTE * minute.delivered) for minute in found),
    )


def _is_high(now: Lately, *, before_high: bool) -> bool:
    if before_high:
        return now.share >= _LOW and now.redelivered >= _FEWEST_TO_GO_ON
    enough = now.redelivered >= _FEWEST_TO_BEGIN and now.minutes >= _MINUTES_TO_BEGIN
    return enough and now.share >= _HIGH


def _with(minutes: tuple[Deliveries, ...], new: Deliveries) -> tuple[Deliveries, ...]:
    """The last minute is still open while it is shorter than one."""
    if not minutes or minutes[-1].seconds >= _MINUTE_S:
        return (*minutes, new)[-_MINUTES:]
    last = minutes[-1]
    joined = Deliveries(
        seconds=last.seconds + new.seconds,
        delivered=last.delivered + new.delivered,
        redelivered=last.redelivered + new.redelivered,
        excused=last.excused + new.excused,
    )
    return (*minutes[:-1], joined)


def _excused(minutes: tuple[Deliveries, ...], excused: float) -> tuple[Deliveries, ...]:
    return _with(minutes, Deliveries(seconds=0.0, delivered=0.0, redelivered=0.0, excused=excused))
