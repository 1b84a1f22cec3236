"""More heartbeats than may be read, from a real broker: roll calls, and nothing that matters is lost between them."""

import json
import time
from collections.abc import Iterator
from itertools import count
from types import TracebackType
from typing import Self

import pika
import pytest

from autoscaler import meters
from autoscaler.clock import SystemClock
from autoscaler.core.facts import Sightings
from autoscaler.core.model import WorkerName
from autoscaler.gateways import roll_calls
from autoscaler.gateways.celery_link import CeleryLink
from autoscaler.meters import Tally
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

WORKERS = tuple(WorkerName(f"celery@many-{number}") for number in range(50))
LATE = WorkerName("celery@late")


class Crowd:
    """Workers whose beats are published each time that somebody asks whether a condition holds."""

    def __init__(self, broker: PrivateRabbitMQ) -> None:
        self._broker = broker
        self._turns = count()

    def __enter__(self) -> Self:
        self._connection = pika.BlockingConnection(pika.URLParameters(self._broker.amqp_url))
        self._channel = self._connection.channel()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def beat(self, *workers: WorkerName) -> None:
        for worker in workers:
            self.say(worker, "worker-heartbeat")

    def say(self, worker: WorkerName, kind: str) -> None:
        event = {
            "type": kind, "hostname": worker, "pid": 7, "active": 0, "processed": next(self._turns),
            "timestamp": time.time(),
        }  # fmt: skip
        self._channel.basic_publish("celeryev", kind.replace("-", "."), json.dumps(event).encode())


@pytest.fixture
def tally() -> Tally:
    return Tally(SystemClock())


@pytest.fixture
def link(broker: PrivateRabbitMQ, tally: Tally, monkeypatch: pytest.MonkeyPatch) -> Iterator[CeleryLink]:
    """A link that may read some hundred beats a second, and is behind once fifty wait."""
    for name, value in {
        "SHARE": 0.02, "PREFETCH": 10, "_ASK_AFTER": 5, "_BEHIND": 50, "ROLL_CALL_S": 0.5, "_MUCH": 1,
        "_LOOK_S": 0.1,
    }.items():  # fmt: skip
        monkeypatch.setattr(roll_calls, name, value)
    link = CeleryLink(
        amqp_url=f"amqp://127.0.0.1:{broker.amqp_port}",
        username=broker.user,
        password=broker.password,
        vhost="/",
        clock=SystemClock(),
        counted=tally,
    )
    link.start()
    try:
        yield link
    finally:
        link.stop(10)


def hears(link: CeleryLink) -> Sightings | None:
    seen = link.sightings()
    return seen if isinstance(seen, Sightings) else None


def test_more_than_may_be_read_is_read_by_roll_calls(
    broker: PrivateRabbitMQ, link: CeleryLink, tally: Tally
) -> None:
    """The broker takes and drops the rest; a goodbye is heard meanwhile, and whoever speaks later is heard later."""
    wait_until(lambda: hears(link), 30, "the link to hear itself")
    with Crowd(broker) as crowd:

        def is_behind() -> bool:
            crowd.beat(*WORKERS * 4)
            seen = hears(link)
            return seen is not None and seen.unheard_s > 0

        wait_until(is_behind, 30, "beats to be left unread")

        crowd.say(WORKERS[0], "worker-offline")

        def left() -> bool:
            seen = hears(link)
            return seen is not None and WORKERS[0] in seen.workers and not seen.workers[WORKERS[0]].online

        wait_until(left, 20, "the goodbye to be heard")

        def heard_late() -> bool:
            crowd.beat(LATE)
            seen = hears(link)
            return seen is not None and LATE in seen.workers

        wait_until(heard_late, 60, "the next roll call")
        (counted,) = tally.read()[meters.WORKERS_UNHEARD.name]
        assert counted.total > 0
        seen = hears(link)
        assert seen is not None
        assert set(WORKERS) <= seen.workers.keys()
        assert not seen.workers[WORKERS[0]].online
