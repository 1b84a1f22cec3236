"""What of an example runs on this computer, found by what runs and not by memory, and ended.

A run that was killed could tell nobody what it had started. Its machines bear the fleet's mark; its processes carry a
mark in their environment, or are at home or at work in a directory of the example's. What never happens here: the end
of a process that has none of these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psutil

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import InstanceAbsent, Provider, ProviderError

_CALL_S = 10.0
_ROUNDS = 20
"""A daemon that was killed in the middle of an order leaves a machine that the first look may miss."""
_ROUND_S = 0.5
"""Not to be waited for longer: an ended process of a parent that does not care stays in the process table."""


def end_machines(fleet: str, directory: Path) -> int:
    """End all machines of the fleet that the provider `local` keeps in this directory, and say how many there were."""
    provider: Provider = open_provider(
        "local", name="here", fleet=fleet, options={"directory": str(directory)}, clock=SystemClock()
    )
    ended: set[str] = set()
    with contextlib.closing(provider):
        for _ in range(_ROUNDS):
            found = provider.list_instances(timeout_s=_CALL_S).instances
            if not found:
                break
            for machine in found:
                ended.add(machine.name)
                # Absent is what we want, and whatever else is said is asked about again by the next look.
                with contextlib.suppress(InstanceAbsent, ProviderError):
                    provider.destroy(machine.name, machine.instance_id, timeout_s=_CALL_S)
    return len(ended)


def end_processes(mark: tuple[str, str], homes: tuple[Path, ...]) -> int:
    """End, by force, processes nobody waits for: with the variable `mark`, or at home or at work in one of `homes`.

    Says how many there were. A program may overwrite its own environment, as nginx does; none loses its directory.
    """
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = list(_processes(mark, frozenset(map(str, homes))))
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        ended.update(process.pid for process in found)
        psutil.wait_procs(found, timeout=_ROUND_S)
    return len(ended)


def _processes(mark: tuple[str, str], homes: frozenset[str]) -> Iterator[psutil.Process]:
    name, value = mark
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            environment = process.environ()
            if environment.get(name) == value or homes & {environment.get("HOME", ""), process.cwd()}:
                yield process
