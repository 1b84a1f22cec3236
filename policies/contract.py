"""The words in which a pool's need is stated and answered: facts in, one Decision with its reasons out.

Everything here is a value. A `DecisionInput` holds all that a decision may depend on, so that a stored one replays to
the same number. What never happens here: clocks, I/O, memory between two decisions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from policies.evidence import Growth, Redeliveries
from policies.prospect import Prospect


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """So many tasks, or so much of something, in so many seconds."""

    seconds: float
    amount: float


LONG_QUANTUM_S = 600.0
"""Machines billed in quanta of so many seconds or more are kept until a quantum ends, and are a larger bet to buy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """How far completions stray from what busy slots ÷ task time foretold of them, minute by minute."""

    seconds: float = 0.0
    foretold: float = 0.0
    completed: int = 0
    """Of the minute that is being watched: how much of it is over, and its tasks."""
    tasks: float = 0.0
    """Tasks that were foretold in the minutes before; the oldest are forgotten."""
    squares: float = 0.0
    """Sum over these minutes of (completed − foretold)²."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What was measured of a pool's tasks and machines so far: the past as later decisions need it.

    It holds lengths of time and no instants, so no step of a clock makes anything in it older. `policies.traffic` takes
    each look in.
    """

    arrivals: tuple[Span, ...] = ()
    """Tasks that arrived, newest last: the spans grow coarser with their age."""
    arrivals_per_s: float = 0.0
    """Smoothed over two minutes."""
    recent_per_s: float = 0.0
    """Smoothed over half a minute."""
    peaks: tuple[Span, ...] = ()
    """The highest `arrivals_per_s` of each of the last minutes, newest last."""
    tasks: float = 0.0
    """Tasks that `busy_s` was measured over; the oldest are forgotten."""
    busy_s: float = 0.0
    """Seconds that slots were busy for these tasks."""
    busy: float = 0.0
    """Slots busy at the last look."""
    pressed: tuple[Span, ...] = ()
    """Tasks completed while messages waited without a break, over the last minute of it, newest last."""
    spread: Spread = field(default_factory=Spread)
    boots: float = 0.0
    """Machines that `boot_s` was measured over; the oldest are forgotten."""
    boot_s: float = 0.0
    """Seconds from the order until the worker was heard, all of them together."""
    boots_of: str = ""
    """The offer that these machines were of: the one that would be bought now, or one like it. Empty: all that were
    bought."""
    boots_why: str = ""
    """Why they are not of what would be bought now; empty where they are."""
    drains: float = 0.0
    """Drains of idle workers that `drain_s` was measured over; the oldest are forgotten."""
    drain_s: float = 0.0
    """Seconds from the order to drain until the machine's end was confirmed, all of them together."""
    drain_squares: float = 0.0
    """The squares of these seconds, all of them together."""
    growth: Growth = field(default_factory=Growth)
    redeliveries: Redeliveries = field(default_factory=Redeliveries)


