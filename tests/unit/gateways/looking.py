"""A RabbitMQ gateway looking at a management API that says what a test wants, by a clock that stands still."""

from collections.abc import Iterator
from contextlib import contextmanager

from autoscaler.core.model import PoolName, WorkerName
from autoscaler.gateways.rabbitmq import RabbitMQ
from tests.unit.gateways.management_server import ManagementServer, Script, serving

POOL = PoolName("images")
WORKER = WorkerName("celery@a-1")


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def now(self) -> float:
        return 1.7e9 + self.at

    def monotonic(self) -> float:
        return self.at


@contextmanager
def looking(
    script: Script, *, vhost: str = "/", timeout_s: float = 5.0
) -> Iterator[tuple[RabbitMQ, ManagementServer, HandClock]]:
    clock = HandClock()
    with serving(script) as server:
        broker = RabbitMQ(
            management_url=server.url,
            username="u",
            password="p",
            vhost=vhost,
            clock=clock,
            timeout_s=timeout_s,
        )
        try:
            yield broker, server, clock
        finally:
            broker.close()
