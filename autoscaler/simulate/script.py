"""What goes wrong, and when: spans that last, and strokes of bad luck, drawn from the seed.

Each kind of fault has dice of its own, so that a life retold without one kind meets the others much as before. After
`trouble_s` nothing goes wrong any more. What never happens here: a fault carried out.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.simulate.contract import Fault, Scenario

LIES_S = 30.0
"""How long a listing that calls itself complete may leave out a machine that stands, beyond its lag.

This is what a settle time promises, and the one bound without which no absence could ever be believed: a provider that
shows an empty account for longer than that makes any daemon buy its fleet a second time.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A trouble that lasts: how many come in an hour of a bad life, and how long each is."""

    per_h: float
    shortest_s: float
    longest_s: float
    phase_s: float | None = None
    """Where set, it begins in the first 100 s after this phase of `_TURN_S` only."""


_TURN_S = 600.0
"""Kinds of lies about one account take turns: two in a row would be one that lasts longer than either may."""

SPANS: Mapping[Fault, Span] = MappingProxyType(
    {
        Fault.LISTING_FAILS: Span(per_h=4, shortest_s=5, longest_s=180),
        Fault.LISTING_INCOMPLETE: Span(per_h=4, shortest_s=5, longest_s=180),
        Fault.LISTING_EMPTY: Span(per_h=3, shortest_s=5, longest_s=LIES_S, phase_s=0.0),
        Fault.PAGE_SKIPPED: Span(per_h=3, shortest_s=5, longest_s=LIES_S, phase_s=300.0),
        Fault.LISTING_HANGS: Span(per_h=2, shortest_s=10, longest_s=300),
        Fault.LISTING_LATE: Span(per_h=3, shortest_s=20, longest_s=300),
        Fault.LISTING_THROTTLED: Span(per_h=2, shortest_s=5, longest_s=60),
        Fault.CAPACITY_REFUSED: Span(per_h=4, shortest_s=60, longest_s=900),
        Fault.QUOTA_REFUSED: Span(per_h=2, shortest_s=60, longest_s=900),
        Fault.THROTTLED: Span(per_h=4, shortest_s=10, longest_s=60),
        Fault.USER_REFUSED: Span(per_h=6, shortest_s=10, longest_s=300),
        Fault.ACCOUNT_DOWN: Span(per_h=2, shortest_s=60, longest_s=420),
        Fault.BROKER_DOWN: Span(per_h=4, shortest_s=5, longest_s=180),
        Fault.BROKER_SLOW: Span(per_h=4, shortest_s=10, longest_s=240),
        Fault.BROKER_PARTIAL: Span(per_h=4, shortest_s=10, longest_s=240),
        Fault.IMPLAUSIBLE: Span(per_h=4, shortest_s=10, longest_s=120),
        Fault.DEAF: Span(per_h=4, shortest_s=5, longest_s=240),
        Fault.ODD_ANSWER: Span(per_h=4, shortest_s=10, longest_s=120),
        Fault.DISK_FULL: Span(per_h=2, shortest_s=10, longest_s=180),
    }
)
STROKES: Mapping[Fault, float] = MappingProxyType(
    {
        # Of each create.
        Fault.REQUEST_LOST: 0.07,
        Fault.ANSWER_LOST: 0.1,
        Fault.CREATED_LATE: 0.07,
        Fault.CREATED_TWICE: 0.03,
        Fault.THROTTLED_MUTELY: 0.03,  # of each destroy, too
        Fault.REJECTED: 0.02,
        # Of each destroy.
        Fault.DESTROY_IGNORED: 0.1,
        Fault.DESTROY_HOLLOW: 0.1,
        Fault.DESTROY_UNANSWERED: 0.1,
        # Of each machine, once in its life.
        Fault.MACHINE_DIES: 0.1,
        Fault.NEVER_ENROLS: 0.05,
        Fault.SLOW_BOOT: 0.08,
        Fault.REPORT_LIES: 0.08,
        Fault.WORKER_SILENT: 0.15,
        Fault.WORKER_RESTARTS: 0.15,
        Fault.WORKER_ZOMBIE: 0.07,
        Fault.HANDS_LIE: 0.1,
        Fault.UNACKNOWLEDGED_LIES: 0.1,
        # Of each order to a worker.
        Fault.ORDER_LOST: 0.25,
        # Of each tick.
        Fault.COUNTERS_RESET: 0.01,
        Fault.CLOCK_STEP: 0.01,
        Fault.CRASH_BEFORE_COMMIT: 0.012,
        Fault.CRASH_AFTER_COMMIT: 0.012,
        Fault.CRASH_IN_DISPATCH: 0.012,
        Fault.TWO_DAEMONS: 0.01,
        # Of each restart of a daemon that was killed.
        Fault.JOURNAL_RESTORED: 0.1,
        Fault.OPERATOR: 0.04,
    }
)


class _Course:
    """The spans of one trouble, one after another. Asked about times that never run back."""

    def __init__(self, span: Span, dice: random.Random, level: float) -> None:
        self._span = span
        self._dice = dice
        self._mean_s = 3600.0 / (span.per_h * level)
        self._begins = self._ends = 0.0
        self._next()

    def lasts(self, at: float) -> bool:
        while at >= self._ends:
            self._next()
        return at >= self._begins

    def _next(self) -> None:
        span = self._span
        self._begins = self._ends + self._dice.expovariate(1.0 / self._mean_s)
        if span.phase_s is not None:
            turn = math.ceil(self._begins / _TURN_S) * _TURN_S
            self._begins = turn + span.phase_s + self._dice.uniform(0, 100)
        self._ends = self._begins + self._dice.uniform(span.shortest_s, span.longest_s)


class Script:
    """All bad luck of one life. Every fourth life is almost calm, so that plain faults are not drowned."""

    def __init__(self, scenario: Scenario) -> None:
        self._seed = scenario.seed
        self._faults = scenario.faults
        self._until_s = scenario.trouble_s
        self._dice: dict[Fault, random.Random] = {}
        self._courses: dict[tuple[Fault, str], _Course] = {}
        self.level = 0.15 if scenario.seed % 4 == 0 else random.Random(f"{scenario.seed}").uniform(0.5, 1.0)
        self.struck: Counter[Fault] = Counter()
        self._met: dict[str, None] = {}

    def has(self, fault: Fault) -> bool:
        """Whether that kind may strike in this life."""
        return fault in self._faults

    def dice(self, fault: Fault) -> random.Random:
        """The dice of that kind alone."""
        if fault not in self._dice:
            self._dice[fault] = random.Random(f"{self._seed} {fault.value}")
        return self._dice[fault]

    def lasts(self, fault: Fault, at: float, where: str = "") -> bool:
        """Whether that trouble lasts now, at that account, offer, pool, …"""
        if at >= self._until_s or fault not in self._faults:
            return False
        course = self._courses.get((fault, where))
        if course is None:
            dice = random.Random(f"{self._seed} {fault.value} {where}")
            course = self._courses[fault, where] = _Course(SPANS[fault], dice, self.level)
        lasts = course.lasts(at)
        if lasts:
            self.struck[fault] += 1
            self._met[f"{fault.value} ({where})" if where else fault.value] = None
        return lasts

    def strikes(self, fault: Fault, at: float) -> bool:
        """One chance for that kind of bad luck."""
        if at >= self._until_s or fault not in self._faults:
            return False
        strikes = self.dice(fault).random() < STROKES[fault] * self.level
        if strikes:
            self.struck[fault] += 1
            self._met[fault.value] = None
        return strikes

    def met(self) -> tuple[str, ...]:
        """What was met since this was asked last, each once."""
        met, self._met = tuple(self._met), {}
        return met
