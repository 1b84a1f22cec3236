"""The directory of a stack: who may use it, what stands in it, and the files of its parts, filled in for this computer.

In go a path and ports, out come files in a directory that belongs to this process alone until it ends. What a former
run left there is taken away, by name. What never happens here: anything is started or ended.
"""

from __future__ import annotations

import datetime as dt
import getpass
import os
from dataclasses import dataclass
from pathlib import Path

import fill

from testbed import held
from testbed.certificates import Authority, ServerCertificate
from testbed.rabbitmq import PrivateRabbitMQ

FLEET, POOL, QUEUE = "stack", "uploads", "uploads"
CEILING = 4
MARK = "AUTOSCALER_STACK"
"""Environment variable of what the stack starts: its directory."""
HOST = "localhost"
APP = Path(__file__).resolve().parent / "app"
_MESSAGES_PER_WORKER = 100
_CERTIFIED = dt.timedelta(days=7)
_SUPERVISORD = """\
[supervisord]
nodaemon=true
silent=true
logfile={directory}/supervisord.log
pidfile={directory}/supervisord.pid
childlogdir={directory}

[include]
files=uploads-web-*.conf
"""


class GroundTaken(Exception):
    """Another stack uses this directory now. The message says which, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """The directory, held. The hold ends with the process, however it ends."""

    directory: Path
    lock: int
    python: Path
    """The interpreter of the application and its workers."""
    work_s: float

    @property
    def config(self) -> Path:
        return self.directory / "autoscaler.toml"

    @property
    def journal(self) -> Path:
        return self.directory / "journal.db"

    @property
    def log(self) -> Path:
        return self.directory / "daemon.log"

    @property
    def machines(self) -> Path:
        return self.directory / "machines"

    @property
    def rabbitmq(self) -> Path:
        return self.directory / "rabbitmq"

    @property
    def nginx(self) -> Path:
        return self.directory / "nginx"

    @property
    def supervisord(self) -> Path:
        return self.directory / "nodes"

    @property
    def store(self) -> Path:
        return self.directory / "store"

    @property
    def answers(self) -> Path:
        return self.directory / "answers"

    @property
    def authority(self) -> Path:
        return self.directory / "tls" / "authority.pem"

    def clear(self) -> None:
        """Take away what a former run left. Its processes must have ended. Raises OSError."""
        held.clear(
            self.directory,
            folders=("machines", "rabbitmq", "nginx", "nodes", "store", "tls"),
            files=("journal.db*", "autoscaler.toml", "broker-*", "daemon.log", "answers"),
        )

    def write_nginx(self, port: int, nodes: tuple[int, int]) -> None:
        """The configuration of nginx and its certificate. Raises OSError, CannotFill."""
        self.nginx.mkdir(mode=0o700)
        certificate: ServerCertificate = Authority(self.authority.parent, valid=_CERTIFIED).issue(
            HOST, "127.0.0.1", "::1"
        )
        values = {
            # As root nginx would become another user, who may not come in here.
            "USER_LINE": f"user {getpass.getuser()};" if os.geteuid() == 0 else "",
            "DIRECTORY": self.nginx,
            "LOGS": self.nginx,
            "PID": self.nginx / "nginx.pid",
            "LISTEN": f"127.0.0.1:{port}",
            "SERVER_NAME": HOST,
            "CERTIFICATE": certificate.certificate,
            "KEY": certificate.key,
            "NODE_1": f"127.0.0.1:{nodes[0]}",
            "NODE_2": f"127.0.0.1:{nodes[1]}",
        }
        _write_private(self.nginx / "nginx.conf", fill.fill("nginx.conf", values))

    def write_nodes(self, nodes: tuple[int, int], broker_url: str) -> None:
        """The configuration of supervisord, with one program for each application node. Raises OSError, CannotFill."""
        self.supervisord.mkdir(mode=0o700)
        self.store.mkdir(mode=0o700)
        url_file = self.directory / "broker-url"
        _write_private(url_file, broker_url)
        _write_private(self.supervisord / "supervisord.conf", _SUPERVISORD.format(directory=self.supervisord))
        for number, port in enumerate(nodes, start=1):
            values = {
                "NODE": number,
                "PYTHON": self.python,
                "ADDRESS": "127.0.0.1",
                "PORT": port,
                "APP": APP,
                "STORE": self.store,
                "BROKER_URL_FILE": url_file,
                "LOG": self.supervisord / f"node-{number}.log",
            }
            _write_private(
                self.supervisord / f"uploads-web-{number}.conf", fill.fill("uploads-web.conf", values)
            )

    def write_config(self, broker: PrivateRabbitMQ) -> None:
        """The daemon's configuration and, beside it, the password. Raises OSError, CannotFill."""
        password = self.directory / "broker-password"
        _write_private(password, broker.password)
        values = {
            "MANAGEMENT_URL": broker.management_url,
            "AMQP_URL": f"amqp://127.0.0.1:{broker.amqp_port}",
            "BROKER_USER": broker.user,
            "BROKER_PASSWORD_FILE": password,
            "JOURNAL": self.journal,
            "MACHINES": self.machines,
            "CEILING": CEILING,
            "MESSAGES_PER_WORKER": _MESSAGES_PER_WORKER,
            "PYTHON": self.python,
            "APP": APP,
            "STORE": self.store,
            "WORK_S": self.work_s,
        }
        _write_private(self.config, fill.fill("autoscaler.toml", values))


def take(directory: Path, *, python: Path, work_s: float) -> Ground:
    """Make the directory, where it is not there, and hold it. Raises GroundTaken, OSError."""
    directory = directory.absolute()
    try:
        return Ground(directory=directory, lock=held.take(directory), python=python, work_s=work_s)
    except held.Taken as taken:
        raise GroundTaken(
            f"A stack runs already in {directory}, as process {taken.holder}. "
            "End it with Ctrl-C where it runs, or give this one another directory with --directory."
        ) from taken


def _write_private(path: Path, content: str) -> None:
    """Readable by its owner only, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
