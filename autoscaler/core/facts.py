"""What was seen this tick: the Snapshot and its parts. Facts are past, and each may be missing and says why.

`Missing` means "could not look"; an empty tuple means "looked and saw nothing". They are never confused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from autoscaler.core.learned import Learned
from autoscaler.core.model import Node, OfferName, Order, PoolName, PoolWish, WorkerName
from autoscaler.core.published import Published
from autoscaler.core.reports import Boot, Boots, Report
from autoscaler.core.waits import Wait
from policies.contract import Demand, Past, Span, Traffic
from policies.prospect import Prospect
from providers.contract import Instance, InstanceId, Listing, NodeName, ProviderName, RateLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A fact that could not be seen, and why."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A worker was heard. Ages are counted on a monotonic clock, so a stepped wall clock cannot age them."""

    worker: WorkerName
    silent_s: float
    """Seconds since it was last heard, as of the snapshot, without those in which beats were left unread."""
    online: bool
    """False after it said goodbye (`worker-offline`)."""
    pid: int | None = None
    began_s: float | None = None
    """Seconds since it was heard to begin anew (another process, a `worker-online`, a count that fell); None if never.
    In a container every process may have the same pid."""
    active: int | None = None
    """Tasks it runs, by its own word."""
    processed: int | None = None
    """Tasks it took up since it began, by its own word: Celery counts them as they start."""
    processed_per_s: float | None = None
    """Tasks taken up a second over the last minute; None until two heartbeats were heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """All workers heard; how long we listened without a break (by our own probe), and in how much beats were unread."""

    listening_s: float
    workers: Mapping[WorkerName, Sighting]
    unheard_s: float = 0.0

    def would_hear_within(self, silence_s: float) -> bool:
        """Whether we listened so long that not having heard a worker says something about the worker, not about us."""
        return self.listening_s - self.unheard_s > silence_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """What a worker says it holds: tasks running, prefetched, and waiting for their time."""

    active: int
    reserved: int
    scheduled: int

    @property
    def total(self) -> int:
        return self.active + self.reserved + self.scheduled


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconnected(Missing):
    """The broker was asked and knows no connection of that worker: nobody is there who could be at work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowDown(Missing):
    """The account answered a look at its machines with the wish to be left in peace, for so long if it said."""

    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Idleness:
    """Both witnesses about one worker whose machine's end rests on what it holds."""

    age_s: float
    """Seconds since the earlier of the two was asked, at the instant of the snapshot and on a monotonic clock."""
    hands: Hands | Missing
    unacknowledged: int | Missing
    """Messages the broker holds unacknowledged for this worker's connection."""


class OutcomeKind(StrEnum):
    """How a call ended, in the terms of the providers' errors: each is the caller's next move."""

    DONE = "done"
    ABSENT = "absent"
    CAPACITY_REFUSED = "capacity_refused"
    """No stock."""
    QUOTA_REFUSED = "quota_refused"
    """The account has all that it may have."""
    REJECTED = "rejected"
    THROTTLED = "throttled"
    UNPREPARED = "unprepared"
    """What a machine needs besides could not be made, so it was not ordered; its provider was not asked."""
    NOT_SENT = "not_sent"
    """We held it back ourselves: it says nothing about whom it was for."""
    UNKNOWN = "unknown"


REFUSALS = frozenset(
    {
        OutcomeKind.CAPACITY_REFUSED,
        OutcomeKind.QUOTA_REFUSED,
        OutcomeKind.REJECTED,
        OutcomeKind.THROTTLED,
        OutcomeKind.UNPREPARED,
    }
)
"""A definite no: nothing was made."""


