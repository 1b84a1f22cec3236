"""The cloud itself, as its operators see it: what stands, what it costs, what was asked, and what goes wrong next.

One `SimulatedCloud` outlives the provider objects that are opened on it, as a real one outlives daemons. Time is the
clock it is given and never waited for; dice come from a seed, so a run repeats. It knows no daemon and decides nothing.
"""

from __future__ import annotations

import random
import threading
from collections import Counter, deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from providers.contract import InstanceId, InstanceSpec


class Clock(Protocol):
    """The time of this cloud."""

    def now(self) -> float: ...


class Fault(StrEnum):
    """What can go wrong with one call."""

    CAPACITY = "capacity"
    """The create is refused for want of stock."""
    QUOTA = "quota"
    """The create is refused because the account has all that it may have."""
    REJECTED = "rejected"
    """The create is refused as unusable."""
    THROTTLED = "throttled"
    """The create is refused for now: it is said for how long."""
    THROTTLED_MUTELY = "throttled mutely"
    """The create is refused for now: it is not said for how long."""
    REQUEST_LOST = "request lost"
    """The create never arrives, and its caller cannot tell."""
    ANSWER_LOST = "answer lost"
    """The create takes place, `late_create_s` later, and its caller is not told."""
    CREATED_LATE = "created late"
    """As `ANSWER_LOST`, and later still by up to `very_late_create_s`."""
    CREATED_TWICE = "created twice"
    """The create takes place twice under one name, and its caller is told of one machine."""
    LISTING_THROTTLED = "listing throttled"
    """The listing is refused for now: it is said for how long."""
    LISTING_FAILS = "listing fails"
    LISTING_CUT = "listing cut"
    """One machine in three, always the same, is missing from the listing, or one by dice where none of these stands;
    it says that it is incomplete."""
    LISTING_EMPTY = "listing empty"
    """The listing shows nothing, and says that it is complete."""
    PAGE_SKIPPED = "page skipped"
    """One machine in three, always the same (and others than of `LISTING_CUT`), is missing from the listing, which says
    that it is complete."""
    DESTROY_IGNORED = "destroy ignored"
    """The destroy is taken and nothing ends."""
    DESTROY_UNANSWERED = "destroy unanswered"
    """The machine ends, and the caller is not told."""
    DESTROY_LOST = "destroy lost"
    """The destroy never arrives, and its caller cannot tell."""
    DESTROY_THROTTLED = "destroy throttled"
    """The destroy is refused for now: it is said for how long."""
    DESTROY_THROTTLED_MUTELY = "destroy throttled mutely"
    """The destroy is refused for now: it is not said for how long. Only programs can order this one."""
    SLOW_BOOT = "slow boot"
    """The new machine takes `slow_boot_s` longer until it runs."""
    NEVER_BOOTS = "never boots"
    """The new machine never runs."""


OF_CREATES = (
    Fault.CAPACITY,
    Fault.QUOTA,
    Fault.REJECTED,
    Fault.THROTTLED,
    Fault.THROTTLED_MUTELY,
    Fault.REQUEST_LOST,
    Fault.ANSWER_LOST,
    Fault.CREATED_LATE,
    Fault.CREATED_TWICE,
)
OF_LISTINGS = (
    Fault.LISTING_THROTTLED,
    Fault.LISTING_FAILS,
    Fault.LISTING_CUT,
    Fault.LISTING_EMPTY,
    Fault.PAGE_SKIPPED,
)
OF_DESTROYS = (
    Fault.DESTROY_THROTTLED,
    Fault.DESTROY_THROTTLED_MUTELY,
    Fault.DESTROY_IGNORED,
    Fault.DESTROY_LOST,
    Fault.DESTROY_UNANSWERED,
)
OF_BOOTS = (Fault.SLOW_BOOT, Fault.NEVER_BOOTS)
_PAGES = 3
NEVER_AT = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How this cloud behaves when nothing was asked of it in particular."""

    boot_s: float = 0.0
    """From the order until a machine runs."""
    list_lag_s: float = 0.0
    """Listings show what stood this long ago."""
    lies_s: float = 0.0
    """How long a listing that calls itself complete may leave out a machine that stands, beyond its lag."""
    late_create_s: float = 0.0
    """How much later a create takes place whose answer was lost."""
    very_late_create_s: float = 60.0
    slow_boot_s: float = 600.0
    retry_after_s: float = 30.0
    """What a throttled caller is told to wait."""
    names_unique: bool = False
    """Whether a name that a standing machine of the fleet bears is refused."""
    countries: Mapping[str, str] = field(default_factory=dict)
    """In which country each location is."""
    shares: Mapping[Fault, float] = field(default_factory=dict)
    """The part of all calls that meets a fault, 0.0 to 1.0."""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine, ended ones too. It is billed from `created_at` until `ended_at`."""

    instance_id: InstanceId
    name: str
    fleet: str
    pool: str
    size: str
    image: str
    location: str
    user_data: bytes = field(repr=False)
    created_at: float
    boots_at: float
    """Infinite for one that never runs."""
    ended_at: float | None = None
    second: bool = False
    """Whether the provider made it without being asked, beside another of its name."""

    def stands_at(self, at: float) -> bool:
        """Whether it was there at this instant."""
        return self.created_at <= at and (self.ended_at is None or self.ended_at > at)


