"""The `simulated` provider: one fleet's account at a `SimulatedCloud`, as the contract asks.

Calls go in, what the cloud makes of them comes out, its faults as the contract's errors. Nothing waits here: a lost
answer is told at once, so the provider runs on virtual time.
"""

from __future__ import annotations

from providers.contract import (
    CapacityRefused,
    Finding,
    Instance,
    InstanceAbsent,
    InstanceId,
    InstanceSpec,
    InstanceState,
    Listing,
    ListingUnavailable,
    MayAct,
    NotSent,
    Options,
    OutcomeUnknown,
    ProviderError,
    ProviderTraits,
    Purchase,
    QuotaRefused,
    RequestRejected,
    Throttled,
    always,
)
from providers.options import Reader
from providers.simulated.cloud import (
    OF_CREATES,
    OF_DESTROYS,
    OF_LISTINGS,
    Clock,
    Fault,
    Habits,
    Machine,
    SimulatedCloud,
)

_USER_DATA_LIMIT_BYTES = 32_768
_SHARES = {
    "refuse_creates": Fault.CAPACITY,
    "refuse_by_quota": Fault.QUOTA,
    "reject_creates": Fault.REJECTED,
    "throttle_creates": Fault.THROTTLED,
    "throttle_creates_mutely": Fault.THROTTLED_MUTELY,
    "lose_requests": Fault.REQUEST_LOST,
    "lose_answers": Fault.ANSWER_LOST,
    "create_late": Fault.CREATED_LATE,
    "create_twice": Fault.CREATED_TWICE,
    "throttle_listings": Fault.LISTING_THROTTLED,
    "fail_listings": Fault.LISTING_FAILS,
    "cut_listings": Fault.LISTING_CUT,
    "empty_listings": Fault.LISTING_EMPTY,
    "skip_pages": Fault.PAGE_SKIPPED,
    "ignore_destroys": Fault.DESTROY_IGNORED,
    "lose_destroys": Fault.DESTROY_LOST,
    "lose_destroy_answers": Fault.DESTROY_UNANSWERED,
    "throttle_destroys": Fault.DESTROY_THROTTLED,
    "boot_slowly": Fault.SLOW_BOOT,
    "never_boot": Fault.NEVER_BOOTS,
}
_REFUSALS: dict[Fault, type[ProviderError]] = {
    Fault.CAPACITY: CapacityRefused,
    Fault.QUOTA: QuotaRefused,
    Fault.REJECTED: RequestRejected,
    Fault.REQUEST_LOST: OutcomeUnknown,
    Fault.THROTTLED_MUTELY: Throttled,
}
_UNANSWERED = frozenset({Fault.ANSWER_LOST, Fault.CREATED_LATE})
_SPANS_S = (
    "boot_s",
    "slow_boot_s",
    "list_lag_s",
    "lies_s",
    "late_create_s",
    "very_late_create_s",
    "retry_after_s",
)
_LONGEST_S = 3600.0


def open_simulated(
    *, name: str, fleet: str, options: Options, clock: Clock, may_act: MayAct = always
) -> SimulatedProvider:
    """Options: `boot_s`, `slow_boot_s`, `list_lag_s`, `lies_s`, `late_create_s`, `very_late_create_s`, `retry_after_s`,
    `names_unique`, `seed`, and a share (0.0 to 1.0) of the calls for each fault: of creates `refuse_creates`,
    `refuse_by_quota`, `reject_creates`, `throttle_creates`, `throttle_creates_mutely`, `lose_requests`, `lose_answers`,
    `create_late`, `create_twice`, `boot_slowly`, `never_boot`; of listings `throttle_listings`, `fail_listings`,
    `cut_listings`, `empty_listings`, `skip_pages`; of destroys `ignore_destroys`, `lose_destroys`,
    `lose_destroy_answers`, `throttle_destroys`.

    `lies_s` is a promise that the account's settle time rests on: who lets listings be empty or skip pages sees to it
    that none does for longer.

    Programs may give `cloud`, a `SimulatedCloud` that other provider objects are open on too, in place of all others.
    """
    cloud = options.get("cloud")
    if isinstance(cloud, SimulatedCloud):
        Reader(name, options, known=("cloud",))
        return SimulatedProvider(cloud=cloud, fleet=fleet, may_act=may_act)
    reader = Reader(name, options, known=(*_SPANS_S, "names_unique", "seed", *_SHARES))
    usual = Habits()
    habits = Habits(
        **{each: reader.number(each, default=getattr(usual, each), most=_LONGEST_S) for each in _SPANS_S},
        names_unique=reader.flag("names_unique", default=False),
        countries=usual.countries,
        seed=reader.whole("seed", default=0),
        shares={fault: reader.number(option, default=0.0, most=1.0) for option, fault in _SHARES.items()},
    )
    made = SimulatedCloud(clock=clock, habits=habits)
    return SimulatedProvider(cloud=made, fleet=fleet, may_act=may_act)


