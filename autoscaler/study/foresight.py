"""Our own rule, told what will come: what it measured of the past is replaced by what is true of the time ahead.

A policy knows arrivals, task times and peaks from `Traffic`, which is the past. Here the same words are filled from
the workload: the rate at which tasks will arrive, how long those will run that wait or come, the highest rate ahead.
Policy, limits and plan stay as in production, and nothing else of the future is known. In place of windows and
cooldowns, which stand in for not knowing, a machine is given back when it was not wanted for a boot: sooner, it would
be bought again.

What never happens here: a plan made from the future. This is no optimum, only the same rule without its guesses.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

from autoscaler.study.contract import Terms, Workload
from autoscaler.study.run import Configured
from autoscaler.study.world import World
from policies import traffic as traffics
from policies.contract import Span, Traffic

_SURE_TASKS = traffics.REMEMBERED_TASKS
"""So many tasks measured leave no room for an assumption."""
_SOON = 1 / 3
"""Part of the target wait in which the rule looks for arrivals to come."""
_LONGER_THAN_S = 900


def spans_s(terms: Terms) -> tuple[float, ...]:
    """How far ahead it may be told, each worth a try: minutes, a few boots, and as long as a machine is paid for."""
    tried = {max(300.0, 3 * terms.boot_s), 900.0}
    return tuple(sorted(tried | ({float(terms.quantum_s)} if terms.quantum_s > _LONGER_THAN_S else set())))


def told(configured: Configured, workload: Workload, terms: Terms, *, ahead_s: float) -> Configured:
    """The same rule, told of so many seconds ahead."""
    return replace(
        configured,
        name=f"{configured.name}, told {ahead_s:g} s ahead",
        stabilization=replace(
            configured.stabilization,
            scale_in_window_s=terms.boot_s,
            scale_in_cooldown_s=0.0,
            scale_out_window_s=0.0,
            scale_out_cooldown_s=0.0,
        ),
        foresight=_foresight(workload, terms, configured.tick_s, ahead_s),
    )


def _foresight(
    workload: Workload, terms: Terms, tick_s: float, ahead_s: float
) -> Callable[[Traffic, World], Traffic]:
    submit_s, tasks = workload.submit_s, len(workload)
    work_s = array("d", accumulate(workload.runtime_s, initial=0.0))
    peaks = _peaks_ahead(submit_s, workload.span_s, tick_s, ahead_s)
    soon_s = max(_SOON * terms.target_wait_s, tick_s)

    def true_of(traffic: Traffic, world: World) -> Traffic:
        now_s = world.now_s
        last = bisect_left(submit_s, now_s + ahead_s)
        first = min(world.started, last)
        soon = bisect_left(submit_s, now_s + soon_s) - bisect_left(submit_s, now_s)
        tick = min(round(now_s / tick_s), len(peaks) - 1)
        known = replace(
            traffic,
            recent_per_s=soon / soon_s,
            peaks=(Span(seconds=ahead_s, amount=peaks[tick]),),
            boots=1.0,
            boot_s=terms.boot_s,
        )
        # Of the last tasks nothing follows: then what was measured of those before stands.
        if last == first or not tasks:
            return known
        mean_s = (work_s[last] - work_s[first]) / (last - first)
        return replace(known, tasks=_SURE_TASKS, busy_s=_SURE_TASKS * mean_s)

    return true_of


def _peaks_ahead(submit_s: Sequence[float], span_s: float, tick_s: float, ahead_s: float) -> array[float]:
    """For each tick, the highest rate within the time ahead, smoothed as the rule smooths what it measures."""
    share = 1.0 - math.exp(-tick_s / traffics.SMOOTHED_S)
    rates, rate, before = array("d", [0.0]), 0.0, 0
    for tick in range(1, math.ceil((span_s + ahead_s) / tick_s) + 2):
        arrived = bisect_left(submit_s, tick * tick_s, before)
        rate += ((arrived - before) / tick_s - rate) * share
        rates.append(rate)
        before = arrived
    ahead = max(1, round(ahead_s / tick_s))
    found, highest = array("d", bytes(8 * len(rates))), deque[int]()
    for tick in range(len(rates) - 1, -1, -1):
        while highest and rates[highest[-1]] <= rates[tick]:
            highest.pop()
        highest.append(tick)
        while highest[0] > tick + ahead:
            highest.popleft()
        found[tick] = rates[highest[0]]
    return found
