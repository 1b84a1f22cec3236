"""The words in which the journal is asked and answers: what a tick writes, what a command reads, the two errors.

All of it is values and names. What never happens here: SQL, files, time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from autoscaler.core.facts import Memory
from autoscaler.core.model import (
    Node,
    OfferName,
    Order,
    OrderAnswer,
    PoolDecision,
    PoolName,
    PoolWish,
    Transition,
)
from autoscaler.core.repeats import Repeats
from autoscaler.core.reports import Boot
from policies.prospect import Slice
from providers.contract import NodeName


class JournalUnavailable(Exception):
    """The journal cannot be read or written, or would no longer be true. Nothing was changed; dispatch nothing."""


class JournalAway(JournalUnavailable):
    """Its server cannot be reached, which may pass by itself: a daemon waits, a command says so."""


class JournalAbsent(JournalUnavailable):
    """There is no journal at that place yet, and whoever asked was not to make one."""

    def __init__(self, place: str) -> None:
        super().__init__(f"there is no journal at {place} yet")
        self.place = place


class LeaseLost(JournalUnavailable):
    """Another daemon works with this journal now. Nothing was written, and nothing will be: end the process."""


class SchemaChanged(LeaseLost):
    """A daemon of another release changed the journal's tables. The lease is of no use any more: end the process."""


class LeaseHeld(Exception):
    """Another daemon works with this journal: `owner`, since `since_at` (epoch seconds)."""

    def __init__(self, owner: str, since_at: float, *, place: str) -> None:
        since = datetime.fromtimestamp(since_at, UTC).isoformat(timespec="seconds")
        super().__init__(f"another daemon holds the journal {place}: {owner}, since {since}")
        self.owner = owner
        self.since_at = since_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """That opening a journal of an older release brought it to this one's schema."""

    before: str
    after: str
    backup: Path | None
    """The copy of what it was; None for one on a server, which has its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTerms:
    """How long a lease on a server lasts. A journal in a file needs no such times: the kernel knows who lives."""

    term_s: float = 15.0
    """One who stands by takes over when the lease was not renewed for so long. Its holder says it to all others."""

    @property
    def pause_s(self) -> float:
        """Between two renewals, and between two looks of one who stands by: some may fail within one term."""
        return self.term_s / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a sample stands for besides, where it is the last look of several that are one row by now."""

    since_at: float
    """The first of those that saw demand; of all, where none did."""
    over_s: float
    """They are within one minute (60) or one hour (3600)."""
    ticks: int
    seen: int
    """Of them those that saw demand,"""
    counted: int
    """those at which the broker's counters told what came,"""
    rated: int
    """and those at which it said how fast tasks come."""
    backlog_most: int | None
    busy_first: int | None
    """Slots that were busy at the first."""
    busy_most: int | None
    busy_sum: int | None
    """At all of them, each anew."""
    busy_s: float
    """Seconds of slots, from the first to the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One pool at one tick, for history and plots. None is "not measured"; the cost is in the fleet's currency.

    Of several looks: demand as the last saw it that did, supply and what was wanted at the last, all that was counted,
    the longest wait, the mean of cost and rates.
    """

    pool: PoolName
    at: float
    backlog: int | None
    in_progress: int | None
    arrivals_per_s: float | None
    completions_per_s: float | None
    wait_s: float | None
    serving: int
    arriving: int
    leaving: int
    wanted: int
    cost_per_h: float
    arrived: int | None = None
    """Tasks that the broker counted in over the last `counted_s`; None where it did not count, and in older rows."""
    completed: int | None = None
    """Tasks that it counted out in that time."""
    counted_s: float | None = None
    busy: int | None = None
    """Tasks that the pool's workers said they ran, those of workers that leave included; None while deaf."""
    stretch: Stretch | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRecord:
    """What is known of one machine's way to become a worker."""

    node: NodeName
    pool: PoolName
    offer: OfferName
    at: float
    """When something of it changed last."""
    boot: Boot
    log: tuple[str, ...] | None = None
    """The end of its log, the oldest line first; None leaves what is on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TickRecord:
    """Everything one tick writes, as one transaction.

    `new_nodes` have no record yet: a name that was ever used, even by a node long gone, fails the whole record.
    `changed_nodes` have a live record; one that is unknown or GONE fails the whole record, because GONE is final.
    `wishes` are those to set; pools left out keep theirs.
    """

    at: float
    new_nodes: tuple[Node, ...] = ()
    changed_nodes: tuple[Node, ...] = ()
    transitions: tuple[Transition, ...] = ()
    decisions: tuple[PoolDecision, ...] = ()
    """All of them. Each is the one that stands from now on; those that repeat the one before do not become part of the
    past."""
    repeats: Repeats = field(default_factory=Repeats)
    answers: tuple[OrderAnswer, ...] = ()
    wishes: tuple[PoolWish, ...] = ()
    memory: Memory
    samples: tuple[Sample, ...] = ()
    slices: Mapping[PoolName, Slice] = field(default_factory=lambda: MappingProxyType({}))
    """What this tick counted, to be added to what the slice has already."""
    boots: tuple[BootRecord, ...] = ()
    """Those of which this tick learned something. Of a machine that has no record nothing is kept for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRecord:
    """An order with its answer; both None while it waits."""

    order: Order
    answered_at: float | None = None
    answer: OrderAnswer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseHolder:
    """The daemon that last took the lease and has not given it back. One that was killed still stands here."""

    owner: str
    epoch: int
    since_at: float
