"""What any schedule must have done, and can have done, by each instant: envelopes of the work on a grid of slots.

A task that was sent at `a`, runs for `r` and must start within `D` has done, by `t`, at most `min(r, (t - a)⁺)` of its
work (it started at once) and at least `min(r, (t - a - D)⁺)` (it started as late as it may). Summed over all tasks,
these are U(t) and L(t): every schedule that starts each task in time has done W(t) with L(t) ≤ W(t) ≤ U(t).
Both are exact at the instants where they are asked; between these nothing is claimed.

A task that runs for longer than it may wait is running at `[a + D, a + r)` whatever the schedule does. That many slots
are taken at once, and so that many machines, whole ones, must serve: `machines` holds their machine-seconds.

What never happens here: a decision about machines, or numerical libraries: sorted arrays and running sums suffice.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from autoscaler.study.contract import Terms, Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Tasks that share no slot with those of any other piece: `tasks` are their places in the workload."""

    workload: Workload
    tasks: range
    starts_s: float
    """The first arrival."""
    ends_s: float
    """No task of the piece runs after this in any schedule that starts all in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelopes:
    """The work of one piece, in seconds of running, at the n + 1 borders of n slots of equal length."""

    from_s: float
    """The first border."""
    slot_s: float
    latest: array[float]
    """L at each border: n + 1 numbers that never fall."""
    earliest: array[float]
    """U at each border: n + 1 numbers that never fall."""
    machines: array[float]
    """Machine-seconds that must serve within each slot, however the tasks are placed: n numbers."""
    held: array[float]
    """Seconds of each slot in which at least one machine must be alive, serving or not: n numbers."""
    calls: tuple[tuple[float, float], ...]
    """(t, x), both in seconds since `from_s`: alive at t, or ordered after it and by x. In the order of the tasks."""

    def __len__(self) -> int:
        return len(self.machines)


def pieces(workload: Workload, *, target_wait_s: float, silence_s: float) -> Iterator[Piece]:
    """The workload, cut wherever no task can be running for at least `silence_s`, in order of time."""
    first, ends_s = 0, -math.inf
    for n, (submit_s, runtime_s) in enumerate(zip(workload.submit_s, workload.runtime_s, strict=True)):
        if n and submit_s >= ends_s + silence_s:
            yield Piece(
                workload=workload, tasks=range(first, n), starts_s=workload.submit_s[first], ends_s=ends_s
            )
            first = n
        ends_s = max(ends_s, submit_s + target_wait_s + runtime_s)
    if len(workload):
        yield Piece(
            workload=workload,
            tasks=range(first, len(workload)),
            starts_s=workload.submit_s[first],
            ends_s=ends_s,
        )


def envelopes(piece: Piece, terms: Terms, *, slot_s: float, from_s: float, count: int) -> Envelopes:
    """All of them on `count` slots of `slot_s` from `from_s` on; O(n log n) in the tasks."""
    submit_s, runtime_s, wait_s = piece.workload.submit_s, piece.workload.runtime_s, terms.target_wait_s
    starts = [submit_s[n] for n in piece.tasks]
    ends = sorted(submit_s[n] + runtime_s[n] for n in piece.tasks)
    borders = [from_s + slot_s * n for n in range(count + 1)]
    running = [
        (submit_s[n] + wait_s, submit_s[n] + runtime_s[n]) for n in piece.tasks if runtime_s[n] > wait_s
    ]
    called = [(submit_s[n] + wait_s - terms.boot_s, submit_s[n] + runtime_s[n]) for n in piece.tasks]
    return Envelopes(
        from_s=from_s,
        slot_s=slot_s,
        latest=_work(starts, ends, (border - wait_s for border in borders)),
        earliest=_work(starts, ends, borders),
        machines=_machines(running, borders, terms.slots),
        held=_machines([(x, until) for x, until in called if until > x], borders, len(starts)),
        calls=tuple((min(x, until) - from_s, x - from_s) for x, until in called),
    )


def _work(starts: list[float], ends: list[float], at: Iterable[float]) -> array[float]:
    """Work done by each instant if tasks run from `starts` to `ends`, all sorted: the slope is the number running."""
    done = array("d")
    work, running, now = 0.0, 0, -math.inf
    s = e = 0
    for instant in at:
        while True:
            turn = min(
                starts[s] if s < len(starts) else math.inf, ends[e] if e < len(ends) else math.inf, instant
            )
            if running:
                work += running * (turn - now)
            now = turn
            if s < len(starts) and starts[s] <= turn:
                running, s = running + 1, s + 1
            elif e < len(ends) and ends[e] <= turn:
                running, e = running - 1, e + 1
            else:
                break
        done.append(work)
    return done


def _machines(bound: list[tuple[float, float]], borders: list[float], slots: int) -> array[float]:
    """Machine-seconds per slot that the tasks need which are running for certain: the ceiling of tasks ÷ `slots`."""
    turns = sorted([(since, 1) for since, _ in bound] + [(until, -1) for _, until in bound])
    needed = array("d")
    running, n = 0, 0
    for begins, ends in pairwise(borders):
        seconds, now = 0.0, begins
        while n < len(turns) and turns[n][0] < ends:
            at_s = max(turns[n][0], begins)
            seconds += -(-running // slots) * (at_s - now)
            now, running, n = at_s, running + turns[n][1], n + 1
        needed.append(seconds + -(-running // slots) * (ends - now))
    return needed
