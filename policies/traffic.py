"""What each look at the broker teaches: how fast tasks arrive, how long they take, how long machines boot.

The traffic so far and a look go in, the traffic with it comes out. Service time is measured by Little's law, as slots
busy over tasks completed, because brokers and heartbeats tell both and neither tells of one task. What never happens
here: an instant, a clock, a guess about the future.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from policies.contract import Demand, Flow, Span, Spread, Supply, Traffic

SMOOTHED_S = 120.0
RECENT_S = 30.0
"""Time constants of the two rates."""
PEAK_SPAN_S, PEAKS = 60.0, 10
"""Peaks are kept by the minute, for ten minutes."""
PRESSED_S = 60.0
FORETOLD_S, FORETOLD_TASKS = 60.0, 500.0
"""Completions are compared with what was foretold by the minute, and that is remembered over so many tasks."""
REMEMBERED_TASKS = 1000.0
REMEMBERED_BOOTS = 20.0
ASSUMED_TASK_S, ASSUMED_TASKS = 10.0, 1.0
"""Before anything is measured a task is taken to last ten seconds; one real one outweighs that, and it fades."""
ASSUMED_BOOT_S = 90.0
_EVEN_TASKS = 20.0
"""Before anything is measured, so many tasks are taken to have been completed as evenly as chance has it."""
MOST_SPANS = 48
"""Of arrivals. Two neighbours are joined where together they are short against their age, the oldest first."""
_COARSENESS = 5.0


def task_s(traffic: Traffic) -> float:
    """Seconds that a task occupies a slot, on average; an assumption as long as little was measured."""
    assumed = ASSUMED_TASKS * max(0.0, 1.0 - traffic.tasks / REMEMBERED_TASKS)
    tasks = traffic.tasks + assumed
    return max((traffic.busy_s + ASSUMED_TASK_S * assumed) / tasks, 0.001)


def boot_s(traffic: Traffic) -> float:
    """Seconds from the order of a machine until its worker was heard, on average; an assumption before the first."""
    return traffic.boot_s / traffic.boots if traffic.boots else ASSUMED_BOOT_S


def arrived_within(traffic: Traffic, seconds: float) -> float:
    """Tasks that arrived in so many last seconds, as far as that is remembered."""
    found, left_s = 0.0, seconds
    for span in reversed(traffic.arrivals):
        if left_s <= 0.0:
            break
        found += span.amount * min(1.0, left_s / span.seconds)
        left_s -= span.seconds
    return found


def peak_per_s(traffic: Traffic, seconds: float) -> float:
    """The highest smoothed rate of arrivals of so many last seconds, ten minutes at most."""
    highest, left_s = 0.0, seconds
    for span in reversed(traffic.peaks):
        highest, left_s = max(highest, span.amount), left_s - span.seconds
        if left_s <= 0.0:
            break
    return highest


def dispersion(traffic: Traffic) -> float:
    """Variance ÷ mean of completions in a minute: 1 where tasks end independently, more where long ones hold slots."""
    spread = traffic.spread
    return (spread.squares + _EVEN_TASKS) / (spread.tasks + _EVEN_TASKS)


def with_boots(before: Traffic, seconds: Iterable[float]) -> Traffic:
    """The traffic after machines enrolled that took so long since their orders."""
    told = [s for s in seconds if math.isfinite(s) and s >= 0.0]
    if not told:
        return before
    boots, total_s = before.boots + len(told), before.boot_s + sum(told)
    kept = min(1.0, REMEMBERED_BOOTS / boots)
    return replace(before, boots=boots * kept, boot_s=total_s * kept)


def with_look(before: Traffic, demand: Demand, supply: Supply) -> Traffic:
    """The traffic after this look. One without counts (the first, or after a reset) teaches only what is busy now."""
    busy = float(_busy(demand, supply))
    flow = demand.flow
    if flow is None or flow.over_s <= 0.0:
        return replace(before, busy=busy, pressed=before.pressed if demand.backlog else ())
    rate = flow.arrived / flow.over_s
    smoothed = _smoothed(before.arrivals_per_s, rate, flow.over_s, SMOOTHED_S)
    # Each task counts half as it begins and half as it ends: those in hand would else be all time and no task.
    tasks = max(0.0, before.tasks + flow.completed + (busy - before.busy) / 2.0)
    busy_s = before.busy_s + (before.busy + busy) / 2.0 * flow.over_s
    kept = min(1.0, REMEMBERED_TASKS / tasks) if tasks else 1.0
    pressed = (*before.pressed, Span(seconds=flow.over_s, amount=flow.completed)) if demand.backlog else ()
    return replace(
        before,
        arrivals=_coarsened((*before.arrivals, Span(seconds=flow.over_s, amount=flow.arrived))),
        arrivals_per_s=smoothed,
        recent_per_s=_smoothed(before.recent_per_s, rate, flow.over_s, RECENT_S),
        peaks=_peaks(before.peaks, smoothed, flow.over_s),
        tasks=tasks * kept,
        busy_s=busy_s * kept,
        busy=busy,
        pressed=_latest(pressed, PRESSED_S),
        spread=_spread(before, (before.busy + busy) / 2.0, flow),
    )


def _busy(demand: Demand, supply: Supply) -> int:
    """Slots that run a task, by the workers' own word: what else is delivered waits in their hands, or for its time."""
    said = demand.in_progress if supply.tasks_in_hand is None else supply.tasks_in_hand
    return min(said, supply.serving * supply.slots)


