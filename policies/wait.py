"""The policy `wait`: the operator says how long a task may wait; everything else is measured.

Each waiting task has a deadline: its arrival plus the target. Arrivals are known, so the deadlines of all that wait are
known without touching a message. Against them stands how many tasks will have *started* by then on the machines there
are and on those arriving. Where that falls short, machines ordered now would have to start the rest after their boot;
the wish grows by as many as that takes. A machine that could not start anything in time is not wished for, and none is
given back if the smaller fleet would have to buy it again at once.

    starts(x) = free + Σ over arriving slots 1 + ends − caution · √ends                      by x seconds from now
    ends      = rate · x + Σ over free and arriving slots ((x − ready) / task_s − 0.1)
    lacking   = max over tasks of (tasks before its deadline − starts) ÷ (starts of one machine ordered now)

`rate` is busy slots ÷ task time, drawn towards what was really completed while messages waited by as much as
completions were seen to stray: where tasks are alike a slow minute is chance, where a few long ones hold slots it goes
on. The tenth grows likewise, for tasks that all began together. The constants were chosen on recorded workloads with
waits of two minutes. What never happens here: a look at a queue's name, a memory between two decisions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies import traffic as traffics
from policies.contract import LONG_QUANTUM_S, Demand, History, Policy, Recommendation, Supply, Traffic
from policies.options import Options
from policies.phrases import count, duration

SHORTEST_WAIT_S = 1.0
_KEPT_BACK = 0.1
"""Of the tasks that a slot starts after its first, for those of one length all end late in it; times variance ÷ mean of
completions, for tasks that began together end together; the first of them at most."""
_MOST_BELIEF_S = 600.0
"""The computed rate weighs as much as so many seconds of watching the real one, at most."""
_FORESEEN, _FORESEEN_TO_KEEP = 1 / 3, 1 / 2
"""Parts of the target for which arrivals are taken to go on as they are, for buying and for giving back."""
_OVERLOAD = 1.2
"""Load ÷ slots that a fleet is kept at: the queue carries peaks, and a machine bought again is there in time."""
_LOAD = 0.8
"""The same where a machine bought again would come too late."""
_SPARE = 0.9
"""Part of a machine by which the load may exceed the fleet before another is kept."""
_NEXT_TO_NONE = 0.01
"""Part of a machine that is no reason to keep one: smoothed rates never fall to nothing."""
_CAUTION, _CAUTION_BRIEF = 0.25, 0.9
"""Standard deviations of the starts that are not counted on. A machine that is paid for an hour is the larger bet."""
_PEAK_S, _PEAK_BRIEF_S = 600.0, 180.0
"""For giving back, a peak is remembered so long: a machine that is paid by the minute costs while it idles."""
_STEPS_AHEAD = 4
_HALF_A_TASK = 0.5
"""Fewer than this that may come are nobody yet to buy a machine for."""
_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fleet:
    """What can start tasks: slots free now, slots busy, and slots that come, each group with the seconds until then."""

    free: float
    rate_per_s: float
    coming: tuple[tuple[float, int], ...]
    kept_back: float
    """Of the tasks that a slot starts after its first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """`target_wait_s`: seconds within which a task should start."""

    target_wait_s: float

    @property
    def name(self) -> str:
        return "wait"

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:  # noqa: ARG002
        """Always has an opinion; never falls when messages are added."""
        traffic = history.traffic
        have = supply.workers
        lacking = self._lacking(demand.backlog, _fleet(supply, traffic, supply.serving), supply, traffic)
        if lacking:
            workers = min(have + lacking, _MOST)
            return self._told(demand, traffic, workers, self._why_more(lacking, demand, supply, traffic))
        workers = self._kept(demand.backlog, supply, traffic)
        return self._told(demand, traffic, workers, self._why_enough(workers, demand, supply, traffic))

    def _kept(self, backlog: int, supply: Supply, traffic: Traffic) -> int:
        """The smallest fleet that bears the load of the last minutes and would not have to grow again at once."""
        have = supply.workers
        # Those on their way are paid, and leave at the earliest once they enrolled.
        least = min(have, max(self._borne(supply, traffic), supply.arriving))
        while least < have:
            middle = (least + have) // 2
            serving = max(0, supply.serving - (supply.workers - middle))
            fleet = _fleet(supply, traffic, serving)
            if self._lacking(backlog, fleet, supply, traffic, ahead=_FORESEEN_TO_KEEP):
                least = middle + 1
            else:
                have = middle
        return least

    def _borne(self, supply: Supply, traffic: Traffic) -> int:
        """Machines for the highest load of the last minutes."""
        machines = _peak_load(supply, traffic)
        if self.target_wait_s < traffics.boot_s(traffic):
            return max(0, math.ceil(machines / _LOAD - _NEXT_TO_NONE))
        return max(0, math.ceil(machines / _OVERLOAD - _SPARE))

    def _lacking(
        self, backlog: int, fleet: _Fleet, supply: Supply, traffic: Traffic, ahead: float = _FORESEEN
    ) -> int:
        """Machines to order now so that all start in time that can; 0 where the fleet is enough."""
        if backlog == 0 and ahead == _FORESEEN and self.target_wait_s >= traffics.boot_s(traffic):
            return 0
        task_s, boot_s = traffics.task_s(traffic), traffics.boot_s(traffic)
        caution = _CAUTION if _is_long(supply) else _CAUTION_BRIEF
        lacking, before = 0, 0.0
        for deadline_s, tasks in self._deadlines(backlog, traffic, ahead, boot_s):
            before += tasks
            # For one that is late whatever is done, the nearest it can be.
            by_s = deadline_s if deadline_s >= boot_s else boot_s + self.target_wait_s / 2
            short = before - _starts(fleet, by_s, task_s, caution)
            if short > 0.0:
                each = supply.slots * (1.0 + _further(by_s - boot_s, task_s, fleet.kept_back))
                lacking = max(lacking, math.ceil(short / each - 1e-9))
        return lacking

    def _deadlines(
        self, backlog: int, traffic: Traffic, ahead: float, boot_s: float
    ) -> Iterator[tuple[float, float]]:
        """Seconds from now and tasks, the oldest first: of those that wait, then of those to come if all goes on."""
        found: list[tuple[float, float]] = []
        left, age_s = float(backlog), 0.0
        for span in reversed(traffic.arrivals):
            if left <= 0.0:
                break
            if span.amount:  # as old as they may be
                tasks = min(span.amount, left)
                found.append((self.target_wait_s - age_s - span.seconds, tasks))
                left -= tasks
            age_s += span.seconds
        if left > 0.0:
            found.append((self.target_wait_s - age_s, left))
        yield from reversed(found)
        # Whoever comes later than this can be served by a machine that is ordered later.
        ahead_s = max(ahead * self.target_wait_s, boot_s - self.target_wait_s)
        # One task does not make a stream: over a long time ahead, no more than came in as long a time before.
        per_s = min(traffic.recent_per_s, traffics.arrived_within(traffic, ahead_s) / ahead_s)
        step_s, to_come = ahead_s / _STEPS_AHEAD, 0.0
        for step in range(_STEPS_AHEAD):
            to_come += per_s * step_s
            if to_come >= _HALF_A_TASK:
                yield self.target_wait_s + (step + 0.5) * step_s, to_come
                to_come = 0.0

    def _told(self, demand: Demand, traffic: Traffic, workers: int, why: str) -> Recommendation:
        measured = "assumed" if traffic.tasks < 1 else f"measured over {traffic.tasks:.0f} tasks"
        of_task = f"{_seconds(traffics.task_s(traffic))} a task ({measured})"
        change = "fewer arrivals, or shorter tasks" if demand.backlog == 0 else "a longer target"
        return Recommendation(
            policy=self.name,
            workers=workers,
            why=f"{why}; {of_task}",
            would_change=f"{change} would ask for fewer workers",
        )

    def _why_more(self, lacking: int, demand: Demand, supply: Supply, traffic: Traffic) -> str:
        if not supply.workers:
            return f"{count(lacking, 'worker')} would start what waits within {duration(self.target_wait_s)}"
        fleet = _fleet(supply, traffic, supply.serving)
        verb = "starts" if demand.backlog == 1 else "start"
        later = (
            f"not all of what waits {verb} within {duration(self.target_wait_s)}" if demand.backlog else ""
        )
        soon = f"what arrives would not start within {duration(self.target_wait_s)}"
        rate = f"{fleet.rate_per_s:.2g} tasks a second are completed"
        return f"{later or soon}: {rate}; {lacking} more would do"

    def _why_enough(self, workers: int, demand: Demand, supply: Supply, traffic: Traffic) -> str:
        target = duration(self.target_wait_s)
        if workers == 0:
            return f"what arrives next can wait for a machine within {target}"
        load = _peak_load(supply, traffic)
        verb = "starts" if workers == 1 else "start"
        waiting = "what waits and arrives" if demand.backlog else "what arrives"
        return f"{count(workers, 'worker')} {verb} {waiting} within {target} (load of {load:.1f} workers at its peak)"


