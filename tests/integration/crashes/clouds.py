"""Where the matrix buys its machines: processes on this computer, or moto's EC2 with real workers behind its instances.

A `Cloud` tells the daemon's configuration how to reach it, and the matrix what stands and what was ever made, by its
own word and not by the daemon's. What never happens here: a look into the journal.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from providers.local import processes
from testbed.hostile_http import HttpProxy
from testbed.rabbitmq import PrivateRabbitMQ
from tests.contract import moto_world
from tests.contract.moto_world import Moto
from tests.integration.stage import APP

_ENDED = frozenset({"shutting-down", "terminated"})


class Cloud(Protocol):
    """One account and the machines of one fleet in it."""

    settings: Mapping[str, Any]
    """What a `Stage` must be told to buy here."""
    problems: list[str]
    """Where it did not do what a cloud does; what happened in it then shows nothing."""

    def standing(self) -> Counter[str]:
        """Machines that stand now, by name: more than one of a name is a double."""

    def made(self) -> Counter[str]:
        """Machines ever made, by name."""

    def ordered(self) -> Counter[str]:
        """Orders for machines as they arrived, by the key of each: more than one of a key is an order repeated."""

    def close(self) -> None:
        """End what the daemon may have left."""


class ThisComputer:
    """The provider `local`: a machine is a keeper process, and every name it ever had is a directory."""

    def __init__(self, directory: Path, fleet: str) -> None:
        self._nodes = directory / "nodes" / fleet
        self._fleet = fleet
        self.settings: Mapping[str, Any] = {}
        self.problems: list[str] = []

    def standing(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for name, running in processes.machines(self._fleet).items():
            for process in running:
                try:
                    found[name] += any(part.endswith("keeper.py") for part in process.cmdline())
                except processes.psutil.Error:
                    continue  # it ended between two looks
        return +found

    def made(self) -> Counter[str]:
        return Counter(each.name for each in self._nodes.iterdir()) if self._nodes.is_dir() else Counter()

    def ordered(self) -> Counter[str]:
        return self.made()  # a second order for a name is refused here, which the daemon then says

    def close(self) -> None:
        """The stage ends the processes of its fleet."""


class Rented:
    """moto's EC2. Behind each instance stands a worker under its name, from its start to its end."""

    def __init__(
        self, moto: Moto, fleet: str, broker: PrivateRabbitMQ, directory: Path, *, link: HttpProxy
    ) -> None:
        """`link` is where the daemon finds moto; what it asks there is counted."""
        self._link = link
        self._client = moto.client()
        self._fleet = fleet
        self._log = directory / "workers.log"
        self._workers: dict[str, subprocess.Popen[bytes]] = {}
        self.problems: list[str] = []
        self._environment = {
            **os.environ,
            "CELERY_BROKER_URL": broker.amqp_url_for(fleet),
            "FLOOD_LEDGER": str(directory / "ledger"),
            "FLOOD_ACKS_LATE": "1",
            "FLOOD_PREFETCH": "1",
        }
        reach = moto.options()
        account = {"region": reach["region"], "host": reach["host"], "settle": "2s", "driver": "ec2"}
        lines = [f'{key} = "{value}"' for key, value in account.items()]
        self.settings: Mapping[str, Any] = {
            "account": "\n".join(
                [
                    'kind = "libcloud"',
                    *lines,
                    f"port = {link.port}",
                    "secure = false",
                    'key = { env = "FLOOD_KEY" }',
                    'secret = { env = "FLOOD_SECRET" }',
                ]
            ),
            "offer": f'size = "{moto_world.SIZE}"\nimage = "{moto.image}"\nlocation = "{moto_world.REGION}a"',
            "bootstrap": 'broker_url = { env = "FLOOD_WORKER_URL" }',
            "secrets": {
                "FLOOD_KEY": str(reach["key"]),
                "FLOOD_SECRET": str(reach["secret"]),
                "FLOOD_WORKER_URL": broker.amqp_url_for(fleet),
            },
        }
        self._ended = threading.Event()
        self._keeping = threading.Thread(target=self._keep_workers, name=f"workers of {fleet}", daemon=True)
        self._keeping.start()

    def standing(self) -> Counter[str]:
        return Counter(name for name, _, state in self._instances() if state not in _ENDED)

    def made(self) -> Counter[str]:
        return Counter(name for name, _, _ in self._instances())

    def ordered(self) -> Counter[str]:
        return Counter(
            each.parameters["ClientToken"] for each in self._link.asked if each.action == "RunInstances"
        )

    def close(self) -> None:
        self._ended.set()
        self._keeping.join(30)
        for worker in self._workers.values():
            _end(worker)

    def _instances(self) -> list[tuple[str, str, str]]:
        """Name, id and state of every instance under the fleet's mark; moto remembers those that ended."""
        mine = [{"Name": "tag:autoscaler-fleet", "Values": [self._fleet]}]
        pages = self._client.get_paginator("describe_instances").paginate(Filters=mine)
        rows = [each for page in pages for row in page["Reservations"] for each in row["Instances"]]
        return [
            (tag["Value"], each["InstanceId"], each["State"]["Name"])
            for each in rows
            for tag in each["Tags"]
            if "autoscaler-node" == tag["Key"]
        ]

    def _keep_workers(self) -> None:
        """What cloud-init and the power switch are to a real machine. A worker that left by itself stays away."""
        while not self._ended.wait(0.3):
            try:
                self._match_workers()
            except Exception as error:  # noqa: BLE001 - around one look at the instances: the next one goes on
                told = f"the workers of rented machines were not kept: {type(error).__name__}: {error}"
                if told not in self.problems:
                    self.problems.append(told)

    def _match_workers(self) -> None:
        for name, instance_id, state in self._instances():
            worker = self._workers.get(instance_id)
            if worker is None and state == "running":
                self._workers[instance_id] = self._start(name)
            elif worker is not None and state in _ENDED:
                _end(worker)

    def _start(self, name: str) -> subprocess.Popen[bytes]:
        celery = [sys.executable, "-m", "celery", "-A", "flood_tasks"]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*celery, "worker", "-n", f"celery@{name}", "-Q", "flood", "-c", "2", "-l", "WARNING"],
                cwd=APP,
                env=self._environment | {"AUTOSCALER_NODE": name},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


def _end(worker: subprocess.Popen[bytes]) -> None:
    if worker.poll() is None:
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(30)
