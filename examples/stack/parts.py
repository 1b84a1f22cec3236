"""The parts of the stack, started one after another and ended in the other order.

In goes a ground, out come the broker, two application nodes under supervisord, nginx and the daemon, each known to
serve before the next one starts. What never happens here: a service of the system that is touched, or an end by name.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import requests
from ground import FLEET, HOST, MARK, Ground

from policies.phrases import count
from testbed import ports, running, waiting
from testbed.asked import Asked
from testbed.rabbitmq import PrivateRabbitMQ

AUTOSCALER = Path(sys.executable).parent / "autoscaler"
_SERVE_WITHIN_S = 60.0
_END_WITHIN_S = 25.0
"""The daemon lets calls under way finish, for 10 s, and an application process its requests, as long."""
_BROKER_END_S = 20.0
_TAIL_LINES = 15


class StackFailed(Exception):
    """A part cannot start, or ended that should not have. The message says which, and what it said last."""


class Parts:
    """One run. What `start` opens is ended by `everything`, last opened first."""

    def __init__(
        self, ground: Ground, asked: Asked, everything: ExitStack, say: Callable[[str], None]
    ) -> None:
        self.nodes: tuple[int, int] = (0, 0)
        self.port = 0
        self._ground = ground
        self._asked = asked
        self._everything = everything
        self._say = say
        self._watched: dict[str, tuple[subprocess.Popen[bytes], Path]] = {}

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}"

    def start(self, port: int | None) -> None:
        """Return once uploads are taken. Raises StackFailed, RabbitMQFailed, CannotFill, OSError."""
        nginx_program()
        if port is not None and not _is_free(port):
            raise StackFailed(f"Port {port} cannot be had: another program listens there, or it needs root.")
        self._everything.callback(end_processes, self._ground)  # whatever the orderly ends leave
        broker = self._start_broker()
        self._say("Starting two application nodes, nginx and the daemon …")
        self.start_nodes(broker.amqp_url)
        self.start_nginx(port)
        self._start_daemon(broker)

    def start_nodes(self, broker_url: str) -> None:
        """Two application processes on ports of their own, under a supervisord that starts them again."""
        first, second = ports.free_ports(2)
        self.nodes = (first, second)
        self._ground.write_nodes(self.nodes, broker_url)
        place = self._ground.supervisord
        supervisord = self._ground.python.parent / "supervisord"
        self._run("supervisord", [supervisord, "-c", place / "supervisord.conf"], place, place / "output.log")
        for number, port in enumerate(self.nodes, start=1):
            self._until_served(f"http://127.0.0.1:{port}", f"node {number}", place / f"node-{number}.log")

    def start_nginx(self, port: int | None = None) -> None:
        """In front of both, on this port or a free one."""
        self.port = port or ports.free_port()
        self._ground.write_nginx(self.port, self.nodes)
        place = self._ground.nginx
        log = place / "error.log"
        command = [nginx_program(), "-p", place, "-c", place / "nginx.conf", "-e", log, "-g", "daemon off;"]
        self._run("nginx", command, place, log)
        self._until_served(self.url, "nginx", log)

    def _start_daemon(self, broker: PrivateRabbitMQ) -> None:
        self._ground.write_config(broker)
        self._everything.callback(self._end_machines)
        command = [AUTOSCALER, "--config", self._ground.config, "run"]
        self._run("the daemon", command, Path.cwd(), self._ground.log)

    def check(self) -> None:
        """Raises StackFailed if a part ended by itself."""
        for name, (process, log) in self._watched.items():
            if process.poll() is not None:
                raise StackFailed(f"{name} ended with {process.returncode}. It said last:\n{_tail(log)}")

    def kill_node(self, number: int) -> int:
        """Kill the application process of a node, counted from 1, as a crash would; supervisord starts another.

        Returns the id of the process. Raises StackFailed where there is none.
        """
        supervisord, _ = self._watched["supervisord"]
        wanted = str(self.nodes[number - 1])
        for process in psutil.Process(supervisord.pid).children():
            with contextlib.suppress(psutil.Error):
                if wanted in process.cmdline():
                    process.kill()
                    return process.pid
        raise StackFailed(f"application node {number} has no process that could be killed")

    def _start_broker(self) -> PrivateRabbitMQ:
        self._say("Starting a private RabbitMQ (some 10 s) …")
        broker = PrivateRabbitMQ(self._ground.rabbitmq, statistics_interval_s=1.0)
        with self._asked.interrupting():
            broker.start()
        self._everything.callback(self._end_broker, broker)
        return broker

    def _run(self, name: str, command: list[str | Path], directory: Path, log: Path) -> None:
        with log.open("ab") as output:
            process = subprocess.Popen(
                command,
                cwd=directory,
                env={**os.environ, MARK: str(self._ground.directory)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us, and we end it when its turn comes
            )
        self._watched[name] = (process, log)
        self._everything.callback(self._end, name, process)

    def _until_served(self, url: str, name: str, log: Path) -> None:
        def answers() -> bool:
            self.check()
            return _serves(url, self._ground.authority)

        try:
            with self._asked.interrupting():
                waiting.wait_until(answers, _SERVE_WITHIN_S, f"{name} to serve", pause_s=0.2)
        except waiting.DeadlinePassed as error:
            raise StackFailed(f"{error}. It said last:\n{_tail(log)}") from error

    def _end(self, name: str, process: subprocess.Popen[bytes]) -> None:
        self._watched.pop(name)
        self._say(f"Ending {name} …")
        if process.poll() is None:
            process.terminate()
            self._asked.wait_for(lambda: process.poll() is not None, _END_WITHIN_S)
        if process.poll() is None:
            process.kill()
        process.wait()

    def _end_machines(self) -> None:
        ended = running.end_machines(FLEET, self._ground.machines)
        if ended:
            self._say(f"Ended {count(ended, 'worker')} still standing.")

    def _end_broker(self, broker: PrivateRabbitMQ) -> None:
        self._say("Ending RabbitMQ …")
        if broker.running:
            os.kill(broker.pid, signal.SIGTERM)
            self._asked.wait_for(lambda: not broker.running, _BROKER_END_S)
        broker.kill()


def nginx_program() -> Path:
    """Where Debian puts it, or wherever it is found. Raises StackFailed."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise StackFailed("nginx is needed: apt-get install nginx")
    return Path(found)


def end_processes(ground: Ground) -> int:
    """End, by force, what of this ground still runs, and say how many processes it was."""
    return running.end_processes((MARK, str(ground.directory)), (ground.rabbitmq, ground.nginx))


def clean(ground: Ground) -> str:
    """End and take away what an earlier run left behind. Says so, or nothing. Raises OSError."""
    processes, machines = end_processes(ground), running.end_machines(FLEET, ground.machines)
    ground.clear()
    if not processes and not machines:
        return ""
    return f"An earlier run was killed: ended {processes} processes and {count(machines, 'worker')} of it."


def _is_free(port: int) -> bool:
    with socket.socket() as held:
        # As nginx will: a port whose last connections linger is free.
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((ports.LOOPBACK, port))
        except (OSError, OverflowError):
            return False
    return True


def _serves(url: str, authority: Path) -> bool:
    try:
        return requests.get(f"{url}/healthz", verify=str(authority), timeout=5).ok
    except requests.RequestException:
        return False


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_TAIL_LINES:])
