"""What one simulated life is made of and what is told of it: a scenario goes in, a verdict comes out.

A scenario with the same values is the same life, bit for bit. What never happens here: anything but values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum


class Fault(StrEnum):
    """Everything that can go wrong. Each is a kind of its own, so a failing life can be retold with fewer of them."""

    # The provider's listings.
    LIST_LAG = "list lag"
    LISTING_FAILS = "listing fails"
    LISTING_INCOMPLETE = "listing incomplete"
    LISTING_EMPTY = "listing empty"
    """Empty, and said to be complete; for less than the settle time."""
    PAGE_SKIPPED = "page skipped"
    """Some machines missing from a listing said to be complete; each for less than the settle time."""
    LISTING_HANGS = "listing hangs"
    """It ends by its time-out, three ticks later."""
    LISTING_LATE = "listing late"
    """It comes up to three ticks late, and shows what stood when it was asked for."""
    LISTING_THROTTLED = "listing throttled"
    """The account asks to be left in peace, by looks too."""
    # Its creates.
    REQUEST_LOST = "request lost"
    ANSWER_LOST = "answer lost"
    """The machine is made, and nobody is told."""
    CREATED_LATE = "created late"
    """Nobody is told, and the machine is made later, at most as late as ordered ones are waited for."""
    CREATED_TWICE = "created twice"
    THROTTLED = "throttled"
    THROTTLED_MUTELY = "throttled mutely"
    """Without a word of how long."""
    CAPACITY_REFUSED = "capacity refused"
    QUOTA_REFUSED = "quota refused"
    REJECTED = "rejected"
    USER_REFUSED = "user refused"
    """The broker makes no user for a machine, so it is not ordered; in lives in which each has its own."""
    # Its destroys.
    DESTROY_IGNORED = "destroy ignored"
    """No answer, and nothing ends."""
    DESTROY_HOLLOW = "destroy hollow"
    """Answered yes, and nothing ends."""
    DESTROY_UNANSWERED = "destroy unanswered"
    ACCOUNT_DOWN = "account down"
    """No create and no destroy at an account is answered, for minutes; some of them are carried out."""
    # Machines and workers.
    MACHINE_DIES = "machine dies"
    NEVER_ENROLS = "never enrols"
    SLOW_BOOT = "slow boot"
    REPORT_LIES = "report lies"
    """A machine says that its boot failed, whatever its worker does, and says so of others with its own token."""
    WORKER_SILENT = "worker silent"
    WORKER_RESTARTS = "worker restarts"
    """Another process in its place; half of them have the pid of the one before."""
    WORKER_ZOMBIE = "worker zombie"
    """It sends heartbeats and takes nothing from the queue, or finishes nothing, until its process ends or is told
    to consume again."""
    HANDS_LIE = "hands lie"
    """A worker with tasks says that it holds none, when asked, in its heartbeats and in its goodbye. Never at the same
    time as UNACKNOWLEDGED_LIES about it."""
    UNACKNOWLEDGED_LIES = "unacknowledged lies"
    """The broker says that a worker with tasks holds none."""
    ORDER_LOST = "order lost"
    """A drain, an undrain or a goodbye does not reach the worker, or its answer is lost."""
    ODD_ANSWER = "odd answer"
    """A worker's word about what it holds is no number: stands for whatever the handling of one node chokes on."""
    # The broker.
    BROKER_DOWN = "broker down"
    BROKER_SLOW = "broker slow"
    BROKER_PARTIAL = "broker partial"
    """Some pools' figures are missing."""
    COUNTERS_RESET = "counters reset"
    IMPLAUSIBLE = "implausible"
    """Negative or impossible numbers."""
    DEAF = "deaf"
    """No worker event reaches us."""
    # Our own machine and process.
    CLOCK_STEP = "clock step"
    DISK_FULL = "disk full"
    CRASH_BEFORE_COMMIT = "crash before commit"
    CRASH_AFTER_COMMIT = "crash after commit"
    CRASH_IN_DISPATCH = "crash in dispatch"
    JOURNAL_RESTORED = "journal restored"
    """A daemon that was killed begins with a copy of its journal that is minutes old: machines that were ordered since
    have no record, and what was written about all others is forgotten, names and answered orders too."""
    TWO_DAEMONS = "two daemons"
    """A second daemon on the same journal takes the lease, or a stopped leader wakes."""
    OPERATOR = "operator"
    """No fault: orders given in the middle of all that."""


