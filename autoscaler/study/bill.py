"""The bill of one run as it grows.

Machines go in, what they cost so far comes out. What never happens here: a bill made twice for a machine that is gone.
"""

from __future__ import annotations

from autoscaler.study.contract import Terms
from autoscaler.study.fleet import Fleet
from autoscaler.study.score import HOUR_S, bill_s


class Bill:
    """Of one fleet. Ask it in order of time."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._gone, self._gone_s = 0, 0.0

    def so_far(self, fleet: Fleet) -> tuple[int, float]:
        """The machines that are billed now, and what all there ever were have cost, begun quanta included."""
        quantum_s = self._terms.quantum_s
        # Of a machine that is gone the bill is final, and is made once.
        for ordered_s, end_s in fleet.lives[self._gone :]:
            self._gone_s += bill_s(ordered_s, end_s, quantum_s)
        self._gone = len(fleet.lives)
        standing = fleet.all_lives()[self._gone :]
        owed_s = sum(bill_s(ordered_s, now_s, quantum_s) for ordered_s, now_s in standing)
        return len(standing), (self._gone_s + owed_s) / HOUR_S * self._terms.price_per_h
