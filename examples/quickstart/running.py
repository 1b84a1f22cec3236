"""What of a quickstart runs on this computer, found by what runs and not by memory, and ended.

A run that was killed could tell nobody what it had started. Its machines bear the fleet's mark, its broker has its home
in the quickstart's directory, and its daemon carries a mark in its environment. What never happens here: the end of a
process that bears none of these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psutil
from place import FLEET, Place

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import InstanceAbsent, Provider, ProviderError

MARK = "AUTOSCALER_QUICKSTART"
"""Environment variable of the daemon: the directory of its quickstart."""
_CALL_S = 10.0
_ROUNDS = 20
"""A daemon that was killed in the middle of an order leaves a machine that the first look may miss."""
_ROUND_S = 0.5
"""Not to be waited for longer: an ended process of a parent that does not care stays in the process table."""


def end_machines(place: Place) -> int:
    """End all machines of the quickstart's fleet in this directory, and say how many there were."""
    provider: Provider = open_provider(
        "local", name="here", fleet=FLEET, options={"directory": str(place.machines)}, clock=SystemClock()
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


def end_processes(place: Place) -> int:
    """End, by force, a daemon and a broker of this directory that nobody waits for. Says how many processes it was."""
    ended: set[int] = set()
    for _ in range(_ROUNDS):
        found = list(_processes(place))
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.kill()
        ended.update(process.pid for process in found)
        psutil.wait_procs(found, timeout=_ROUND_S)
    return len(ended)


def _processes(place: Place) -> Iterator[psutil.Process]:
    homes, mark = str(place.rabbitmq), str(place.directory)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # gone meanwhile, or another user's
            environment = process.environ()
            if environment.get("HOME") == homes or environment.get(MARK) == mark:
                yield process
