"""All virtual machines of one cloud: the `Hardware` that makes a real one of each that the cloud's API is asked for.

In go the images by the name that the API knows them by, and what is peculiar to single machines; sizes are the API's
own. All of it is done by one thread that lives as long as the park, in the order in which it was asked. What never
happens here: a wait in the API's answer, or a machine that is left when the park is closed.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.clouds.machines import Machine
from testbed.virtual import command, seed
from testbed.virtual.accelerator import Accelerator
from testbed.virtual.command import Hardware
from testbed.virtual.images import Image
from testbed.virtual.machine import VirtualMachine

_CALL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peculiar:
    """What is different about one machine."""

    disk_iops: int | None = None


Peculiarity = Callable[[Machine, int], Peculiar]
"""What is peculiar to a machine, by its document (size, tags) and its number: the first one made is 1."""


def sound(_machine: Machine, _number: int) -> Peculiar:
    """Machines like any other."""
    return Peculiar()


@dataclass(slots=True, kw_only=True)
class Park:
    """The machines of a cloud, by the keys that it gave them. A context manager that ends all of them."""

    directory: Path
    consoles: Path
    """Where consoles are kept, each under its machine's name."""
    images: Mapping[str, Image]
    accelerator: Accelerator
    vendor_data: str = ""
    """What the host tells cloud-init beside the user data, such as where its package mirror is."""
    peculiar: Peculiarity = sound
    failures: list[str] = field(default_factory=list)
    """What went wrong with the host itself: a machine that could not be made, or whose QEMU ended."""
    most_at_once: int = 0
    _standing: dict[str, VirtualMachine] = field(default_factory=dict)
    _made: int = 0
    _gone: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _hand: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "park"))

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.consoles.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def make(self, machine: Machine) -> None:
        self._hand.submit(self._carefully, machine, self._make)

    def end(self, machine: Machine) -> None:
        self._hand.submit(self._carefully, machine, self._end)

    def runs(self, machine: Machine) -> bool:
        standing = self.standing.get(machine.key)
        return standing is not None and standing.runs

    def is_gone(self, machine: Machine) -> bool:
        with self._lock:
            return machine.key in self._gone

    @property
    def standing(self) -> Mapping[str, VirtualMachine]:
        """Key → machine, of those that are made and not ended."""
        with self._lock:
            return dict(self._standing)

    def named(self, name: str) -> VirtualMachine:
        """The one that stands under this name. Raises KeyError."""
        for each in self.standing.values():
            if each.hardware.name == name:
                return each
        raise KeyError(name)

    def close(self) -> None:
        """End every machine, whatever the cloud was asked."""
        self._hand.submit(self._end_all).result()
        self._hand.shutdown()

    def _carefully(self, machine: Machine, act: Callable[[Machine], None]) -> None:
        try:
            act(machine)
        except (OSError, subprocess.SubprocessError, KeyError) as error:
            self.failures.append(f"{machine.name}: {type(error).__name__}: {error}")

    def _make(self, machine: Machine) -> None:
        directory = self.directory / machine.key
        directory.mkdir(mode=0o700)
        self._made += 1
        size, image = machine.body["size"], self._image(machine)
        overlay = command.overlay(directory / "disk.qcow2", over=image.disk)
        subprocess.run(overlay, check=True, timeout=_CALL_S, capture_output=True)
        contents = seed.files(
            name=machine.name,
            key=machine.key,
            user_data=machine.user_data,
            vendor_data=self.vendor_data,
        )
        hardware = Hardware(
            name=machine.name,
            memory_mb=size["memory"],
            cpus=size["vcpus"],
            kernel=image.kernel,
            initrd=image.initrd,
            disk=directory / "disk.qcow2",
            seed=seed.write(directory, contents),
            accelerator=self.accelerator,
            disk_iops=self.peculiar(machine, self._made).disk_iops,
        )
        started = VirtualMachine(hardware, directory)
        with self._lock:
            self._standing[machine.key] = started
            self.most_at_once = max(self.most_at_once, len(self._standing))

    def _image(self, machine: Machine) -> Image:
        known = machine.body["image"]
        return self.images[known["slug"] or str(known["id"])]

    def _end(self, machine: Machine) -> None:
        with self._lock:
            standing = self._standing.get(machine.key)
        if standing is not None:
            standing.end(self.consoles / f"{machine.name}.log")
        with self._lock:
            self._standing.pop(machine.key, None)
            self._gone.add(machine.key)

    def _end_all(self) -> None:
        for key, standing in self.standing.items():
            with contextlib.suppress(OSError):
                standing.end(self.consoles / f"{standing.hardware.name}.log")
            with self._lock:
                self._standing.pop(key, None)
                self._gone.add(key)
