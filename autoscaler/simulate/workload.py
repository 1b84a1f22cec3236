"""The broker's queues and what is sent to them: tasks in, tasks handed to consumers that have room.

Each pool has one queue, served in turn by its workers. What never happens here: work, or a fault.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from autoscaler.simulate.clock import WorldClock


@dataclass(slots=True, eq=False)
class Task:
    """One message and the seconds of work that it asks for."""

    takes_s: float
    not_before: float = 0.0
    """Its time (ETA), on the world's clock: whoever has it holds it until then."""


class Consumer(Protocol):
    """Who takes tasks from a queue."""

    waits: bool
    """Whether it stands in the queue's line of consumers."""

    def has_room(self) -> bool: ...

    def take(self, task: Task) -> None: ...


class Queue:
    """One queue in the order of publishing, with the counters that the broker keeps of it."""

    def __init__(self, name: str, delivers: Callable[[], bool]) -> None:
        self.name = name
        self.ready: deque[Task] = deque()
        self.unacknowledged = 0
        self.published = self.acknowledged = self.redelivered = self.delivered = 0
        self.running = 0
        """Tasks that its workers run now."""
        self.again: set[Task] = set()
        """Those that wait to be delivered again."""
        self._line: deque[Consumer] = deque()
        self._delivers = delivers

    def publish(self, task: Task) -> None:
        """A producer sends a task."""
        self.published += 1
        self.ready.append(task)

    def put_back(self, tasks: list[Task]) -> None:
        """Tasks that a consumer held come to the front again, in their order."""
        self.again.update(tasks)
        self.unacknowledged -= len(tasks)
        self.ready.extendleft(reversed(tasks))
        self.deliver()

    def acknowledge(self) -> None:
        """One held task is done with."""
        self.unacknowledged -= 1
        self.acknowledged += 1

    def wait_for(self, consumer: Consumer) -> None:
        """That consumer wants tasks as soon as there are any."""
        if not consumer.waits:
            consumer.waits = True
            self._line.append(consumer)
        self.deliver()

    def deliver(self) -> None:
        """Hand out what can be handed out now, to the consumers in turn."""
        if not self.ready or not self._line or not self._delivers():
            return
        while self.ready and self._line:
            consumer = self._line.popleft()
            if not consumer.has_room():
                consumer.waits = False
                continue
            task = self.ready.popleft()
            self.unacknowledged += 1
            self.delivered += 1
            self.redelivered += task in self.again
            self.again.discard(task)
            consumer.take(task)
            self._line.append(consumer)

    def forget_counts(self) -> None:
        """The broker restarts its statistics from nothing."""
        self.published = self.acknowledged = self.redelivered = self.delivered = 0


_KEEPS_UP_EVERY_S = 5.0
_TIMED = (0.0, 0.0, 0.05, 0.3)
"""Part of a queue's tasks that are sent with a time before which they must not begin."""
_LATEST_TIME_S = 60.0


class Load:
    """Producers of one queue: bursts whose strength changes every few minutes, until `until_s`.

    While a worker starves, producers of half of the queues, and in the end of all, never let the queue run empty: else
    nobody could tell it from one that has nothing to do.
    """

    def __init__(
        self,
        clock: WorldClock,
        queue: Queue,
        dice: random.Random,
        dice_of_times: random.Random,
        *,
        slots: int,
        task_s: float,
        until_s: float,
        starved: Callable[[], bool],
    ) -> None:
        """`slots` are those of the whole pool at its ceiling: the load goes from nothing to more than they can do.
        `starved` is whether a worker of the queue takes nothing although it should."""
        self._clock = clock
        self._queue = queue
        self._dice = dice
        self._times = dice_of_times
        self._timed = dice_of_times.choice(_TIMED)
        self._task_s = task_s
        self._full_per_s = slots / task_s
        self._until_s = until_s
        self._starved = starved
        self._enough = slots + int(2 * _KEEPS_UP_EVERY_S * self._full_per_s)
        self._keeps_up_from_s = dice.choice((0.0, until_s))
        self._strength = 0.0
        self._changes_at = 0.0
        self.sent = 0
        clock.later(dice.uniform(0, 30), self._burst)
        clock.later(self._keeps_up_from_s, self._keep_up)

    def _burst(self) -> None:
        at, dice = self._clock.elapsed, self._dice
        if at >= self._until_s:
            return
        if at >= self._changes_at:
            self._strength = dice.choice((0.0, 0.0, 0.15, 0.4, 0.8, 1.5))
            self._changes_at = at + dice.uniform(120, 900)
        pause_s = dice.uniform(5, 60)
        count = int(self._strength * self._full_per_s * pause_s * dice.uniform(0.5, 1.5) + dice.random())
        self._send(count if self._strength else 0)
        self._clock.later(pause_s, self._burst)

    def _keep_up(self) -> None:
        if self._starved():
            self._send(self._enough - len(self._queue.ready))
        self._clock.later(_KEEPS_UP_EVERY_S, self._keep_up)

    def _send(self, count: int) -> None:
        for _ in range(count):
            self.sent += 1
            takes_s = self._dice.uniform(0.2, 1.8) * self._task_s
            self._queue.publish(Task(takes_s, not_before=self._not_before()))
        self._queue.deliver()

    def _not_before(self) -> float:
        if self._times.random() >= self._timed:
            return 0.0
        return self._clock.elapsed + self._times.uniform(0.0, _LATEST_TIME_S)
