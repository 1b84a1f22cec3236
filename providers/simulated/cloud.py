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
    REJECTED = "rejected"
    """The create is refused as unusable."""
    THROTTLED = "throttled"
    """The create is refused for now."""
    REQUEST_LOST = "request lost"
    """The create never arrives, and its caller cannot tell."""
    ANSWER_LOST = "answer lost"
    """The create takes place, `late_create_s` later, and its caller is not told."""
    LISTING_FAILS = "listing fails"
    LISTING_CUT = "listing cut"
    """One machine, by dice, is missing from the listing, which says that it is incomplete."""
    DESTROY_IGNORED = "destroy ignored"
    """The destroy is taken and nothing ends."""
    DESTROY_UNANSWERED = "destroy unanswered"
    """The machine ends, and the caller is not told."""


OF_CREATES = (Fault.CAPACITY, Fault.REJECTED, Fault.THROTTLED, Fault.REQUEST_LOST, Fault.ANSWER_LOST)
OF_LISTINGS = (Fault.LISTING_FAILS, Fault.LISTING_CUT)
OF_DESTROYS = (Fault.DESTROY_IGNORED, Fault.DESTROY_UNANSWERED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How this cloud behaves when nothing was asked of it in particular."""

    boot_s: float = 0.0
    """From the order until a machine runs."""
    list_lag_s: float = 0.0
    """Listings show what stood this long ago."""
    late_create_s: float = 0.0
    """How much later a create takes place whose answer was lost."""
    retry_after_s: float = 30.0
    """What a throttled caller is told to wait."""
    names_unique: bool = False
    """Whether a name that a standing machine of the fleet bears is refused."""
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
    ended_at: float | None = None

    def stands_at(self, at: float) -> bool:
        """Whether it was there at this instant."""
        return self.created_at <= at and (self.ended_at is None or self.ended_at > at)


class SimulatedCloud:
    """All machines of all fleets on one account. Every method may be called from any thread."""

    def __init__(self, *, clock: Clock, habits: Habits | None = None) -> None:
        self.habits = habits or Habits()
        self._clock = clock
        self._lock = threading.RLock()
        self._dice = random.Random(self.habits.seed)  # noqa: S311 - faults to order, not secrets
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
            self._end({each.instance_id: each for each in self.standing()}[instance_id])

    def met(self, possible: Collection[Fault]) -> Fault | None:
        """The fault that the call under way meets: a planned one first, else as the dice fall."""
        with self._lock:
            for fault in self._planned:
                if fault in possible:
                    self._planned.remove(fault)
                    return fault
            for fault in possible:
                share = self.habits.shares.get(fault, 0.0)
                if share and self._dice.random() < share:
                    return fault
        return None

    def asked(self, name: str) -> None:
        """Count a create that was sent."""
        with self._lock:
            self._asked[name] += 1

    def make(self, spec: InstanceSpec, *, late_s: float = 0.0) -> Machine | None:
        """Let a machine stand, `late_s` from now. None where its name is taken and names are unique."""
        now = self._clock.now()
        with self._lock:
            if self.habits.names_unique and any(each.name == spec.name for each in self.standing(spec.fleet)):
                return None
            machine = Machine(
                instance_id=InstanceId(f"sim-{len(self._machines) + 1:06d}"),
                name=spec.name,
                fleet=spec.fleet,
                pool=spec.pool,
                size=spec.size,
                image=spec.image,
                location=spec.location,
                user_data=spec.user_data,
                created_at=now + late_s,
                boots_at=now + late_s + self.habits.boot_s,
            )
            self._machines[machine.instance_id] = machine
            return machine

    def seen_at(self) -> float:
        """The instant that listings show now."""
        return self._clock.now() - self.habits.list_lag_s

    def listed(self, fleet: str) -> tuple[Machine, ...]:
        """What a whole listing of this fleet shows now."""
        at = self.seen_at()
        return tuple(each for each in self.machines() if each.fleet == fleet and each.stands_at(at))

    def one_of(self, machines: tuple[Machine, ...]) -> Machine:
        """One of them, by dice."""
        with self._lock:
            return self._dice.choice(machines)

    def end(self, fleet: str, name: str, instance_id: InstanceId | None, *, really: bool = True) -> int:
        """End the fleet's machine of this id, else those that listings show by this name; how many stood until now.

        With `really` False they are counted and left.
        """
        with self._lock:
            candidates = (
                self.listed(fleet)
                if instance_id is None
                else tuple(each for each in self.machines() if each.instance_id == instance_id)
            )
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
            self._machines[machine.instance_id] = replace(machine, ended_at=self._clock.now())
