"""How a run went, small enough to be drawn: demand, supply, waits and cost over time, in some hundred spans.

Each tick of a run goes in, and comes out as the lowest and the highest of its span, so that no peak is lost however
long the run. Where only the peaks matter, several spans make one point. What never happens here: a mean in place of a
peak, or a picture.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from autoscaler.study.bill import Bill
from autoscaler.study.contract import Terms, Workload
from autoscaler.study.fleet import Fleet
from autoscaler.study.score import nearest_rank
from policies.contract import Decision

SPANS_AT_MOST = 900
"""Two points each: more are not seen on a screen."""

_PEAKS_AT_MOST = 300
"""Points of a line that goes up and down all the time, and tells most by its peaks."""
_SHARES_AT_MOST = 150
"""Points that each are a share of the tasks of their time, which must be some tasks."""

Points = tuple[tuple[float, float], ...]
"""(second, value), in order of time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """One policy's run. Values are of ticks, or of the tasks of a span."""

    policy: str
    arrivals: Points
    """Tasks sent in each time, by the second."""
    backlog: Points
    """The most that waited, of each time."""
    serving: Points
    workers: Points
    """Serving and arriving."""
    paid: Points
    """All machines that are billed: serving, arriving and leaving."""
    wanted: Points
    usual: Points
    """Seconds that 95 % of the tasks waited at most that started in a time; while none starts, the oldest's age."""
    longest: Points
    """Seconds that any of them waited, or waits still."""
    cost: Points
    """So far, begun quanta included."""

    @property
    def ends_s(self) -> float:
        return self.cost[-1][0] if self.cost else 0.0


