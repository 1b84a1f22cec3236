"""A pool in a closed loop with what its tasks depend on: beyond what that bears, workers slow each other down.

The policy `wait` decides each ten seconds with the default stabilization; machines boot for a minute and a half.
Completions and arrivals are random by a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from autoscaler.core import measuring
from policies.contract import (
    Decision,
    Demand,
    Flow,
    History,
    Limits,
    Past,
    PolicySpec,
    Rule,
    Stabilization,
    Traffic,
)
from policies.decide import decide
from tests.unit.policies.builders import NOW, a_demand, a_supply, an_input

TICK_S, BOOT_S, SLOTS = 10.0, 90.0, 2
_WAIT = PolicySpec(kind="wait", options={"target_wait_s": 60.0})
Rate = Callable[[float], float]
"""Seconds since the beginning to a rate a second."""


@dataclass(slots=True, kw_only=True)
class Pool:
    """One life. `arrivals` and `bears` are tasks a second; what bears nothing less has no bound."""

    arrivals: Rate
    bears: Rate = lambda _: float("inf")
    task_s: Rate = lambda _: 2.0
    worse: float = 0.0
    """How much each multiple of what is borne lowers the rate."""
    spread: float = 1.0
    """Standard deviation over mean of task times."""
    guarded: bool = True
    seed: int = 1
    at_s: float = 0.0
    serving: int = 0
    booting: list[float] = field(default_factory=list)
    backlog: int = 0
    done: int = 0
    worker_h: float = 0.0
    peak: int = 0
    traffic: Traffic = field(default_factory=Traffic)
    past: tuple[Past, ...] = ()
    decisions: list[Decision] = field(default_factory=list)

    def live(self, hours: float) -> Pool:
        """So many hours; returns itself."""
        dice = random.Random(self.seed)
        until_s = self.at_s + hours * 3600.0
        while self.at_s < until_s:
            self.at_s += TICK_S
            self._tick(dice)
        return self

    def braked(self) -> list[Decision]:
        """The decisions in which the guard changed the number."""
        return [d for d in self.decisions if any(step.rule is Rule.NOT_HELPING for step in d.steps)]

    def _tick(self, dice: random.Random) -> None:
        self.booting = [s + TICK_S for s in self.booting]
        self.serving += sum(s >= BOOT_S for s in self.booting)
        self.booting = [s for s in self.booting if s < BOOT_S]
        demand = self._worked(dice)
        supply = a_supply(
            self.serving, len(self.booting), slots=SLOTS, tasks_in_hand=demand.in_progress,
            arriving_for_s=tuple(sorted(self.booting, reverse=True)),
        )  # fmt: skip
        self.traffic = measuring.with_look(self.traffic, demand, supply)
        if not self.guarded:
            self.traffic = replace(self.traffic, growth=replace(self.traffic.growth, brake=None))
        decision = decide(
            an_input(
                at=NOW + self.at_s,
                demand=demand,
                supply=supply,
                policies=(_WAIT,),
                limits=Limits(max_workers=200),
                history=History(past=self.past, good_looks=9, traffic=self.traffic),
                stabilization=Stabilization(),
            )
        )
        self.decisions.append(decision)
        asked = decision.recommended
        now = Past(at=NOW + self.at_s, recommended=asked, wanted=decision.wanted, workers=supply.workers)
        self.past = (*self.past, now)[-40:]
        self._carry_out(decision.wanted - supply.workers)

    def _worked(self, dice: random.Random) -> Demand:
        """What happened since the last tick, as the broker and the workers tell it."""
        natural, bears = self.serving * SLOTS / self.task_s(self.at_s), self.bears(self.at_s)
        load = natural / bears
        rate = natural if load <= 1.0 else bears / (1.0 + self.worse * (load - 1.0))
        arrivals = self.arrivals(self.at_s)
        arrived = sum(dice.random() < 1 / 3 for _ in range(int(arrivals * TICK_S * 3)))
        able = max(0.0, dice.gauss(rate * TICK_S, self.spread * (rate * TICK_S) ** 0.5))
        done = int(min(able, self.backlog + arrived))
        self.backlog += arrived - done
        self.done += done
        slots = self.serving * SLOTS
        busy = slots if self.backlog else min(slots, round(arrivals * self.task_s(self.at_s)))
        flow = Flow(arrived=arrived, completed=done, over_s=TICK_S, delivered=done)
        return a_demand(max(0, self.backlog - busy), busy, flow=flow)

    def _carry_out(self, more: int) -> None:
        self.booting += [0.0] * max(0, more)
        self.serving -= min(self.serving, max(0, -more))
        workers = self.serving + len(self.booting)
        self.peak = max(self.peak, workers)
        self.worker_h += workers * TICK_S / 3600.0
