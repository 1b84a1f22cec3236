"""The `local` provider: each machine is a keeper process with its worker, on this computer.

Machines outlive the daemon as a cloud's would, and are listed by what runs, never by memory. For trying out, for
tests, and for a team whose first machine is the one it has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import psutil

from providers.contract import (
    Finding,
    Instance,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    InstanceState,
    Listing,
    Options,
    OutcomeUnknown,
    ProviderOptionsWrong,
    ProviderTraits,
    Purchase,
    RequestRejected,
    UserDataFormat,
)
from providers.local import keeper, processes

_TRAITS = ProviderTraits(
    settle_s=2.0,  # the process table does not lag; this is for a start that is under way
    user_data_format=UserDataFormat.PROCESS,
    user_data_limit_bytes=1_000_000,
    names_unique=True,
)
_LOGS_KEPT = 50


class Clock(Protocol):
    """How long an end may take is counted on this."""

    def monotonic(self) -> float: ...


def open_local(*, name: str, fleet: str, options: Options, clock: Clock) -> LocalProvider:
    """Options: `directory` (absolute), `boot_s` (seconds before a machine starts its worker; 0)."""
    unknown = sorted(set(options) - {"directory", "boot_s"})
    if unknown:
        raise ProviderOptionsWrong(f"providers.{name}.{unknown[0]}: not an option of local")
    directory, boot_s = options.get("directory"), options.get("boot_s", 0.0)
    if not isinstance(directory, str) or not Path(directory).is_absolute():
        raise ProviderOptionsWrong(f"providers.{name}.directory: {directory!r}; expected an absolute path")
    if not isinstance(boot_s, int | float) or not 0 <= boot_s <= 3600:
        raise ProviderOptionsWrong(f"providers.{name}.boot_s: {boot_s!r}; expected seconds, 0 to 3600")
    return LocalProvider(fleet=fleet, directory=Path(directory), boot_s=float(boot_s), clock=clock)


class LocalProvider:
    """Machines of one fleet on this computer."""

    def __init__(self, *, fleet: str, directory: Path, boot_s: float, clock: Clock) -> None:
        self._fleet = fleet
        self._directory = directory / fleet
        self._boot_s = boot_s
        self._clock = clock

    @property
    def traits(self) -> ProviderTraits:
        return _TRAITS

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Start a keeper. A name that was used before is refused: its directory is the proof, made before the start."""
        del timeout_s  # starting a process waits for nothing
        place = self._directory / spec.name
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700)
        except FileExistsError as error:
            raise RequestRejected(f"{spec.name}: a machine of this name was made before") from error
        except OSError as error:
            raise RequestRejected(f"{spec.name}: cannot make {place}: {error.strerror}") from error
        try:
            _write_private(place / keeper.USER_DATA, spec.user_data)
            process = self._start(spec, place)
        except OSError as error:
            raise RequestRejected(f"{spec.name}: cannot start its keeper: {error.strerror}") from error
        return Instance(
            name=spec.name,
            instance_id=InstanceId(spec.name),
            state=InstanceState.PENDING,
            pool=spec.pool,
            created_at=_created_at(process.pid),
        )

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """Kill everything that bears the machine's mark, until nothing does."""
        del instance_id  # the name is the id
        deadline = self._clock.monotonic() + timeout_s
        running = processes.machines(self._fleet).get(name, [])
        if not running:
            self._forget(name)
            raise InstanceAbsent(f"{name}: nothing of it runs")
        while running:
            for process in running:
                # psutil compares the time of creation first, so a reused process id is never hit.
                with contextlib.suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(running, timeout=1.0)
            running = processes.machines(self._fleet).get(name, [])
            if running and self._clock.monotonic() > deadline:
                raise OutcomeUnknown(f"{name}: {len(running)} processes have not ended yet")
        self._forget(name)

    def list_instances(self, *, timeout_s: float) -> Listing:
        """What runs now."""
        del timeout_s  # reading the process table takes milliseconds
        instances = []
        for name, running in sorted(processes.machines(self._fleet).items()):
            created = [at for at in (_created_at(process.pid) for process in running) if at is not None]
            instances.append(
                Instance(
                    name=name,
                    instance_id=InstanceId(name),
                    state=InstanceState.RUNNING,
                    pool=processes.pool_of(running),
                    created_at=min(created, default=None),
                )
            )
        return Listing(instances=tuple(instances), complete=True)

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """Whether machines could keep their files where they are to."""
        del timeout_s
        place = next(p for p in (self._directory, *self._directory.parents) if p.exists())
        writable = os.access(place, os.W_OK)
        says = "can be written" if writable else f"cannot be made: no right to write {place}"
        fits = purchase.user_data_bytes <= _TRAITS.user_data_limit_bytes
        return (
            Finding(subject="directory", ok=writable, says=f"{self._directory} {says}"),
            Finding(subject="user data", ok=fits, says=f"{purchase.user_data_bytes} bytes"),
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _start(self, spec: InstanceSpec, place: Path) -> subprocess.Popen[bytes]:
        argv = [
            sys.executable,
            "-m",
            "providers.local.keeper",
            "--node",
            spec.name,
            "--directory",
            str(place),
        ]
        with (place / "log").open("ab") as log:
            process = subprocess.Popen(
                [*argv, "--boot-s", str(self._boot_s)],
                env=_environment(processes.mark(fleet=spec.fleet, pool=spec.pool, node=spec.name)),
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: neither Ctrl-C on the daemon's terminal nor the daemon's end reaches it.
                start_new_session=True,
            )
        # While the daemon lives the keeper is its child; somebody must take its exit code, or it stays a zombie.
        threading.Thread(target=process.wait, name=f"wait {spec.name}", daemon=True).start()
        return process

    def _forget(self, name: str) -> None:
        """Remove a gone machine's secrets; keep its log for a while, and its name taken."""
        place = self._directory / name
        with contextlib.suppress(FileNotFoundError):
            (place / keeper.USER_DATA).unlink()
        with contextlib.suppress(OSError):
            ended = sorted(
                (p for p in self._directory.iterdir() if not (p / keeper.USER_DATA).exists()),
                key=lambda p: p.stat().st_mtime,
            )
            for old in ended[:-_LOGS_KEPT]:
                shutil.rmtree(old, ignore_errors=True)


def _environment(mark: Mapping[str, str]) -> dict[str, str]:
    """The daemon's own environment holds secrets that are none of its machines' business."""
    passed = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"}
    return {**{key: value for key, value in os.environ.items() if key in passed}, **mark}


def _created_at(pid: int) -> float | None:
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def _write_private(path: Path, content: bytes) -> None:
    """Readable by its owner only, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
