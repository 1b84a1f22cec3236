"""One virtual machine that runs: started in its directory, ended by its process id, with nothing left but its console.

In goes a wholly decided `Hardware`. What never happens here: a QEMU that outlives the thread that started it. The
kernel ends it then, so that not even `kill -9` of this program leaves one behind; start them from a thread that lives.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from testbed.virtual import command
from testbed.virtual.agent import Agent
from testbed.virtual.command import Hardware

_END_S = 20.0


class MachineFailed(RuntimeError):
    """QEMU ended by itself. The message says what it wrote."""


class VirtualMachine:
    """A running QEMU. `directory` is its own."""

    def __init__(self, hardware: Hardware, directory: Path) -> None:
        self.hardware = hardware
        self.directory = directory
        self.agent = Agent(directory / command.AGENT_SOCKET)
        self._to_end = False
        with (directory / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command.qemu(hardware)],
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the program that started it
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def console(self) -> str:
        """What the machine wrote on its serial line."""
        with contextlib.suppress(FileNotFoundError):
            return (self.directory / command.CONSOLE).read_text(errors="replace")
        return ""

    def require_runs(self) -> None:
        """Raises MachineFailed where it stopped though nobody ended it."""
        if not self.runs and not self._to_end:
            said = (self.directory / "qemu.log").read_text(errors="replace")[-2000:]
            raise MachineFailed(f"{self.hardware.name}: QEMU ended with {self._process.returncode}: {said}")

    def end(self, console: Path) -> None:
        """Switch it off as a host would, keep its console there, and take everything else away."""
        self._to_end = True
        if self.runs:
            self._process.kill()
        self._process.wait(_END_S)
        with contextlib.suppress(FileNotFoundError):
            shutil.move(self.directory / command.CONSOLE, console)
        shutil.rmtree(self.directory)
