"""Where the time of a machine's boot went, read from the machine itself once its worker was heard.

In go a machine with its agent, when it was ordered and when its worker was heard first; out come instants by our clock,
and the seconds between them. What never happens here: a guess. What the machine does not tell is None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from testbed.virtual.agent import AgentUnheard
from testbed.virtual.machine import VirtualMachine
from testbed.waiting import wait_until

_UNITS = ("systemd-networkd-wait-online", "cloud-init-local", "cloud-init", "cloud-config", "cloud-final")
_SCRIPT = r"""
echo Clock=$(date +%%s.%%N) $(cut -d' ' -f1 /proc/uptime)
systemctl show -p Id,ActiveEnterTimestampMonotonic %(units)s
for each in $(pgrep -o -f '[-]-hostname=celery@%(node)s'); do
  echo Worker=$each $(cut -d')' -f2- /proc/$each/stat | cut -d' ' -f21)/$(getconf CLK_TCK)
done
"""
"""One short command: each process that an emulated machine starts takes its time."""
_DEADLINE_S = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """One machine's road, as seconds from one milestone to the next; None where the machine did not say."""

    node: str
    image: str
    order_to_kernel_s: float | None
    order_to_network_s: float | None
    network_to_heard_s: float | None
    order_to_heard_s: float
    network_to_files_s: float | None
    """Until cloud-init's first stage has ended: users and files are there."""
    files_to_process_s: float | None
    """Until the keeper has started the worker's process: packages and the application come in between."""
    worker_start_s: float | None
    """From there to the worker's first word: what `celery worker` itself takes."""
    order_to_first_task_s: float | None = None
    reported: Mapping[str, float] | None = None
    """What the machine itself told the daemon, and the daemon added: seconds of each phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """The main process of a machine's worker, and when it began by our clock."""

    pid: str
    began_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a machine says of itself, by our clock."""

    kernel_at: float
    units: Mapping[str, float]
    """When each came up."""
    worker: Worker | None


def read(machine: VirtualMachine, *, image: str, ordered_at: float, heard_at: float) -> Phases:
    """Ask the machine. Waits for its agent, which may come up after the worker."""
    seen = look(machine)
    network_at = seen.units.get("systemd-networkd-wait-online", seen.units.get("cloud-init"))
    files_at = seen.units.get("cloud-init")
    process_at = seen.worker.began_at if seen.worker else None
    return Phases(
        node=machine.hardware.name,
        image=image,
        order_to_kernel_s=_between(ordered_at, seen.kernel_at),
        order_to_network_s=_between(ordered_at, network_at),
        network_to_heard_s=_between(network_at, heard_at),
        order_to_heard_s=round(heard_at - ordered_at, 1),
        network_to_files_s=_between(network_at, files_at),
        files_to_process_s=_between(files_at, process_at),
        worker_start_s=_between(process_at, heard_at),
    )


def look(machine: VirtualMachine) -> Look:
    """Ask the machine, and again until its agent answers. Raises DeadlinePassed."""
    name = machine.hardware.name
    script = _SCRIPT % {"units": " ".join(f"{unit}.service" for unit in _UNITS), "node": name}
    told = wait_until(lambda: _told(machine, script), _DEADLINE_S, f"the agent of {name} to answer")
    return parse(*told) if told else Look(kernel_at=0.0, units={}, worker=None)


def parse(output: str, clock_ahead_s: float) -> Look:
    """What the script wrote, on a machine whose clock was so far ahead of ours when it did.

    Its clock was set right when its kernel began and has been too fast or too slow since, evenly: an emulated processor
    on a busy computer is measured badly at boot.
    """
    clock = re.search(r"^Clock=([\d.]+) ([\d.]+)$", output, re.MULTILINE)
    if clock is None:
        raise ValueError(f"the machine does not tell its time: {output[:200]!r}")
    now, up_s = float(clock[1]), float(clock[2])
    kernel_at = now - up_s
    pace = (up_s - clock_ahead_s) / up_s
    entered = re.findall(r"^Id=(\S+)\.service\nActiveEnterTimestampMonotonic=(\d+)$", output, re.MULTILINE)
    worker = re.search(r"^Worker=(\d+) (\d+)/(\d+)$", output, re.MULTILINE)
    return Look(
        kernel_at=kernel_at,
        units={unit: kernel_at + pace * int(at) / 1e6 for unit, at in entered if int(at)},
        worker=Worker(pid=worker[1], began_at=kernel_at + pace * int(worker[2]) / int(worker[3]))
        if worker
        else None,
    )


def _told(machine: VirtualMachine, script: str) -> tuple[str, float] | None:
    try:
        ahead_s = machine.agent.clock_ahead_s()
        return machine.agent.run("/bin/sh", "-c", script).output, ahead_s
    except AgentUnheard:
        return None


def _between(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else round(second - first, 1)