class SimulatedProvider:
    """One fleet's view of the cloud. Opening several on one cloud is how a daemon's restart is played."""

    def __init__(self, *, cloud: SimulatedCloud, fleet: str, may_act: MayAct = always) -> None:
        self.cloud = cloud
        self._may_act = may_act
        self._fleet = fleet

    @property
    def traits(self) -> ProviderTraits:
        return ProviderTraits(
            # The lag is exact here; twice of it, and a second, is the margin that is asked of every dialect.
            settle_s=2 * self.cloud.habits.list_lag_s + self.cloud.habits.lies_s + 1.0,
            user_data_limit_bytes=_USER_DATA_LIMIT_BYTES,
            user_data_gzip=True,
            names_unique=self.cloud.habits.names_unique,
            countries=self.cloud.habits.countries,
        )

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Order a machine, or meet a fault of creates."""
        del timeout_s
        if not self._may_act():
            raise NotSent(f"{spec.name}: not sent: the lease is not surely ours")
        self.cloud.asked(spec.name)
        if len(spec.user_data) > _USER_DATA_LIMIT_BYTES:
            raise RequestRejected(
                f"{spec.name}: user data of {len(spec.user_data)} bytes; expected at most {_USER_DATA_LIMIT_BYTES}"
            )
        if spec.fleet != self._fleet:
            raise RequestRejected(f"{spec.name}: is of fleet {spec.fleet}; expected {self._fleet}")
        fault = self.cloud.met(OF_CREATES, spec)
        if fault is Fault.THROTTLED:
            raise Throttled(f"{spec.name}: asked too often", retry_after_s=self.cloud.habits.retry_after_s)
        if fault in _REFUSALS:
            raise _REFUSALS[fault](f"{spec.name}: create met the fault {fault.value!r}")
        machine = self.cloud.make(spec, late_s=self.cloud.late_s(fault))
        if fault is Fault.CREATED_TWICE:
            self.cloud.make(spec, second=True)
        if fault in _UNANSWERED:
            assert fault is not None
            raise OutcomeUnknown(f"{spec.name}: create met the fault {fault.value!r}")
        if machine is None:
            raise RequestRejected(f"{spec.name}: a machine of this name stands already")
        return _instance(machine, at=machine.created_at)

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """End one machine by id, else those of this name that a listing shows, whole or cut."""
        del timeout_s
        if not self._may_act():
            raise NotSent(f"{name}: not sent: the lease is not surely ours")
        fault = self.cloud.met(OF_DESTROYS)
        if fault is Fault.DESTROY_THROTTLED:
            raise Throttled(f"{name}: asked too often", retry_after_s=self.cloud.habits.retry_after_s)
        if fault is Fault.DESTROY_THROTTLED_MUTELY:
            raise Throttled(f"{name}: asked too often")
        if fault is Fault.DESTROY_LOST:
            raise OutcomeUnknown(f"{name}: destroy met the fault {fault.value!r}")
        if instance_id is None and self.cloud.met((Fault.LISTING_CUT,)):
            shown = self.cloud.page_failed(self.cloud.listed(self._fleet))
            if not any(each.name == name for each in shown):
                raise OutcomeUnknown(f"{name}: nothing was asked: not listed, a page could not be read")
        really = fault is not Fault.DESTROY_IGNORED
        if not self.cloud.end(self._fleet, name, instance_id, really=really):
            raise InstanceAbsent(f"{name}: no such machine of fleet {self._fleet}")
        if fault is Fault.DESTROY_UNANSWERED:
            raise OutcomeUnknown(f"{name}: destroy met the fault {fault.value!r}")

    def list_instances(self, *, timeout_s: float) -> Listing:
        """What stood `list_lag_s` ago."""
        del timeout_s
        fault = self.cloud.met(OF_LISTINGS)
        if fault is Fault.LISTING_THROTTLED:
            raise Throttled(
                f"fleet {self._fleet}: asked too often", retry_after_s=self.cloud.habits.retry_after_s
            )
        if fault is Fault.LISTING_FAILS:
            raise ListingUnavailable(f"fleet {self._fleet}: listing met the fault {fault.value!r}")
        if fault is Fault.LISTING_EMPTY:
            return Listing(instances=(), complete=True)
        at, machines = self.cloud.seen_at(), self.cloud.listed(self._fleet)
        if fault is Fault.PAGE_SKIPPED:
            machines = self.cloud.page_skipped(machines)
        if fault is Fault.LISTING_CUT:
            return Listing(
                instances=tuple(_instance(each, at=at) for each in self.cloud.page_failed(machines)),
                complete=False,
                why_incomplete="a page is missing",
            )
        return Listing(instances=tuple(_instance(each, at=at) for each in machines), complete=True)

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        """Everything is for sale here, as long as its user data fits."""
        del timeout_s
        fits = purchase.user_data_bytes <= _USER_DATA_LIMIT_BYTES
        return (
            Finding(subject="price", ok=True, says="nothing: these machines are not real"),
            Finding(subject="quota", ok=True, says="no limit that would be told"),
            Finding(subject="network", ok=True, says="these machines need none"),
            Finding(
                subject="user data",
                ok=fits,
                says=f"{purchase.user_data_bytes} of at most {_USER_DATA_LIMIT_BYTES} bytes",
            ),
        )

    def close(self) -> None:
        """Nothing is held open."""


def _instance(machine: Machine, *, at: float) -> Instance:
    return Instance(
        name=machine.name,
        instance_id=machine.instance_id,
        state=InstanceState.RUNNING if machine.boots_at <= at else InstanceState.PENDING,
        pool=machine.pool,
        created_at=machine.created_at,
        location=machine.location,
        size=machine.size,
    )
