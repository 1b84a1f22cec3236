"""`python -m benchmarks.startup`: what the program costs before it does anything, and while there is nothing to do.

Help and completion are called again and again; a daemon is started over a journal of 10,000 machines until its first
tick is written down; another one with five pools is left alone for two minutes. Both look at a real RabbitMQ; their
machines are lines of a file that a program lists. Counted are seconds of a processor, whoever else is at work, beside
those by the clock. The figures go to build/startup.json; it fails above the limits. What never happens here: a task, or
a worker.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, sleep
from urllib.parse import quote

import psutil
import requests

from autoscaler.clock import SystemClock
from autoscaler.config import Settings, parse
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.journal import Journal, open_journal, read
from benchmarks import fleet_toml, overview
from testbed.rabbitmq import PrivateRabbitMQ

OUT = Path("build/startup.json")
HELP_S, FIRST_TICK_S, IDLE_PERCENT, IDLE_BYTES = 0.3, 2.0, 1.0, 120_000_000
_COMMAND = (sys.executable, "-c", "from autoscaler.cli import main; main()")
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""An installed program has its bytecode beside it."""
_SHELL = {"_AUTOSCALER_COMPLETE": "complete_bash"}
_CALLS, _STARTS, _IDLE_S = 7, 3, 120.0
_POOLS, _NODES, _IDLE_POOLS = 100, 10_000, 5
_TICK_S = 10.0
_WARM_TICKS = 3
"""Before a daemon counts as idle: everything was loaded, and what is done once was."""
_START_S, _END_S, _PAUSE_S = 90.0, 30.0, 0.02
_SECRETS = {"BROKER": "amqp://shop:nobody@rabbit.example/"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One way to call the program that ends at once: medians."""

    cpu_s: float
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstTick:
    """From the start of the process until its first tick stood in the journal: medians."""

    pools: int
    nodes: int
    cpu_s: float
    waited_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """A daemon that has nothing to do."""

    pools: int
    tick_s: float
    over_s: float
    percent_of_a_core: float
    resident_bytes: int
    unique_bytes: int
    """Of those, what no other process shares."""
    threads: int
    open_files: int
    """Sockets and pipes too."""


def _call(*arguments: str, environment: Mapping[str, str] | None = None) -> Call:
    found = [_once(arguments, environment or {}) for _ in range(_CALLS + 1)][1:]
    return Call(
        cpu_s=round(statistics.median(each.cpu_s for each in found), 3),
        waited_s=round(statistics.median(each.waited_s for each in found), 3),
    )


def _once(arguments: tuple[str, ...], environment: Mapping[str, str]) -> Call:
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    subprocess.run(
        [*_COMMAND, *arguments], env={**_ENVIRONMENT, **environment},
        stdout=subprocess.DEVNULL, check=True, timeout=_END_S,
    )  # fmt: skip
    after, waited_s = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter() - began
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Call(cpu_s=cpu_s, waited_s=waited_s)


def _completed(*words: str, config: Path | str = "/nonexistent") -> Call:
    line = {"COMP_WORDS": " ".join(("autoscaler", *words)), "COMP_CWORD": str(len(words))}
    return _call(environment=_SHELL | line | {"AUTOSCALER_CONFIG": str(config)})


def _configure(directory: Path, broker: PrivateRabbitMQ, pools: int, tick_s: float) -> Settings:
    """A configuration file with so many pools, and their queues at the broker."""
    names = [f"pool-{number:03}" for number in range(pools)]
    head = fleet_toml.head(
        directory / "journal.db",
        f'kind = "external"\ncommand = ["/bin/cat", "{directory / "machines.json"}"]',
        tick_s=tick_s,
        management_url=broker.management_url,
        amqp_port=broker.amqp_port,
        user=broker.user,
    )
    text = head + "".join(
        fleet_toml.pool(
            name, 'kind = "wait"\ntarget_wait = "30s"', most=200, more='broker_url = { env = "BROKER" }\n'
        )
        for name in names
    )
    (directory / "config.toml").write_text(text, encoding="utf-8")
    _list(directory, ())
    for name in names:
        answer = requests.put(
            f"{broker.management_url}/api/queues/%2F/{quote(name)}",
            json={"durable": True}, auth=(broker.user, broker.password), timeout=_END_S,
        )  # fmt: skip
        answer.raise_for_status()
    return parse(text, _SECRETS | {"PASSWORD": broker.password}, source="benchmark")


def _list(directory: Path, nodes: Iterable[Node]) -> None:
    """What the account's program answers: these machines run."""
    machines = [
        {"id": node.instance_id, "name": node.name, "state": "running", "fleet": "shop", "pool": node.pool}
        for node in nodes
    ]
    listing = {"protocol": 1, "complete": True, "machines": machines}
    (directory / "machines.json").write_text(json.dumps(listing), encoding="utf-8")


@contextmanager
def _daemon(directory: Path, broker: PrivateRabbitMQ) -> Iterator[psutil.Process]:
    with (directory / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [*_COMMAND, "run", "--config", str(directory / "config.toml")],
            env=_ENVIRONMENT | _SECRETS | {"PASSWORD": broker.password},
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _until_ticked(journal: Journal, process: psutil.Process, since_at: float) -> None:
    """Wait until a tick of a later time stands in the journal."""
    end = perf_counter() + _START_S
    while (read.last_tick_at(journal) or 0.0) <= since_at:
        if perf_counter() > end or not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            raise TimeoutError("the daemon did not tick; its log is daemon.log in its directory")
        sleep(_PAUSE_S)


def _cpu_s(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return spent.user + spent.system


def _first_tick(broker: PrivateRabbitMQ, pools: int, nodes: int) -> FirstTick:
    waits, spent = [], []
    for _ in range(_STARTS):
        with tempfile.TemporaryDirectory() as name:
            directory, clock = Path(name), SystemClock()
            configured = _configure(directory, broker, pools, _TICK_S)
            journal = open_journal(configured.journal.url)
            began_at = clock.now()
            overview.fill(journal, configured, nodes, began_at, states=(NodeState.READY,))
            _list(directory, overview.fleet(configured, nodes, began_at))
            began = perf_counter()
            try:
                with _daemon(directory, broker) as process:
                    _until_ticked(journal, process, began_at)
                    waits.append(perf_counter() - began)
                    spent.append(_cpu_s(process))
            finally:
                journal.close()
    return FirstTick(
        pools=pools,
        nodes=nodes,
        cpu_s=round(statistics.median(spent), 2),
        waited_s=round(statistics.median(waits), 2),
    )


def _idle(broker: PrivateRabbitMQ, pools: int, tick_s: float, over_s: float) -> Idle:
    with tempfile.TemporaryDirectory() as name:
        directory, clock = Path(name), SystemClock()
        configured = _configure(directory, broker, pools, tick_s)
        open_journal(configured.journal.url).close()
        journal = open_journal(configured.journal.url, read_only=True)
        try:
            with _daemon(directory, broker) as process:
                for _ in range(_WARM_TICKS):
                    _until_ticked(journal, process, clock.now())
                before, began = _cpu_s(process), perf_counter()
                sleep(over_s)
                spent, took_s = _cpu_s(process) - before, perf_counter() - began
                memory = process.memory_full_info()
                return Idle(
                    pools=pools,
                    tick_s=tick_s,
                    over_s=round(took_s, 1),
                    percent_of_a_core=round(100.0 * spent / took_s, 2),
                    resident_bytes=memory.rss,
                    unique_bytes=memory.uss,
                    threads=process.num_threads(),
                    open_files=process.num_fds(),
                )
        finally:
            journal.close()


def main() -> int:
    """Measure, write it down, tell it; 1 above a limit."""
    parser = argparse.ArgumentParser(prog="benchmarks.startup")
    parser.add_argument("--idle", type=float, default=_IDLE_S, help="seconds to look at the idle daemon")
    parser.add_argument("--tick", type=float, default=_TICK_S, help="seconds between its ticks")
    parser.add_argument("--nodes", type=int, default=_NODES)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, PrivateRabbitMQ(Path(name, "broker")) as broker:
        _configure(Path(name), broker, _IDLE_POOLS, asked.tick)
        calls = {
            "--help": _call("--help"),
            "TAB for a command": _completed("hi"),
            "TAB for a pool": _completed("why", "po", config=Path(name, "config.toml")),
        }
        first = _first_tick(broker, _POOLS, asked.nodes)
        idle = _idle(broker, _IDLE_POOLS, asked.tick, asked.idle)
    record = {
        "calls": {label: asdict(call) for label, call in calls.items()},
        "first_tick": asdict(first),
        "idle": asdict(idle),
    }
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for label, call in calls.items():
        sys.stdout.write(
            f"{label}: {call.cpu_s * 1000:.0f} ms of a processor, {call.waited_s * 1000:.0f} ms by the clock\n"
        )
    sys.stdout.write(
        f"run to its first tick with {first.pools} pools and {first.nodes} machines on record: {first.cpu_s:.2f} s of "
        f"a processor, {first.waited_s:.2f} s by the clock (limit {FIRST_TICK_S:g})\n"
        f"idle with {idle.pools} pools at a tick of {idle.tick_s:g} s: {idle.percent_of_a_core:.2f} % of a core (limit "
        f"{IDLE_PERCENT:g}), {idle.resident_bytes / 1e6:.0f} MB resident (limit {IDLE_BYTES / 1e6:.0f}; "
        f"{idle.unique_bytes / 1e6:.0f} its own), {idle.threads} threads, {idle.open_files} open files\n"
    )
    within = (
        calls["--help"].waited_s < HELP_S,
        first.waited_s < FIRST_TICK_S,
        idle.percent_of_a_core < IDLE_PERCENT,
        idle.resident_bytes < IDLE_BYTES,
    )
    return 0 if all(within) else 1


if __name__ == "__main__":
    sys.exit(main())
