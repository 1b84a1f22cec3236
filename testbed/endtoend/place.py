"""The directory of a run: who may use it, and the configuration of its daemon, as an operator of five pools has it.

In goes a path, out comes a `Place` that belongs to this process alone until it ends. What a former run left there is
taken away, by name. What never happens here: anything is started or ended.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from testbed import held
from testbed.endtoend.recipes import PYTHON
from testbed.ports import LOOPBACK
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.virtual import seed
from testbed.virtual.depot import RECEIPTS, Depot

FLEET = "e2e"
GOLDEN, PLAIN = "golden", "plain"
"""Pools, named after their images; each has a queue of its name."""
FAILING, SLOW = "failing", "slow"
"""Pools on the golden image whose first machine cannot become a worker: no application, or a slow disk."""
GUARDED = "guarded"
"""A pool on the golden image whose machines have users of their own at the broker."""
CEILING = 2
SLOTS = 2
PLAIN_IMAGE = "debian-12-x64"
GOLDEN_IMAGE = "171000001"
SIZE = "s-1vcpu-1gb"

_HEAD = """\
[fleet]
name = "{fleet}"

[loop]
tick = "2s"
observe_timeout = "6s"

[broker]
management_url = "{management_url}"
amqp_url = "amqp://127.0.0.1:{amqp_port}"
username = "{username}"
password = {{ env = "RABBITMQ_PASSWORD" }}
statistics_interval = "1s"

[journal]
url = {journal}

[log]
format = "json"

[providers.do]
kind = "libcloud"
driver = "digitalocean"
token = {{ env = "DIGITALOCEAN_TOKEN" }}
host = "127.0.0.1"
port = {cloud_port}
secure = false
# The account on loopback lists what it has, at once.
settle = "10s"
"""
_POOL = """\

[pools.{name}]
queues = ["{name}"]
slots = {slots}

[pools.{name}.limits]
max_workers = {ceiling}

[[pools.{name}.policies]]
kind = "backlog"
messages_per_worker = 20

[pools.{name}.stabilize]
scale_in_window = "30s"
scale_in_cooldown = "0s"

# An emulated machine on a busy computer takes its time.
[pools.{name}.timeouts]
enrol = "30m"
silence = "90s"
lost = "1m"

[[pools.{name}.offers]]
provider = "do"
location = "fra1"
size = "{size}"
image = "{image}"
price_per_hour = 0.00893

[pools.{name}.bootstrap]
app = "shop_tasks:app"
broker_url = {{ env = "WORKER_BROKER_URL" }}
environment = {{ SHOP_RECEIPTS = "{receipts}" }}
{application}
"""
_IN_IMAGE = 'source = "image"\npython = "{python}"'
_BY_PIP = 'source = "pip"\nreference = "shop-tasks==1.0"\nindex_url = "{index}"'
_OWN_USERS = f'{_IN_IMAGE}\ncredentials = "node"'
_APPLICATION = {
    GOLDEN: _IN_IMAGE, PLAIN: _BY_PIP, FAILING: _BY_PIP, SLOW: _IN_IMAGE, GUARDED: _OWN_USERS,
}  # fmt: skip
_IMAGES = {
    GOLDEN: GOLDEN_IMAGE, PLAIN: PLAIN_IMAGE, FAILING: GOLDEN_IMAGE, SLOW: GOLDEN_IMAGE, GUARDED: GOLDEN_IMAGE,
}  # fmt: skip


class PlaceTaken(Exception):
    """Another run uses this directory now. The message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The directory, held. The hold ends with the process, however it ends."""

    directory: Path
    lock: int

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def log(self) -> Path:
        return self.directory / "daemon.log"

    @property
    def rabbitmq(self) -> Path:
        return self.directory / "rabbitmq"

    @property
    def machines(self) -> Path:
        return self.directory / "machines"

    @property
    def consoles(self) -> Path:
        return self.directory / "consoles"

    @property
    def server(self) -> Path:
        """What is copied to a server, where the daemon is installed on one."""
        return self.directory / "server"

    def clear(self) -> None:
        """Take away what a former run left. Its processes must have ended. Raises OSError."""
        held.clear(
            self.directory,
            folders=("rabbitmq", "machines", "consoles", "server"),
            files=("journal.db*", "config.toml", "daemon.log"),
        )

    def write_config(self, broker: PrivateRabbitMQ, depot: Depot, cloud_port: int) -> None:
        """The daemon's configuration; all secrets of it are in the daemon's environment."""
        address = depot.address(seed.HOST)
        text = _HEAD.format(
            fleet=FLEET,
            management_url=broker.management_url,
            amqp_port=broker.amqp_port,
            username=broker.user,
            journal=json.dumps(f"sqlite:///{self.directory}/journal.db"),
            cloud_port=cloud_port,
        )
        for name, application in _APPLICATION.items():
            text += _POOL.format(
                name=name,
                slots=SLOTS,
                ceiling=CEILING,
                size=SIZE,
                image=_IMAGES[name],
                receipts=f"{address}{RECEIPTS}",
                application=application.format(python=PYTHON, index=f"{address}/simple"),
            )
        self.config.write_text(text, encoding="utf-8")


def worker_url(broker: PrivateRabbitMQ) -> str:
    """The broker as machines reach it."""
    return broker.amqp_url.replace(f"@{LOOPBACK}:", f"@{seed.HOST}:")


def take(directory: Path) -> Place:
    """Make the directory, where it is not there, and hold it. Raises PlaceTaken, OSError."""
    directory = directory.absolute()
    try:
        return Place(directory=directory, lock=held.take(directory))
    except held.Taken as taken:
        raise PlaceTaken(f"another run uses {directory}, as process {taken.holder}") from taken
