"""What a workload costs at least, whoever decides: a lower bound on every schedule that starts each task in time.

The schedule that is bounded knows the future, places tasks as it likes, and keeps to the terms: boots are paid, and
machines are billed by started units. Long units are bounded by counting leases (`leases`), short ones by machine time
(`rentals`); both replace tasks that run on one slot each by work that flows, so the true optimum may be dearer.

A workload is cut where no task can run for a unit and a boot, and the bounds of its pieces add up. Any schedule can be
cut there at no cost: of a machine that lives on both sides, the units that begin after the silence does become a new
machine's, the first of which begins within one unit; that machine has booted when the next task arrives.

What never happens here: a schedule. And `min_workers` and `max_workers` of the terms are not asked for: both could only
make the optimum dearer. Where boots vary, they are taken to be instant, since a lucky one may be.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Literal

from autoscaler.study import leases, rentals
from autoscaler.study.contract import Terms, Workload
from autoscaler.study.envelopes import Piece, pieces
from autoscaler.study.solver import OptimumUnavailable, numeric

__all__ = ["Optimum", "OptimumUnavailable", "optimum", "without_boot"]

LONG_QUANTUM_S = 600
"""From here on, leases are counted whole."""
_LEAST_S = 1.0
"""Of time for a piece, however few its tasks: most take some milliseconds."""
_ALL_BUT = 0.95
"""Of its time: a search that took more was ended by the clock, or as good as."""
_SLACK = 1e-5
"""What a solver may be wrong by, relative to a unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimum:
    """What is known of the cheapest schedule."""

    cost: float
    """In the fleet's currency."""
    node_hours_billed: float
    kind: Literal["exact", "lower bound"]
    """`exact` only where nothing is asked for; else no schedule is cheaper, and perhaps none is as cheap."""
    work_node_hours: float
    """Seconds of running ÷ slots: what machines cost that boot in no time, never idle, and are billed by the second."""
    pieces: int
    """Parts of the workload with silence between them."""
    hurried: int
    """Pieces for which the time was so short that only their work is counted."""
    cut_short: bool
    """The clock ended a search, so that more time may raise the bound."""


def optimum(workload: Workload, terms: Terms, *, share_in_time: float = 1.0, time_limit_s: float) -> Optimum:
    """The bound for all schedules in which that share of the tasks (0 to 1) starts within `target_wait_s`.

    Takes about `time_limit_s` at the most; a bound that is found in less time is lower, never wrong. With a share below
    one the workload is one piece, because a late task may run in any silence. OptimumUnavailable without scipy.
    """
    numeric()
    if terms.boot_cv:
        terms = replace(terms, boot_s=0.0, boot_cv=0.0)
    late_share = max(0.0, 1.0 - share_in_time)
    silence_s = math.inf if late_share else terms.quantum_s + terms.boot_s
    parts = list(pieces(workload, target_wait_s=terms.target_wait_s, silence_s=silence_s))
    bound = _leases if terms.quantum_s >= LONG_QUANTUM_S else _units
    until = time.perf_counter() + time_limit_s
    units, hurried, cut_short = 0, 0, False
    left = len(workload)
    for part in sorted(parts, key=lambda part: len(part.tasks)):
        left_s = until - time.perf_counter()
        share_s = min(left_s, max(_LEAST_S, left_s * len(part.tasks) / left))
        left -= len(part.tasks)
        ends = time.perf_counter() + _ALL_BUT * share_s
        found = bound(part, terms, late_share, share_s)
        cut_short |= time.perf_counter() > ends
        hurried += found == -math.inf
        units += max(_plainly(part, terms), 0 if found == -math.inf else math.ceil(found - _SLACK))
    hours = units * terms.quantum_s / 3600.0
    return Optimum(
        cost=hours * terms.price_per_h,
        node_hours_billed=hours,
        kind="lower bound" if parts else "exact",
        work_node_hours=workload.work_s / terms.slots / 3600.0,
        pieces=len(parts),
        hurried=hurried,
        cut_short=cut_short or hurried > 0,
    )


def without_boot(
    workload: Workload, terms: Terms, *, share_in_time: float = 1.0, time_limit_s: float
) -> Optimum:
    """The bound if machines served as soon as they are ordered: what it lies below `optimum` is the price of boots."""
    return optimum(
        workload,
        replace(terms, boot_s=0.0, boot_cv=0.0),
        share_in_time=share_in_time,
        time_limit_s=time_limit_s,
    )


def _leases(piece: Piece, terms: Terms, late_share: float, time_limit_s: float) -> float:
    return leases.fewest(piece, terms, late_share=late_share, time_limit_s=time_limit_s)


def _units(piece: Piece, terms: Terms, late_share: float, time_limit_s: float) -> float:
    seconds = rentals.machine_seconds(piece, terms, late_share=late_share, time_limit_s=time_limit_s)
    return seconds / terms.quantum_s


def _plainly(piece: Piece, terms: Terms) -> int:
    """Units that are plain to see: all work and one boot fit in them, and so do the boot and the longest task.

    Whatever starts late still runs, so this holds for any share in time.
    """
    runtimes = [piece.workload.runtime_s[n] for n in piece.tasks]
    seconds = terms.boot_s + max(*runtimes, math.fsum(runtimes) / terms.slots)
    return max(1, math.ceil(seconds / terms.quantum_s - _SLACK))
