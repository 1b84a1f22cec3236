"""Which accelerator QEMU can use here: hardware virtualisation where it works, else emulation.

That `/dev/kvm` opens says little: on some rented machines a guest hangs there, on others QEMU gives up. So a kernel
without a disk is booted for some seconds; it must come as far as the panic that it then ends in. What never happens
here: a trial that is waited for without a deadline.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

QEMU = "qemu-system-x86_64"
TRIAL_S = 20.0
"""A kernel without a disk panics within 2 s on real hardware, nested too."""
_DEVICE = Path("/dev/kvm")
_SIGNS = ("Linux version", "Kernel panic")


class Accelerator(StrEnum):
    """By QEMU's names."""

    KVM = "kvm"
    TCG = "tcg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of the boot: its exit code, None where the time was up, and what the kernel wrote."""

    code: int | None
    console: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The accelerator, and why in one sentence."""

    accelerator: Accelerator
    why: str


def choose(*, opens: bool, trial: Trial | None) -> Choice:
    """What to use, by whether the device can be opened and what became of a trial there."""
    if not opens or trial is None:
        return Choice(accelerator=Accelerator.TCG, why=f"{_DEVICE} cannot be opened: machines are emulated")
    if trial.code is None:
        return Choice(accelerator=Accelerator.TCG, why=f"{_DEVICE} opens and hangs: machines are emulated")
    if trial.code or not all(sign in trial.console for sign in _SIGNS):
        return Choice(
            accelerator=Accelerator.TCG, why=f"{_DEVICE} opens and boots no kernel: machines are emulated"
        )
    return Choice(accelerator=Accelerator.KVM, why="machines run on the processor itself")


def trial_command(kernel: Path) -> list[str]:
    """QEMU with a kernel and nothing else; it ends by itself when the kernel has panicked for want of a disk."""
    return [
        QEMU, "-nodefaults", "-machine", "q35,accel=kvm", "-cpu", "max", "-m", "256", "-display", "none",
        "-serial", "stdio", "-no-reboot", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1",
    ]  # fmt: skip


def probe(kernel: Path, *, deadline_s: float = TRIAL_S) -> Choice:
    """Try it. Returns within the deadline."""
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return choose(opens=False, trial=None)
    try:
        done = subprocess.run(
            trial_command(kernel),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=deadline_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return choose(opens=True, trial=Trial(code=None, console=""))
    return choose(opens=True, trial=Trial(code=done.returncode, console=done.stdout.decode(errors="replace")))