def _spread(before: Traffic, busy: float, flow: Flow) -> Spread:
    """With this look. A minute ends where one task at least was foretold, so that each of them says something."""
    spread = before.spread
    seconds = spread.seconds + flow.over_s
    foretold = spread.foretold + busy * flow.over_s / task_s(before)
    completed = spread.completed + flow.completed
    if seconds < FORETOLD_S or foretold < 1.0:
        return replace(spread, seconds=seconds, foretold=foretold, completed=completed)
    tasks, squares = spread.tasks + foretold, spread.squares + (completed - foretold) ** 2
    kept = min(1.0, FORETOLD_TASKS / tasks)
    return Spread(tasks=tasks * kept, squares=squares * kept)


def _smoothed(before: float, now: float, over_s: float, constant_s: float) -> float:
    return before + (now - before) * (1.0 - math.exp(-over_s / constant_s))


def _peaks(before: tuple[Span, ...], rate: float, over_s: float) -> tuple[Span, ...]:
    """The last span is still open while it is shorter than a minute."""
    if before and before[-1].seconds < PEAK_SPAN_S:
        last = before[-1]
        return (
            *before[:-1],
            Span(seconds=last.seconds + over_s, amount=max(last.amount, rate)),
        )
    return (*before, Span(seconds=over_s, amount=rate))[-PEAKS:]


def _latest(spans: tuple[Span, ...], most_s: float) -> tuple[Span, ...]:
    """The newest spans that together are no longer than that, one at least."""
    total_s, first = 0.0, len(spans)
    while first and (total_s == 0.0 or total_s + spans[first - 1].seconds <= most_s):
        first -= 1
        total_s += spans[first].seconds
    return spans[first:]


def _coarsened(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """As precise as before where it is young; the old joined, so that their number stays bounded."""
    if len(spans) <= MOST_SPANS:
        return spans
    age_s = sum(span.seconds for span in spans)
    for at in range(len(spans) - 1):
        joined_s = spans[at].seconds + spans[at + 1].seconds
        if joined_s <= age_s / _COARSENESS:
            joined = Span(seconds=joined_s, amount=spans[at].amount + spans[at + 1].amount)
            return (*spans[:at], joined, *spans[at + 2 :])
        age_s -= spans[at].seconds
    return spans[1:]
