"""AWS scaling policies on a queue's visible messages: step scaling as documented, target tracking as far as told.

After the documents of EC2 Auto Scaling. They state step scaling exactly. How target tracking decides is not published:
`track` is the documented part (proportional, adding rounds up and removing down, in slower than out) with the alarms
that it has been seen to create. One instance is one machine; booting is its warmup. What never happens here: messages
in flight, which neither pattern counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from autoscaler.study.contract import Look
from autoscaler.study.peers.rounding import TINY, clamp, toward_zero, up

MINUTE_S = 60.0
"""CloudWatch gets a queue's figures once a minute, and an alarm looks as often."""
ALARM_MINUTES = 2
"""Step scaling: points in a row that raise the alarm, as in the documents' command-line example."""
TRACK_OUT_MINUTES = 3
TRACK_IN_MINUTES = 15
"""Target tracking: points in a row of the alarms that it creates."""
TRACK_IN_SHARE = 0.9
"""Its low alarm lies at this share of the target. Widely told and nowhere stated: a parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """For a breach (metric − alarm threshold) between `lower` and `upper`, None being without end."""

    lower: float | None
    upper: float | None
    adjustment: float

    def takes_above(self, breach: float) -> bool:
        """From the lower bound on, below the upper."""
        return (-math.inf if self.lower is None else self.lower) <= breach < self._end

    def takes_below(self, breach: float) -> bool:
        """Above the lower bound, up to the upper."""
        return (-math.inf if self.lower is None else self.lower) < breach <= self._end

    @property
    def _end(self) -> float:
        return math.inf if self.upper is None else self.upper


Adjustment = Literal["ChangeInCapacity", "ExactCapacity", "PercentChangeInCapacity"]


def percent(capacity: int, value: float, *, least_magnitude: int = 1) -> int:
    """So many percent of the capacity: a fraction below one counts as one, a larger number loses its fraction."""
    exact = capacity * value / 100
    if abs(exact) < TINY:
        return 0
    whole = toward_zero(exact) if abs(exact) >= 1 - TINY else 0
    return int(math.copysign(max(abs(whole), least_magnitude, 1), exact))


_ADJUSTED: Mapping[Adjustment, Callable[[int, float], int]] = {
    "ChangeInCapacity": lambda _capacity, value: toward_zero(value),
    "ExactCapacity": lambda capacity, value: toward_zero(value) - capacity,
    "PercentChangeInCapacity": percent,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPolicy:
    """A step scaling policy: steps above or below the threshold of its alarm, in messages."""

    threshold: float
    steps: tuple[Step, ...]
    kind: Adjustment = "PercentChangeInCapacity"

    def above(self, metric: float, capacity: int) -> int:
        """What is added to this capacity for a metric at the threshold or above; 0 where no step takes it."""
        return self._adjustment(metric, capacity, Step.takes_above)

    def below(self, metric: float, capacity: int) -> int:
        """What is added to this capacity, as a negative number, for a metric at the threshold or below."""
        return self._adjustment(metric, capacity, Step.takes_below)

    def _adjustment(self, metric: float, capacity: int, takes: Callable[[Step, float], bool]) -> int:
        breach = metric - self.threshold
        step = next((one for one in self.steps if takes(one, breach)), None)
        return 0 if step is None else _ADJUSTED[self.kind](capacity, step.adjustment)


def step_out(policies: Sequence[StepPolicy], metric: float, *, desired: int, warm: int) -> int:
    """The desired capacity after a scale-out, the largest of the policies' numbers; never fewer than desired.

    The step counts from the instances without those that warm up, so a step under way is not taken again.
    """
    return max([desired, *(warm + one.above(metric, warm) for one in policies)])


def step_in(policy: StepPolicy, metric: float, *, desired: int, warming: int, present: int) -> int:
    """The desired capacity after a scale-in; unchanged while instances still warm up.

    The step counts from all instances `present`, those that terminate too, so a step under way is not taken again.
    """
    adjustment = policy.below(metric, present)
    if warming or not adjustment:
        return desired
    return min(desired, max(present + adjustment, 0))


EXAMPLE_THRESHOLD = 50.0
"""The documents' example has its alarm at 50."""


