"""The search for the cheapest settings that keep a promise: halving, then steps to neighbours.

Many points are tried on a part of the time, the best of them on all of it, and from the best one goes on to its
neighbours while that helps. Points are tried in batches that do not depend on how many cores there are, so that a seed
gives the same search on any machine. What never happens here: a run (whoever asks does that), or a look at the time
that was put aside to check what was found.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from autoscaler.study.contract import Outcome
from autoscaler.study.knobs import Knob, Point, today

_FIRST_COST = 0.25
"""What a try on a part is taken to cost, of one on the whole."""
_KEPT = 4
"""One of so many goes on from the part to the whole."""
_TURNED_AT_FIRST = 3
"""Knobs of a first point that differ from today's, at most: today's settings are seldom all wrong."""
_NEAR = 1e-9

Try = Callable[[Sequence[Point], bool], Iterable[tuple[Point, Outcome | None]]]
"""Plays these points, on the whole of the time or else on a part; None for one that is no configuration."""


@dataclass(slots=True, kw_only=True)
class Search:
    """A search, and what it found so far: it may be ended at any moment."""

    knobs: tuple[Knob, ...]
    in_time: float
    """The share of tasks that is to start in time, 0 to 1."""
    trials: int
    """How many points may be tried, counted as runs over the whole time."""
    seed: int = 0
    found: dict[Point, Outcome] = field(default_factory=dict)
    """What was tried on the whole."""
    spent: float = 0.0
    _met: set[Point] = field(default_factory=set)

    def run(self, attempt: Try) -> None:
        """Look until the trials are spent, or nothing near the best is better."""
        now = today(self.knobs)
        self._whole(attempt, [now])
        firsts = self._firsts(now)
        parts = {point: outcome for point, outcome in attempt(firsts, False) if outcome is not None}
        self.spent += _FIRST_COST * len(firsts)
        ranked = sorted(parts, key=lambda point: (self.rank(parts[point]), point))
        self._whole(attempt, ranked[: max(1, len(ranked) // _KEPT)])
        while self.spent < self.trials and (near := self._neighbours()):
            before = self.best()
            self._whole(attempt, near[: max(1, round(self.trials - self.spent))])
            if self.best() == before:
                break

    def rank(self, outcome: Outcome) -> tuple[float, float]:
        """The less, the better: the promise first, then the cost."""
        return max(0.0, self.in_time - outcome.within_target), outcome.cost

    def best(self) -> Point:
        """The cheapest that keeps the promise, else the one that comes nearest."""
        return min(self.found, key=lambda point: (self.rank(self.found[point]), self._turned(point), point))

    def curve(self) -> list[Point]:
        """The points that no other beats in both cost and time, the cheapest first."""
        kept: list[Point] = []
        most = -1.0
        order = sorted(
            self.found,
            key=lambda point: (
                self.found[point].cost,
                -self.found[point].within_target,
                self._turned(point),
                point,
            ),
        )
        for point in order:
            if self.found[point].within_target > most + _NEAR:
                most = self.found[point].within_target
                kept.append(point)
        return kept

    def _turned(self, point: Point) -> int:
        return sum(choice != knob.now for choice, knob in zip(point, self.knobs, strict=True))

    def _whole(self, attempt: Try, points: Sequence[Point]) -> None:
        fresh = [point for point in points if point not in self._met]
        self._met.update(fresh)
        for point, outcome in attempt(fresh, True):
            self.spent += 1.0
            if outcome is not None:
                self.found[point] = outcome

    def _firsts(self, now: Point) -> list[Point]:
        """Half of the trials' worth: each knob alone at its ends, then points at random."""
        dice = random.Random(self.seed)
        number = max(_KEPT, round(self.trials / 2 / (_FIRST_COST + 1.0 / _KEPT)))
        ends = [
            (*now[:place], choice, *now[place + 1 :])
            for place, knob in enumerate(self.knobs)
            for choice in (0, len(knob.values) - 1)
        ]
        points = dict.fromkeys(point for point in ends if point != now)
        for _ in range(10 * number):
            if len(points) >= number:
                break
            turned = list(now)
            for place in dice.sample(range(len(now)), min(len(now), dice.randint(1, _TURNED_AT_FIRST))):
                turned[place] = dice.randrange(len(self.knobs[place].values))
            if tuple(turned) != now:
                points[tuple(turned)] = None
        return list(points)[:number]

    def _neighbours(self) -> list[Point]:
        """One knob of the best set back to today's, or turned by one step; what was not tried."""
        best = self.best()
        near: list[Point] = [
            (*best[:place], knob.now, *best[place + 1 :]) for place, knob in enumerate(self.knobs)
        ]
        near += [
            (*best[:place], best[place] + step, *best[place + 1 :])
            for place, knob in enumerate(self.knobs)
            for step in (-1, 1)
            if 0 <= best[place] + step < len(knob.values)
        ]
        return [point for point in dict.fromkeys(near) if point not in self._met]
