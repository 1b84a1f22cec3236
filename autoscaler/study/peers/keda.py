"""KEDA on a RabbitMQ queue: the scaler's metrics, the loop that wakes and puts to sleep, and the HPA in between.

After KEDA's documents of the RabbitMQ scaler and of the ScaledObject, and its source where these are silent. The loop
alone goes from 0 to 1 and from any number to 0; the HPA that KEDA makes, without a behaviour block, does the rest. One
replica is one machine. What never happens here: errors of the broker, fallback, a pause, or several triggers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from autoscaler.study.contract import Look
from autoscaler.study.peers import hpa
from autoscaler.study.peers.rounding import TINY, clamp, down

POLLING_S = 30.0
"""`pollingInterval` when left out."""
COOLDOWN_S = 300.0
"""`cooldownPeriod` when left out; it concerns the step to zero only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What the scaler reads of a queue: messages, and the rates per second at which they come and are delivered."""

    messages: int
    published_per_s: float = 0.0
    delivered_per_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A trigger's metric, and whether the trigger is active."""

    metric: float
    active: bool


def queue_length(seen: Counters, activation: float) -> Reading:
    """Messages."""
    return Reading(metric=seen.messages, active=seen.messages > activation)


def message_rate(seen: Counters, activation: float) -> Reading:
    """Messages published per second. A backlog that nobody adds to keeps it active, but asks for nobody."""
    rate = seen.published_per_s
    return Reading(metric=rate, active=rate > activation or seen.messages > activation)


def deliver_get_rate(seen: Counters, activation: float) -> Reading:
    """Messages delivered per second."""
    return Reading(metric=seen.delivered_per_s, active=seen.delivered_per_s > activation)


def published_to_delivered(seen: Counters, activation: float) -> Reading:
    """Published ÷ delivered. Nobody delivering makes it the activation value, 0 if left out, though it is active."""
    coming, going = seen.published_per_s > 0, seen.delivered_per_s > 0
    metric = 0.0
    if coming:
        metric = seen.published_per_s / seen.delivered_per_s if going else activation
    return Reading(metric=metric, active=metric > activation or (coming and not going))


def consumption_time(seen: Counters, activation: float) -> Reading:
    """Seconds to empty the queue at the delivery rate, plus the growth (published − delivered) ÷ delivered.

    The two terms have different units; that is the scaler's. Nobody delivering makes it the activation value: an HPA
    then sees no load, however long the queue.
    """
    going = seen.delivered_per_s > 0
    metric = 0.0
    if seen.messages:
        metric = activation
        if going:
            growth = (seen.published_per_s - seen.delivered_per_s) / seen.delivered_per_s
            metric = growth + seen.messages / seen.delivered_per_s
    return Reading(metric=metric, active=metric > activation or (seen.messages > 0 and not going))


Mode = Literal[
    "QueueLength",
    "MessageRate",
    "DeliverGetRate",
    "PublishedToDeliveredRatio",
    "ExpectedQueueConsumptionTime",
]

MODES: Mapping[Mode, Callable[[Counters, float], Reading]] = {
    "QueueLength": queue_length,
    "MessageRate": message_rate,
    "DeliverGetRate": deliver_get_rate,
    "PublishedToDeliveredRatio": published_to_delivered,
    "ExpectedQueueConsumptionTime": consumption_time,
}


def stored(metric: float) -> float:
    """The metric as the HPA gets it: in whole thousandths; what is no number, endless or negative is 0."""
    return down(metric * 1000) / 1000 if math.isfinite(metric) and metric > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """A ScaledObject at one poll: replicas, the time its trigger was last active (None: never), its creation."""

    replicas: int
    created_s: float
    last_active_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """A ScaledObject's settings, with the defaults of KEDA's documents."""

    least: int = 0
    """`minReplicaCount`."""
    most: int = 100
    """`maxReplicaCount`."""
    idle: int | None = None
    """`idleReplicaCount`."""
    polling_s: float = POLLING_S
    cooldown_s: float = COOLDOWN_S
    initial_cooldown_s: float = 0.0


