"""The world as the production observer sees it: providers, broker and workers, each in the words of its contract.

All of these only look; what is done to the world goes through `calls`. Nothing here draws dice, so looks may run on
threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from autoscaler.core.facts import Hands, Missing, Sighting, Sightings, Unconnected
from autoscaler.core.model import PoolName, WorkerName
from autoscaler.simulate.world import EPOCH, World
from policies.contract import Demand, Reading, Trust
from providers.contract import (
    Finding,
    Instance,
    InstanceId,
    InstanceSpec,
    InstanceState,
    Listing,
    ListingUnavailable,
    OutcomeUnknown,
    ProviderTraits,
    Purchase,
)

_UNMEASURED = Reading(value=None, trust=Trust.ABSENT, why="not simulated")
_HEARTBEAT_S = 2
LIST_LAG_S = 15.0
SETTLE_S = 25.0


class WorldProvider:
    """Lists late: what was made is seen only after the lag, what ended is seen as long."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(settle_s=SETTLE_S)

    def list_instances(self, *, timeout_s: float) -> Listing:
        world, trouble = self._world, self._world.trouble
        if trouble.now(f"failing {self._name}", world.elapsed):
            raise ListingUnavailable(f"{self._name} does not answer")
        found = [
            Instance(
                name=m.name,
                instance_id=InstanceId(m.instance_id),
                state=InstanceState.RUNNING if m.ended_at is None else InstanceState.ENDING,
                pool="images",
                created_at=EPOCH + m.created_at,
            )
            for m in world.machines
            if m.provider == self._name
            and m.created_at + LIST_LAG_S <= world.elapsed
            and (m.ended_at is None or world.elapsed < m.ended_at + LIST_LAG_S)
        ]
        if trouble.now(f"incomplete {self._name}", world.elapsed):
            return Listing(instances=tuple(found[::2]), complete=False, why_incomplete="a page is missing")
        return Listing(instances=tuple(found), complete=True)

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        raise OutcomeUnknown("the world is changed through its calls alone")

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        raise OutcomeUnknown("the world is changed through its calls alone")

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        pass


class WorldBroker:
    """Figures of the queue, those about single consumers late by the statistics interval."""

    def __init__(self, world: World) -> None:
        self._world = world

    def demand(self, queues: Mapping[PoolName, tuple[str, ...]]) -> Mapping[PoolName, Demand | Missing]:
        world = self._world
        if world.trouble.now("broker", world.elapsed):
            return dict.fromkeys(queues, Missing(why="the broker is down"))
        held = sum(m.worker.unacknowledged[-1] for m in world.alive() if m.worker and m.worker.up)
        seen = Demand(
            backlog=len(world.queue),
            in_progress=held,
            arrivals_per_s=_UNMEASURED,
            completions_per_s=_UNMEASURED,
            wait_s=_UNMEASURED,
            measured_at=world.now(),
        )
        return dict.fromkeys(queues, seen)

    def unacknowledged(
        self, workers: Iterable[WorkerName], within_s: float
    ) -> Mapping[WorkerName, int | Missing]:
        world = self._world
        if world.trouble.now("broker", world.elapsed):
            return {w: Missing(why="the broker is down") for w in workers}
        found = {w: world.worker_of(w.removeprefix("celery@")) for w in workers}
        return {
            w: Unconnected(why="no connection of its") if of is None else of.unacknowledged[0]
            for w, of in found.items()
        }


class WorldWorkers:
    """One daemon's ear: it knows only whom it heard since it began to listen."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._heard: dict[WorkerName, tuple[float, Sighting]] = {}
        self._listening_since = world.elapsed
        world.listeners.append(self._listen)

    def sightings(self) -> Sightings | Missing:
        if self._deaf():
            return Missing(why="our own probe is not heard")
        now = self._world.elapsed
        return Sightings(
            listening_s=now - self._listening_since,
            workers={
                name: Sighting(
                    worker=name, silent_s=now - at, online=last.online, pid=last.pid, active=last.active
                )
                for name, (at, last) in self._heard.items()
            },
        )

    def hands(self, workers: Iterable[WorkerName], timeout_s: float) -> Mapping[WorkerName, Hands | Missing]:
        answers: dict[WorkerName, Hands | Missing] = {}
        for name in workers:
            worker = self._world.worker_of(name.removeprefix("celery@"))
            if self._deaf() or worker is None or worker.silent_until > self._world.elapsed:
                answers[name] = Missing(why="no answer")
                continue
            running = len(worker.running)
            answers[name] = Hands(active=running, reserved=len(worker.held) - running, scheduled=0)
        return answers

    def stop(self) -> None:
        self._world.listeners.remove(self._listen)

    def _deaf(self) -> bool:
        trouble, at = self._world.trouble, self._world.elapsed
        return trouble.now("deaf", at) or trouble.now("broker", at)

    def _listen(self, world: World) -> None:
        if self._deaf():
            self._listening_since = world.elapsed
            return
        for machine in world.machines:
            worker, name = machine.worker, WorkerName(f"celery@{machine.name}")
            if worker is None or worker.silent_until > world.elapsed:
                continue
            goodbye = (
                not worker.up and worker.stopping and name in self._heard and self._heard[name][1].online
            )
            beats = worker.up and (world.elapsed - worker.up_since) % _HEARTBEAT_S == 0
            if goodbye or beats:
                told = Sighting(
                    worker=name, silent_s=0.0, online=worker.up, pid=worker.pid, active=len(worker.running)
                )
                self._heard[name] = (world.elapsed, told)