def example_out(threshold: float = EXAMPLE_THRESHOLD) -> StepPolicy:
    """The documents' example: +0 % up to 10 above 50, +10 % up to 20 above, +30 % beyond; its bounds go with 50."""
    unit = threshold / 5
    return StepPolicy(
        threshold=threshold,
        steps=(
            Step(lower=0, upper=unit, adjustment=0),
            Step(lower=unit, upper=2 * unit, adjustment=10),
            Step(lower=2 * unit, upper=None, adjustment=30),
        ),
    )


def example_in(threshold: float = EXAMPLE_THRESHOLD) -> StepPolicy:
    """The documents' example: −0 % down to 10 below 50, −10 % down to 20 below, −30 % beyond; its bounds go with 50."""
    unit = threshold / 5
    return StepPolicy(
        threshold=threshold,
        steps=(
            Step(lower=-unit, upper=0, adjustment=0),
            Step(lower=-2 * unit, upper=-unit, adjustment=-10),
            Step(lower=None, upper=-2 * unit, adjustment=-30),
        ),
    )


def backlog_per_instance(visible: int, in_service: int) -> float:
    """Visible messages ÷ instances in service; with none in service, as with one."""
    return visible / max(in_service, 1)


def acceptable_backlog(latency_s: float, message_s: float) -> float:
    """The target for it: acceptable latency ÷ the mean time in which one instance gets through a message."""
    return latency_s / max(message_s, TINY)


def track(metric: float, target: float, capacity: int) -> int:
    """Instances that would bring a metric per instance to its target: rounded up, so that removing rounds down."""
    return up(capacity * metric / target)


@dataclass(slots=True, kw_only=True)
class TargetTracking:
    """Target tracking on the backlog per instance, SQS's documented pattern.

    `latency_s` is the acceptable latency. An instance with s slots gets through a message in task time ÷ s. Before the
    first task is done nothing is known of that, and one message a slot is the target. `least` is at least 1: the
    metric has no value without an instance.
    """

    name: str
    latency_s: float
    least: int
    most: int
    in_share: float = TRACK_IN_SHARE
    period_s: float = MINUTE_S
    _desired: int | None = field(default=None, init=False)
    _high: int = field(default=0, init=False)
    _low: int = field(default=0, init=False)

    def wanted(self, look: Look) -> int:
        """The desired capacity after this minute."""
        least = max(self.least, 1)
        desired = look.serving + look.arriving if self._desired is None else self._desired
        metric = backlog_per_instance(look.backlog, look.serving)
        target = self._target(look)
        self._high = self._high + 1 if metric > target + TINY else 0
        self._low = self._low + 1 if metric < self.in_share * target - TINY else 0
        wish = track(metric, target, max(look.serving, 1))
        if self._high >= TRACK_OUT_MINUTES:
            desired = max(desired, wish)
        elif self._low >= TRACK_IN_MINUTES and not look.arriving:
            desired = min(desired, wish)
        self._desired = clamp(desired, least, self.most)
        return self._desired

    def _target(self, look: Look) -> float:
        if look.task_s is None:
            return float(look.slots)
        return acceptable_backlog(self.latency_s, look.task_s / look.slots)


@dataclass(slots=True, kw_only=True)
class StepScaling:
    """Step scaling on the visible messages, with the steps of the documents' example around `threshold` messages.

    `least` is at least 1: a percentage of no instances is none.
    """

    name: str
    least: int
    most: int
    threshold: float = EXAMPLE_THRESHOLD
    period_s: float = MINUTE_S
    _desired: int | None = field(default=None, init=False)
    _high: int = field(default=0, init=False)
    _low: int = field(default=0, init=False)

    def wanted(self, look: Look) -> int:
        """The desired capacity after this minute; an alarm that lasts acts every minute."""
        standing = look.serving + look.arriving
        desired = standing if self._desired is None else self._desired
        self._high = self._high + 1 if look.backlog >= self.threshold else 0
        self._low = self._low + 1 if look.backlog <= self.threshold else 0
        if self._high >= ALARM_MINUTES:
            out = (example_out(self.threshold),)
            desired = step_out(out, look.backlog, desired=desired, warm=look.serving)
        if self._low >= ALARM_MINUTES:
            desired = step_in(
                example_in(self.threshold),
                look.backlog,
                desired=desired,
                warming=look.arriving,
                present=standing + look.leaving,
            )
        self._desired = clamp(desired, max(self.least, 1), self.most)
        return self._desired
