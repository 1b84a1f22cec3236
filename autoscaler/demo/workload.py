"""What the demo's fleet has to do: a day with its shape, bursts that nobody announced, and batches on the hour.

Time of day goes in, tasks come into the world's queues. All of it comes from a seed. What never happens here: work.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from types import MappingProxyType

from autoscaler.core.model import PoolName
from autoscaler.simulate.clock import WorldClock
from autoscaler.simulate.workload import Queue, Task

_STEP_S = 10.0
_DAY_S = 86_400.0
_HOUR_S = 3_600.0
_SHORTEST = 0.4
"""A task takes this share of the average at least, and as much more at most as that is less."""

Rate = Callable[["Producer", float], float]
"""Tasks a second at an instant."""


class Producer:
    """Who sends tasks to one queue, for ever."""

    def __init__(self, clock: WorldClock, queue: Queue, rate: Rate, *, task_s: float, seed: str) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - customers, not secrets
        self.burst_until = 0.0
        self.burst_at = 0.0
        """When the next burst comes, in seconds since the beginning."""
        self._clock = clock
        self._queue = queue
        self._rate = rate
        self._task_s = task_s
        clock.later(self.dice.uniform(0.0, _STEP_S), self._step)

    def _step(self) -> None:
        expected = self._rate(self, self._clock.now()) * _STEP_S
        for _ in range(_drawn(self.dice, expected)):
            self._queue.publish(Task(self.dice.uniform(_SHORTEST, 2 - _SHORTEST) * self._task_s))
        self._queue.deliver()
        self._clock.later(_STEP_S, self._step)

    def bursts(self, *, every_s: float, lasts_s: tuple[float, float]) -> bool:
        """Whether a burst is on; the next one comes about so long after the last."""
        at = self._clock.elapsed
        if at >= self.burst_at:
            self.burst_until = at + self.dice.uniform(*lasts_s) if self.burst_at else 0.0
            self.burst_at = at + self.dice.uniform(0.6, 1.4) * every_s
        return at < self.burst_until


def _drawn(dice: random.Random, expected: float) -> int:
    """A whole number around this one: a normal draw is near enough to Poisson's for what people look at."""
    if expected <= 0.0:
        return 0
    return max(0, math.floor(dice.gauss(expected, math.sqrt(expected)) + dice.random()))


def _of_day(at: float) -> float:
    """From 0.0 in the night to 1.0 in the early afternoon, by UTC."""
    hour = at % _DAY_S / _HOUR_S
    return max(0.0, math.sin((hour - 4.0) / 20.0 * math.pi)) ** 1.5 if hour > 4.0 else 0.0


def _images(of: Producer, at: float) -> float:
    """Visitors' pictures; a campaign trebles them for some minutes."""
    usual = 0.04 + 0.30 * _of_day(at)
    return usual * 3.0 + 0.25 if of.bursts(every_s=5_400.0, lasts_s=(420.0, 1_200.0)) else usual


def _mails(of: Producer, at: float) -> float:
    """Letters, and a newsletter of some thousands."""
    usual = 0.05 + 0.25 * _of_day(at)
    return usual + 8.0 if of.bursts(every_s=9_000.0, lasts_s=(200.0, 400.0)) else usual


def _reports(_of: Producer, at: float) -> float:
    """Some dozens within the first two minutes of each hour, more by day."""
    return (0.08 + 0.25 * _of_day(at)) if at % _HOUR_S < 120.0 else 0.0


RATES: Mapping[PoolName, Rate] = MappingProxyType(
    {PoolName("images"): _images, PoolName("mails"): _mails, PoolName("reports"): _reports}
)


def produce(clock: WorldClock, queues: Mapping[PoolName, Queue], task_s: Mapping[PoolName, float]) -> None:
    """From now on tasks come."""
    for pool, rate in RATES.items():
        Producer(clock, queues[pool], rate, task_s=task_s[pool], seed=f"demo {pool}")
