"""How QEMU is called for one machine: a pure function from what the machine is to an argument list.

What never happens here: a device that reaches beyond loopback, or a path with a comma in it that QEMU would misread.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testbed.virtual.accelerator import QEMU, Accelerator

AGENT_SOCKET = "agent.sock"
"""In the machine's directory, where QEMU runs: a socket's whole path may have 107 characters only."""
CONSOLE = "console.log"
_APPEND = "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off"
"""An emulated processor leaks nothing that a mitigation would hold back, and pays for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One machine, wholly decided."""

    name: str
    memory_mb: int
    cpus: int
    kernel: Path
    initrd: Path
    disk: Path
    """Its own, a qcow2."""
    seed: Path
    accelerator: Accelerator
    disk_iops: int | None = None
    """Reads and writes of its disk in a second; None for as many as there are."""


def qemu(hardware: Hardware) -> list[str]:
    """The whole command, to be run in the machine's directory."""
    throttle = f",throttling.iops-total={hardware.disk_iops}" if hardware.disk_iops else ""
    return [
        QEMU, "-name", hardware.name, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-machine", f"q35,accel={hardware.accelerator}", "-cpu", "max",
        "-smp", str(hardware.cpus), "-m", str(hardware.memory_mb),
        "-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd), "-append", _APPEND,
        # Nothing on a machine outlives it, so nothing need reach this computer's disk.
        "-drive", f"file={_quoted(hardware.disk)},if=virtio,format=qcow2,cache=unsafe{throttle}",
        "-drive", f"file={_quoted(hardware.seed)},if=virtio,format=raw,readonly=on",
        "-netdev", "user,id=net,ipv6=off", "-device", "virtio-net-pci,netdev=net,romfile=",
        "-device", "virtio-rng-pci",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=agent,path={AGENT_SOCKET},server=on,wait=off",
        "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
        "-serial", f"file:{CONSOLE}",
    ]  # fmt: skip


def overlay(disk: Path, *, over: Path) -> list[str]:
    """How a machine's own disk is made, which holds only what differs from its image."""
    return ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(over), "-F", "raw", str(disk)]


def _quoted(path: Path) -> str:
    """QEMU's options are separated by commas; two of them are one."""
    return str(path).replace(",", ",,")
