"""The `local` provider: each machine is a keeper process with its worker, on this computer.

Machines outlive the daemon as a cloud's would, and are listed by what runs, never by memory. For trying out, for
tests, and for a team whose first machine is the one it has.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import psutil

from providers.contract import (
    CapacityRefused,
    Finding,
    Instance,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    InstanceState,
    Listing,
    MayAct,
    NotSent,
    Options,
    OutcomeUnknown,
    ProviderError,
    ProviderTraits,
    Purchase,
    RequestRejected,
    UserDataFormat,
    always,
)
from providers.local import keeper, processes
from providers.options import Reader

_TRAITS = ProviderTraits(
    settle_s=2.0,  # the process table does not lag; this is for a start that is under way
    user_data_format=UserDataFormat.PROCESS,
    user_data_limit_bytes=1_000_000,
    names_unique=True,
)
_LOGS_KEPT = 50
_LONGEST_BOOT_S = 3600.0
_START_S = 60.0
"""A directory younger than this may be that of a machine which another process is starting now."""
_SHOWN_WITHIN_S, _LOOK_AGAIN_S = 1.0, 0.001
"""A process that was just started shows no environment, and so no mark, for microseconds; on a busy computer longer."""
_SCARCE = frozenset({errno.EAGAIN, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE})
"""This computer is full: a lack of stock, which passes. Any other failure to start is a fault of ours."""


class Clock(Protocol):
    """The time a machine is born, and how long an end may take."""

    def now(self) -> float: ...

    def monotonic(self) -> float: ...


def open_local(
    *, name: str, fleet: str, options: Options, clock: Clock, may_act: MayAct = always
) -> LocalProvider:
    """Options: `directory` (absolute), `boot_s` (seconds before a machine starts its worker; 0)."""
    reader = Reader(name, options, known=("directory", "boot_s"))
    provider = LocalProvider(
        fleet=fleet,
        directory=reader.path("directory"),
        boot_s=reader.number("boot_s", default=0.0, most=_LONGEST_BOOT_S),
        clock=clock,
        may_act=may_act,
    )
    provider.forget_gone()
    return provider


class LocalProvider:
    """Machines of one fleet on this computer, each with a directory of its own: `DIRECTORY/FLEET/NAME`."""

    def __init__(
        self, *, fleet: str, directory: Path, boot_s: float, clock: Clock, may_act: MayAct = always
    ) -> None:
        self._fleet = fleet
        self._directory = directory / fleet
        self._boot_s = boot_s
        self._clock = clock
        self._may_act = may_act
        self._lock = threading.Lock()
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def traits(self) -> ProviderTraits:
        return _TRAITS

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Start a keeper. A name that was used before is refused: its directory is the proof, made before the start."""
        deadline = self._clock.monotonic() + min(timeout_s, _SHOWN_WITHIN_S)
        self._refuse(spec)
        place = self._directory / spec.name
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _refusal(f"{spec.name}: cannot make {self._directory}", error) from error
        try:
            place.mkdir(mode=0o700)
        except FileExistsError as error:
            raise RequestRejected(f"{spec.name}: a machine of this name was made before") from error
        except OSError as error:
            raise _refusal(f"{spec.name}: cannot make {place}", error) from error
        created_at = self._clock.now()
        try:
            _write_private(place / keeper.USER_DATA, spec.user_data)
            if not self._may_act():
                self._forget(spec.name)
                raise NotSent(f"{spec.name}: its keeper was not started: the lease is not surely ours")
            child = self._start(spec, place, created_at)
        except OSError as error:
            self._forget(spec.name)
            raise _refusal(f"{spec.name}: cannot start its keeper", error) from error
        # Whoever lists next shall find it, and whoever destroys it next shall not be told that nothing runs.
        while (
            not processes.shows_its_mark(child.pid)
            and child.poll() is None
            and self._clock.monotonic() < deadline
        ):
            time.sleep(_LOOK_AGAIN_S)
        return Instance(
            name=spec.name,
            instance_id=InstanceId(spec.name),
            state=InstanceState.PENDING,
            pool=spec.pool,
            created_at=created_at,
        )

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """Kill everything of the machine, until nothing of it runs; then remove its secrets."""
        if not processes.NAME.fullmatch(name) or instance_id not in {None, name}:
            raise InstanceAbsent(f"{name}: no machine of fleet {self._fleet} here")
        deadline = self._clock.monotonic() + timeout_s
        running = self._look().machines.get(name, [])
        if not running:
            self._forget(name)
            raise InstanceAbsent(f"{name}: nothing of it runs")
        killed = False
        while running:
            if not self._may_act():
                means = OutcomeUnknown if killed else NotSent
                raise means(f"{name}: {len(running)} of its processes left: the lease is not surely ours")
            left_s = deadline - self._clock.monotonic()
            if left_s <= 0:
                raise OutcomeUnknown(f"{name}: {len(running)} of its processes have not ended yet")
            for process in running:
                # psutil compares the time of creation first, so a process id that was given away again is never hit.
                with contextlib.suppress(psutil.Error):
                    process.kill()
            killed = True
            psutil.wait_procs(running, timeout=min(left_s, 1.0))
            running = self._look().machines.get(name, [])
        self._forget(name)

    def list_instances(self, *, timeout_s: float) -> Listing:
        """What runs now."""
        del timeout_s  # reading the process table takes milliseconds
        found = self._look()
        return Listing(
            instances=tuple(_instance(name, found.marks[name]) for name in sorted(found.machines)),
            complete=not found.hidden,
            why_incomplete="; ".join(found.hidden[:3]),
        )

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """Whether machines could keep their files where they are to."""
        del timeout_s
        place = next(p for p in (self._directory, *self._directory.parents) if p.exists())
        writable = place.is_dir() and os.access(place, os.W_OK | os.X_OK)
        says = "can be written" if writable else f"cannot be made: no right to write {place}"
        fits = purchase.user_data_bytes <= _TRAITS.user_data_limit_bytes
        most = f"{purchase.user_data_bytes} of at most {_TRAITS.user_data_limit_bytes} bytes"
        return (
            Finding(subject="directory", ok=writable, says=f"{self._directory} {says}"),
            Finding(subject="price", ok=True, says="nothing: machines are processes of this computer"),
            Finding(subject="quota", ok=True, says="what this computer bears"),
            Finding(subject="network", ok=True, says="this computer's own"),
            Finding(subject="user data", ok=fits, says=most),
        )

    def close(self) -> None:
        """Nothing is held open. Keepers that have ended are waited for; the others are init's, once we are gone."""
        self._reap()

    def forget_gone(self) -> None:
        """Remove the secrets of machines that run no more and that nobody destroyed, as after a reboot."""
        found = self._look()
        with contextlib.suppress(OSError):
            for place in () if found.hidden else tuple(self._directory.iterdir()):
                age_s = self._clock.now() - place.stat().st_mtime
                if place.name not in found.machines and age_s > _START_S:
                    self._forget(place.name)

    def _refuse(self, spec: InstanceSpec) -> None:
        if not processes.NAME.fullmatch(spec.name):
            raise RequestRejected(
                f"{spec.name!r}: expected a name of lower case letters, digits and dashes, 63 at most"
            )
        if spec.fleet != self._fleet:
            raise RequestRejected(f"{spec.name}: is of fleet {spec.fleet!r}; expected {self._fleet!r}")
        if len(spec.user_data) > _TRAITS.user_data_limit_bytes:
            size = len(spec.user_data)
            raise RequestRejected(
                f"{spec.name}: user data of {size} bytes; expected at most {_TRAITS.user_data_limit_bytes}"
            )

    def _look(self) -> processes.Found:
        self._reap()
        return processes.look(self._fleet, self._directory)

    def _reap(self) -> None:
        """Take the exit status of keepers that have ended: while this process lives they are its children."""
        with self._lock:
            self._children = [child for child in self._children if child.poll() is None]

    def _start(self, spec: InstanceSpec, place: Path, created_at: float) -> subprocess.Popen[bytes]:
        shown = {"fleet": spec.fleet, "pool": spec.pool, "node": spec.name, "directory": str(place)}
        mark = processes.mark(
            fleet=spec.fleet,
            pool=spec.pool,
            node=spec.name,
            directory=self._directory,
            created_at=created_at,
        )
        with (place / "log").open("ab") as log:
            child = subprocess.Popen(
                [
                    *(sys.executable, "-I", keeper.__file__),
                    *(part for key, value in shown.items() for part in (f"--{key}", value)),
                    *("--boot-s", str(self._boot_s)),
                ],
                env=_environment(mark),
                cwd=place,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its own: neither Ctrl-C on the daemon's terminal nor the daemon's end reaches it.
                start_new_session=True,
            )
        with self._lock:
            self._children.append(child)
        return child

    def _forget(self, name: str) -> None:
        """Remove a gone machine's secrets; keep its log for a while, and its name taken as long."""
        place = self._directory / name
        with contextlib.suppress(OSError):
            (place / keeper.USER_DATA).unlink(missing_ok=True)
            ended = sorted(
                (each for each in self._directory.iterdir() if not (each / keeper.USER_DATA).exists()),
                key=lambda each: each.stat().st_mtime,
            )
            for old in ended[:-_LOGS_KEPT]:
                shutil.rmtree(old, ignore_errors=True)


def _instance(name: str, mark: Mapping[str, str]) -> Instance:
    try:
        created_at: float | None = float(mark[processes.CREATED_AT])
    except (KeyError, ValueError):
        created_at = None
    if created_at is not None and not math.isfinite(created_at):
        created_at = None
    return Instance(
        name=name,
        instance_id=InstanceId(name),
        state=InstanceState.RUNNING,
        pool=mark.get(processes.POOL) or None,
        created_at=created_at,
    )


def _refusal(what: str, error: OSError) -> ProviderError:
    kind = CapacityRefused if error.errno in _SCARCE else RequestRejected
    return kind(f"{what}: {error.strerror}")


def _environment(mark: Mapping[str, str]) -> dict[str, str]:
    """The daemon's own environment holds secrets that are none of its machines' business."""
    passed = {"PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER"}
    return {**{key: value for key, value in os.environ.items() if key in passed}, **mark}


def _write_private(path: Path, content: bytes) -> None:
    """Readable by its owner only, from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
