"""What a sample of the long run holds: the daemon's process, the broker's own counts, the fleet, the tasks.

In go a stage and its process, out come figures by name. What a broker that is just restarted does not tell is left out.
What never happens here: a judgement.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import requests

from tests.integration.stage import Stage

MIB = 2**20
_ANSWER_S = 5.0
_BROKER = ("connections", "channels", "queues", "consumers", "exchanges")


def taken(stage: Stage, daemon: psutil.Process, sent: int) -> dict[str, float]:
    """Every figure that can be had now."""
    return {
        **_of_daemon(stage, daemon),
        **_of_journal(stage.directory),
        **_of_broker(stage),
        **_of_fleet(stage),
        **_of_tasks(stage, sent),
    }


def _of_daemon(stage: Stage, daemon: psutil.Process) -> dict[str, float]:
    """Raises psutil.NoSuchProcess when it is gone: the run is over then."""
    memory, times = daemon.memory_full_info(), daemon.cpu_times()
    ports = [each.raddr.port for each in daemon.net_connections() if each.raddr]
    return {
        "rss_mib": memory.rss / MIB,
        "pss_mib": memory.pss / MIB,
        "uss_mib": memory.uss / MIB,
        "handles": daemon.num_fds(),
        "threads": daemon.num_threads(),
        "children": len(daemon.children(recursive=True)),
        "to_amqp": ports.count(stage.broker.amqp_port),
        "to_management": ports.count(stage.broker.management_port),
        "sockets": len(ports),
        "cpu_s": times.user + times.system,
    }


def _of_journal(directory: Path) -> dict[str, float]:
    sizes = {"journal_mib": "journal.db", "wal_mib": "journal.db-wal", "log_mib": "daemon.log"}
    found: dict[str, float] = {}
    for name, file in sizes.items():
        with contextlib.suppress(FileNotFoundError):
            found[name] = (directory / file).stat().st_size / MIB
    return found


def _of_broker(stage: Stage) -> dict[str, float]:
    """As the management API has it; nothing of it while that does not answer."""
    with contextlib.suppress(requests.RequestException, psutil.Error, KeyError):
        totals = _asked(stage, "overview")["object_totals"]
        queues = _asked(stage, f"queues/{quote(stage.vhost, safe='')}")
        return {
            **{f"broker_{name}": totals[name] for name in _BROKER},
            "broker_exclusive_queues": sum(bool(each.get("exclusive")) for each in queues),
            "broker_messages": sum(each.get("messages", 0) for each in queues),
            "broker_rss_mib": psutil.Process(stage.broker.pid).memory_info().rss / MIB,
        }
    return {}


def _asked(stage: Stage, path: str) -> Any:
    answer = requests.get(
        f"{stage.broker.management_url}/api/{path}",
        auth=(stage.broker.user, stage.broker.password),
        timeout=_ANSWER_S,
    )
    answer.raise_for_status()
    return answer.json()


def _of_fleet(stage: Stage) -> dict[str, float]:
    machines = stage.machines()
    return {"machines": len(machines), "machine_processes": len(stage.processes())}


def _of_tasks(stage: Stage, sent: int) -> dict[str, float]:
    ended = stage.noted("ended")
    return {
        "sent": sent,
        "done": len(ended),
        "undone": sent - len(ended),
        "twice": sum(times > 1 for times in ended.values()),
    }


def is_rest(figures: Mapping[str, float], *, watched: bool) -> bool:
    """Whether nothing is to be done and nobody looks."""
    return not watched and not figures["machine_processes"] and not figures["undone"]
