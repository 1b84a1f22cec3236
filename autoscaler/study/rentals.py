"""The least machine time that a piece of a workload takes where machines are billed by short units: a linear program.

For each slot k there are `p`, machines that are paid, on average over the slot; `s`, machines ordered; and W, the work
done by its end. Minimise Σ p subject to (b = ⌊boot ÷ slot⌋, m = ⌊shortest paid life ÷ slot⌋, c tasks a machine)

- p(k) - p(k-1) ≤ s(k): more machines are paid only if some were ordered;
- W(k) - W(k-1) ≤ c · slot · (p(k) - Σ s(k-b+1 … k)): one that boots is paid and does no work;
- L ≤ W ≤ U at the borders, and W never falls;
- p(k) ≥ Σ s(k-m+1 … k): who was ordered is paid for at least the units that hold the boot;
- what `envelopes` says of whole machines: how many must serve, when one must be alive, when one must be called.

Why this is a lower bound. Take any schedule, keep each of its machines to the end of its last paid unit, and let s(k)
be the average over the slot of "ordered less than one slot ago": an order in the middle of slot k counts half there and
half in k + 1. Averages over a slot keep every one of these rows: the average of "ordered less than b slots ago" is
Σ s(k-b+1 … k), and is no more than what boots, since b slots are no longer than a boot. So the schedule is a point of
the program, at its true price. No machine is ordered more than a boot before the first arrival: one that is could be
ordered later, live as long, and serve the same. That p and s may be fractions only makes the bound lower.

What never happens here: more than one piece at a time, or a rounding to whole units: that is the caller's.
"""

from __future__ import annotations

import math
import time
from typing import Any

from autoscaler.study import lateness
from autoscaler.study.contract import Terms
from autoscaler.study.envelopes import Piece, envelopes
from autoscaler.study.solver import Program, numeric

_SLOT_S = 15.0
_LATE_SLOT_S = 45.0
"""Where tasks may be late, each brings a variable of its own."""
_MOST_SLOTS = 20_000
"""A piece that would need more gets longer slots: the time to solve grows faster than their number."""
_ROUNDS = 5
"""Of adding the calls that a solution leaves unheard. Each is a bound; few of them change it after the third."""
_SLACK = 1e-6


def machine_seconds(piece: Piece, terms: Terms, *, late_share: float, time_limit_s: float) -> float:
    """Seconds of machines that are paid at least; -inf if the time was too short to say anything."""
    return _Rental(piece, terms, late_share).least(time_limit_s)


