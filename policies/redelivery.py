"""How much of what is delivered had been delivered before: what each look adds to that, and when it is too much.

A message is delivered again when whoever held it lost it: its task ended the process, it was held for longer than the
broker allows, or the worker left. Where that is much, more workers only fail more often. A look and what was kept go
in, what is kept with it comes out. The reasons stand in decision record 0024. What never happens here: a clock, a
change of the number wanted.
"""

from __future__ import annotations

import math
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
_HOLDS_S, _LONGEST_HOLD_S = 600.0, 3600.0
"""Growth stops for so long, twice as long after each try at which it was still much."""
_MORE = 1.25
_TRY_S = 600.0
"""A try lasts so long: a boot, and the five minutes that are looked at."""


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


def with_look(
    before: Redeliveries,
    demand: Demand,
    excused: float = 0.0,
    *,
    workers: int = 0,
    elapsed_s: float = 0.0,
) -> Redeliveries:
    """What is kept after this look at so many serving workers, `elapsed_s` after the last one (0: as long as was
    counted). `excused` messages may come back because their holders were sent away."""
    flow = demand.flow
    if flow is None or flow.over_s <= 0.0:
        return unseen(before, elapsed_s, excused)
    seconds = elapsed_s or flow.over_s
    new = Deliveries(seconds=seconds, delivered=flow.delivered, redelivered=flow.redelivered, excused=excused)
    minutes = _with(before.minutes, new)
    if not before.high and not any(minute.redelivered for minute in minutes):
        return Redeliveries(minutes=minutes)  # most looks are such
    now = lately(minutes)
    if not before.high:
        return _stopped(minutes, _HOLDS_S) if _is_much(now) else Redeliveries(minutes=minutes)
    if _is_little(now):
        return Redeliveries(minutes=minutes)
    held = replace(before, minutes=minutes, left_s=before.left_s - seconds)
    return held if held.left_s > 0.0 else _after_its_time(held, now, workers)


def unseen(before: Redeliveries, elapsed_s: float, excused: float = 0.0) -> Redeliveries:
    """What is kept after a look without counts: all is older, and what is forgotten holds nobody."""
    if excused == 0.0 and (elapsed_s <= 0.0 or not before.minutes):
        return before
    nothing = Deliveries(seconds=elapsed_s, delivered=0.0, redelivered=0.0, excused=excused)
    minutes = _with(before.minutes, nothing)
    if not before.high or _is_little(lately(minutes)):
        return Redeliveries(minutes=minutes)
    return replace(before, minutes=minutes, left_s=max(0.0, before.left_s - elapsed_s))


def undated(before: Redeliveries) -> Redeliveries:
    """What is kept after a time of unknown length: nothing that would stop growth; a stop lasts its time."""
    return before if before.high else Redeliveries()


def _stopped(minutes: tuple[Deliveries, ...], holds_s: float) -> Redeliveries:
    return Redeliveries(minutes=minutes, high=True, left_s=holds_s, holds_s=holds_s)


def _after_its_time(held: Redeliveries, now: Lately, workers: int) -> Redeliveries:
    """Off, if so much would not have begun it. Else a few more are tried, for tasks that are given back by design (a
    lock, a rate limit) are so for ever; and after that it stops for twice as long."""
    if not _is_much(now):
        return Redeliveries(minutes=held.minutes)
    if held.tried is not None:
        return _stopped(held.minutes, min(max(2.0 * held.holds_s, _HOLDS_S), _LONGEST_HOLD_S))
    return replace(held, left_s=_TRY_S, tried=max(workers + 1, math.ceil(_MORE * workers)))


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


def _is_much(now: Lately) -> bool:
    enough = now.redelivered >= _FEWEST_TO_BEGIN and now.minutes >= _MINUTES_TO_BEGIN
    return enough and now.share >= _HIGH


def _is_little(now: Lately) -> bool:
    return now.share < _LOW or now.redelivered < _FEWEST_TO_GO_ON


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