def _is_long(supply: Supply) -> bool:
    return supply.quantum_s >= LONG_QUANTUM_S


def _peak_load(supply: Supply, traffic: Traffic) -> float:
    """Machines that were busy at once if all had started as it came, at the highest of the last minutes."""
    peak_s = _PEAK_S if _is_long(supply) else _PEAK_BRIEF_S
    return traffics.peak_per_s(traffic, peak_s) * traffics.task_s(traffic) / supply.slots


def _fleet(supply: Supply, traffic: Traffic, serving: int) -> _Fleet:
    """The fleet with so many of its serving workers, and all that arrive."""
    slots = serving * supply.slots
    busy = min(traffic.busy, slots)
    expected = busy / traffics.task_s(traffic)
    watched_s = sum(span.seconds for span in traffic.pressed)
    completed = sum(span.amount for span in traffic.pressed)
    belief_s = _belief_s(traffic)
    boot_s = traffics.boot_s(traffic)
    coming: dict[float, int] = {}
    for since_s in supply.arriving_for_s or (0.0,) * supply.arriving:
        # One that is late is expected soon, again and again.
        ready_s = boot_s - since_s if since_s < boot_s else boot_s / 4
        coming[ready_s] = coming.get(ready_s, 0) + supply.slots
    return _Fleet(
        free=slots - busy,
        rate_per_s=(expected * belief_s + completed) / (belief_s + watched_s),
        coming=tuple(coming.items()),
        kept_back=min(1.0, _KEPT_BACK * max(1.0, traffics.dispersion(traffic))),
    )


