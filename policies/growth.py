"""Whether more workers complete more: what each look adds to that, and the brake that follows where they do not.

A look and what was kept go in, what is kept with it comes out. Compared are two stretches of time in which the queue
surely never ran empty and the slots were busy: the latest, and the last one with clearly fewer workers. Sound workers
complete in proportion to their number. The brake is put on where less than a quarter of the proportional gain came,
and where chance cannot explain that. It comes off by time, by a try with a few more, or when completions recover. The
reasons stand in decision record 0024. What never happens here: a clock, dice, a change of the number wanted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from policies.contract import Demand, Supply
from policies.evidence import Brake, Fresh, Growth, Level

MORE = 1.25
"""Times the workers there were before: fewer more than that cannot be told from none. A try grows by as much."""
_GAIN = 0.25
"""Of what proportional growth would have brought: less does not pay for the machines."""
_RECOVERED = 0.6
"""Of the same: at this the brake comes off at once."""
_SURE = 4.0
"""Standard deviations that the outcome must lie below proportional growth: 1 in 30,000, at ten thousand looks a day
of which neighbouring ones tell nearly the same."""
_DOUBTS = 2
"""Looks in a row that must say so."""
_LATEST_S, _BEFORE_S = 180.0, 300.0
"""The longest stretches that are compared …"""
_SHORTEST_S, _FEWEST_TASKS, _FEWEST_LOOKS = 40.0, 30.0, 4
"""… and what each must hold at least."""
_REACH_S = 1800.0
"""What is older is of another time of the day."""
_LEVEL_S, _MOST_LEVELS = 120.0, 24
_BREAK_S = 60.0
"""Looks further apart than this are of two stretches."""
_BUSY = 0.8
"""Part of the slots that must run a task: workers that take none up, or slowly by a rate limit, are another matter."""
_SETTLED_S, _TASKS_TO_SETTLE, _LONGEST_TO_SETTLE_S = 30.0, 2.0, 600.0
"""A worker is at its pace after half a minute and two task times, or at the latest then."""
HOLDS_S, _LONGEST_HOLD_S = 600.0, 3600.0
_TRY_S = 300.0
"""A try lasts so much longer than a boot and the time to settle."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """What was completed in one stretch of time, and by how many workers."""

    workers: int
    per_s: float
    variance: float
    """Of the logarithm of `per_s`: by the spread between looks, at least that of independent events."""


def with_look(
    before: Growth,
    demand: Demand,
    supply: Supply,
    *,
    task_s: float,
    boot_s: float,
    elapsed_s: float = 0.0,
) -> Growth:
    """What is kept after this look, `elapsed_s` after the last one (0: as long as was counted). One without counts
    says nothing of the time since then, but that it passed."""
    flow = demand.flow
    there = _there(demand, supply)
    settle_s = min(max(_SETTLED_S, _TASKS_TO_SETTLE * task_s), _LONGEST_TO_SETTLE_S)
    if flow is None or flow.over_s <= 0.0:
        fresh = _fresh(before, supply.serving, elapsed_s, settle_s)
        older = unseen(before, elapsed_s)
        return replace(older, fresh=fresh, workers=supply.serving, there=there, backlog=demand.backlog)
    since_s = elapsed_s or flow.over_s
    fresh = _fresh(before, supply.serving, since_s, settle_s)
    settled = max(0, supply.serving - sum(some.workers for some in fresh))
    levels = _aged(before.levels, since_s) if before.levels else ()
    if _pressed(before, demand, supply, flow.completed, settled):
        level = Level(
            most=max(before.there, there),
            least=settled + _of_others(demand, supply),
            seconds=flow.over_s,
            tasks=flow.completed,
            squares=flow.completed**2 / flow.over_s,
            looks=1,
        )
        levels = _joined(levels, level)
    now = Growth(
        levels=levels,
        fresh=fresh,
        workers=supply.serving,
        there=there,
        backlog=demand.backlog,
        doubts=before.doubts,
        brake=before.brake,
    )
    if not levels and now.brake is None:
        return now  # most looks are such
    return _judged(now, since_s, try_s=boot_s + settle_s + _TRY_S)


def unseen(before: Growth, elapsed_s: float) -> Growth:
    """What is kept after a look that told nothing: all is older. A brake whose time is over waits for the next look
    that tells whether a few more are wanted, as long as it is known what they would be compared with."""
    levels, brake = _aged(before.levels, elapsed_s), before.brake
    if brake is not None:
        left_s = max(0.0, brake.left_s - elapsed_s)
        brake = replace(brake, left_s=left_s) if left_s or levels else None
    return replace(before, levels=levels, brake=brake)


def undated(before: Growth) -> Growth:
    """What is kept after a time of unknown length: what was measured before it may be of another day."""
    return replace(before, levels=(), fresh=(), doubts=0)


def _there(demand: Demand, supply: Supply) -> int:
    """Workers that may complete something: ours, those that leave too, and whoever else consumes."""
    return max(supply.serving + supply.leaving, _consumers(demand))


def _of_others(demand: Demand, supply: Supply) -> int:
    """Consumers that are none of ours, at the least."""
    ours = supply.serving + supply.leaving + supply.arriving + supply.lost
    return max(0, _consumers(demand) - ours)


def _consumers(demand: Demand) -> int:
    # Each worker is a consumer of each of its queues.
    return max((queue.consumers for queue in demand.queues), default=0)


def _fresh(before: Growth, serving: int, over_s: float, settle_s: float) -> tuple[Fresh, ...]:
    new = serving - before.workers
    if new <= 0 and not before.fresh:
        return ()
    aged = (replace(some, seconds=some.seconds + over_s) for some in before.fresh)
    fresh = tuple(some for some in aged if some.seconds < settle_s)
    return (*fresh, Fresh(workers=new, seconds=0.0)) if new > 0 else fresh


def _pressed(before: Growth, demand: Demand, supply: Supply, completed: int, settled: int) -> bool:
    """Whether there surely was work for all of them all the time between the two looks, and they were at it.

    What waited at its beginning was no less than what was completed, so the queue did not run empty in between: what
    was completed was limited by the workers and not by what arrived.
    """
    never_empty = demand.backlog > 0 and before.backlog >= max(completed, 1)
    in_hand = supply.tasks_in_hand
    return never_empty and settled > 0 and in_hand is not None and in_hand >= _BUSY * settled * supply.slots


def _aged(levels: Sequence[Level], over_s: float) -> tuple[Level, ...]:
    aged = (replace(level, ago_s=level.ago_s + over_s) for level in levels)
    return tuple(level for level in aged if level.ago_s <= _REACH_S)


def _joined(levels: tuple[Level, ...], new: Level) -> tuple[Level, ...]:
    """With the last level where it is the same stretch and not long yet, else as a new one."""
    last = levels[-1] if levels else None
    same = last is not None and (last.most, last.least) == (new.most, new.least)
    if last is None or not same or last.ago_s > _BREAK_S or last.seconds >= _LEVEL_S:
        return (*levels, new)[-_MOST_LEVELS:]
    joined = replace(
        new,
        seconds=last.seconds + new.seconds,
        tasks=last.tasks + new.tasks,
        squares=last.squares + new.squares,
        looks=last.looks + new.looks,
    )
    return (*levels[:-1], joined)


def _latest(levels: Sequence[Level]) -> tuple[_Stretch | None, int]:
    """The stretch that lasts until now, by workers that settled, and how many levels it is made of.

    It reaches back as long as their number was about the same.
    """
    if not levels or levels[-1].ago_s > 0.0:
        return None, 0
    least, seconds, count = levels[-1].least, 0.0, 0
    for level in reversed(levels):
        if seconds >= _LATEST_S or level.ago_s - seconds > _BREAK_S:
            break
        if not least / MORE < level.least or level.most > MORE * levels[-1].most:
            break
        least, seconds, count = min(least, level.least), seconds + level.seconds, count + 1
    return _stretch(levels[-count:], least), count


def _before(levels: Sequence[Level], workers: int) -> _Stretch | None:
    """The last stretch with clearly fewer than so many workers, by all that may have had a part in it."""
    found: list[Level] = []
    for level in reversed(levels):
        if sum(one.seconds for one in found) >= _BEFORE_S:
            break
        if level.most * MORE <= workers:
            found.append(level)
    return _stretch(found, max((level.most for level in found), default=0))


def _stretch(levels: Sequence[Level], workers: int) -> _Stretch | None:
    """These levels together; None where they hold too little to be judged."""
    seconds = sum(level.seconds for level in levels)
    tasks = sum(level.tasks for level in levels)
    looks = sum(level.looks for level in levels)
    if workers <= 0 or seconds < _SHORTEST_S or tasks < _FEWEST_TASKS or looks < _FEWEST_LOOKS:
        return None
    per_s = tasks / seconds
    squares = sum(level.squares for level in levels) - tasks * per_s
    dispersion = max(1.0, squares / ((looks - 1) * per_s))
    return _Stretch(workers=workers, per_s=per_s, variance=dispersion / tasks)


def _judged(now: Growth, over_s: float, *, try_s: float) -> Growth:
    """The brake after this look, and the doubts that lead to it."""
    latest, count = _latest(now.levels)
    doubted = None if latest is None else _doubted(latest, now.levels[:-count])
    doubts = 0 if doubted is None else now.doubts + 1
    brake = now.brake
    if brake is not None and brake.tried is None:
        return _held(replace(now, doubts=0), brake, latest, count, over_s, try_s)
    if doubted is not None and latest is not None and doubts >= _DOUBTS:
        # A try that failed: the next one comes later.
        holds_s = HOLDS_S if brake is None else min(2.0 * brake.holds_s, _LONGEST_HOLD_S)
        few = doubted if brake is None else replace(doubted, workers=min(doubted.workers, brake.few))
        braked = Brake(
            few=few.workers, few_per_s=few.per_s, many=latest.workers, many_per_s=latest.per_s,
            left_s=holds_s, holds_s=holds_s,
        )  # fmt: skip
        return replace(now, doubts=0, brake=braked)
    if brake is not None:
        left_s = brake.left_s - over_s
        brake = replace(brake, left_s=left_s) if left_s > 0.0 else None
    return replace(now, doubts=doubts, brake=brake)


def _doubted(latest: _Stretch, earlier: Sequence[Level]) -> _Stretch | None:
    """The earlier stretch against which the latest says that more workers did not help; None where it does not."""
    before = _before(earlier, latest.workers)
    if before is None:
        return None
    times = latest.workers / before.workers
    grew = math.log(latest.per_s / before.per_s)
    spread = math.sqrt(latest.variance + before.variance)
    too_little = grew <= math.log(1.0 + _GAIN * (times - 1.0))
    surely = grew + _SURE * spread <= math.log(times)
    return before if too_little and surely else None


def _held(
    now: Growth, brake: Brake, latest: _Stretch | None, count: int, over_s: float, try_s: float
) -> Growth:
    """The brake holds until its time is over, or until so many workers complete what so many should."""
    if latest is not None and latest.workers > brake.few:
        gain = (latest.per_s / brake.few_per_s - 1.0) / (latest.workers / brake.few - 1.0)
        if gain >= _RECOVERED:
            return replace(now, brake=None)
    left_s = brake.left_s - over_s
    if left_s > 0.0:
        return replace(now, brake=replace(brake, left_s=left_s))
    if latest is None:
        # There is no pressure now: nobody wants more, and what was true then need not be true when somebody does.
        return replace(now, brake=None, levels=())
    tried = max(now.workers + 1, math.ceil(MORE * now.workers))
    # What is tried is compared with what is there now, not with what was long ago.
    return replace(now, levels=now.levels[-count:], brake=replace(brake, left_s=try_s, tried=tried))
