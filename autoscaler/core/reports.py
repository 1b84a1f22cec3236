"""What machines say of themselves on their way to become workers, and what is kept of that: values only.

All of it is a hint from a machine that may lie: it was proven which machine speaks, never that it speaks the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from providers.contract import NodeName


class Phase(StrEnum):
    """The steps from an order to a worker that works, in their order. The first and the last two are ours to see."""

    MACHINE = "machine"
    BOOTED = "booted"
    NETWORK = "network"
    PACKAGES = "packages"
    APPLICATION = "application"
    DISK = "disk"
    BROKER = "broker"
    WORKER = "worker"
    HEARTBEAT = "heartbeat"
    TASK = "task"


OURS = frozenset({Phase.MACHINE, Phase.HEARTBEAT, Phase.TASK})
"""Phases that no machine reports."""

MEANINGS: Mapping[Phase, str] = {
    Phase.MACHINE: "from the order to the machine's power",
    Phase.BOOTED: "from its power to the first line of our program",
    Phase.NETWORK: "until a network and its names were there",
    Phase.PACKAGES: "packages of the system",
    Phase.APPLICATION: "the application and what it depends on",
    Phase.DISK: "the disk was measured",
    Phase.BROKER: "a round trip to the broker",
    Phase.WORKER: "the keeper started the worker",
    Phase.HEARTBEAT: "from there to its first heartbeat",
    Phase.TASK: "from there to the first task it took up",
}


class Wants(StrEnum):
    """What a machine asks of its fleet, or says besides."""

    GRANT = "grant"
    """Credentials of its own, for those that its user data held."""
    FENCED = "fenced"
    """It heard nothing of its fleet and stopped its worker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTime:
    """One step of a boot, in seconds since the machine had power; the first of all begins below 0, at the order."""

    phase: Phase
    from_s: float
    to_s: float
    ok: bool = True

    @property
    def took_s(self) -> float:
        return self.to_s - self.from_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a machine says that it cannot become a worker."""

    phase: Phase
    says: str
    """In its own words, on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskFigures:
    """What a machine measured of its disk."""

    mean_ms: float
    worst_ms: float
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A machine's own account of its boot so far. The token it carried was that of `node`."""

    node: NodeName
    heard_at: float
    """When it came to us, which may be long after it was sent."""
    uptime_s: float
    """How long the machine had power when it was sent."""
    phases: tuple[PhaseTime, ...] = ()
    failed: Failure | None = None
    log: tuple[str, ...] = ()
    """The last lines of a failed boot's log, the oldest first."""
    disk: DiskFigures | None = None
    wants: Wants | None = None

    @property
    def worker_started(self) -> bool:
        """Whether it says that a worker was started, which may be at work ever since."""
        return any(time.phase is Phase.WORKER and time.ok for time in self.phases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What is known of one machine's way to become a worker."""

    power_at: float | None = None
    """When it had power, by our clock: the earliest that its reports admit, for one may have been under way long."""
    phases: tuple[PhaseTime, ...] = ()
    """By its own word."""
    failed: Failure | None = None
    worker_started: bool = False
    disk: DiskFigures | None = None
    task_at: float | None = None
    """When its first task was seen."""
    moved_on: float | None = None
    """When it last said that one more phase is over, on the clock of sightings."""
    learned: bool = False
    """Its times were taken into those of its offer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Boots:
    """What the last boots of one offer for a pool were like."""

    took_s: Mapping[Phase, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Seconds of each phase, the newest last."""
    whole_s: tuple[float, ...] = ()
    """From the order to the first heartbeat: phases run side by side, so these are no sums of theirs."""
    failed: Mapping[Phase, int] = field(default_factory=lambda: MappingProxyType({}))
    """Machines that said which phase failed."""
    slow_disks: int = 0
    """Machines in a row that were refused for their disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusals:
    """How many messages were dropped, and why the last one."""

    messages: int = 0
    why: str = ""
