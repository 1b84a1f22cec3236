"""One account of the `local` provider on this computer, as tests use it: what to order, and what runs of it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from autoscaler.clock import SystemClock
from providers.contract import InstanceSpec, NodeName
from providers.local import keeper, processes
from providers.local.provider import LocalProvider, open_local

DEADLINE_S = 40.0
"""For machines that have other things to do; parts of a second are usual."""
PROGRAM = ("sleep", "600")
SECRET = "hunter2-for-the-broker"
_FLEETS = itertools.count(1)


def until(holds: Callable[[], object]) -> bool:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return bool(holds())


def has_ended(process: psutil.Process) -> bool:
    """Whether it runs no more, though nobody may have waited for it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Here:
    """One account on this computer: where it is, its fleet, and what runs of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fleet = f"unit-{os.getpid()}-{next(_FLEETS)}"

    def open(self, **options: object) -> LocalProvider:
        given = {"directory": str(self.directory), **options}
        return open_local(name="here", fleet=self.fleet, options=given, clock=SystemClock())

    def spec(
        self,
        argv: Sequence[str] = PROGRAM,
        *,
        name: str = "images-1",
        environment: Mapping[str, str] | None = None,
        expected: Sequence[int] = (0,),
    ) -> InstanceSpec:
        program = {
            "argv": list(argv),
            "environment": dict(environment or {}),
            "directory": str(self.directory),
            "expected_exit_codes": list(expected),
        }
        return self.raw(json.dumps(program).encode(), name=name)

    def raw(self, user_data: bytes, *, name: str = "images-1") -> InstanceSpec:
        return InstanceSpec(
            name=NodeName(name),
            fleet=self.fleet,
            pool="images",
            size="",
            image="",
            location="",
            user_data=user_data,
        )

    def place(self, name: str = "images-1") -> Path:
        return self.directory / self.fleet / name

    def running(self, name: str = "images-1") -> list[psutil.Process]:
        return list(processes.look(self.fleet, self.directory / self.fleet).machines.get(name, []))

    def running_as(self, *command: str, name: str = "images-1") -> list[psutil.Process]:
        """What of the machine runs this very command."""
        found = []
        for each in self.running(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                if list(command) == each.cmdline():
                    found.append(each)
        return found

    def works(self, name: str = "images-1") -> bool:
        """Whether the program of `spec` runs. Before that, its process is for an instant a second keeper to look at."""
        return bool(self.running_as(*PROGRAM, name=name))

    def keeper(self, name: str = "images-1") -> psutil.Process:
        """The keeper of a machine that works."""
        (found,) = [each for each in self.running(name) if keeper.__file__ in each.cmdline()]
        return found

    def reboot(self) -> None:
        """End all that runs of the account's machines, which work, as a reboot does."""

        def all_ended() -> bool:
            machines = processes.look(self.fleet, self.directory / self.fleet).machines
            for each in (process for running in machines.values() for process in running):
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            return not machines

        assert until(all_ended)

    def log(self, name: str = "images-1") -> str:
        return (self.place(name) / "log").read_text()


def names(provider: LocalProvider) -> list[str]:
    return [each.name for each in provider.list_instances(timeout_s=5.0).instances]
