"""The Horizontal Pod Autoscaler of Kubernetes on an external metric: what it wants, and how fast it may get there.

Formulas and numbers are those of the Kubernetes HPA documents and, where these are silent (the edges of windows), of
the controller's source. One pod is one machine. A wish comes from `by_average_value` or `by_value`; `without_behaviour`
or `with_behaviour` makes the next number of it. What never happens here: the readiness rules for CPU metrics, which an
external metric skips, or a metric that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from autoscaler.study.contract import Look
from autoscaler.study.peers.rounding import TINY, clamp, down, up

SYNC_S = 15.0
"""The controller looks this often."""
TOLERANCE = 0.1
"""No change while the metric is this near its target, as a share of it; both edges belong to it."""
DOWNSCALE_WINDOW_S = 300.0
"""Without a behaviour block: the largest wish of these seconds holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the metric asked for at that time, before anything calmed it."""

    at_s: float
    machines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Machines added (positive) or removed (negative) at that time."""

    at_s: float
    by: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """At most `amount` machines, or that many percent of them, within `period_s`."""

    kind: Literal["Pods", "Percent"]
    amount: float
    period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """How one direction is calmed: a window over past wishes, and the paces of which one is selected."""

    window_s: float
    paces: tuple[Pace, ...]
    select: Literal["Max", "Min", "Disabled"] = "Max"
    """`Max` takes the pace that changes most, `Min` the one that changes least; `Disabled` never goes this way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The behaviour block of an HPA."""

    up: Direction
    down: Direction


DEFAULT_BEHAVIOUR = Behaviour(
    up=Direction(
        window_s=0.0,
        paces=(
            Pace(kind="Pods", amount=4, period_s=15.0),
            Pace(kind="Percent", amount=100, period_s=15.0),
        ),
    ),
    down=Direction(window_s=DOWNSCALE_WINDOW_S, paces=(Pace(kind="Percent", amount=100, period_s=15.0),)),
)
"""What the documents give for a block that leaves everything out."""


def within_tolerance(ratio: float) -> bool:
    """Whether metric ÷ target is so near 1 that nothing changes."""
    return abs(ratio - 1.0) <= TOLERANCE + TINY


def by_average_value(metric: float, target: float, standing: int) -> int:
    """Machines for an external metric of type AverageValue: metric ÷ target, both for the whole queue.

    `standing` counts the machines there are, those that still boot too.
    """
    if standing and within_tolerance(metric / (target * standing)):
        return standing
    return up(metric / target)


def by_value(metric: float, target: float, current: int, ready: int) -> int:
    """Machines for an external metric of type Value: that share of the *ready* ones.

    Machines that still boot are not multiplied, so a slow boot under overload can ask for fewer than there are.
    """
    ratio = metric / target
    if current == 0:
        return up(ratio)
    return current if within_tolerance(ratio) else up(ratio * ready)


def outside_limits(current: int, least: int, most: int) -> int | None:
    """Where the number goes before any metric is asked; None where the metric decides.

    0 with a least number above it means switched off, and stays 0.
    """
    if current == 0 and least != 0:
        return 0
    into = clamp(current, least, most)
    return None if into == current else into


def without_behaviour(current: int, wish: Wish, past: Sequence[Wish], *, least: int, most: int) -> int:
    """The next number without a behaviour block: up at most to twice the number or to 4, down after 300 s.

    A past wish on the window's edge still counts, as in the source.
    """
    recent = (one.machines for one in past if one.at_s >= wish.at_s - DOWNSCALE_WINDOW_S)
    calmed = max(wish.machines, *recent, 0)
    return clamp(calmed, least, min(most, max(2 * current, 4)))


def with_behaviour(
    current: int,
    wish: Wish,
    past: Sequence[Wish],
    changes: Sequence[Change],
    behaviour: Behaviour,
    *,
    least: int,
    most: int,
) -> int:
    """The next number with a behaviour block: first both windows over the wishes, then the paces.

    A past wish or change on a window's edge no longer counts, as in the source.
    """
    low = min([wish.machines, *_recent(past, wish.at_s, behaviour.up.window_s)])
    high = max([wish.machines, *_recent(past, wish.at_s, behaviour.down.window_s)])
    calmed = min(max(current, low), high)
    if calmed > current:
        return min(calmed, most, up_limit(current, changes, behaviour.up, wish.at_s))
    if calmed < current:
        return max(calmed, least, down_limit(current, changes, behaviour.down, wish.at_s))
    return current


