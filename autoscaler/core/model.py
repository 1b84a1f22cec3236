"""The daemon's own records and wishes: nodes, the rules of a pool, and the actions a plan is made of.

All of it is values. A `Node` is our record of a machine; what the provider says of it is an `Instance`, a fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import NewType

from autoscaler.core.learned import LEAST_S
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.places import Places
from autoscaler.core.waits import Wait
from policies.contract import Decision, Limits, PolicySpec, Stabilization
from providers.contract import InstanceId, NodeName, ProviderName

PoolName = NewType("PoolName", str)
WorkerName = NewType("WorkerName", str)
OfferName = NewType("OfferName", str)
"""`provider/location/size/image`: one way to buy a node, and the key its refusals are remembered by."""


@lru_cache(maxsize=65_536)  # asked some times a tick about each node
def worker_of(node: NodeName) -> WorkerName:
    """The Celery worker that a node becomes."""
    return WorkerName(f"celery@{node}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way to buy a node. The price is in the fleet's currency; the quantum is the unit the provider bills in."""

    provider: ProviderName
    location: str
    size: str
    image: str
    price_per_h: float
    quantum_s: int

    @property
    def name(self) -> OfferName:
        return OfferName(f"{self.provider}/{self.location}/{self.size}/{self.image}")


class OfferOrder(StrEnum):
    """In which order a pool's offers are asked: as they stand there, or that whose work costs least first."""

    LISTED = "listed"
    PRICE = "price"