class Trust(StrEnum):
    """How far a number may be believed."""

    SOLID = "solid"
    ROUGH = "rough"
    """Measured, but by a way known to err here (a counter was reset, a short window, a priority queue)."""
    ABSENT = "absent"
    """Not measured. Absent is not zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One number and how far it is trusted. `value` is None exactly when trust is ABSENT; then `why` says why."""

    value: float | None
    trust: Trust
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDemand:
    """What the broker says of one queue. `missing` is True for a configured queue that does not exist yet."""

    name: str
    backlog: int
    in_progress: int
    consumers: int
    missing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What the broker counted between the last two looks at it."""

    arrived: int
    """Messages published."""
    completed: int
    """Messages acknowledged, or delivered without asking for that."""
    over_s: float
    """Seconds between the two looks."""
    delivered: int = 0
    """Messages handed out, those for the second time included."""
    redelivered: int = 0
    """Messages of these that had been handed out before: whoever held them lost them or gave them back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the broker asks of one pool now. Counts are messages; rates are per second; the wait is in seconds."""

    backlog: int
    in_progress: int
    """Delivered, not acknowledged, and not known to wait on a worker for its time."""
    arrivals_per_s: Reading
    completions_per_s: Reading
    wait_s: Reading
    """Age of the message at the head of the longest-waiting queue: time from publish until now."""
    measured_at: float
    queues: tuple[QueueDemand, ...] = ()
    warnings: tuple[str, ...] = ()
    flow: Flow | None = None
    """None where a counter is missing, was reset, or was seen only once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """Workers of one pool, counted by state. `slots` are the tasks one worker runs at once."""

    serving: int
    arriving: int
    leaving: int
    lost: int
    slots: int
    tasks_in_hand: int | None = None
    """Tasks the serving workers say they run; None when they could not be heard."""
    arriving_for_s: tuple[float, ...] = ()
    """How long ago each of those arriving was ordered, the longest first."""
    quantum_s: float = 3600.0
    """What one more machine is paid for at least, in seconds."""
    scheduled: int | None = None
    """Tasks that wait on serving workers for their time (ETA, countdown, a later retry), which are no work now; None
    when no worker was asked."""
    prefetched: int | None = None
    """Tasks that wait in the hands of workers whose slots are all busy; None when no worker was asked."""
    idle: int = 0
    """Serving workers that say they run nothing."""

    @property
    def workers(self) -> int:
        """Serving plus arriving: what a wish is compared with."""
        return self.serving + self.arriving


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """One earlier decision, as later ones need it."""

    at: float
    recommended: int | None
    """What the policies asked for before stabilization; None when that tick was blind or held by an operator."""
    wanted: int
    workers: int
    """Supply at that time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Earlier decisions of this pool, oldest first, reaching back over its longest window or cooldown and one decision
    further (that one still stood when the window began); and the looks in a row that succeeded."""

    past: tuple[Past, ...] = ()
    good_looks: int = 0
    """Ticks in a row, this one included, on which demand was seen."""
    traffic: Traffic = field(default_factory=Traffic)
    """What was measured so far, this look included."""
    prospect: Prospect | None = None
    """Where a policy of the pool asks for it."""

    def standing(self, supply: Supply) -> int:
        """The number that stands: what was wanted last, or the workers there are where nothing was decided yet."""
        return self.past[-1].wanted if self.past else supply.workers


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySpec:
    """A policy as configured: its kind and its options, plain values only."""

    kind: str
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds an operator set. The ceiling and the budget bind billable nodes; the plan enforces them."""

    min_workers: int = 0
    max_workers: int = 1
    on_unknown: int = 0
    """While demand cannot be seen, raise to this many workers; never lower."""
    max_creates_in_flight: int = 10
    max_cost_per_hour: float | None = None
    max_cost_per_month: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stabilization:
    """How changes are calmed, in the terms of the Kubernetes HPA. Times in seconds; None means no bound."""

    scale_out_window_s: float = 0.0
    scale_in_window_s: float = 300.0
    scale_out_cooldown_s: float = 0.0
    scale_in_cooldown_s: float = 60.0
    tolerance: float = 0.1
    """Relative change of the wish below which nothing is changed."""
    max_step_out: int | None = None
    max_step_in: int | None = None
    good_looks: int = 3
    """Good looks in a row needed after an outage before any scale-in."""

    @property
    def longest_s(self) -> float:
        """How far back it looks: the longest of its windows and cooldowns."""
        return max(
            self.scale_out_window_s,
            self.scale_in_window_s,
            self.scale_out_cooldown_s,
            self.scale_in_cooldown_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An operator's word: this many workers until then."""

    workers: int
    until_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What is left of a month's money, in workers: so many of those that are there can go on being paid."""

    workers: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionInput:
    """All that a decision about one pool depends on."""

    pool: str
    at: float
    demand: Demand | None
    demand_missing: str = ""
    """Why demand could not be seen; empty when it was."""
    supply: Supply
    supply_missing: str = ""
    """Why the machines or the workers could not be seen; then nothing is taken in."""
    history: History
    policies: tuple[PolicySpec, ...]
    limits: Limits
    stabilization: Stabilization
    paused: bool = False
    hold: Hold | None = None
    allowance: Allowance | None = None
    """None as long as the month's money pays for all that are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """One policy's wish. `workers` None means that it has no opinion now."""

    policy: str
    workers: int | None
    why: str
    would_change: str = ""
    """In words: what would have to happen for this policy to ask for something else."""
    exact: float | None = None
    """The wish before it was rounded up, from a proportional rule: tolerance compares this, as the Kubernetes HPA does.
    None when the wish is a plain number, which tolerance leaves alone ("two more" means two more, at any size)."""
    at_most: int | None = None
    """No more workers than this now, whatever any policy of the pool wishes; None where it sets no such ceiling."""
    at_most_why: str = ""
    """In words: where that ceiling comes from. Empty exactly when there is none."""
    firm: bool = False
    """A person asked for this number: no guard keeps the pool from growing to it."""


class Rule(StrEnum):
    """The links a chain may have. The first five begin it; the others stand only where they changed the number."""

    PAUSED = "paused"
    HOLD = "hold"
    DEMAND_MISSING = "demand_missing"
    NO_OPINION = "no_opinion"
    PROPOSALS = "proposals"
    TOLERANCE = "tolerance"
    SCALE_OUT_WINDOW = "scale_out_window"
    SCALE_IN_WINDOW = "scale_in_window"
    SCALE_OUT_COOLDOWN = "scale_out_cooldown"
    SCALE_IN_COOLDOWN = "scale_in_cooldown"
    MAX_STEP_OUT = "max_step_out"
    MAX_STEP_IN = "max_step_in"
    NOT_HELPING = "not_helping"
    REDELIVERED = "redelivered"
    SCHEDULED_CEILING = "scheduled_ceiling"
    MONTHLY_BUDGET = "monthly_budget"
    GOOD_LOOKS = "good_looks"
    SUPPLY_MISSING = "supply_missing"
    ON_UNKNOWN = "on_unknown"
    FLOOR = "floor"
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One link in the chain from the wish to the number: what a rule made of what it was given."""

    rule: Rule
    before: int
    after: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many workers a pool should have, and why, whole."""

    input: DecisionInput
    proposals: tuple[Recommendation, ...]
    recommended: int | None
    """The strongest proposal before stabilization and limits; None when nothing was asked."""
    steps: tuple[Step, ...]
    wanted: int
    binding: str
    """The rule that made the number what it is: the last step that changed it, else the winning policy."""
    held: str = ""
    """Why nothing may change now; empty when something may."""
    would_change: str = ""


class Policy(Protocol):
    """A pure rule from demand, supply and history to a wish. Opened once from its `PolicySpec`; keeps nothing."""

    @property
    def name(self) -> str: ...

    def recommend(self, demand: Demand, supply: Supply, history: History, *, at: float) -> Recommendation:
        """Say how many workers (serving plus arriving) there should be. Total: never raises for any valid input."""
        ...
