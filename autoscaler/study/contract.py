"""The words of a study: what was asked of a fleet, what a rule may see of it, and how it fared.

All are values. Times are seconds since the workload's start; money is in the fleet's currency.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Protocol

from policies.contract import Traffic
from policies.prospect import Slice

EPOCH = 1_700_000_000.0
"""The instant of the wall clock at second 0, where nothing else is said: any will do, but it must not be near 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Tasks in the order of their arrival: `submit_s[i]` is when task i was sent, `runtime_s[i]` how long it runs."""

    name: str
    submit_s: array[float]
    runtime_s: array[float]

    def __len__(self) -> int:
        return len(self.submit_s)

    @property
    def span_s(self) -> float:
        """From the start to the last arrival."""
        return self.submit_s[-1] if self.submit_s else 0.0

    @property
    def work_s(self) -> float:
        """Seconds of running, all tasks together."""
        return sum(self.runtime_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a study takes as given: the machines that can be had, what they cost, and the promise that is measured."""

    slots: int = 2
    """Tasks one machine runs at once."""
    boot_s: float = 90.0
    """From the order to the first task; paid."""
    boot_cv: float = 0.0
    """Spread of that time: standard deviation ÷ mean."""
    target_wait_s: float = 120.0
    """A task is in time if it starts within this."""
    min_workers: int = 0
    max_workers: int = 200
    price_per_h: float = 1.0
    quantum_s: int = 3600
    """The unit that a machine is billed in, from its order on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How things stand at second 0, where a run does not begin with nothing."""

    at: float = EPOCH
    """The instant of the wall clock: calendars go by it."""
    ages_s: tuple[float, ...] = ()
    """Of the machines that serve already: seconds since each was ordered. What they cost before is not counted."""
    traffic: Traffic = field(default_factory=Traffic)
    """What was measured before."""
    slices: tuple[Slice, ...] = ()
    """What came in the weeks before, for a `forecast` to foretell from."""
    ends_s: float | None = None
    """The run ends then, whatever is left; None lets it go on until all is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What somebody else's rule may see of a fleet at one instant."""

    at_s: float
    backlog: int
    """Messages ready, not yet delivered."""
    in_progress: int
    """Messages delivered, not yet acknowledged."""
    arrived: int
    """Tasks sent since the start."""
    done: int
    """Tasks finished since the start."""
    serving: int
    """Machines whose workers take tasks."""
    arriving: int
    """Machines ordered that do not serve yet."""
    leaving: int
    """Machines that finish what they hold, and go."""
    slots: int
    """Tasks one machine runs at once."""
    task_s: float | None
    """Mean runtime of the tasks finished so far; None before the first."""


class Peer(Protocol):
    """A rule of somebody else's, with the memory it keeps. One is made for each run."""

    @property
    def name(self) -> str: ...

    @property
    def period_s(self) -> float:
        """How often it looks."""
        ...

    def wanted(self, look: Look) -> int:
        """Machines (serving and arriving together) it would have now. Called once a period, in order of time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one policy fared on one workload."""

    policy: str
    cost: float
    node_hours_billed: float
    node_hours_busy: float
    """Hours of machines in which their slots ran tasks: seconds of running ÷ slots."""
    wait_p50_s: float
    wait_p95_s: float
    wait_p99_s: float
    wait_max_s: float
    within_target: float
    """Share of all tasks that started in time, 0 to 1; one that never started did not."""
    tasks_arrived: int
    tasks_done: int
    tasks_lost: int
    tasks_redelivered: int
    creates: int
    destroys: int
    nodes_peak: int