class DrainExpiry(StrEnum):
    """The operator's choice for a drain that takes too long."""

    WAIT = "wait"
    DESTROY = "destroy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long each state of a pool's nodes may last, in seconds of time in which we could see."""

    create_s: float = 120.0
    enrol_s: float = 600.0
    """For any machine; where its offer's boots are learned from, at most."""
    enrol_first_s: float | None = None
    """While none of its offer is known; None: nothing is learned, all have `enrol_s`."""
    enrol_least_s: float = LEAST_S
    """However quick others were."""
    silence_s: float = 60.0
    lost_s: float = 300.0
    drain_s: float = 1800.0
    drain_expiry: DrainExpiry = DrainExpiry.WAIT
    stall_s: float = 300.0
    """How long a worker may take up no task though it has room and messages wait; 0: as long as it likes."""
    task_s: float = 0.0
    """How long a task may run before its worker is replaced; 0: as long as it likes."""
    stop_s: float = 30.0
    """How long a drained worker may take to say goodbye before its machine is destroyed."""
    call_s: float = 60.0
    """For one call to a provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRules:
    """A pool's configuration as the core needs it. `queues` are the concrete names its workers consume."""

    name: PoolName
    queues: tuple[str, ...]
    slots: int
    policies: tuple[PolicySpec, ...]
    limits: Limits
    stabilization: Stabilization
    timeouts: Timeouts
    offers: tuple[Offer, ...]
    paused: bool = False
    canary: bool = True
    """Whether a machine that is to become something new is tried alone first."""
    becomes: Mapping[OfferName, str] = field(default_factory=lambda: MappingProxyType({}))
    """A fingerprint of what a new machine of each offer becomes; without one nothing is known to have changed."""
    replaces_drifted: bool = False
    """Whether machines of an older definition are replaced unasked."""
    max_age_s: float = 0.0
    """How old a machine may be before it is replaced; 0: as old as it likes."""
    residency: tuple[str, ...] | None = None
    """Countries where its machines may stand, of those of the fleet; None: wherever the fleet's may."""
    offer_order: OfferOrder = OfferOrder.LISTED
    offer_margin: float = 0.1
    """By price: how much dearer the work of the offer bought last may be while it is bought on."""

    own_slots: Mapping[OfferName, int] = field(default_factory=lambda: MappingProxyType({}))
    """Of offers whose machines run another number of tasks at once than `slots`."""

    def slots_of(self, offer: OfferName) -> int:
        """Tasks that a worker on a machine of that offer runs at once."""
        return self.own_slots.get(offer, self.slots)

    def weight_of(self, offer: OfferName) -> int:
        """As how many workers a new machine of that offer counts, in every number of the pool."""
        return max(1, self.slots_of(offer) // self.slots)

    def counts_as(self, node: Node) -> int:
        """As how many workers a machine counts: one of an offer without own slots as one, even if `slots` changed."""
        if node.slots == self.slots:
            return 1
        plain = node.offer.name not in self.own_slots and any(o.name == node.offer.name for o in self.offers)
        return 1 if plain else max(1, node.slots // self.slots)


class OrphanRule(StrEnum):
    """What is done with machines that bear our mark and have no record."""

    DESTROY = "destroy"
    REPORT = "report"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRules:
    """What holds for all pools."""

    name: str
    currency: str = "EUR"
    orphans: OrphanRule = OrphanRule.DESTROY
    orphan_share: float = 0.2
    """Share of an account's machines that may be ended unasked as silent orphans, one at least …"""
    orphan_every_s: float = 600.0
    """… in so many seconds of sight."""
    proof_lag_s: float = 6.0
    """How old a confirmed stop of consuming must be before proofs of idleness count: broker statistics lag so far."""
    drain_s: float = 60.0
    """How long the drain of an idle worker takes, from the order to stop consuming to the order to destroy."""
    max_calls: int = 16
    """Calls under way at once to one account, or to workers."""
    calls_per_minute: Mapping[ProviderName, float] = field(default_factory=lambda: MappingProxyType({}))
    """Calls that make or end machines, per account; as many may be made at once after a minute of quiet."""
    tick_s: float = 10.0
    """Between two looks at each account."""
    max_cost_per_hour: float | None = None
    """What the machines of all pools may cost together."""
    max_cost_per_month: float | None = None
    residency: tuple[str, ...] | None = None
    """Countries where machines may stand; None: anywhere."""
    places: Places = field(default_factory=Places)


class ConsumerOrder(StrEnum):
    """What a worker was last told about its queues, until it confirms."""

    NONE = "none"
    CANCEL = "cancel"
    LEAVE = "leave"
    """As CANCEL, but for good, by an operator's word or because it is replaced: load does not take the worker back."""
    ADD = "add"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Our record of one machine, from the order to the proof of its absence.

    `name` is the record's key, used once ever; `machine` is the name the machine bears at the provider. They
    differ only for an orphan that was taken into the records.
    """

    name: NodeName
    machine: NodeName
    pool: PoolName
    offer: Offer
    slots: int
    queues: tuple[str, ...]
    """What its worker consumes, as decided when it was ordered: the configuration may have changed since."""
    state: NodeState
    reason: str
    """Why it is in this state, in words."""
    ordered_at: float
    entered_at: float
    """When this state was entered."""
    entered_on: float
    """The same instant on the clock of the fact that this state's deadline rests on; that clock stops while blind."""
    instance_id: InstanceId | None = None
    instance_created_at: float | None = None
    enrolled_at: float | None = None
    missing_on: float | None = None
    """First complete listing without it, on the provider's listing clock; None while it is listed."""
    worker_pid: int | None = None
    consumer_order: ConsumerOrder = ConsumerOrder.NONE
    confirmed_on: float | None = None
    """When the worker's confirmation of that order was taken in, on the clock of sightings: no step of the wall clock
    makes it older, and what was not heard does not either."""
    stop_due: bool = False
    """Proven idle: its worker is to be told to shut down before the machine is destroyed."""
    stopped_at: float | None = None
    """When it was told so."""
    given_up: bool = False
    """Its end was an operator's choice, by word or by `on_drain_timeout`: it is asked for whatever its worker holds."""
    destroy_asks: int = 0
    refused_asks: int = 0
    """So many of these, from the first one on, got a definite no: nobody heard them."""
    next_ask_at: float = 0.0
    becomes: str = ""
    """What it was to become, as configured when it was ordered: a fingerprint; empty where that is not known."""
    replace_due: bool = False
    """An operator ordered that it be replaced; stands until it is gone or he takes that back."""
    tasks_before: int = 0
    """Tasks that earlier processes of its worker were done with, as far as was noted."""
    tasks_now: int | None = None
    """Those of the process that was heard last."""
    tasks_noted_at: float | None = None

    @property
    def tasks_done(self) -> int | None:
        """Tasks that its worker was done with when that was noted last, failed ones too; None while it told of none."""
        return None if self.tasks_now is None else self.tasks_before + self.tasks_now

    @property
    def worker(self) -> WorkerName:
        return worker_of(self.machine)

    @property
    def end_asked(self) -> bool:
        """Whether somebody may have been asked for its end: from then on nothing takes that back."""
        return self.destroy_asks > self.refused_asks


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One move of one node, with its reason. `before` is None for a new record: ordered just now, or of an orphan."""

    node: NodeName
    pool: PoolName
    at: float
    event: Event | None
    before: NodeState | None
    after: NodeState
    reason: str


class OrderKind(StrEnum):
    """What an operator may order. The loop carries it out; the journal keeps it."""

    DRAIN = "drain"
    UNDRAIN = "undrain"
    DESTROY = "destroy"
    FORGET = "forget"
    PAUSE = "pause"
    RESUME = "resume"
    HOLD = "hold"
    SWEEP = "sweep"
    WAKE = "wake"
    REPLACE = "replace"
    RELOAD = "reload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An operator's word. `target` is a node, a pool, an offer or an account, `*` for all, or the digest of a
    configuration."""

    number: int
    kind: OrderKind
    target: str
    given_at: float
    given_by: str
    workers: int | None = None
    until_at: float | None = None
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAnswer:
    """What became of an order, in words. Unanswered orders stay waiting."""

    number: int
    carried_out: bool
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolWish:
    """An operator's standing word about a pool."""

    pool: PoolName
    paused: bool | None = None
    """None: as configured."""
    hold_workers: int | None = None
    hold_until_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateNode:
    """Buy this machine. Dispatched at most once per name, ever."""

    node: NodeName
    pool: PoolName
    offer: Offer
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainNode:
    """Tell the worker to stop consuming. Repeated until confirmed."""

    node: NodeName
    worker: WorkerName
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UndrainNode:
    """Tell the worker to consume again. Repeated until confirmed."""

    node: NodeName
    worker: WorkerName
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWorker:
    """Tell a drained worker to shut down warmly, before its machine is destroyed."""

    node: NodeName
    worker: WorkerName


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyNode:
    """Ask for the end of the machine: by id where it is known, else by name."""

    node: NodeName
    machine: NodeName
    provider: ProviderName
    instance_id: InstanceId | None
    timeout_s: float


Action = CreateNode | DrainNode | UndrainNode | StopWorker | DestroyNode


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTrouble:
    """A node that could not be dealt with this tick: its record stays as it was, and it is counted and paid on."""

    node: NodeName
    pool: PoolName
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What this tick does to the world, with all live records as they stand once it is committed.

    `transitions` are the plan's own moves; those the world made are in `Reconciled`.
    """

    actions: tuple[Action, ...]
    nodes: tuple[Node, ...]
    transitions: tuple[Transition, ...]
    answers: tuple[OrderAnswer, ...]
    remarks: tuple[tuple[PoolName, str], ...] = ()
    """What bound the plan, per pool, in words: capped by budget, no offer awake, …"""
    troubles: tuple[NodeTrouble, ...] = ()
    """Nodes that could not be dealt with, while being reconciled or here."""
    waits: tuple[Wait, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDecision:
    """A decision as it is stored: with the one sentence an operator reads."""

    pool: PoolName
    at: float
    decision: Decision
    sentence: str
