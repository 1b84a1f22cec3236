"""The vhost of one fleet: its load, and the workers on its machines, as its daemon sees and orders them.

Load is a number of workers for each pool, which changes with time. A worker that consumes always holds tasks, so none
may be ended while it does; told to stop, it finishes what it holds within a minute. What never happens here: a broker,
a message, dice that another fleet's fall would change.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.core.facts import Hands, Missing, Sighting, Sightings, Unconnected
from autoscaler.core.model import PoolName, WorkerName, worker_of
from policies.contract import Demand, Reading, Trust
from providers.contract import NodeName
from providers.simulated import Machine

MESSAGES_PER_WORKER = 10
SLOTS = 2
TASK_S = 40.0
"""The longest that a worker goes on with what it holds once it takes nothing more."""
_LISTENED_S = 3_600.0
_FORGOTTEN_S = 900.0
_ABSENT = Reading(value=None, trust=Trust.ABSENT, why="not measured here")


@dataclass(slots=True)
class Worker:
    """One that has begun."""

    machine: Machine
    pid: int
    consumes: bool = True
    until: float = 0.0
    """When it is done with what it held as it was told to stop."""

    def holds(self, now: float) -> int:
        """Tasks in its hands."""
        return SLOTS if self.consumes or now < self.until else 0


class Vhost:
    """All workers of one fleet. Its daemons, one after another, hear and order the same ones."""

    def __init__(
        self, load: Mapping[str, Callable[[float], int]], monotonic: Callable[[], float], seed: str
    ) -> None:
        """`load`: how many workers each pool's tasks ask for, by the seconds that have passed."""
        self._load = load
        self._now = monotonic
        self._dice = random.Random(f"vhost {seed}")  # noqa: S311 - load, not secrets
        self._booting: list[tuple[float, str, Machine]] = []
        self._workers: dict[WorkerName, Worker] = {}
        self._heard: dict[WorkerName, Sighting] = {}
        self._silent: dict[WorkerName, float] = {}
        self._pids = 0

    def made(self, machine: Machine, boots_on: float) -> None:
        """A machine of this fleet stands, and its worker begins then."""
        heapq.heappush(self._booting, (boots_on, machine.name, machine))

    def ended(self, machine: Machine) -> None:
        """It is gone, and whoever worked there with it, without a word."""
        worker = worker_of(NodeName(machine.name))
        if self._workers.pop(worker, None) is not None and worker in self._heard:
            self._silent[worker] = self._now()

    def busy(self, machine: Machine) -> bool:
        """Whether its worker holds tasks."""
        worker = self._workers.get(worker_of(NodeName(machine.name)))
        return worker is not None and worker.holds(self._now()) > 0

    def begin(self, stands: Callable[[Machine], bool]) -> None:
        """Let those begin whose machines are up by now."""
        now = self._now()
        while self._booting and self._booting[0][0] <= now:
            _, name, machine = heapq.heappop(self._booting)
            if stands(machine):
                self._pids += 1
                worker = worker_of(NodeName(name))
                self._workers[worker] = Worker(machine=machine, pid=self._pids)
                self._heard[worker] = Sighting(
                    worker=worker, silent_s=0.5, online=True, pid=self._pids, active=SLOTS
                )

    def asked(self, pool: str) -> int:
        """Workers that its load asks for now."""
        return self._load[pool](self._now())

    def demand(self, queues: Mapping[PoolName, tuple[str, ...]]) -> Mapping[PoolName, Demand | Missing]:
        """What waits, and what the workers hold."""
        now, held = self._now(), dict.fromkeys(queues, 0)
        for worker in self._workers.values():
            held[PoolName(worker.machine.pool)] += worker.holds(now)
        return {
            pool: Demand(
                backlog=max(0, self.asked(pool) * MESSAGES_PER_WORKER - in_hand),
                in_progress=in_hand,
                arrivals_per_s=_ABSENT,
                completions_per_s=_ABSENT,
                wait_s=_ABSENT,
                measured_at=now,
            )
            for pool, in_hand in held.items()
        }

    def unacknowledged(
        self, workers: Iterable[WorkerName], within_s: float
    ) -> Mapping[WorkerName, int | Missing]:
        """What each holds, by the broker."""
        del within_s
        now = self._now()
        return {
            name: worker.holds(now)
            if (worker := self._workers.get(name))
            else Unconnected(why="no connection")
            for name in workers
        }

    def sightings(self) -> Sightings | Missing:
        """Everybody who was heard; those whose machines went, with their silence."""
        now = self._now()
        for worker, since in list(self._silent.items()):
            if now - since > _FORGOTTEN_S:
                del self._silent[worker], self._heard[worker]
                continue
            known = self._heard[worker]
            self._heard[worker] = Sighting(
                worker=worker, silent_s=now - since, online=known.online, pid=known.pid, active=known.active
            )
        return Sightings(listening_s=_LISTENED_S, workers=MappingProxyType(self._heard))

    def hands(self, workers: Iterable[WorkerName], timeout_s: float) -> Mapping[WorkerName, Hands | Missing]:
        """What each holds, by its own word."""
        del timeout_s
        now = self._now()
        return {
            name: Hands(active=worker.holds(now), reserved=0, scheduled=0)
            if (worker := self._workers.get(name))
            else Missing(why="no answer")
            for name in workers
        }

    def cancel_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """It takes nothing more, and finishes what it holds."""
        del queues, timeout_s
        if (known := self._workers.get(worker)) and known.consumes:
            known.consumes, known.until = False, self._now() + self._dice.uniform(0.0, TASK_S)

    def add_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """It takes tasks again."""
        del queues, timeout_s
        if known := self._workers.get(worker):
            known.consumes = True

    def stop_worker(self, worker: WorkerName, timeout_s: float) -> None:
        """It says goodbye, once it holds nothing."""
        del timeout_s
        known = self._workers.get(worker)
        if known is not None and not known.holds(self._now()):
            del self._workers[worker]
            self._heard[worker] = Sighting(worker=worker, silent_s=0.5, online=False, pid=known.pid, active=0)
            self._silent[worker] = self._now()
