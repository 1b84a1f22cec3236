"""The second chapter of the tutorial on real parts: its users at a broker, its look at broker and cloud, its task."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pika
import pytest

from testbed import waiting
from testbed.clouds import upcloud, upcloud_goods
from testbed.ports import LOOPBACK
from testbed.rabbitmq import PrivateRabbitMQ
from tests.docs import pages
from tests.integration.gateways_stage import add_user

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

TUTORIAL = pages.blocks("docs/tutorial.md")
PROGRAMS = Path(sys.executable).parent
PASSWORD = "a-password-of-letters"


@dataclass(frozen=True, kw_only=True)
class Server:
    """The server of the tutorial: its broker with both users, as the page makes them."""

    broker: PrivateRabbitMQ
    vhost: str

    @property
    def url(self) -> str:
        """The address of the application and its workers."""
        return f"amqp://shop:{PASSWORD}@{LOOPBACK}:{self.broker.amqp_port}/{self.vhost}"


@pytest.fixture
def server(broker: PrivateRabbitMQ) -> Server:
    """Users with the rights that the page gives them, in a vhost of the test's."""
    vhost = f"tutorial-{secrets.token_hex(3)}"
    broker.add_vhost(vhost)
    (users,) = (block.text for block in TUTORIAL if "rabbitmqctl add_user shop" in block.text)
    rights = dict(re.findall(r"^(\w+)='(\^.*\$)'$", users, re.MULTILINE))
    assert {"own", "workers"} == rights.keys()
    add_user(broker, "tutor", PASSWORD, "monitoring", vhost=vhost, own=rights["own"])
    add_user(broker, "shop", PASSWORD, "", vhost=vhost, own=rights["workers"])
    return Server(broker=broker, vhost=vhost)


def test_the_look_at_broker_and_cloud_finds_nothing_wrong(server: Server, tmp_path: Path) -> None:
    """The page's own configuration; changed are addresses, and places that the cloud on loopback does not have."""
    (text, *_) = (block.text for block in TUTORIAL if block.language == "toml")
    with upcloud.serving() as cloud:
        for old, new in (
            ("http://10.0.0.10:15672", server.broker.management_url),
            ("amqp://10.0.0.10:5672", f"amqp://{LOOPBACK}:{server.broker.amqp_port}"),
            ('username = "autoscaler"', f'username = "tutor"\nvhost = "{server.vhost}"'),
            (
                'driver = "upcloud"',
                f'driver = "upcloud"\nhost = "{LOOPBACK}"\nport = {cloud.server.port}\nsecure = false\ncountry = "FI"',
            ),
            ("no-svg1", "fi-hel1"),
            ('["NO"]', '["FI"]'),
            ("03e5ca07-f36c-4957-a676-e001e40441eb", upcloud_goods.NETWORK),
            ("[pools.shop]", f'[journal]\nurl = "sqlite:///{tmp_path}/journal.db"\n\n[pools.shop]'),
        ):
            assert 1 == text.count(old) or old == "no-svg1", old
            text = text.replace(old, new)
        (tmp_path / "config.toml").write_text(text)
        words = {
            "RABBITMQ_PASSWORD": PASSWORD,
            "WORKER_BROKER_URL": server.url,
            "UPCLOUD_TOKEN": upcloud.TOKEN,
        }

        looks = [
            subprocess.run(
                [PROGRAMS / "autoscaler", "-c", tmp_path / "config.toml", *look.split()],
                env={**os.environ, **words},
                capture_output=True,
                text=True,
                timeout=100,
                check=False,
            )
            for look in ("check --online", "check --online --conformance upcloud", "plan")
        ]

    # A trial that is only told of ends as a question does that was not answered.
    assert [0, 2, 0] == [look.returncode for look in looks], [look.stdout + look.stderr for look in looks]
    assert "Nothing was ordered" in looks[1].stderr
    assert not any("problem " in look.stdout for look in looks)


def test_a_task_is_sent_and_done_with_the_rights_of_the_page(server: Server, tmp_path: Path) -> None:
    """By the command of the page, through a worker that is started as on a machine."""
    (sending,) = (block.text for block in TUTORIAL if "celery --app shop_tasks call" in block.text)
    (call,) = re.findall(r"do bin/(celery .*); done", sending)
    receipts = tmp_path / "receipts"
    environment = {
        **os.environ,
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "PYTHONPATH": str(pages.ROOT / "examples" / "quickstart" / "app"),
        "CELERY_BROKER_URL": server.url,
        "SHOP_RECEIPTS": str(receipts),
    }
    with _worker(environment, tmp_path):
        subprocess.run(
            ["bash", "-eu"], input=call.replace(" 5]", " 0]"), env={**environment, "n": "7"}, cwd=tmp_path,
            text=True, timeout=60, check=True,
        )  # fmt: skip

        waiting.wait_until(lambda: receipts.is_file() and "cat-7.jpg" in receipts.read_text(), 60, "the task")


@pytest.mark.parametrize("queue", ["mails", "celery", "autoscaler.enrolment.tutorial.more"])
def test_the_application_s_user_has_no_other_queue(server: Server, queue: str) -> None:
    """It can make none, so it reads and writes none."""
    with pika.BlockingConnection(pika.URLParameters(server.url)) as connection:
        channel = connection.channel()
        with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED"):
            channel.queue_declare(queue, durable=True)


@contextmanager
def _worker(environment: dict[str, str], directory: Path) -> Iterator[None]:
    """A worker of the pool `shop`, told to go in the end."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "--app=shop_tasks",
        "worker",
        "--hostname=celery@tutorial-shop-1",
    ]
    with (directory / "worker.log").open("w") as log:
        started = subprocess.Popen(
            [*command, "--queues=shop", "--concurrency=1", "--without-gossip", "--loglevel=INFO"],
            env=environment, cwd=directory, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    finally:
        started.terminate()
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()
    assert "ACCESS_REFUSED" not in (directory / "worker.log").read_text()
