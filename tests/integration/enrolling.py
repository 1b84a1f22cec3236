"""A machine that becomes a worker on loopback: the packed program as cloud-init would start it, and a real broker.

Its keeper and package manager are stand-ins under a temporary root; the broker hears its reports in a queue as the
daemon has one.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pika
import requests

from bootstrap.contract import WorkerSpec
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.unit.bootstrap import specs

EXCHANGE = "autoscaler.enrolment"
TOKEN = "5e" * 32
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/report.schema.json").read_text())
RUNNING = '[ "$1" != status ] || echo "$2  RUNNING   pid 812, uptime 0:00:05"'


class Fleet:
    """What the daemon is to a machine: a vhost with the exchange and the queue of one fleet."""

    def __init__(self, broker: PrivateRabbitMQ, name: str, *, declared: bool = True) -> None:
        self.broker, self.name = broker, name
        broker.add_vhost(name)
        self.url = broker.amqp_url_for(name)
        self._connection = pika.BlockingConnection(pika.URLParameters(self.url))
        self.channel = self._connection.channel()
        if declared:
            self.declare()

    def declare(self) -> None:
        """The exchange, and the queue that it leads to."""
        self.channel.exchange_declare(EXCHANGE, "topic", durable=True)
        self.channel.queue_declare(EXCHANGE, durable=True)
        self.channel.queue_bind(EXCHANGE, EXCHANGE, self.name)

    def next_report(self) -> dict[str, Any] | None:
        """The oldest report that was not read yet, held against what is published of its form."""
        method, _, body = self.channel.basic_get(EXCHANGE, auto_ack=True)
        if method is None:
            return None
        report: dict[str, Any] = json.loads(body)
        jsonschema.validate(report, SCHEMA)
        assert len(body) <= 65_536
        assert TOKEN == report["token"]
        return report

    def last_report(self) -> dict[str, Any]:
        """The newest one; each holds all that the ones before it said."""
        last = None
        while (report := self.next_report()) is not None:
            last = report
        assert last is not None
        return last

    def put_user(self, name: str, password: str, **rights: str) -> None:
        """A user with these rights and no others, or the same one with others."""
        for path, document in (
            (f"users/{name}", {"password": password, "tags": ""}),
            (f"permissions/{self.name}/{name}", {"configure": "^$", "write": "^$", "read": "^$", **rights}),
        ):
            answer = requests.put(
                f"{self.broker.management_url}/api/{path}",
                json=document,
                auth=(self.broker.user, self.broker.password),
                timeout=10,
            )
            answer.raise_for_status()

    def grant(self, node: str, message: dict[str, Any], *, token: str = TOKEN) -> None:
        """What the daemon answers a machine that wants one, proven by its token."""
        plain = json.dumps(message, sort_keys=True, separators=(",", ":"))
        proof = hmac.new(token.encode(), plain.encode(), hashlib.sha256).hexdigest()
        self.channel.basic_publish("", f"autoscaler.node.{node}", json.dumps({**message, "proof": proof}))

    def close(self) -> None:
        """Let go of the broker."""
        self._connection.close()


class Newcomer:
    """One machine; what it left running is ended with it."""

    def __init__(self, root: Path, fleet: Fleet, spec: WorkerSpec | None = None, **settings: Any) -> None:
        spec = spec or specs.a_spec(
            application=specs.IMAGE, user="nobody", fleet=fleet.name, broker_url=fleet.url
        )
        self.machine = specs.Machine(root, spec)
        (root / "var/log").mkdir(parents=True, exist_ok=True)
        self.machine.settle(token=TOKEN, **settings)
        self.machine.stand_in("supervisorctl", RUNNING)
        self.machine.stand_in("dpkg-query", "exit 1")
        self.node = spec.node
        self._begun: list[subprocess.Popen[str]] = []

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start the program, as cloud-init or the keeper would."""
        program = subprocess.Popen(
            [self.machine.program("become-worker"), *arguments],
            env=self.machine.environ(),
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._begun.append(program)
        return program

    def run(self) -> tuple[int, str]:
        """Exit code and words of a whole run."""
        program = self.begin()
        code = program.wait(timeout=45)
        # Who goes on telling let go of it.
        assert program.stdout is not None
        return code, program.stdout.read()

    @property
    def log(self) -> str:
        """Its log so far."""
        path = self.machine.root / "var/log/autoscaler-enrolment.log"
        return path.read_text() if path.exists() else ""

    @property
    def told(self) -> str:
        """The file that names the process that goes on telling."""
        return (self.machine.root / "var/lib/autoscaler-enrolment.json").read_text()

    def close(self) -> None:
        """End what was begun, by process id."""
        for program in self._begun:
            if program.poll() is None:
                program.kill()
            program.wait(10)
            assert program.stdout is not None
            program.stdout.close()
        with contextlib.suppress(OSError, KeyError):
            os.kill(int(json.loads(self.told)["run"]), signal.SIGKILL)


def heard(fleet: Fleet, deadline_s: float = 20, **expected: Any) -> dict[str, Any]:
    """The first report from now on that holds these."""

    def look() -> dict[str, Any] | None:
        report = fleet.next_report()
        return report if report and expected.items() <= report.items() else None

    found = wait_until(look, deadline_s, f"a report with {expected}", pause_s=0.05)
    assert found is not None
    return found


def heard_failure(fleet: Fleet) -> dict[str, Any]:
    """The first report from now on that tells one: the program ends before it is told."""
    while (report := heard(fleet))["failed"] is None:
        pass
    return report
