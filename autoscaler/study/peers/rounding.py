"""Rounding to whole machines where binary fractions must not decide: 2.0000000000000004 machines are two.

What never happens here: a rule.
"""

from __future__ import annotations

import math

TINY = 1e-9
"""Far below anything that a rule means, far above what adding and dividing floats leaves behind."""


def up(machines: float) -> int:
    """The smallest whole number that is not less."""
    return math.ceil(machines - TINY)


def down(machines: float) -> int:
    """The largest whole number that is not more."""
    return math.floor(machines + TINY)


def toward_zero(machines: float) -> int:
    """The whole number with the fraction cut off."""
    return down(machines) if machines >= 0 else up(machines)


def clamp(machines: int, least: int, most: int) -> int:
    """The nearest number from `least` to `most`; `most` wins where they contradict each other."""
    return min(max(machines, least), most)