class _Rental:
    """One piece as a program."""

    def __init__(self, piece: Piece, terms: Terms, late_share: float) -> None:
        self._np = numeric().np
        self._piece, self._terms, self._late_share = piece, terms, late_share
        self._slot_s = _slot_s(piece, terms, _LATE_SLOT_S if late_share else _SLOT_S)
        self._boot = math.floor(terms.boot_s / self._slot_s + _SLACK)
        from_s = piece.starts_s - (self._boot + 2) * self._slot_s
        count = math.ceil((piece.ends_s - from_s) / self._slot_s) + 1
        self._line = envelopes(piece, terms, slot_s=self._slot_s, from_s=from_s, count=count)
        self._program = Program()
        self._slots = self._np.arange(count)
        self._build()

    def least(self, time_limit_s: float) -> float:
        """Solve, look which calls the solution does not hear, add these, and again."""
        until = time.perf_counter() + time_limit_s
        best, calls = -math.inf, () if self._late_share else self._calls()
        for _ in range(_ROUNDS):
            found = self._program.solve(time_limit_s=until - time.perf_counter())
            best = max(best, found.bound)
            if not len(found.values) or not calls:
                break
            paid, ordered = (
                self._np.asarray(found.values)[self._paid],
                self._np.cumsum(found.values[self._ordered[0] : self._ordered[-1] + 1]),
            )
            unheard = [(k, x) for k, x in calls if paid[k] + ordered[x] - ordered[k] < 1.0 - _SLACK]
            if not unheard:
                break
            self._hear(unheard)
        return best

    def _build(self) -> None:
        np, program, line, terms = self._np, self._program, self._line, self._terms
        count = len(line)
        held = np.asarray(line.held) / self._slot_s
        work_floor = np.zeros(count + 1) if self._late_share else np.asarray(line.latest)
        self._paid = program.block(
            count, lower=0.0 if self._late_share else np.minimum(held, 1.0), cost=self._slot_s
        )
        self._ordered = program.block(count)
        self._work = program.block(
            count + 1, lower=np.maximum(work_floor - _SLACK, 0.0), upper=np.asarray(line.earliest)
        )
        rate = terms.slots * self._slot_s
        booting = self._before(self._boot)
        shortest = max(1, math.ceil(terms.boot_s / terms.quantum_s - _SLACK)) * terms.quantum_s
        program.at_most(
            [(self._paid, 1.0), (self._at(1, self._paid), -1.0), (self._ordered, -1.0)], 0.0, count
        )
        program.at_most(
            [
                (self._work[1:], 1.0),
                (self._work[:-1], -1.0),
                (self._paid, -rate),
                *((late, rate) for late in booting),
            ],
            0.0,
            count,
        )
        program.at_most([(self._work[:-1], 1.0), (self._work[1:], -1.0)], 0.0, count)
        lives = self._before(math.floor(shortest / self._slot_s + _SLACK))
        program.at_most([(self._paid, -1.0), *((order, 1.0) for order in lives)], 0.0, count)
        if self._late_share:
            self._forgive(rate)
            return
        machines = np.asarray(line.machines) / self._slot_s
        some = np.flatnonzero(machines > 0.0)
        program.at_most(
            [(self._paid[some], -1.0), *((order[some], 1.0) for order in booting)], -machines[some], len(some)
        )

    def _forgive(self, rate: float) -> None:
        """Tasks may be late, and all work is done at some time: within the piece, or after it at full use."""
        np, count = self._np, len(self._line)
        lateness.forgive(
            self._program, self._piece, self._line, self._terms, work=self._work, late_share=self._late_share
        )
        after = self._program.block(1, cost=1.0)
        boots = np.minimum(self._boot, count - self._slots)
        self._program.row(
            np.concatenate([self._paid, self._ordered, after]),
            np.concatenate([np.full(count, -rate), rate * boots, [-self._terms.slots]]),
            -self._line.earliest[-1],
        )

    def _calls(self) -> tuple[tuple[int, int], ...]:
        """(k, x): p(k) + Σ s(k+1 … x) ≥ 1, where slot k is the last to end by the call, and x takes in what is ordered
        at its end: an order counts in the slot after its own too.
        """
        nearest: dict[int, int] = {}
        for alive_s, ordered_s in self._line.calls:
            k = math.floor(alive_s / self._slot_s + _SLACK) - 1
            x = min(math.floor(ordered_s / self._slot_s + _SLACK) + 1, len(self._line) - 1)
            nearest[k] = min(x, nearest.get(k, x))
        return tuple(nearest.items())

    def _hear(self, calls: list[tuple[int, int]]) -> None:
        np = self._np
        first, last = np.asarray(calls).T
        longest = int((last - first).max())
        orders = [
            np.where(first + n <= last, self._ordered[0] + first + n, -1) for n in range(1, longest + 1)
        ]
        self._program.at_most(
            [(self._paid[first], -1.0), *((order, -1.0) for order in orders)], -1.0, len(calls)
        )

    def _at(self, ago: int, block: Any) -> Any:
        """The variables of a block, `ago` slots back."""
        return self._np.where(self._slots >= ago, block[0] + self._slots - ago, -1)

    def _before(self, length: int) -> list[Any]:
        """Orders of the last `length` slots, this one among them."""
        return [self._at(ago, self._ordered) for ago in range(length)]


def _slot_s(piece: Piece, terms: Terms, shortest_s: float) -> float:
    """A whole part of the boot, so that no part of it is lost, and not so short that there are too many slots."""
    shortest = max(shortest_s, (piece.ends_s - piece.starts_s + terms.boot_s) / _MOST_SLOTS)
    parts = math.floor(terms.boot_s / shortest + _SLACK)
    return terms.boot_s / parts if parts else shortest
