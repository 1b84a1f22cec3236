"""The directory of a quickstart: who may use it, what stands in it, and the configuration of its daemon.

In goes a path, out comes a `Place` that belongs to this process alone until it ends. What a former run left there is
taken away, by name: nothing else in the directory is touched. What never happens here: anything is started or ended.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from testbed import held
from testbed.rabbitmq import PrivateRabbitMQ

FLEET, POOL, QUEUE = "quickstart", "shop", "shop"
CEILING = 4
APP = Path(__file__).resolve().parent / "app"

# One tick a second and short windows, so that a minute shows what takes hours on rented machines.
_CONFIG = """\
# The quickstart's configuration, written anew by each `make run`. config.example.toml explains every key.

[fleet]
name = "{fleet}"

[loop]
tick = "1s"
observe_timeout = "4s"

[broker]
management_url = "{management_url}"
amqp_url = "amqp://127.0.0.1:{amqp_port}"
username = "{username}"
password = {{ file = {password} }}
statistics_interval = "1s"

[journal]
url = {journal_url}

[log]
format = "json"

[web]
listen = "127.0.0.1:0"

[providers.here]
kind = "local"
directory = {machines}

[pools.{pool}]
queues = ["{queue}"]
slots = 2

[pools.{pool}.limits]
max_workers = {ceiling}

[[pools.{pool}.policies]]
kind = "backlog"
messages_per_worker = 10

[pools.{pool}.stabilize]
scale_in_window = "8s"
scale_in_cooldown = "0s"

[pools.{pool}.timeouts]
create = "15s"
enrol = "60s"
silence = "30s"
stop = "10s"

[[pools.{pool}.offers]]
provider = "here"
price_per_hour = 0.01

[pools.{pool}.bootstrap]
app = "shop_tasks"
source = "image"
python = {python}
directory = {app}

[pools.{pool}.bootstrap.environment]
SHOP_RECEIPTS = {receipts}
"""


class PlaceTaken(Exception):
    """Another quickstart uses this directory now. The message says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The directory, held. The hold ends with the process, however it ends."""

    directory: Path
    lock: int

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def password(self) -> Path:
        return self.directory / "broker-password"

    @property
    def journal(self) -> Path:
        return self.directory / "journal.db"

    @property
    def log(self) -> Path:
        return self.directory / "daemon.log"

    @property
    def receipts(self) -> Path:
        return self.directory / "receipts"

    @property
    def machines(self) -> Path:
        return self.directory / "machines"

    @property
    def rabbitmq(self) -> Path:
        return self.directory / "rabbitmq"

    def clear(self) -> None:
        """Take away what a former run left. Its processes must have ended. Raises OSError."""
        held.clear(
            self.directory,
            folders=("machines", "rabbitmq"),
            files=("journal.db*", "config.toml", "broker-password", "daemon.log", "receipts"),
        )

    def write_config(self, broker: PrivateRabbitMQ) -> None:
        """Write the configuration and, beside it, the password; both for this user's eyes only. Raises OSError."""
        _write_private(self.password, broker.password)
        config = _CONFIG.format(
            fleet=FLEET,
            pool=POOL,
            queue=QUEUE,
            ceiling=CEILING,
            management_url=broker.management_url,
            amqp_port=broker.amqp_port,
            username=broker.user,
            password=_quoted(self.password),
            journal_url=_quoted(f"sqlite:///{self.journal}"),
            machines=_quoted(self.machines),
            python=_quoted(sys.executable),
            app=_quoted(APP),
            receipts=_quoted(self.receipts),
        )
        _write_private(self.config, config)


def take(directory: Path) -> Place:
    """Make the directory, where it is not there, and hold it. Raises PlaceTaken, OSError."""
    directory = directory.absolute()
    try:
        return Place(directory=directory, lock=held.take(directory))
    except held.Taken as taken:
        raise PlaceTaken(
            f"A quickstart runs already in {directory}, as process {taken.holder}. "
            "End it with Ctrl-C where it runs, or give this one another directory with --directory."
        ) from taken


def _quoted(value: object) -> str:
    """A TOML string, whatever characters a path has."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _write_private(path: Path, content: str) -> None:
    """Readable by its owner only, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