class CallKind(StrEnum):
    """Which action an outcome answers."""

    CREATE = "create"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    STOP = "stop"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An answer to an action. It waits in the mailbox until a commit has taken it in."""

    node: NodeName
    call: CallKind
    kind: OutcomeKind
    at: float
    says: str = ""
    retry_after_s: float | None = None
    instance: Instance | None = None


class RestKind(StrEnum):
    """Why somebody is not asked for machines: what is tried afterwards, and what ends it early, differs."""

    REFUSED = "refused"
    """No stock; in records of an older release also no quota."""
    QUOTA = "quota"
    """The account has all that it may have."""
    REJECTED = "rejected"
    """The order itself was wrong."""
    NEVER_ENROLLED = "never_enrolled"
    """Machines came and did not become workers."""
    SLOW_DISK = "slow_disk"
    """Machines came, one after the other, whose disks are too slow."""
    THROTTLED = "throttled"
    """The account asked for peace."""
    FAILING = "failing"
    """The account does not answer."""
    UNPREPARED = "unprepared"
    """What its machines need besides could not be made."""
    MISPLACED = "misplaced"
    """A machine that it brought stands where the pool's machines may not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """An offer, or a whole account, that is not asked for new machines until then."""

    until_at: float
    refusals: int
    why: str
    kind: RestKind = RestKind.REFUSED
    since_at: float = 0.0
    """When it began; 0 in records of an older release."""
    becomes: str = ""
    """What the machines that failed were to become: its fingerprint, where that is known."""
    quiet_until_at: float = 0.0
    """Until then the account is not asked for its machines either: it said for how long, or it was what it refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """An account that fails: counted in ticks, so that a burst of calls that meets one failure counts once."""

    calls: int = 0
    """Ticks in a row whose calls to make and end machines got no clear answer."""
    rest: Rest | None = None
    """No machine is ordered there until then, and after it one at a time, until a call gets a clear answer."""
    listings: int = 0
    """Ticks in a row without a complete list of its machines."""
    unlisted_since_at: float = 0.0
    why_unlisted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """An account that refused a machine because it has all that it may have."""

    held: int
    """Machines of ours that it held then, or was seen to hold since."""
    rest: Rest
    """Until then no more are ordered than were given back; after it one more is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Calls that may be made to an account now, when that was counted last."""

    calls: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A machine with our mark and no live record, first seen at this reading of its account's listing clock."""

    provider: ProviderName
    instance: Instance
    since_on: float
    missing_on: float | None = None
    """First complete listing without it, on that clock; None while it is listed. Until its absence lasted the settle
    time it is counted as before: it is paid, whatever one listing says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misplaced:
    """A machine of ours that stands where residency does not allow it, as far as is known."""

    provider: ProviderName
    machine: str
    instance_id: InstanceId
    location: str
    """As it was reported last."""
    pool: PoolName
    country: str | None
    """None: not known."""
    allowed: tuple[str, ...]
    since_at: float
    bought_by: OfferName = OfferName("")  # noqa: RUF009 - a text
    """The offer for a pool that brought it; empty for a machine without a record of its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """A serving worker whose count of tasks stands still, although it could take one up or has one in hand."""

    pid: int | None
    processed: int
    """The count that stands still."""
    since_on: float
    """The reading of the clock of sightings at which it was first seen."""
    starving: bool = False
    """At the last look it had a free slot and messages waited for it."""
    starved_s: float = 0.0
    """Seconds of sight, of workers and of demand, in which that was so at every look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a serving worker said, when it was asked last, that it holds besides the tasks it runs."""

    reserved: int
    scheduled: int
    asked_on: float
    """On the clock of sightings."""
    answered: bool = True


SIGHTINGS_CLOCK = "sightings"


