"""The strategies of nomad-autoscaler, target-value and threshold, and the loop that asks one of them for a cluster.

After nomad-autoscaler's source and documents. A strategy gives the new count, or None for no action. One client node is
one machine. What never happens here: several checks in one policy, or a query that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from autoscaler.study.contract import Look
from autoscaler.study.peers.rounding import TINY, clamp, toward_zero, up

EVALUATION_S = 10.0
"""`evaluation_interval` when left out."""
COOLDOWN_S = 300.0
"""`cooldown` when left out: no evaluation for so long after an action."""
THRESHOLD = 0.01
"""The strategy's own tolerance around 1, as a share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetValue:
    """The target-value strategy. The metric must be *per machine*: times the count, a total would compound."""

    target: float
    threshold: float = THRESHOLD
    max_scale_up: int | None = None
    max_scale_down: int | None = None

    def count(self, metric: float, count: int) -> int | None:
        """The new count for the last value of the metric; None for no action, which no limit turns into one."""
        factor = metric / self.target if self.target else metric
        if count == 0:
            wanted = up(factor) if factor > 0 else 0
        elif abs(factor - 1.0) <= self.threshold + TINY:
            return None
        else:
            wanted = up(count * factor)
        if self.max_scale_down is not None:
            wanted = max(wanted, count - self.max_scale_down)
        if self.max_scale_up is not None:
            wanted = min(wanted, count + self.max_scale_up)
        return None if wanted == count else wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The threshold strategy: where enough values of the window lie in [lower, upper), the count changes so."""

    lower: float
    upper: float
    change: Literal["delta", "percentage", "value"]
    by: float
    within_bounds_trigger: int = 5

    def count(self, values: Sequence[float], count: int) -> int | None:
        """The new count for the values of the query window, 0 at least; None for no action."""
        within = sum(1 for value in values if self.lower <= value < self.upper)
        if within < self.within_bounds_trigger:
            return None
        wanted = max(_CHANGED[self.change](count, self.by), 0)
        return None if wanted == count else wanted


_CHANGED: Mapping[str, Callable[[int, float], int]] = {
    "delta": lambda count, by: count + toward_zero(by),
    "percentage": lambda count, by: up(count * (1 + by / 100)),
    "value": lambda _count, by: toward_zero(by),
}


@dataclass(slots=True, kw_only=True)
class Nomad:
    """A cluster policy with one target-value check on the messages per machine.

    While a machine boots or drains the target is not ready, and nothing happens in either direction. After an action
    it rests for `cooldown_s`. With no machine the metric is the whole queue, since a share of none has no value.
    """

    name: str
    strategy: TargetValue
    least: int
    most: int
    period_s: float = EVALUATION_S
    cooldown_s: float = COOLDOWN_S
    _count: int | None = field(default=None, init=False)
    _rests_until_s: float = field(default=0.0, init=False)

    def wanted(self, look: Look) -> int:
        """The count after this evaluation."""
        standing = look.serving + look.arriving
        if self._count is None:
            self._count = standing
        if look.at_s < self._rests_until_s - TINY or look.arriving or look.leaving:
            return self._count
        messages = look.backlog + look.in_progress
        count = self.strategy.count(messages / max(standing, 1), standing)
        if count is not None:
            count = clamp(count, self.least, self.most)
            if count != standing:
                self._rests_until_s = look.at_s + self.cooldown_s
            self._count = count
        return self._count
