"""The stage of floods and troubles: a real RabbitMQ, the real daemon as a process, real workers (provider `local`).

A `Stage` is one fleet in one directory. It starts and kills daemons, sends tasks, and tells what became of them from
the ledger that the tasks themselves write, from the journal, and from the processes that run.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from providers.local import processes
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until

ROOT = Path(__file__).parents[2]
APP = Path(__file__).parent / "flood" / "app"
AUTOSCALER = Path(sys.executable).parent / "autoscaler"
CEILING = 3
SLOTS = 4
LOG = "daemon.log"

_CONFIG = """\
[fleet]
name = "{fleet}"

[loop]
tick = "{tick}"
observe_timeout = "4s"

[broker]
management_url = "{management_url}"
amqp_url = "amqp://127.0.0.1:{amqp_port}"
username = "{user}"
password = {{ env = "FLOOD_PASSWORD" }}
vhost = "{vhost}"
statistics_interval = "1s"
timeout = "{broker_timeout}"

[journal]
url = {journal_url}
{journal_more}

[log]
format = "json"

[web]
listen = "{listen}"
{web}

[providers.here]
{account}

[pools.flood]
queues = ["{queue}"]
slots = {slots}

[pools.flood.limits]
max_workers = {ceiling}

[[pools.flood.policies]]
kind = "backlog"
messages_per_worker = 20

[pools.flood.stabilize]
scale_in_window = "{scale_in_window}"
scale_in_cooldown = "0s"

[pools.flood.timeouts]
create = "{create}"
enrol = "60s"
silence = "{silence}"
stop = "10s"

[[pools.flood.offers]]
provider = "here"
price_per_hour = 0.01
{offer}

[pools.flood.bootstrap]
app = "flood_tasks"
source = "image"
python = "{worker_python}"
directory = "{app}"
{bootstrap}

[pools.flood.bootstrap.environment]
FLOOD_LEDGER = "{directory}/ledger"
FLOOD_ACKS_LATE = "{acks_late}"
FLOOD_PREFETCH = "{prefetch}"

