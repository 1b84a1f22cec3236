"""Real Celery workers, started as a machine would start them, hold a real broker against the fleet's certificates."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from celery import Celery

from bootstrap import worker
from bootstrap.contract import WorkerSpec
from testbed.certificates import Authority
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.integration.gateways_stage import OLD_CELERY
from tests.unit.bootstrap import specs

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

APP = Path(__file__).parent / "tls_app"
ANOTHER_NAME = "127.1"
"""A way to write the loopback's address that stands in no certificate, and that needs no name server."""
PYTHONS = [
    pytest.param(sys.executable, id="newest"),
    pytest.param(
        str(OLD_CELERY),
        id="5.3",
        marks=pytest.mark.skipif(not OLD_CELERY.exists(), reason="`make test` makes it"),
    ),
]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """A broker by the addresses of both loopbacks, and by no other name."""
    certificate = authority.issue("broker.example", "::1", "127.0.0.1")
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), certificate=certificate) as started:
        yield started


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A worker that runs, and what it wrote."""

    log: Path
    queue: str
    broker: PrivateRabbitMQ = field(repr=False)

    def says(self, words: str) -> bool:
        return words in self.log.read_text(errors="replace")

    def took(self, trace: Path) -> bool:
        """Whether a task sent to it now is done in time; it is sent without TLS, which proves nothing here."""
        sender = Celery(broker=self.broker.amqp_url)
        with sender.connection_for_write() as connection:
            sender.send_task("touch", args=(str(trace),), queue=self.queue, connection=connection)
        return wait_until(trace.exists, 60, f"{self.queue} to be served") is True


@contextmanager
def played(
    broker: PrivateRabbitMQ, host: str, root: Path, *, python: str = sys.executable, **changes: object
) -> Iterator[Played]:
    """A worker with command, environment and files as a machine has them; only their places are moved below `root`."""
    user, password = quote(broker.user, safe=""), quote(broker.password, safe="")
    spec = specs.a_spec(
        app="tls_tasks:app",
        queues=(f"tls-{root.name}",),
        slots=1,
        application=specs.IMAGE,
        broker_url=f"amqps://{user}:{password}@{host}:{broker.amqps_port}/%2F",
        **changes,
    )
    command, environment = _moved(spec, root, python)
    log = root / "worker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=APP,
            env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Played(log=log, queue=spec.queues[0], broker=broker)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


def _moved(spec: WorkerSpec, root: Path, python: str) -> tuple[list[str], dict[str, str]]:
    prefix = "/usr/local/lib/autoscaler"
    for path, text in specs.files(spec).items():
        if path == worker.BROKER_CA or path.startswith(worker.MODULES):
            moved = root / path.removeprefix("/")
            moved.parent.mkdir(parents=True, exist_ok=True)
            moved.write_text(text)
    environment = {
        name: value.replace(prefix, f"{root}{prefix}") for name, value in worker.environment(spec).items()
    }
    return list(worker.argv(spec, python=python)), environment


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_worker_works_by_the_fleets_certificates_over_either_protocol(
    host: str, python: str, broker: PrivateRabbitMQ, authority: Authority, tmp_path: Path
) -> None:
    """The app says nothing of TLS; its environment keeps a path of its own."""
    ca = authority.certificate.read_text()
    environment = {"PYTHONPATH": "/nowhere"}
    with played(broker, host, tmp_path, python=python, broker_ca=ca, environment=environment) as running:
        assert running.took(tmp_path / "trace")


def test_a_broker_that_another_authority_vouches_for_is_refused(
    broker: PrivateRabbitMQ, tmp_path: Path
) -> None:
    """Whoever answers at the broker's address without its certificate gets no password."""
    other = Authority(tmp_path / "other", name="An authority of the testbed").certificate.read_text()
    with played(broker, "127.0.0.1", tmp_path, broker_ca=other) as running:
        assert wait_until(lambda: running.says("certificate verify failed"), 60, "a refusal")


def test_a_broker_by_another_name_is_refused(
    broker: PrivateRabbitMQ, authority: Authority, tmp_path: Path
) -> None:
    """A certificate of the same authority for another server is not enough."""
    ca = authority.certificate.read_text()
    with played(broker, ANOTHER_NAME, tmp_path, broker_ca=ca) as running:
        assert wait_until(lambda: running.says("Hostname mismatch"), 60, "a refusal")


def test_without_our_word_celery_takes_any_servers_certificate(
    broker: PrivateRabbitMQ, authority: Authority, tmp_path: Path
) -> None:
    """Why there is a module at all: by the system's authorities alone the name does not matter to py-amqp."""
    environment = {"SSL_CERT_FILE": str(authority.certificate)}
    with played(broker, ANOTHER_NAME, tmp_path, environment=environment) as running:
        assert running.took(tmp_path / "trace")
