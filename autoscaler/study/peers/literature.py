"""Four rules of the literature, React, Hist, Reg and Adapt, in the simple form in which they are usually compared.

After Chieu 2009, Urgaonkar 2008, Iqbal 2011 and Ali-Eldin 2012, and the code that Ali-Eldin published with the
comparison. All step once a minute and see the load only: the servers that the arrivals of the last minute would keep
busy. What never happens here: a look at the queue. They do not know that anything waits, and that is theirs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from autoscaler.study.contract import Look
from autoscaler.study.peers.rounding import clamp, down, toward_zero, up

MINUTE_S = 60.0
HISTOGRAM = 730
"""Loads kept for each hour of the day."""
FITTED_MINUTES = 60
"""Minutes that the regression looks back."""


def load_in_machines(arrived: int, elapsed_s: float, task_s: float | None, slots: int) -> float:
    """Machines busy all the time: arrivals per second × mean task seconds ÷ slots.

    Before the first task is done its length is unknown, and is taken for one step of a minute.
    """
    if elapsed_s <= 0:
        return 0.0
    return arrived / elapsed_s * (MINUTE_S if task_s is None else task_s) / slots


class Rule(Protocol):
    """One minute's step: from the load in machines and the machines there are to the machines wanted."""

    def step(self, load: float, machines: int, at_s: float) -> int: ...


def react(load: float, machines: int) -> int:
    """Chieu 2009, simplified: 1.2 times what is missing is added, and past 10 % of slack 1.2 times the load is kept."""
    missing = up(load) - machines
    if missing > 0:
        return machines + down(1.2 * missing)
    if 1.1 * load < machines:
        return up(1.2 * up(load))
    return machines


class React:
    """`react`, which keeps nothing."""

    __slots__ = ()

    def step(self, load: float, machines: int, at_s: float) -> int:  # noqa: ARG002
        """See `react`."""
        return react(load, machines)


def percentile_90(loads: Sequence[int]) -> int:
    """The load that nine of ten lie below: the one at the place int(0.9 × n) in order. Of at least one."""
    return sorted(loads)[down(len(loads) * 0.9)]


def corrected(machines: float, surplus: float) -> float:
    """The forecast less the mean surplus; less a fifth of it, where that would leave nobody."""
    return machines - surplus if machines > surplus else machines - surplus / 5


@dataclass(slots=True)
class Hist:
    """Urgaonkar 2008, simplified: the 90th percentile of this hour of the day, less the mean surplus of five minutes.

    More than five short minutes of the last ten: 1.05 times the load now, and the surplus is counted anew. In the
    published code that repair is never reached, because it keeps four minutes only; here it is, as in the paper. Hours
    are those of the workload's own clock.
    """

    _seen: dict[int, deque[int]] = field(default_factory=dict)
    _surplus: deque[int] = field(default_factory=lambda: deque(maxlen=10))

    def step(self, load: float, machines: int, at_s: float) -> int:
        """The hour's list gets this load after it was asked."""
        self._surplus.append(machines - up(load))
        lately = list(self._surplus)[-5:]
        surplus = sum(lately) / 5 if len(lately) == 5 else 0.0
        hour = self._seen.setdefault(int(at_s // 3600) % 24, deque(maxlen=HISTOGRAM))
        wanted = corrected(percentile_90(hour) if hour else machines, surplus)
        hour.append(up(load))
        if sum(1 for one in self._surplus if one < 0) > 5:
            self._surplus.clear()
            if load > machines:
                wanted = up(1.05 * load)
        return max(up(wanted), 0)


def fitted_now(loads: Sequence[float], degree: int = 2) -> float:
    """The least-squares polynomial through equally spaced loads, at the last of them.

    By orthogonal polynomials, so nothing is inverted; fewer points than coefficients lower the degree.
    """
    places = range(1 - len(loads), 1)
    fit = 0.0
    basis: list[list[float]] = []
    for power in range(min(degree, len(loads) - 1) + 1):
        vector = [float(place**power) for place in places]
        for other in basis:
            share = _dot(vector, other) / _dot(other, other)
            vector = [mine - share * its for mine, its in zip(vector, other, strict=True)]
        basis.append(vector)
        fit += _dot(loads, vector) / _dot(vector, vector) * vector[-1]
    return fit


def _dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@dataclass(slots=True)
class Reg:
    """Iqbal 2011: out to 1.05 times the load that is seen, in to 1.2 times a parabola through the last hour.

    Where the parabola says nothing is needed the number stays: so in the published code.
    """

    _loads: deque[int] = field(default_factory=lambda: deque(maxlen=FITTED_MINUTES))

    def step(self, load: float, machines: int, at_s: float) -> int:  # noqa: ARG002
        """One direction a step."""
        self._loads.append(up(load))
        if machines > up(load):
            forecast = up(fitted_now(self._loads))
            return min(machines, up(1.2 * forecast)) if forecast > 0 else machines
        return up(1.05 * load) if load > machines else machines


@dataclass(slots=True)
class Adapt:
    """Ali-Eldin 2012: a controller on the shortage, weighted with the capacity beside its mean, and 1.1 times the load.

        rate = (capacity ÷ mean capacity) × (shortage ÷ mean capacity) × mean capacity      machines a minute

    The rate is added up, a quarter of it where it removes, and whole machines of the sum are acted on, never below the
    load. The controller renews its estimate every 0.05 × machines ÷ capacity minutes, that is in every step.
    """

    _capacity: float = 0.0
    """Machine-minutes so far; a minute without a machine counts as one, since the rule was made for one at least."""
    _minutes: int = 0
    _due: float = 0.0
    """Machines added up and not acted on."""

    def step(self, load: float, machines: int, at_s: float) -> int:  # noqa: ARG002
        """A shortage is mended at once, the controller's own machines come on top."""
        need = up(load)
        self._capacity += max(machines, 1)
        self._minutes += 1
        rate = machines * (need - machines) / (self._capacity / self._minutes)
        self._due += rate if rate > 0 else rate / 4
        whole = toward_zero(self._due)
        self._due -= whole
        if need > machines:
            return up(1.1 * need) + max(whole, 0)
        return max(machines + min(whole, 0), need)


@dataclass(slots=True, kw_only=True)
class Literature:
    """One of these rules, fed with the load of the minute since it last looked."""

    name: str
    rule: Rule
    least: int
    most: int
    period_s: float = MINUTE_S
    _before_s: float = field(default=0.0, init=False)
    _arrived: int = field(default=0, init=False)

    def wanted(self, look: Look) -> int:
        """The rule's number within the limits."""
        load = load_in_machines(
            look.arrived - self._arrived, look.at_s - self._before_s, look.task_s, look.slots
        )
        self._before_s, self._arrived = look.at_s, look.arrived
        machines = look.serving + look.arriving
        return clamp(self.rule.step(load, machines, look.at_s), self.least, self.most)
