"""What the users of machines are tried on: a vhost of its own at a real broker, and machines that log in with pika."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika
import requests
from celery import Celery as Producer
from pika.adapters.blocking_connection import BlockingChannel

from autoscaler.clock import SystemClock
from autoscaler.core.model import PoolName
from autoscaler.gateways import broker_rights
from autoscaler.gateways.broker_rights import Celery
from autoscaler.gateways.broker_users import BrokerUsers
from autoscaler.gateways.management_api import ManagementAPI
from autoscaler.node_users import Access, NodeUsers
from autoscaler.tokens import Tokens
from bootstrap import worker
from bootstrap.contract import Application, ApplicationSource, Credentials, WorkerSpec
from providers.contract import NodeName
from testbed.rabbitmq import PrivateRabbitMQ

APP = Path(__file__).parent / "app"
FLEET = "web"
POOL = PoolName("images")
OURS, THEIRS = NodeName("web-images-1"), NodeName("web-images-2")
QUEUE, FOREIGN = "images.v1", "video"
"""The pool's queue, and another pool's. The dot would be a wildcard in a pattern that was not escaped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One fleet in one vhost."""

    broker: PrivateRabbitMQ
    vhost: str
    fleet: str = FLEET
    queues: tuple[str, ...] = (QUEUE,)
    publishes: bool = True

    def users(self, *, user: str | None = None, password: str | None = None) -> BrokerUsers:
        return BrokerUsers(api=self.api(user=user, password=password), vhost=self.vhost, fleet=self.fleet)

    def api(self, *, user: str | None = None, password: str | None = None) -> ManagementAPI:
        return ManagementAPI(
            url=self.broker.management_url,
            username=user or self.broker.user,
            password=password or self.broker.password,
            ca_file=None,
            timeout_s=5.0,
            clock=SystemClock(),
        )

    def node_users(self, tokens: Tokens) -> NodeUsers:
        access = Access(
            celery=Celery(queues=self.queues, publishes=self.publishes),
            broker_url=f"amqp://127.0.0.1:{self.broker.amqp_port}",
            vhost=self.vhost,
            environment={"SHOP_KEY": "an application's secret"},
        )
        return NodeUsers(
            fleet=self.fleet,
            users=self.users(),
            pools={POOL: access},
            password_of=tokens.password_of,
            token_of=tokens.of,
        )

    def granted(self, node: NodeName = OURS) -> str:
        """The broker's address for a machine that has a worker's rights."""
        users = self.users()
        users.make(node, "enrolls")
        celery = Celery(queues=self.queues, publishes=self.publishes)
        users.grant(node, celery, "works", {})
        return self.url(node, "works")

    def url(self, node: NodeName, password: str) -> str:
        access = Access(
            celery=Celery(queues=()), broker_url=f"amqp://127.0.0.1:{self.broker.amqp_port}", vhost=self.vhost
        )
        return access.url(broker_rights.user_of(self.fleet, node), password)

    @contextmanager
    def administrator(self) -> Iterator[BlockingChannel]:
        """A channel of one who may do everything."""
        with logged_in(self.broker.amqp_url_for(self.vhost)) as channel:
            yield channel

    def declare(self, *queues: str) -> None:
        """Queues with exchanges, as Celery declares them, and those of Celery's control."""
        with self.administrator() as channel:
            for queue in queues:
                channel.exchange_declare(queue, "direct", durable=True)
                channel.queue_declare(queue, durable=True)
                channel.queue_bind(queue, queue, queue)
            channel.exchange_declare("celery.pidbox", "fanout", durable=False)
            channel.exchange_declare("reply.celery.pidbox", "direct", durable=False)
            channel.exchange_declare("celeryev", "topic", durable=True)
            channel.exchange_declare(broker_rights.REPORTS, "topic", durable=True)
            channel.exchange_declare(broker_rights.voice_of(self.fleet), "fanout", durable=True)

    def exists(self, exchange: str) -> bool:
        """Whether there is an exchange of that name."""
        return any(row["name"] == exchange for row in self.api().get("exchanges", self.vhost, columns="name"))

    def management(self, path: str, user: str, password: str) -> int:
        """The status of what the management API answers that user."""
        return requests.get(
            f"{self.broker.management_url}/api/{path}", auth=(user, password), timeout=10
        ).status_code

    @contextmanager
    def producer(self) -> Iterator[Producer]:
        """An application that sends tasks, with all rights."""
        with Producer(broker=self.broker.amqp_url_for(self.vhost)) as app:
            app.conf.task_default_queue = self.queues[0]
            yield app


@contextmanager
def logged_in(url: str) -> Iterator[BlockingChannel]:
    """A channel at that address."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


@contextmanager
def worker_of(
    url: str,
    node: NodeName,
    ledger: Path,
    *,
    queue: str = QUEUE,
    python: str = sys.executable,
    **environment: str,
) -> Iterator[subprocess.Popen[bytes]]:
    """The worker that the product would start on a machine of that name, ended with its children."""
    spec = WorkerSpec(
        node=node,
        pool=POOL,
        fleet=FLEET,
        app="node_tasks",
        queues=(queue,),
        slots=1,
        application=Application(source=ApplicationSource.IMAGE, directory=str(APP)),
        broker_url=url,
        credentials=Credentials.NODE,
        environment={
            "NODE_QUEUE": queue,
            "NODE_LEDGER": str(ledger),
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        },
    )
    with ledger.with_suffix(".log").open("ab") as log:
        process = subprocess.Popen(
            worker.argv(spec, python=python),
            cwd=APP,
            env={**os.environ, **worker.environment(spec)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
