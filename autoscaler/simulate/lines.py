"""The lines on which calls leave: each forwards what it is given, and first says so.

What the executor holds back never comes by here, so what is told of was really sent. What never happens here: a choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autoscaler.core.model import WorkerName
from autoscaler.execute import WorkerControl
from providers.contract import (
    Finding,
    Instance,
    InstanceId,
    InstanceSpec,
    Listing,
    Provider,
    ProviderTraits,
    Purchase,
)

Sends = Callable[[str, str], None]
"""Told what is sent, and to or for whom."""
CREATE = "create"
DESTROY = "destroy"


@dataclass(frozen=True, slots=True)
class Line:
    """The line to one account."""

    provider: Provider
    sends: Sends
    looks: Callable[[], None] = lambda: None
    """Told that a look at the account's machines leaves; raises where nothing comes of it."""

    @property
    def traits(self) -> ProviderTraits:
        """The account's own."""
        return self.provider.traits

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Order one machine. Raises what the account does."""
        self.sends(CREATE, spec.name)
        return self.provider.create(spec, timeout_s=timeout_s)

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """Ask for the end of one. Raises what the account does."""
        self.sends(DESTROY, name)
        self.provider.destroy(name, instance_id, timeout_s=timeout_s)

    def list_instances(self, *, timeout_s: float) -> Listing:
        """Look. Raises what the account does."""
        self.looks()
        return self.provider.list_instances(timeout_s=timeout_s)

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """Look whether this could be bought."""
        return self.provider.check(purchase, timeout_s=timeout_s)

    def close(self) -> None:
        """Let go of it."""
        self.provider.close()


@dataclass(frozen=True, slots=True)
class Control:
    """The line to the workers."""

    workers: WorkerControl
    sends: Sends

    def cancel_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """Order it to stop consuming. Raises FactUnavailable."""
        self.sends("drain", worker)
        self.workers.cancel_consumers(worker, queues, timeout_s)

    def add_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """Order it to consume again. Raises FactUnavailable."""
        self.sends("undrain", worker)
        self.workers.add_consumers(worker, queues, timeout_s)

    def stop_worker(self, worker: WorkerName, timeout_s: float) -> None:
        """Order a warm shutdown. Raises FactUnavailable."""
        self.sends("stop", worker)
        self.workers.stop_worker(worker, timeout_s)