def poll(state: Scaled, loop: Loop, *, active: bool, now_s: float) -> Scaled:
    """One round of the ScaledObject's loop.

    Active: from 0 (or from idle) to the least, 1 at least, at once. Inactive for longer than the cooldown: to zero or
    idle from whatever number runs, in one step. All else is the HPA's.
    """
    asleep = state.replicas == 0 or (loop.idle is not None and state.replicas < loop.least)
    if active:
        replicas = max(loop.least, 1) if asleep else state.replicas
        return Scaled(replicas=replicas, created_s=state.created_s, last_active_s=now_s)
    replicas = state.replicas
    if _may_sleep(state, loop):
        if _cooled_down(state, loop, now_s):
            replicas = loop.least if loop.idle is None else loop.idle
    elif loop.idle is None:
        replicas = max(replicas, loop.least)
    return Scaled(replicas=replicas, created_s=state.created_s, last_active_s=state.last_active_s)


def _may_sleep(state: Scaled, loop: Loop) -> bool:
    above_idle = loop.idle is not None and state.replicas > loop.idle
    return above_idle or (state.replicas > 0 and loop.least == 0)


def _cooled_down(state: Scaled, loop: Loop, now_s: float) -> bool:
    """Strictly longer than the cooldown."""
    if state.last_active_s is None:
        return state.created_s + loop.initial_cooldown_s < now_s
    return state.last_active_s + loop.cooldown_s < now_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A RabbitMQ trigger: what it measures and the value it aims at, by HTTP unless said otherwise."""

    value: float
    mode: Mode = "QueueLength"
    metric_type: Literal["AverageValue", "Value"] = "AverageValue"
    activation: float = 0.0
    ready_only: bool = False
    """Over AMQP, or with `excludeUnacknowledged`: messages in the consumers' hands do not count."""


@dataclass(slots=True)
class Rates:
    """Messages per second between two looks; none before the second. The broker's statistics are fresher than that."""

    _before: Look | None = None

    def counters(self, look: Look, *, ready_only: bool) -> Counters:
        """What the broker would tell at this look. A delivery is a task done or in progress that was not before."""
        before, self._before = self._before, look
        messages = look.backlog + (0 if ready_only else look.in_progress)
        if before is None or look.at_s <= before.at_s:
            return Counters(messages=messages)
        elapsed_s = look.at_s - before.at_s
        delivered = look.done + look.in_progress - before.done - before.in_progress
        return Counters(
            messages=messages,
            published_per_s=max(look.arrived - before.arrived, 0) / elapsed_s,
            delivered_per_s=max(delivered, 0) / elapsed_s,
        )


@dataclass(slots=True, kw_only=True)
class Keda:
    """A ScaledObject with one RabbitMQ trigger, and the HPA it makes. It looks as often as the HPA does."""

    name: str
    trigger: Trigger
    loop: Loop
    period_s: float = hpa.SYNC_S
    _state: Scaled | None = field(default=None, init=False)
    _next_poll_s: float = field(default=0.0, init=False)
    _rates: Rates = field(default_factory=Rates, init=False)
    _hpa: hpa.Controller = field(init=False)

    def __post_init__(self) -> None:
        self._hpa = hpa.Controller(least=max(self.loop.least, 1), most=self.loop.most)

    def wanted(self, look: Look) -> int:
        """The replicas after the loop, where it is due, and then the HPA had their say."""
        now_s = look.at_s
        state = self._state or self._first(look)
        seen = self._rates.counters(look, ready_only=self.trigger.ready_only)
        reading = MODES[self.trigger.mode](seen, self.trigger.activation)
        if now_s >= self._next_poll_s - TINY:
            state = poll(state, self.loop, active=reading.active, now_s=now_s)
            self._next_poll_s = now_s + self.loop.polling_s
        current = state.replicas
        replicas = self._hpa.step(now_s, current, lambda: self._wish(reading, look, current))
        self._state = Scaled(replicas=replicas, created_s=state.created_s, last_active_s=state.last_active_s)
        return replicas

    def _first(self, look: Look) -> Scaled:
        standing = clamp(look.serving + look.arriving, 0, self.loop.most)
        return Scaled(replicas=standing, created_s=look.at_s)

    def _wish(self, reading: Reading, look: Look, current: int) -> int:
        metric = stored(reading.metric)
        if self.trigger.metric_type == "Value":
            return hpa.by_value(metric, self.trigger.value, current, look.serving)
        return hpa.by_average_value(metric, self.trigger.value, look.serving + look.arriving)