EVERY_FAULT = frozenset(Fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One life. Faults strike from the start until `trouble_s`; then the world must come to rest within `heals_s`."""

    seed: int
    faults: frozenset[Fault] = EVERY_FAULT
    trouble_s: float = 1800.0
    heals_s: float = 7200.0
    nodes: int = 0
    """About how many nodes the fleet's ceilings allow in all; 0: drawn from the seed (a few to a few dozen)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What happened in a life, or in many. The second group must be zero."""

    seeds: int = 0
    ticks: int = 0
    nodes: int = 0
    """Machines bought."""
    faults: int = 0
    """Faults that struck."""
    fleet_s: float = 0.0
    """Simulated seconds."""
    node_s: float = 0.0
    """Simulated seconds summed over machines that stood."""

    double_creates: int = 0
    leaked_nodes: int = 0
    """Machines that were ordered without a record, whose record ended while they stood, or that stand at the end
    without one."""
    ceiling_breaches: int = 0
    budget_breaches: int = 0
    busy_kills: int = 0
    tasks_lost: int = 0
    """Tasks that are gone for ever and went neither with a machine that the world ended nor by an operator's word:
    acknowledged early, and run by a worker whose machine we ended; or nowhere to be found."""
    blind_scale_ins: int = 0
    """Fewer workers wanted than there are before demand was seen often enough in a row after it could not be seen."""
    wrong_ends: int = 0
    """Calls for the end of one machine that ended another, or more than one; workers taken for idle that were heard to
    begin anew and take tasks; first asks for the end of a machine that was never heard, without a word of the
    broker's on that tick; machines taken for failed that did not say so, or of which nobody asked the broker; and
    machines taken for late that had not twice the time of the one before, which had been late in vain."""
    wrong_supply: int = 0
    """Purchases and moves that the number wanted does not ask for or that a pause forbids, and workers taken for lost
    while they could not have been heard."""
    unheeded_orders: int = 0
    """Operators' orders that were not answered once and in time."""
    account_abuse: int = 0
    """Calls that no account need bear: far more than it takes in a minute, anything while it asked for peace, several
    orders at once while it answers nothing, or the end of a machine asked for again without a pause."""
    misplaced: int = 0
    """Machines that were ordered where residency does not allow them, or where nobody knows."""
    unconverged: int = 0
    failed_ticks: int = 0
    """Ticks that ended in anything but a journal that could not be written; that could not deal with a node of which
    nothing is odd; or in which a look, a call or a pool met an exception of our own."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def harm(self) -> int:
        """The sum of what must be zero."""
        return sum(getattr(self, name) for name in HARMS)


HARMS = (
    "double_creates",
    "leaked_nodes",
    "ceiling_breaches",
    "budget_breaches",
    "busy_kills",
    "tasks_lost",
    "blind_scale_ins",
    "wrong_ends",
    "wrong_supply",
    "unheeded_orders",
    "account_abuse",
    "misplaced",
    "unconverged",
    "failed_ticks",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one life. It ends at the first harm: what follows a broken rule proves nothing."""

    scenario: Scenario
    counts: Counts
    harm: str = ""
    """What happened that never may, in words; empty for a good life."""
    story: tuple[str, ...] = field(default=(), repr=False)
    """The last 30 ticks as sentences."""
    struck: frozenset[Fault] = frozenset()
    """The kinds that really struck."""
