"""Stand-ins for what lies outside: a clock to be set by hand, a provider and workers that do as they are told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from autoscaler.core.facts import Hands, Missing, Sightings
from autoscaler.core.model import PoolName, WorkerName
from policies.contract import Demand
from providers.contract import Finding, Instance, InstanceId, InstanceSpec, Listing, ProviderTraits, Purchase
from testbed.waiting import wait_until
from tests.unit.core.builders import a_demand, a_listing, an_instance, heard


class FixedClock:
    """Stands until it is set."""

    def __init__(self) -> None:
        self.at = 1_000_000.0
        self.lasted = 50.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.lasted


class Heard:
    """A log that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []

    def say(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def names(self) -> list[str]:
        return [event for event, _ in self.events]


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Until it holds; thirty seconds are for slow machines, milliseconds are usual."""
    wait_until(condition, 30.0, what, pause_s=0.002)


def nothing(*_: Any, **__: Any) -> None:
    """Do nothing, successfully."""


def raising(error: BaseException) -> Callable[..., Any]:
    def act(*_: Any, **__: Any) -> Any:
        raise error

    return act


class Scripted:
    """A provider whose every answer is a function given by the test."""

    traits = ProviderTraits(settle_s=30.0)

    def __init__(
        self,
        *,
        create: Callable[..., Instance] = lambda *_, **__: an_instance(),
        destroy: Callable[..., None] = nothing,
        listing: Callable[..., Listing] = lambda **_: a_listing(),
    ) -> None:
        self._create, self._destroy, self._listing = create, destroy, listing

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        return self._create(spec, timeout_s=timeout_s)

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        self._destroy(name, instance_id, timeout_s=timeout_s)

    def list_instances(self, *, timeout_s: float) -> Listing:
        return self._listing(timeout_s=timeout_s)

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        pass


class ScriptedWorkers:
    """Workers that obey, or do what the test gave."""

    def __init__(
        self, *, control: Callable[..., None] = nothing, hands: Callable[..., Any] | None = None
    ) -> None:
        self._control, self._hands = control, hands
        self.orders: list[tuple[str, WorkerName]] = []

    def sightings(self) -> Sightings | Missing:
        return heard()

    def hands(self, workers: Iterable[WorkerName], timeout_s: float) -> Mapping[WorkerName, Hands | Missing]:
        if self._hands is not None:
            return self._hands(workers, timeout_s)  # type: ignore[no-any-return]
        return {worker: Hands(active=0, reserved=0, scheduled=0) for worker in workers}

    def cancel_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        self.orders.append(("cancel", worker))
        self._control(worker, timeout_s)

    def add_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        self.orders.append(("add", worker))
        self._control(worker, timeout_s)

    def stop_worker(self, worker: WorkerName, timeout_s: float) -> None:
        self.orders.append(("stop", worker))
        self._control(worker, timeout_s)


class ScriptedBroker:
    """A broker with nothing waiting."""

    def __init__(self, demand: Callable[..., Any] | None = None) -> None:
        self._demand = demand

    def demand(self, queues: Mapping[PoolName, tuple[str, ...]]) -> Mapping[PoolName, Demand | Missing]:
        if self._demand is not None:
            return self._demand(queues)  # type: ignore[no-any-return]
        return {pool: a_demand() for pool in queues}

    def unacknowledged(
        self, workers: Iterable[WorkerName], within_s: float
    ) -> Mapping[WorkerName, int | Missing]:
        return dict.fromkeys(workers, 0)


class Gate:
    """A call that hangs until the test lets it go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()
        self.passed = 0

    def __call__(self, *_: Any, **__: Any) -> None:
        self.reached.set()
        assert self._open.wait(timeout=20)
        self.passed += 1

    def open(self) -> None:
        self._open.set()
