"""What a cloud has made, and when anybody can see it: listings that lag, states that move on, ends that linger.

In go machines as a server describes them, out comes what stands, what is listed and in which state, on a clock that
tests turn; or, where `Hardware` stands behind them, as that is. What never happens here: a wait, or a machine that is
forgotten without being ended.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Clock:
    """The real time, and what tests have added to it."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def now(self) -> float:
        """Epoch seconds UTC."""
        return time.time() + self._ahead_s

    def turn(self, seconds: float) -> None:
        """Let this long have passed."""
        self._ahead_s += seconds


class Stage(Enum):
    """How far a machine is; each server has its own word for each."""

    MADE = "made"
    RUNNING = "running"
    ENDING = "ending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How slow a cloud is to show what it did."""

    boot_s: float = 2.0
    """From made to running."""
    list_lag_s: float = 0.0
    """For so long after it was made no listing shows a machine; asked for by its id it is there."""
    ending_s: float = 0.0
    """For so long after its end was asked for a machine is still there, ending."""
    list_tail_s: float = 0.0
    """For so long after it is gone listings still show a machine; asked for by its id it is not there."""


@dataclass(slots=True, kw_only=True)
class Machine:
    """One machine. `body` is the server's own document of it; `user_data` is what the machine itself would read."""

    key: str
    name: str
    made_at: float
    user_data: bytes = field(default=b"", repr=False)
    body: dict[str, Any] = field(default_factory=dict, repr=False)
    end_asked_at: float | None = None


class Hardware(Protocol):
    """What machines run on, where there is more behind them than a timetable. Every call returns at once."""

    def make(self, machine: Machine) -> None:
        """Let one be made; its size, image and user data stand in it."""

    def end(self, machine: Machine) -> None:
        """Let it be ended, made already or not. Asked once for each."""

    def runs(self, machine: Machine) -> bool:
        """Whether it is switched on."""

    def is_gone(self, machine: Machine) -> bool:
        """Whether nothing is left of one that was to be ended."""


class Machines:
    """Every machine of one account."""

    def __init__(
        self,
        clock: Clock,
        habits: Habits,
        *,
        new_key: Callable[[int], str] = str,
        hardware: Hardware | None = None,
    ) -> None:
        self.clock = clock
        self.habits = habits
        self._new_key = new_key
        self._hardware = hardware
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._all: dict[str, Machine] = {}

    @property
    def deciding(self) -> threading.RLock:
        """Held by a handler from its look whether a create may be to the machine, so that two cannot both pass."""
        return self._lock

    def make(self, name: str, *, user_data: bytes, body: dict[str, Any]) -> Machine:
        """A new machine, of a key that none had before."""
        with self._lock:
            key = self._new_key(next(self._numbers))
            machine = Machine(
                key=key, name=name, made_at=self.clock.now(), user_data=user_data, body=dict(body)
            )
            self._all[key] = machine
            if self._hardware is not None:
                self._hardware.make(machine)
            return machine

    def end(self, machine: Machine) -> None:
        """Ask for its end; asked twice, the first time counts."""
        with self._lock:
            if machine.end_asked_at is None:
                machine.end_asked_at = self.clock.now()
                if self._hardware is not None:
                    self._hardware.end(machine)

    def standing(self) -> tuple[Machine, ...]:
        """Those whose end nobody asked for, without any lag: what a person with the provider's books would see."""
        with self._lock:
            return tuple(each for each in self._all.values() if each.end_asked_at is None)

    def listed(self) -> tuple[Machine, ...]:
        """Those that a listing shows now, the oldest first."""
        now, habits = self.clock.now(), self.habits
        with self._lock:
            return tuple(
                each
                for each in self._all.values()
                if now >= each.made_at + habits.list_lag_s
                and (
                    each.end_asked_at is None
                    or not self.is_gone(each)
                    or now < each.end_asked_at + habits.ending_s + habits.list_tail_s
                )
            )

    def find(self, key: str) -> Machine | None:
        """The machine of that key, unless it is gone."""
        with self._lock:
            machine = self._all.get(key)
        if machine is None or self.is_gone(machine):
            return None
        return machine

    def named(self, name: str) -> tuple[Machine, ...]:
        """Those of that name that are not gone, in no listing yet or not."""
        with self._lock:
            return tuple(each for each in self._all.values() if each.name == name and not self.is_gone(each))

    def is_gone(self, machine: Machine) -> bool:
        """Whether its end was asked for and has come."""
        asked_at = machine.end_asked_at
        if asked_at is None or self.clock.now() < asked_at + self.habits.ending_s:
            return False
        return self._hardware is None or self._hardware.is_gone(machine)

    def stage(self, machine: Machine) -> Stage:
        """How far it is now."""
        if machine.end_asked_at is not None:
            return Stage.ENDING
        if self.clock.now() < machine.made_at + self.habits.boot_s:
            return Stage.MADE
        return Stage.RUNNING if self._hardware is None or self._hardware.runs(machine) else Stage.MADE