def _recent(past: Sequence[Wish], now_s: float, window_s: float) -> list[int]:
    return [one.machines for one in past if one.at_s > now_s - window_s]


def up_limit(current: int, changes: Sequence[Change], direction: Direction, now_s: float) -> int:
    """The most that the paces allow now, never fewer than there are."""
    choose = _CHOOSE_UP[direction.select]
    if choose is None:
        return current
    limits = [
        start + int(pace.amount) if pace.kind == "Pods" else up(start * (1 + pace.amount / 100))
        for pace, start in _starts(current, changes, direction, now_s)
    ]
    return max(choose(limits), current)


def down_limit(current: int, changes: Sequence[Change], direction: Direction, now_s: float) -> int:
    """The fewest that the paces allow now, never more than there are."""
    choose = _CHOOSE_DOWN[direction.select]
    if choose is None:
        return current
    limits = [
        start - int(pace.amount) if pace.kind == "Pods" else down(start * (1 - pace.amount / 100))
        for pace, start in _starts(current, changes, direction, now_s)
    ]
    return min(choose(limits), current)


Chooser = Callable[[Sequence[int]], int]

_CHOOSE_UP: dict[str, Chooser | None] = {"Max": max, "Min": min, "Disabled": None}
_CHOOSE_DOWN: dict[str, Chooser | None] = {"Max": min, "Min": max, "Disabled": None}


def _starts(
    current: int, changes: Sequence[Change], direction: Direction, now_s: float
) -> list[tuple[Pace, int]]:
    """Each pace with the number that stood when its period began: changes of both directions are taken back."""
    return [
        (pace, current - sum(one.by for one in changes if one.at_s > now_s - pace.period_s))
        for pace in direction.paces
    ]


@dataclass(slots=True, kw_only=True)
class Controller:
    """One HPA with its memory of wishes and changes. `behaviour` None is an HPA without that block."""

    least: int
    most: int
    behaviour: Behaviour | None = None
    _wishes: list[Wish] = field(default_factory=list, init=False)
    _changes: list[Change] = field(default_factory=list, init=False)

    def step(self, now_s: float, current: int, wanted: Callable[[], int]) -> int:
        """The next number; `wanted` is asked only where the metric has a say. The first number counts as a wish."""
        if not self._wishes:
            self._wishes.append(Wish(at_s=now_s, machines=current))
        new = outside_limits(current, self.least, self.most)
        if new is None:
            new = self._calmed(current, Wish(at_s=now_s, machines=wanted()))
        if new != current:
            self._changes.append(Change(at_s=now_s, by=new - current))
        return new

    def _calmed(self, current: int, wish: Wish) -> int:
        self._forget(wish.at_s)
        past = tuple(self._wishes)
        self._wishes.append(wish)
        if self.behaviour is None:
            return without_behaviour(current, wish, past, least=self.least, most=self.most)
        return with_behaviour(
            current, wish, past, self._changes, self.behaviour, least=self.least, most=self.most
        )

    def _forget(self, now_s: float) -> None:
        """Drop what no window reaches any more."""
        keep_s = DOWNSCALE_WINDOW_S
        if self.behaviour is not None:
            both = (self.behaviour.up, self.behaviour.down)
            keep_s = max(keep_s, *(each.window_s for each in both))
            reach_s = max(pace.period_s for each in both for pace in each.paces)
            self._changes = [one for one in self._changes if one.at_s > now_s - reach_s]
        else:
            self._changes.clear()
        self._wishes = [one for one in self._wishes if one.at_s >= now_s - keep_s]


@dataclass(slots=True, kw_only=True)
class Hpa:
    """The HPA alone on the messages per machine: AverageValue of all messages, the default behaviour block.

    `messages_per_machine` is the target. `least` is at least 1: without a feature gate an HPA cannot go to 0.
    """

    name: str
    messages_per_machine: float
    least: int
    most: int
    period_s: float = SYNC_S
    _spec: int | None = field(default=None, init=False)
    _controller: Controller = field(init=False)

    def __post_init__(self) -> None:
        self.least = max(self.least, 1)
        self._controller = Controller(least=self.least, most=self.most, behaviour=DEFAULT_BEHAVIOUR)

    def wanted(self, look: Look) -> int:
        """The machines of its spec, which begins as those there are, 1 at least: 0 would mean switched off."""
        standing = look.serving + look.arriving
        current = max(standing, 1) if self._spec is None else self._spec
        self._spec = self._controller.step(
            look.at_s,
            current,
            lambda: by_average_value(look.backlog + look.in_progress, self.messages_per_machine, standing),
        )
        return self._spec
