"""What goes wrong, and when: spans of blindness drawn from a seed, and single strokes while the trouble lasts.

After `until_s` nothing goes wrong any more; from then on everything must heal.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

SPANS = {
    "broker": 2,
    "deaf": 2,
    "journal": 1,
    "failing north": 2,
    "failing south": 2,
    "incomplete north": 2,
    "incomplete south": 1,
}
"""How often each kind of blindness comes over a world, on average."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`level` 0 is a world without trouble, 1 a bad one."""

    spans: Mapping[str, tuple[tuple[float, float], ...]]
    until_s: float
    level: float

    def now(self, kind: str, at: float) -> bool:
        """Whether that kind of blindness lasts now."""
        return any(begins <= at < ends for begins, ends in self.spans.get(kind, ()))

    def strikes(self, at: float, dice: random.Random, chance: float) -> bool:
        """One stroke of bad luck of that chance; never after the trouble ended."""
        return at < self.until_s and dice.random() < chance * self.level


def draw(seed: int, until_s: float) -> Trouble:
    """The trouble of that seed. Every fourth world is almost calm, so that plain faults are not drowned."""
    dice = random.Random(f"trouble {seed}")
    level = 0.15 if seed % 4 == 0 else dice.uniform(0.5, 1.0)
    spans = {}
    for kind, usual in SPANS.items():
        times = [dice.uniform(0, until_s) for _ in range(dice.randint(0, 2 * usual)) if dice.random() < level]
        spans[kind] = tuple((t, min(until_s, t + dice.uniform(5, 120))) for t in times)
    return Trouble(spans=spans, until_s=until_s, level=level)
