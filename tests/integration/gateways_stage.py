"""What the gateways are tried on: real Celery workers as processes, and tasks published as Celery publishes them."""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pika
import requests

from autoscaler.core.model import WorkerName
from testbed.rabbitmq import PrivateRabbitMQ

APP = Path(__file__).parent / "gateways_app"
OLD_CELERY = Path(__file__).parents[2] / ".venv-celery53" / "bin" / "python"
QUEUE = "held"


@contextmanager
def worker(
    node: PrivateRabbitMQ,
    name: str,
    log: Path,
    *,
    vhost: str = "/",
    python: str = sys.executable,
    **environment: str,
) -> Iterator[tuple[WorkerName, subprocess.Popen[bytes]]]:
    """A worker with one slot, ended by its process group when the block ends."""
    full = WorkerName(f"celery@{name}")
    command = [python, "-m", "celery", "-A", "held_tasks", "worker", "-n", full, "-c", "1", "-l", "WARNING"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=APP,
            env=os.environ
            | {"BROKER_URL": node.amqp_url_for(vhost), "PYTHONDONTWRITEBYTECODE": "1"}
            | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield full, process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def publish_hold(node: PrivateRabbitMQ, until: Path, *, vhost: str = "/", eta: str | None = None) -> None:
    """One task that runs until the file is there, not before its time, as a message of Celery's protocol 2."""
    task = str(uuid.uuid4())
    connection = pika.BlockingConnection(pika.URLParameters(node.amqp_url_for(vhost)))
    try:
        channel = connection.channel()
        channel.queue_declare(QUEUE, durable=True)
        channel.basic_publish(
            "",
            QUEUE,
            json.dumps([[str(until)], {}, {}]).encode(),
            pika.BasicProperties(
                content_type="application/json",
                content_encoding="utf-8",
                correlation_id=task,
                delivery_mode=2,
                headers={"lang": "py", "task": "hold", "id": task, "root_id": task, "eta": eta},
            ),
        )
    finally:
        connection.close()


def take_and_drop(node: PrivateRabbitMQ, messages: int, *, vhost: str = "/") -> None:
    """A consumer that takes so many messages and ends: the broker has to deliver them again."""
    connection = pika.BlockingConnection(pika.URLParameters(node.amqp_url_for(vhost)))
    channel = connection.channel()
    for _ in range(messages):
        channel.basic_get(QUEUE)
    connection.close()


def add_user(
    node: PrivateRabbitMQ, name: str, password: str, tags: str, *, vhost: str = "/", own: str = ""
) -> None:
    """A user who may read this vhost and no more; or do all with what is named like `own`, and see nothing else."""
    admin = (node.user, node.password)
    user, place = quote(name, safe=""), quote(vhost, safe="")
    for path, body in (
        (f"users/{user}", {"password": password, "tags": tags}),
        (f"permissions/{place}/{user}", {"configure": own, "write": own, "read": own or ".*"}),
    ):
        requests.put(
            f"{node.management_url}/api/{path}", json=body, auth=admin, timeout=10
        ).raise_for_status()


def connections(node: PrivateRabbitMQ, named: str) -> int:
    """How many connections the broker counts whose name begins so."""
    rows = requests.get(
        f"{node.management_url}/api/connections", auth=(node.user, node.password), timeout=10
    ).json()
    return sum(
        str(row.get("client_properties", {}).get("connection_name", "")).startswith(named) for row in rows
    )