class Luck(Protocol):
    """Who chooses the faults that nobody planned."""

    def meets(self, fault: Fault, spec: InstanceSpec | None) -> bool:
        """Whether the call under way meets this fault; `spec` is what a create asks for."""
        ...

    def uniform(self, least: float, most: float) -> float:
        """A number between these two."""
        ...


class Shares:
    """Luck by dice: each fault meets its share of the calls."""

    def __init__(self, shares: Mapping[Fault, float], dice: random.Random) -> None:
        self._shares = shares
        self._dice = dice
        self.uniform = dice.uniform

    def meets(self, fault: Fault, spec: InstanceSpec | None) -> bool:
        """As the dice fall."""
        del spec
        share = self._shares.get(fault, 0.0)
        return bool(share) and self._dice.random() < share


class Tenant(Protocol):
    """Who lives on the machines, and is told at once of each that is made or ended."""

    def made(self, machine: Machine) -> None:
        """It stands from its `created_at` on, which may be later than now."""
        ...

    def ended(self, machine: Machine) -> None:
        """It stood, and stands no more."""
        ...


class SimulatedCloud:
    """All machines of all fleets on one account. Every method may be called from any thread."""

    def __init__(
        self,
        *,
        clock: Clock,
        habits: Habits | None = None,
        luck: Luck | None = None,
        tenant: Tenant | None = None,
    ) -> None:
        self.habits = habits or Habits()
        self._clock = clock
        self._lock = threading.RLock()
        self._dice = random.Random(self.habits.seed)  # noqa: S311 - faults to order, not secrets
        self._luck: Luck = luck or Shares(self.habits.shares, self._dice)
        self._tenant = tenant
        self._numbers = 0
        self._machines: dict[InstanceId, Machine] = {}
        self._planned: deque[Fault] = deque()
        self._asked: Counter[str] = Counter()
        self._booted: set[InstanceId] = set()

    def disturb(self, fault: Fault, *, times: int = 1) -> None:
        """Let the next calls that it can concern meet this fault, before any that the dice would choose."""
        with self._lock:
            self._planned.extend([fault] * times)

    def calm(self) -> None:
        """Forget the planned faults that were not met."""
        with self._lock:
            self._planned.clear()

    def machines(self) -> tuple[Machine, ...]:
        """Every machine that ever was, oldest first."""
        with self._lock:
            return tuple(self._machines.values())

    def standing(self, fleet: str | None = None) -> tuple[Machine, ...]:
        """What is there now, and billed, whatever listings say."""
        now = self._clock.now()
        return tuple(each for each in self.machines() if each.stands_at(now) and fleet in {None, each.fleet})

    def newly_booted(self) -> tuple[Machine, ...]:
        """Standing machines whose boot is over, each given once: the moment for a test world to start their workers."""
        now = self._clock.now()
        with self._lock:
            ready = tuple(
                each
                for each in self._machines.values()
                if each.stands_at(now) and each.boots_at <= now and each.instance_id not in self._booted
            )
            self._booted.update(each.instance_id for each in ready)
        return ready

    def creates_asked(self) -> Mapping[str, int]:
        """How often a create was sent, by name, refused and lost ones counted: two for one name is our bug."""
        with self._lock:
            return dict(self._asked)

    def billed_s(self, fleet: str | None = None) -> float:
        """Machine seconds up to now."""
        now = self._clock.now()
        return sum(
            (min(now, each.ended_at) if each.ended_at is not None else now) - each.created_at
            for each in self.machines()
            if each.created_at <= now and fleet in {None, each.fleet}
        )

    def crash(self, instance_id: InstanceId) -> None:
        """End a machine that nobody asked to end. KeyError where none of this id stands."""
        with self._lock:
            machine = self._machines[instance_id]
            if not machine.stands_at(self._clock.now()):
                raise KeyError(instance_id)
            self._end(machine)

    def forget(self, before_at: float) -> None:
        """Drop machines that ended before then, as a cloud does; they count no more in `machines` and `billed_s`."""
        with self._lock:
            for each in [m for m in self._machines.values() if (m.ended_at or NEVER_AT) < before_at]:
                del self._machines[each.instance_id]
                self._asked.pop(each.name, None)

    def met(self, possible: Collection[Fault], spec: InstanceSpec | None = None) -> Fault | None:
        """The fault that the call under way meets: a planned one first, else as luck has it."""
        with self._lock:
            for fault in self._planned:
                if fault in possible:
                    self._planned.remove(fault)
                    return fault
            return next((fault for fault in possible if self._luck.meets(fault, spec)), None)

    def asked(self, name: str) -> None:
        """Count a create that was sent."""
        with self._lock:
            self._asked[name] += 1

    def make(self, spec: InstanceSpec, *, late_s: float = 0.0, second: bool = False) -> Machine | None:
        """Let a machine stand, `late_s` from now. None where its name is taken and names are unique."""
        created_at = self._clock.now() + late_s
        with self._lock:
            if self.habits.names_unique and any(each.name == spec.name for each in self.standing(spec.fleet)):
                return None
            self._numbers += 1
            machine = Machine(
                instance_id=InstanceId(f"sim-{self._numbers:06d}"),
                name=spec.name,
                fleet=spec.fleet,
                pool=spec.pool,
                size=spec.size,
                image=spec.image,
                location=spec.location,
                user_data=spec.user_data,
                created_at=created_at,
                boots_at=created_at + self._boot_s(spec),
                second=second,
            )
            self._machines[machine.instance_id] = machine
            if self._tenant is not None:
                self._tenant.made(machine)
            return machine

    def late_s(self, fault: Fault | None) -> float:
        """How much later a create takes place that met this fault."""
        match fault:
            case Fault.ANSWER_LOST:
                return self.habits.late_create_s
            case Fault.CREATED_LATE:
                return self.habits.late_create_s + self._luck.uniform(0.0, self.habits.very_late_create_s)
            case _:
                return 0.0

    def seen_at(self) -> float:
        """The instant that listings show now."""
        return self._clock.now() - self.habits.list_lag_s

    def listed(self, fleet: str) -> tuple[Machine, ...]:
        """What a whole listing of this fleet shows now."""
        at = self.seen_at()
        return tuple(each for each in self.machines() if each.fleet == fleet and each.stands_at(at))

    def page_skipped(self, machines: tuple[Machine, ...]) -> tuple[Machine, ...]:
        """What is left of them without one page."""
        return tuple(each for each in machines if _page(each) != 0)

    def page_failed(self, machines: tuple[Machine, ...]) -> tuple[Machine, ...]:
        """What is left of them when a page could not be had: without another one, or without one machine by dice."""
        left = tuple(each for each in machines if _page(each) != 1)
        if len(left) < len(machines) or not machines:
            return left
        with self._lock:
            missing = self._dice.choice(machines)
        return tuple(each for each in machines if each is not missing)

    def end(self, fleet: str, name: str, instance_id: InstanceId | None, *, really: bool = True) -> int:
        """End the fleet's machine of this id, else those that listings show by this name; how many stood until now.

        With `really` False they are counted and left.
        """
        with self._lock:
            known = self._machines.get(instance_id) if instance_id is not None else None
            by_id = () if known is None else (known,)
            candidates = self.listed(fleet) if instance_id is None else by_id
            now = self._clock.now()
            concerned = [
                current
                for each in candidates
                if (current := self._machines[each.instance_id]).stands_at(now)
                and current.fleet == fleet
                and (instance_id is not None or current.name == name)
            ]
            if really:
                for each in concerned:
                    self._end(each)
            return len(concerned)

    def _end(self, machine: Machine) -> None:
        with self._lock:
            ended = replace(machine, ended_at=self._clock.now())
            self._machines[machine.instance_id] = ended
            if self._tenant is not None:
                self._tenant.ended(ended)

    def _boot_s(self, spec: InstanceSpec) -> float:
        match self.met(OF_BOOTS, spec):
            case Fault.SLOW_BOOT:
                return self.habits.boot_s + self.habits.slow_boot_s
            case Fault.NEVER_BOOTS:
                return NEVER_AT
            case _:
                return self.habits.boot_s


def _page(machine: Machine) -> int:
    return int(machine.instance_id.rpartition("-")[2]) % _PAGES
