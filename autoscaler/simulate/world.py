"""A small world on virtual time: one FIFO queue, machines that boot into workers, and what happens to all of them.

The world knows everything and tells nobody but through `gateways`. It moves in steps of one second, by `World.run_to`,
and all its chance comes from one seed. What never happens here: a choice of the daemon's.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from autoscaler.simulate.contract import Fault
from autoscaler.simulate.script import Trouble

EPOCH = 1_700_000_000.0
STATISTICS_LAG_S = 5
"""How old the broker's own figures about a consumer may be."""


@dataclass(slots=True)
class Task:
    """One message and the work it asks for."""

    number: int
    left_s: int


@dataclass(slots=True)
class Worker:
    """A Celery worker: it takes messages up to twice its slots, and works on as many as it has slots."""

    slots: int
    pid: int
    up_since: float
    up: bool = True
    consuming: bool = True
    stopping: bool = False
    silent_until: float = 0.0
    held: list[Task] = field(default_factory=list)
    unacknowledged: deque[int] = field(default_factory=lambda: deque([0], maxlen=STATISTICS_LAG_S))

    @property
    def running(self) -> list[Task]:
        return self.held[: self.slots]


@dataclass(slots=True)
class Machine:
    """A paid machine. `ended_at` is when it really ended; listings tell of either later."""

    name: str
    instance_id: str
    provider: str
    created_at: float
    boots_at: float
    never_enrols: bool
    ended_at: float | None = None
    worker: Worker | None = None


class World:
    """Queue, machines, and a diary of what must never happen."""

    def __init__(self, seed: int, trouble: Trouble, *, slots: int, early_ack: bool) -> None:
        self.dice = random.Random(f"world {seed}")
        self.trouble = trouble
        self.slots = slots
        self.early_ack = early_ack
        self.elapsed = 0.0
        self.machines: list[Machine] = []
        self.queue: deque[Task] = deque()
        self.sent = self.done = self.lost = self.lost_with_machines = 0
        self.create_requests: Counter[str] = Counter()
        self.destroyed_busy: list[tuple[str, float]] = []
        """Machines ended by the daemon while their worker ran a task, and since when that worker was up."""
        self.listeners: list[Callable[[World], None]] = []
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = 0

    def now(self) -> float:
        return EPOCH + self.elapsed

    def monotonic(self) -> float:
        return self.elapsed

    def later(self, after_s: float, what: Callable[[], None]) -> None:
        """Do this in so many seconds, whoever asked for it still being there or not."""
        self._numbers += 1
        heapq.heappush(self._later, (self.elapsed + after_s, self._numbers, what))

    def run_to(self, until: float) -> None:
        while self.elapsed < until:
            self.elapsed = min(until, self.elapsed + 1.0)
            while self._later and self._later[0][0] <= self.elapsed:
                heapq.heappop(self._later)[2]()
            self._step()
            for listener in self.listeners:
                listener(self)

    def send(self, count: int, seconds: Callable[[], int]) -> None:
        for _ in range(count):
            self.sent += 1
            self.queue.append(Task(self.sent, seconds()))

    def alive(self) -> list[Machine]:
        return [m for m in self.machines if m.ended_at is None]

    def worker_of(self, name: str) -> Worker | None:
        """The worker on the machine of that name, if it is up."""
        return next((m.worker for m in self.alive() if m.name == name and m.worker and m.worker.up), None)

    def make(self, name: str, provider: str) -> Machine:
        """The provider makes a machine; its worker comes later, or never."""
        self._numbers += 1
        machine = Machine(
            name=name,
            instance_id=f"i-{self._numbers}",
            provider=provider,
            created_at=self.elapsed,
            boots_at=self.elapsed + self.dice.randint(5, 30),
            never_enrols=self.trouble.strikes(Fault.NEVER_ENROLS, self.elapsed, self.dice, 0.03),
        )
        self.machines.append(machine)
        return machine

    def end(self, machine: Machine, *, by_daemon: bool) -> None:
        """The machine stops. What it ran is lost with early acknowledgement; what was not acknowledged goes back."""
        worker, machine.ended_at = machine.worker, self.elapsed
        if worker is None or not worker.up:
            return
        worker.up = False
        if worker.running and by_daemon:
            self.destroyed_busy.append((machine.name, worker.up_since))
        if self.early_ack:
            self.lost += len(worker.running)
            self.lost_with_machines += 0 if by_daemon else len(worker.running)
            del worker.held[: worker.slots]
        self._put_back(worker)

    def restart(self, machine: Machine) -> None:
        """A new worker process in the old one's place: it consumes, whatever its predecessor was told."""
        old = machine.worker
        if old is not None and old.up and not old.stopping:
            self._put_back(old)
            machine.worker = Worker(slots=old.slots, pid=old.pid + 1, up_since=self.elapsed)

    def _put_back(self, worker: Worker) -> None:
        self.queue.extendleft(reversed(worker.held))
        worker.held = []

    def _step(self) -> None:
        broker_up = not self.trouble.now("broker", self.elapsed)
        for machine in self.alive():
            if machine.worker is None:
                if self.elapsed >= machine.boots_at and not machine.never_enrols and broker_up:
                    machine.worker = Worker(slots=self.slots, pid=100, up_since=self.elapsed)
            elif machine.worker.up:
                self._work(machine.worker, broker_up=broker_up)
            self._misfortune(machine)

    def _work(self, worker: Worker, *, broker_up: bool) -> None:
        for task in list(worker.running):
            task.left_s -= 1
            if task.left_s <= 0:
                worker.held.remove(task)
                self.done += 1
        if worker.stopping:
            reserved, worker.held = worker.held[worker.slots :], worker.running
            self.queue.extendleft(reversed(reserved))
            worker.up = bool(worker.held)
        elif worker.consuming and broker_up:
            while self.queue and len(worker.held) < 2 * worker.slots:
                worker.held.append(self.queue.popleft())
        held = len(worker.held)
        worker.unacknowledged.append(max(0, held - worker.slots) if self.early_ack else held)

    def _misfortune(self, machine: Machine) -> None:
        worker = machine.worker
        if self.trouble.strikes(Fault.MACHINE_DIES, self.elapsed, self.dice, 0.0006):
            self.end(machine, by_daemon=False)
        elif worker is not None and self.trouble.strikes(Fault.WORKER_SILENT, self.elapsed, self.dice, 0.002):
            worker.silent_until = self.elapsed + self.dice.randint(5, 80)
        elif self.trouble.strikes(Fault.WORKER_RESTARTS, self.elapsed, self.dice, 0.003):
            self.restart(machine)
