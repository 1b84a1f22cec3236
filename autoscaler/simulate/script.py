"""What goes wrong, and when: spans of blindness drawn from a seed, and single strokes while the trouble lasts.

After `until_s` nothing goes wrong any more; from then on everything must heal.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from autoscaler.simulate.contract import Fault

SPANS = {
    "broker": (Fault.BROKER_DOWN, 2),
    "deaf": (Fault.DEAF, 2),
    "journal": (Fault.DISK_FULL, 1),
    "failing north": (Fault.LISTING_FAILS, 2),
    "failing south": (Fault.LISTING_FAILS, 2),
    "incomplete north": (Fault.LISTING_INCOMPLETE, 2),
    "incomplete south": (Fault.LISTING_INCOMPLETE, 1),
}
"""How often each kind of blindness comes over a world, on average."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """`level` 0 is a world without trouble, 1 a bad one."""

    spans: Mapping[str, tuple[tuple[float, float], ...]]
    until_s: float
    level: float
    faults: frozenset[Fault]
    struck: set[Fault] = field(default_factory=set)

    def now(self, kind: str, at: float) -> bool:
        """Whether that kind of blindness lasts now."""
        lasts = any(begins <= at < ends for begins, ends in self.spans.get(kind, ()))
        if lasts:
            self.struck.add(SPANS[kind][0])
        return lasts

    def strikes(self, fault: Fault, at: float, dice: random.Random, chance: float) -> bool:
        """One stroke of bad luck of that chance; never after the trouble ended."""
        strikes = fault in self.faults and at < self.until_s and dice.random() < chance * self.level
        if strikes:
            self.struck.add(fault)
        return strikes


def draw(seed: int, until_s: float, faults: frozenset[Fault]) -> Trouble:
    """The trouble of that seed. Every fourth world is almost calm, so that plain faults are not drowned."""
    dice = random.Random(f"trouble {seed}")
    level = 0.15 if seed % 4 == 0 else dice.uniform(0.5, 1.0)
    spans = {}
    for kind, (fault, usual) in SPANS.items():
        times = [dice.uniform(0, until_s) for _ in range(dice.randint(0, 2 * usual)) if dice.random() < level]
        spans[kind] = tuple((t, min(until_s, t + dice.uniform(5, 120))) for t in times if fault in faults)
    return Trouble(spans=spans, until_s=until_s, level=level, faults=faults)
