"""A Celery worker on a machine: it takes tasks, works on them, says so, and is told to stop or to go on.

Time comes from the world's clock; what it is told and what befalls it comes from outside. What never happens here: a
draw of luck.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from autoscaler.simulate.clock import WorldClock
from autoscaler.simulate.workload import Queue, Task

HEARTBEAT_S = 2.0
_FIGURES_KEPT = 64
"""The broker's last figures about a consumer: at a few changes a second they reach back further than anybody asks."""


class Zombie(StrEnum):
    """How a worker sends heartbeats and makes no progress, until its process ends."""

    LOST_CONSUMER = "lost consumer"
    """It takes nothing until it is told to consume again (celery#3201)."""
    NEVER_FETCHES = "never fetches"
    """It takes nothing, whatever it is told."""
    NEVER_FINISHES = "never finishes"
    """What it runs hangs, and so does what it takes up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """A heartbeat, as it was when it was sent."""

    at: float
    active: int
    processed: int
    """Tasks begun: Celery counts them as they start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How the workers of one pool are configured."""

    slots: int
    prefetch: int
    """Messages that may be held unacknowledged for each slot."""
    early_ack: bool
    bears: int | None = None
    """Tasks at once that what they all depend on bears (a database): beyond that they slow each other down."""


class Worker:
    """One worker process. A restart is another one in its place."""

    def __init__(
        self,
        clock: WorldClock,
        queue: Queue,
        habits: Habits,
        *,
        name: str,
        pid: int,
        over: Callable[[Worker], None],
    ) -> None:
        """`over` is told when the process has ended."""
        self.clock = clock
        self.queue = queue
        self.habits = habits
        self.name = name
        self.pid = pid
        self._over = over
        self.up_since = clock.elapsed
        self.up = True
        self.consuming = True
        self.stopping = False
        self.silent_from = self.silent_until = 0.0
        self.zombie: Zombie | None = None
        self.hands_lie_until = self.unacknowledged_lies_until = 0.0
        self.running: list[Task] = []
        self.reserved: deque[Task] = deque()
        self.scheduled: list[Task] = []
        """What waits here for its time; it takes no other's place."""
        self.begun = self.finished = self.lost = 0
        self.waits = False
        self.greeted: tuple[int, float] | None = None
        """The number of the ear that heard its first word, and when. Not the ear: that would outlive its daemon."""
        self._beat = Beat(at=clock.elapsed, active=0, processed=0)
        self._held: deque[tuple[float, int]] = deque([(clock.elapsed, 0)], maxlen=_FIGURES_KEPT)
        queue.wait_for(self)

    @property
    def works(self) -> bool:
        """Whether it makes progress with something now."""
        return self.up and bool(self.running) and not self.hangs

    @property
    def hangs(self) -> bool:
        """Whether it never ends what it runs."""
        return self.zombie is Zombie.NEVER_FINISHES

    @property
    def starves(self) -> bool:
        """Whether it takes nothing although it should."""
        return self.up and self.consuming and self.zombie not in {None, Zombie.NEVER_FINISHES}

    @property
    def answers(self) -> bool:
        """Whether its remote control works now."""
        return self.up and not self.silent_from <= self.clock.elapsed < self.silent_until

    @property
    def hands_lie(self) -> bool:
        """Whether it says, whenever it says anything, that it runs nothing."""
        return self.clock.elapsed < self.hands_lie_until

    def has_room(self) -> bool:
        """Whether it would take one more task."""
        if not self.up or not self.consuming or self.starves:
            return False
        return self._unacknowledged() - len(self.scheduled) < self.habits.prefetch * self.habits.slots

    def take(self, task: Task) -> None:
        """The broker hands it a task."""
        self._note()
        if task.not_before > self.clock.elapsed:
            self.scheduled.append(task)
            self.clock.later(task.not_before - self.clock.elapsed, lambda: self._fall_due(task))
        else:
            self.reserved.append(task)
        self._begin()

    def cancel(self) -> None:
        """Stop consuming; what it holds is finished."""
        self.consuming = False

    def consume(self) -> None:
        """Consume again."""
        self.consuming = self.consuming or not self.stopping
        if self.consuming:
            if self.zombie is Zombie.LOST_CONSUMER:
                self.zombie = None
            self.queue.wait_for(self)

    def stop(self) -> None:
        """A warm shutdown: what was not begun goes back, what runs is finished, and then it ends."""
        self._note()
        self.stopping, self.consuming = True, False
        self._give_back()
        self._leave_if_done()

    def end(self) -> None:
        """It ends at once. What was not acknowledged goes back; what was and ran is lost."""
        self._note()
        self.up = self.consuming = False
        if self.habits.early_ack:
            self.lost += len(self.running)
        else:
            self.reserved.extendleft(reversed(self.running))
        self.queue.running -= len(self.running)
        self.running = []
        self._give_back()
        self._over(self)

    def last_beat(self) -> Beat:
        """The newest heartbeat that it sent."""
        self._note()
        return replace(self._beat, active=0) if self._beat.active and self.hands_lie else self._beat

    def held_at(self, at: float) -> int:
        """What the broker held unacknowledged for it then; asked about the last seconds only."""
        return next((held for since, held in reversed(self._held) if since <= at), 0)

    def _unacknowledged(self) -> int:
        waiting = len(self.reserved) + len(self.scheduled)
        return waiting + (0 if self.habits.early_ack else len(self.running))

    def _fall_due(self, task: Task) -> None:
        if self.up and task in self.scheduled:
            self._note()
            self.scheduled.remove(task)
            self.reserved.append(task)
            self._begin()

    def _note(self) -> None:
        """Before anything changes: if a heartbeat was due since the last change, it told of what was until now."""
        at = self.clock.elapsed
        beat_at = at - (at - self.up_since) % HEARTBEAT_S
        if self.up and beat_at > self._beat.at:
            self._beat = Beat(at=beat_at, active=len(self.running), processed=self.begun)

    def _count_held(self) -> None:
        """After something changed: the broker's figure of it, kept as long as it may be asked for."""
        at = self.clock.elapsed
        if self._held[-1][0] == at:
            self._held.pop()
        self._held.append((at, self._unacknowledged()))

    def _begin(self) -> None:
        while self.reserved and len(self.running) < self.habits.slots and not self.stopping:
            task = self.reserved.popleft()
            self.running.append(task)
            self.queue.running += 1
            self.begun += 1
            if self.habits.early_ack:
                self.queue.acknowledge()
            if not self.hangs:
                self._finish_later(task)
        self._count_held()

    def _finish_later(self, task: Task) -> None:
        slower = max(1.0, self.queue.running / self.habits.bears) if self.habits.bears else 1.0
        self.clock.later(task.takes_s * slower, lambda: self._finish(task))

    def _finish(self, task: Task) -> None:
        if not self.up or self.hangs or task not in self.running:
            return
        self._note()
        self.running.remove(task)
        self.queue.running -= 1
        self.finished += 1
        if not self.habits.early_ack:
            self.queue.acknowledge()
        self._begin()
        if self.stopping:
            self._leave_if_done()
        elif self.consuming:
            self.queue.wait_for(self)

    def _leave_if_done(self) -> None:
        if self.up and not self.running:
            self.up = False
            self._over(self)

    def _give_back(self) -> None:
        tasks = [*self.reserved, *self.scheduled]
        self.reserved.clear()
        self.scheduled.clear()
        self._count_held()
        if tasks:
            self.queue.put_back(tasks)