class Recorder:
    """Watches one run. Ask it for its course when the run is over."""

    def __init__(self, policy: str, workload: Workload, terms: Terms, spans: int = SPANS_AT_MOST) -> None:
        self._policy, self._workload, self._spans = policy, workload, spans
        self._bill = Bill(terms)
        self._width_s = workload.span_s / spans
        self._ends = array("d")
        """Of each span, the second of its last tick."""
        self._arrived, self._started = array("q"), array("q")
        """Up to the end of each span."""
        self._gauges = {
            name: _Gauge() for name in ("backlog", "serving", "workers", "paid", "wanted", "oldest")
        }
        self._cost = array("d")
        self._waits_s = array("d")

    def __call__(self, at_s: float, fleet: Fleet, decision: Decision) -> None:
        """A tick."""
        world, supply = fleet.world, decision.input.supply
        anew = not self._ends or at_s > self._opened_s + self._width_s
        if anew:
            self._halve_if_full()
            self._opened_s = self._ends[-1] if self._ends else 0.0
            for values in (self._ends, self._arrived, self._started, self._cost):
                values.append(0)
        paid, cost = self._bill.so_far(fleet)
        self._ends[-1], self._cost[-1] = at_s, cost
        self._arrived[-1], self._started[-1] = world.arrived, world.started
        self._waits_s = world.waits_s
        for name, value in (
            ("backlog", world.backlog),
            ("serving", supply.serving),
            ("workers", supply.workers),
            ("paid", paid),
            ("wanted", decision.wanted),
            ("oldest", self._oldest_s(at_s, world.started, world.backlog)),
        ):
            self._gauges[name].see(at_s, value, anew=anew)

    def course(self) -> Course:
        """All of it so far."""
        gauge = {name: thinned(one.points()) for name, one in self._gauges.items()}
        waits = tuple(self._waits())
        return Course(
            policy=self._policy,
            arrivals=tuple(self._arrivals()),
            backlog=thinned(tuple(self._peaks("backlog"))),
            serving=gauge["serving"],
            workers=gauge["workers"],
            paid=gauge["paid"],
            wanted=gauge["wanted"],
            usual=thinned(tuple((at_s, usual_s) for at_s, usual_s, _ in waits)),
            longest=thinned(tuple((at_s, longest_s) for at_s, _, longest_s in waits)),
            cost=thinned(((0.0, 0.0), *zip(self._ends, self._cost, strict=True))),
        )

    _opened_s = 0.0

    def _oldest_s(self, at_s: float, started: int, backlog: int) -> float:
        """The age of the task at the head of those never started; one given back was in time or not already."""
        submit_s = self._workload.submit_s
        return at_s - submit_s[started] if backlog and started < len(submit_s) else 0.0

    def _halve_if_full(self) -> None:
        """Two spans become one where there are as many as there may be."""
        if len(self._ends) < self._spans:
            return
        for values in (self._ends, self._arrived, self._started, self._cost):
            del values[: len(values) - 1 : 2]
        for gauge in self._gauges.values():
            gauge.halve()
        self._width_s = max(self._width_s, self._ends[-1] / len(self._ends))

    def _lasts(self, at_most: int) -> Iterator[tuple[int, int]]:
        """(first, last) span of each of so many groups at most."""
        each = -(-len(self._ends) // at_most) or 1
        for first in range(0, len(self._ends), each):
            yield first, min(first + each, len(self._ends)) - 1

    def _arrivals(self) -> Iterator[tuple[float, float]]:
        since_s, before = 0.0, 0
        for _, last in self._lasts(_PEAKS_AT_MOST):
            end_s, arrived = self._ends[last], self._arrived[last]
            yield (since_s + end_s) / 2, (arrived - before) / (end_s - since_s)
            since_s, before = end_s, arrived

    def _peaks(self, name: str) -> Iterator[tuple[float, float]]:
        highs = self._gauges[name].highs()
        for first, last in self._lasts(_PEAKS_AT_MOST):
            value, at_s = max(highs[first : last + 1], key=lambda seen: seen[0])
            yield at_s, value

    def _waits(self) -> Iterator[tuple[float, float, float]]:
        """(second, usual, longest) of each time, in its middle."""
        oldest, before, since_s = self._gauges["oldest"].highs(), 0, 0.0
        for first, last in self._lasts(_SHARES_AT_MOST):
            started, end_s = self._started[last], self._ends[last]
            oldest_s = max(value for value, _ in oldest[first : last + 1])
            waits_s = sorted(self._waits_s[before:started])
            usual_s = nearest_rank(waits_s, 95) if waits_s else oldest_s
            yield (since_s + end_s) / 2, usual_s, max(oldest_s, waits_s[-1] if waits_s else 0.0)
            before, since_s = started, end_s


class _Gauge:
    """The lowest and the highest of each span, and when they were."""

    def __init__(self) -> None:
        self._spans: list[tuple[tuple[float, float], tuple[float, float]]] = []
        """Of each span: lowest and highest, each as (value, second)."""

    def see(self, at_s: float, value: float, *, anew: bool) -> None:
        """One value; `anew` opens a span."""
        seen = (value, at_s)
        if anew:
            self._spans.append((seen, seen))
            return
        low, high = self._spans[-1]
        self._spans[-1] = (seen if value < low[0] else low, seen if value > high[0] else high)

    def halve(self) -> None:
        """Join each two; of an odd number the last stays."""
        pairs = zip(self._spans[::2], self._spans[1::2], strict=False)
        joined = [(min(a[0], b[0]), max(a[1], b[1], key=lambda seen: seen[0])) for a, b in pairs]
        self._spans = [*joined, *(self._spans[-1:] if len(self._spans) % 2 else [])]

    def highs(self) -> list[tuple[float, float]]:
        """(value, second) of each span."""
        return [high for _, high in self._spans]

    def points(self) -> Points:
        """Both of each span, in order of time."""
        found: list[tuple[float, float]] = []
        for low, high in self._spans:
            found += [(at_s, value) for value, at_s in sorted({low, high}, key=lambda seen: seen[1])]
        return tuple(found)


def thinned(points: Points) -> Points:
    """Without those between two of the same value: the line is the same."""
    last = len(points) - 1
    return tuple(
        point
        for place, point in enumerate(points)
        if place in (0, last) or not points[place - 1][1] == point[1] == points[place + 1][1]
    )