def listing_clock(provider: ProviderName) -> str:
    """The key of a provider's clock in `Memory.clocks`."""
    return f"listing:{provider}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bills:
    """What the machines that are gone have cost. Of those that are there it is worked out from their records."""

    gone: Mapping[str, Mapping[PoolName, float]] = field(default_factory=lambda: MappingProxyType({}))
    """By the calendar month (`2026-11`, UTC) in which each quantum began, and by pool."""
    since_at: float | None = None
    """When the counting began: what was gone before then is in no sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What one tick hands to the next, besides nodes. Committed with the tick, so a restart forgets nothing.

    `clocks` count seconds in which a fact was seen: `sightings`, and `listing:NAME` for each account. They stand
    still while blind.
    """

    clocks: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    good_looks: Mapping[PoolName, int] = field(default_factory=lambda: MappingProxyType({}))
    strangers: tuple[Stranger, ...] = ()
    offer_rests: Mapping[OfferName, Rest] = field(default_factory=lambda: MappingProxyType({}))
    account_rests: Mapping[ProviderName, Rest] = field(default_factory=lambda: MappingProxyType({}))
    troubles: Mapping[ProviderName, Trouble] = field(default_factory=lambda: MappingProxyType({}))
    buckets: Mapping[ProviderName, Bucket] = field(default_factory=lambda: MappingProxyType({}))
    """Accounts whose calls were counted; one that is not here may be called as often as it may ever be."""
    becoming: Mapping[NodeName, str] = field(default_factory=lambda: MappingProxyType({}))
    """What each machine on its way is to become: its fingerprint, as configured when it was ordered."""
    proven: Mapping[PoolName, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """Fingerprints that have become workers, the newest last."""
    sweeps: Mapping[ProviderName, tuple[float, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """When silent orphans were ended unasked lately, on each account's listing clock."""
    waits: tuple[Wait, ...] = ()
    """What was held back on this tick."""
    stalls: Mapping[NodeName, Standstill] = field(default_factory=lambda: MappingProxyType({}))
    traffic: Mapping[PoolName, Traffic] = field(default_factory=lambda: MappingProxyType({}))
    """What was measured of each pool's tasks and machines."""
    boots: Mapping[OfferName, Span] = field(default_factory=lambda: MappingProxyType({}))
    """Machines of each offer for a pool that became workers, and the seconds that all of them took together."""
    drains: Mapping[NodeName, float] = field(default_factory=lambda: MappingProxyType({}))
    """Seconds that the drains of machines took that end now; below 0 where its worker held something meanwhile."""
    holdings: Mapping[NodeName, Holding] = field(default_factory=lambda: MappingProxyType({}))
    held_by_broker: Mapping[PoolName, int] = field(default_factory=lambda: MappingProxyType({}))
    """Messages not acknowledged at the last look, of pools that have any."""
    bills: Bills = field(default_factory=Bills)
    seen: tuple[ProviderName, ...] = ()
    """Accounts that were listed completely since the daemon began: what it has no record of there is known."""
    rate_limits: Mapping[ProviderName, RateLimit] = field(default_factory=lambda: MappingProxyType({}))
    """What accounts said last of how often they may still be asked, until that is over."""
    delivered: Mapping[OfferName, Span] = field(default_factory=lambda: MappingProxyType({}))
    """Of each offer for a pool: seconds that slots of its machines were busy, and tasks begun in them."""
    bought: Mapping[PoolName, OfferName] = field(default_factory=lambda: MappingProxyType({}))
    """What was bought last of each pool."""
    quotas: Mapping[ProviderName, Full] = field(default_factory=lambda: MappingProxyType({}))
    """Accounts that are full, as far as is known."""
    misplaced: tuple[Misplaced, ...] = ()
    """Machines that stand where residency does not allow them."""
    booting: Mapping[NodeName, Boot] = field(default_factory=lambda: MappingProxyType({}))
    """What machines say of their way to become workers, as long as they may say more."""
    phases: Mapping[OfferName, Boots] = field(default_factory=lambda: MappingProxyType({}))
    """What the last boots of each offer for a pool were like."""
    learned: Mapping[OfferName, Learned] = field(default_factory=lambda: MappingProxyType({}))
    """When a machine of each offer for a pool is late."""
    outdated: Mapping[NodeName, str] = field(default_factory=lambda: MappingProxyType({}))
    """Machines that are of an older definition of their pool, or too old, and why."""
    published: Mapping[PoolName, Published] = field(default_factory=lambda: MappingProxyType({}))
    """What stands in the upstream files of pools that have one."""
    at: float = 0.0
    """When it was written, by the wall clock of who wrote it; 0 in records of an older release."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a tick may know. `elapsed_s` is monotonic time since the tick before (0 at the first)."""

    at: float
    elapsed_s: float
    demand: Mapping[PoolName, Demand | Missing]
    listings: Mapping[ProviderName, Listing | Missing]
    sightings: Sightings | Missing
    idleness: Mapping[NodeName, Idleness]
    nodes: tuple[Node, ...]
    """All records that are not GONE."""
    strangers_hold: Mapping[WorkerName, int | Missing] = field(default_factory=lambda: MappingProxyType({}))
    """Messages the broker holds for workers named like machines without a record. A name that is not here was not
    asked about: its machine was not known when this tick looked."""
    hands: Mapping[WorkerName, Hands | Missing] = field(default_factory=lambda: MappingProxyType({}))
    """What serving workers hold, of those that were asked on this tick."""
    outcomes: tuple[Outcome, ...] = ()
    outcomes_may_be_old: bool = False
    """They may have waited longer than `elapsed_s`: the tick before could not be written down, or took long."""
    in_flight: frozenset[NodeName] = frozenset()
    """Nodes with a call under way; they get no second one."""
    orders: tuple[Order, ...] = ()
    swept: Mapping[int, str] | None = None
    """Of each sweep that waits, by its number, what became of what machines left behind, once that was dealt with;
    None: nobody deals with it here."""
    wishes: Mapping[PoolName, PoolWish] = field(default_factory=lambda: MappingProxyType({}))
    past: Mapping[PoolName, tuple[Past, ...]] = field(default_factory=lambda: MappingProxyType({}))
    memory: Memory = field(default_factory=Memory)
    prospects: Mapping[PoolName, Prospect] = field(default_factory=lambda: MappingProxyType({}))
    """What the past says of the hour to come, for each pool with a policy that asks for it."""
    name_seed: str = "0"
    """Fresh for this tick and never used before: new names are made of it. Lower case letters and digits."""
    settle_s: Mapping[ProviderName, float] = field(default_factory=lambda: MappingProxyType({}))
    """How long absence must last per account, from its traits."""
    listing_age_s: Mapping[ProviderName, float] = field(default_factory=lambda: MappingProxyType({}))
    """How long ago those listings were asked for that came late: they show what stood then."""
    rate_limits: Mapping[ProviderName, RateLimit] = field(default_factory=lambda: MappingProxyType({}))
    """What accounts said last of how often they may still be asked."""
    reports: Mapping[NodeName, Report] | Missing = field(default_factory=lambda: MappingProxyType({}))
    """What machines said since the last tick that was written down."""
    published: Mapping[PoolName, Published] = field(default_factory=lambda: MappingProxyType({}))