{more_pools}
"""


@dataclass(slots=True, kw_only=True)
class Stage:
    """One fleet with its broker, its daemon and its ledger."""

    directory: Path
    broker: PrivateRabbitMQ
    fleet: str
    acks_late: bool = True
    prefetch: int = 1
    worker_python: str = sys.executable
    vhost: str = "/"
    queue: str = "flood"
    slots: int = SLOTS
    ceiling: int = CEILING
    scale_in_window: str = "3s"
    silence: str = "30s"
    create: str = "15s"
    tick: str = "1s"
    journal_url: str | None = None
    """None for an SQLite file in the stage's directory."""
    journal_more: str = ""
    """TOML beside it, such as its password."""
    account: str = ""
    """TOML of the account that machines come from; empty for processes on this computer."""
    offer: str = ""
    """TOML: what an offer at that account needs besides its price."""
    bootstrap: str = ""
    """TOML: what a machine there is told besides."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Variables of the daemon that these name."""
    management_url: str | None = None
    """Where the daemon looks for the management API; None for the broker's own."""
    amqp_port: int | None = None
    """Where the daemon finds the broker itself; None for the broker's own."""
    broker_timeout: str = "5s"
    listen: str = "off"
    web: str = ""
    """More keys of `[web]`, in TOML."""
    more_pools: str = ""
    """TOML: further providers and pools, beside the pool `flood`."""
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Write the configuration."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.config.write_text(
            _CONFIG.format(
                fleet=self.fleet,
                management_url=self.management_url or self.broker.management_url,
                amqp_port=self.amqp_port or self.broker.amqp_port,
                user=self.broker.user,
                vhost=self.vhost,
                directory=self.directory,
                queue=self.queue,
                tick=self.tick,
                journal_url=json.dumps(self.journal),
                journal_more=self.journal_more,
                account=self.account or f'kind = "local"\ndirectory = "{self.directory}/nodes"',
                offer=self.offer,
                bootstrap=self.bootstrap,
                create=self.create,
                slots=self.slots,
                ceiling=self.ceiling,
                scale_in_window=self.scale_in_window,
                silence=self.silence,
                broker_timeout=self.broker_timeout,
                listen=self.listen,
                web=self.web,
                more_pools=self.more_pools,
                worker_python=self.worker_python,
                app=APP,
                acks_late=int(self.acks_late),
                prefetch=self.prefetch,
            )
        )

    @property
    def config(self) -> Path:
        return self.directory / "config.toml"

    @property
    def journal(self) -> str:
        """Its address."""
        return self.journal_url or f"sqlite:///{self.directory}/journal.db"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "FLOOD_PASSWORD": self.broker.password,
            "AUTOSCALER_CONFIG": str(self.config),
            **self.secrets,
        }

    def start_daemon(self, *command: str, log: str = LOG) -> subprocess.Popen[bytes]:
        """A new daemon; what it says goes to that file, all of them after each other.

        `command` starts it in another way than an operator does; it runs in the root of the repository.
        """
        with (self.directory / log).open("ab") as output:
            daemon = subprocess.Popen(
                command or [AUTOSCALER, "run"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.daemons.append(daemon)
        return daemon

    def kill_daemon(self) -> None:
        """`kill -9`, whatever it is doing."""
        self.daemons[-1].kill()
        self.daemons[-1].wait()

    def stop_daemon(self) -> int:
        """SIGTERM, and its exit code."""
        self.daemons[-1].send_signal(signal.SIGTERM)
        return self.daemons[-1].wait(timeout=60)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One command, as an operator gives it."""
        return subprocess.run(
            [AUTOSCALER, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def asked(self, *arguments: str) -> Any:
        """What a command says with `--json`."""
        answer = self.run(*arguments, "--json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)

    def send(self, seconds: Mapping[int, float]) -> None:
        """Put tasks into the queue: number → how long each takes. The broker has said that it holds them."""
        with Celery(broker=self.broker.amqp_url_for(self.vhost)) as app:
            app.conf.task_default_queue = self.queue
            # A broker that is stopped may forget what it never confirmed, and that is no fault of ours.
            app.conf.broker_transport_options = {"confirm_publish": True}
            for number, duration in seconds.items():
                app.send_task("flood.work", args=(number, duration), queue=self.queue, ignore_result=True)

    def noted(self, what: str) -> Counter[int]:
        """How often each task began, or ended."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.directory / "ledger").read_text().splitlines()
            return Counter(int(line.split()[1]) for line in lines if line.startswith(what))
        return Counter()

    def nodes(self) -> dict[str, str]:
        """Every record, those gone included: name → state."""
        return {node["name"]: node["state"] for node in self.asked("nodes", "--all")["nodes"]}

    def live(self) -> dict[str, str]:
        return {name: state for name, state in self.nodes().items() if state != "gone"}

    def told(self) -> list[str]:
        """The states of machines that are not gone, as the daemon's log has them: known sooner than by a command."""
        last = {each["node"]: each["after"] for each in self.said("node.moved")}
        return [state for state in last.values() if state != "gone"]

    def processes(self) -> list[psutil.Process]:
        """Every process that bears this fleet's mark, whoever its parent is."""
        return [process for running in processes.machines(self.fleet).values() for process in running]

    def machines(self) -> Counter[str]:
        """The machines that stand now, by name: each is one keeper process. More than one of a name is a double."""
        found: Counter[str] = Counter()
        for name, running in processes.machines(self.fleet).items():
            for process in running:
                with contextlib.suppress(psutil.Error):
                    found[name] += any(part.endswith("keeper.py") for part in process.cmdline())
        return found

    def wait_until_ended(self, count: int, deadline_s: float) -> None:
        wait_until(
            lambda: len(self.noted("ended")) >= count,
            deadline_s,
            lambda: f"{count} tasks to end; {len(self.noted('ended'))} did\n{self.tail()}",
            pause_s=0.5,
        )

    def wait_until_said(self, event: str, times: int = 1, deadline_s: float = 30, *, log: str = LOG) -> None:
        wait_until(
            lambda: len(self.said(event, log)) >= times,
            deadline_s,
            lambda: f"{event}, {times} times\n{self.tail(log)}",
        )

    def wait_until_serving(self, count: int, deadline_s: float = 60) -> dict[str, str]:
        """Until so many nodes are all there are, and serve; those nodes."""
        wait_until(
            lambda: self.told() == ["ready"] * count,
            deadline_s,
            lambda: f"{count} workers to serve, and no other nodes\n{self.tail()}",
        )
        return self.live()

    def wait_until_empty(self, deadline_s: float) -> None:
        """Until no node is on record and no process of the fleet runs."""
        wait_until(
            lambda: not self.processes() and not self.live(),
            deadline_s,
            lambda: (
                f"the pool to drain to nothing; there are {self.live()} and {self.processes()}\n{self.tail()}"
            ),
            pause_s=0.5,
        )

    def said(self, event: str, log: str = LOG) -> list[dict[str, Any]]:
        """Every event of this name that the daemons of this log said, oldest first."""
        lines: list[str] = []
        with contextlib.suppress(FileNotFoundError):
            lines = (self.directory / log).read_text().splitlines()
        return [each for line in lines for each in _documents(line) if each["event"] == event]

    def tail(self, log: str = LOG, lines: int = 40) -> str:
        """The end of a daemon's log, for a failure's message."""
        with contextlib.suppress(FileNotFoundError):
            return "\n".join((self.directory / log).read_text().splitlines()[-lines:])
        return ""

    def close(self) -> None:
        """End daemons and everything that bears the fleet's mark, by process id."""
        for daemon in self.daemons:
            if daemon.poll() is None:
                daemon.kill()
                daemon.wait()
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()


def _documents(line: str) -> Iterator[dict[str, Any]]:
    """The events of a line: a daemon that was killed may leave its last one unfinished, and the next goes on there."""
    decoder = json.JSONDecoder()
    for start in (found.start() for found in re.finditer(r'\{"', line)):
        with contextlib.suppress(ValueError):
            document, _ = decoder.raw_decode(line, start)
            if "event" in document:
                yield document
