"""A cluster of two real nodes of RabbitMQ, and what the daemon's gateway sees of it through one of them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pika
import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Missing
from autoscaler.core.model import PoolName
from autoscaler.gateways.rabbitmq import RabbitMQ
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]
FILMS, IMAGES = PoolName("films"), PoolName("images")


def wait_at(node: PrivateRabbitMQ, queue: str, messages: int) -> None:
    """Make a durable queue on that node, with so many messages on its disk."""
    connection = pika.BlockingConnection(pika.URLParameters(node.amqp_url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True)
        for _ in range(messages):
            channel.basic_publish("", queue, b"x", pika.BasicProperties(delivery_mode=2))
    finally:
        connection.close()


def through(node: PrivateRabbitMQ) -> RabbitMQ:
    return RabbitMQ(
        management_url=node.management_url,
        username=node.user,
        password=node.password,
        vhost="/",
        clock=SystemClock(),
        timeout_s=10.0,
    )


def test_a_queue_of_a_node_that_is_down_is_not_seen_as_empty_and_comes_back_with_it(tmp_path: Path) -> None:
    """Through the node that is left: its own queue goes on being seen, the other's pool holds and says why."""
    with (
        PrivateRabbitMQ(tmp_path / "one", statistics_interval_s=1.0) as one,
        PrivateRabbitMQ(tmp_path / "two", statistics_interval_s=1.0, beside=one) as two,
        closing(through(one)) as broker,
    ):

        def seen() -> dict[PoolName, int | str]:
            found = broker.demand({FILMS: ("films",), IMAGES: ("images",)})
            return {
                pool: each.why if isinstance(each, Missing) else each.backlog for pool, each in found.items()
            }

        wait_at(one, "images", 3)
        wait_at(two, "films", 5)
        wait_until(lambda: seen() == {FILMS: 5, IMAGES: 3}, 90, lambda: f"both queues to be seen: {seen()}")
        two.kill()
        wait_until(
            lambda: "cannot show it: its node is down" in str(seen()[FILMS]),
            90,
            lambda: f"the queue of the node that is down to be missed: {seen()}",
        )
        wait_until(lambda: seen()[IMAGES] == 3, 90, lambda: f"the other one to be seen: {seen()}")
        two.start()
        wait_until(lambda: seen() == {FILMS: 5, IMAGES: 3}, 90, lambda: f"both to be seen again: {seen()}")