def _belief_s(traffic: Traffic) -> float:
    """Seconds of watching that the computed rate weighs as much as.

    Completions in w seconds are Poisson about a rate that is itself gamma distributed: mean μw, variance μw + (μw)²/k.
    So variance ÷ mean − 1 is μw/k, and after C completions in t seconds the rate is (k + C) ÷ (k/μ + t), with k/μ
    = w ÷ (variance ÷ mean − 1). (Gamma–Poisson shrinkage by the method of moments, a form of empirical Bayes.)
    """
    excess = traffics.dispersion(traffic) - 1.0
    return min(_MOST_BELIEF_S, traffics.FORETOLD_S / excess) if excess > 0.0 else _MOST_BELIEF_S


def _starts(fleet: _Fleet, by_s: float, task_s: float, caution: float) -> float:
    """Tasks that the fleet starts until then, if there are enough. What hangs on tasks that end is not counted in full:
    their number strays by about its square root."""
    slots, ends = fleet.free, fleet.free * _further(by_s, task_s, fleet.kept_back) + fleet.rate_per_s * by_s
    for ready_s, coming in fleet.coming:
        if ready_s < by_s:
            slots += coming
            ends += coming * _further(by_s - ready_s, task_s, fleet.kept_back)
    return slots + max(0.0, ends - caution * math.sqrt(ends))


def _further(seconds: float, task_s: float, kept_back: float) -> float:
    """Tasks that a slot starts as the ones before end, after the one at once."""
    return max(0.0, seconds / task_s - kept_back)


def _seconds(seconds: float) -> str:
    return duration(seconds) if seconds >= 10 else f"{seconds:.2g} s"


def open_policy(options: Mapping[str, object]) -> Policy:
    """Open from `target_wait_s` (seconds, at least 1). Raises `PolicyOptionsWrong`."""
    read = Options(options)
    policy = Wait(target_wait_s=read.number("target_wait_s", least=SHORTEST_WAIT_S))
    read.finish()
    return policy
