"""The fewest leases that a piece of a workload takes where machines are billed by long units: whole numbers of them.

A lease is one paid unit of one machine. On slots of which h make a unit and b = ⌊boot ÷ slot⌋ fit in a boot, x(k)
counts the leases that begin in slot k, and y(k) those that begin with a boot because their machine is new; the others
carry on a lease of slot k - h. Minimise Σ x subject to

- x(k) - x(k-h) ≤ y(k) ≤ x(k);
- W(k) - W(k-1) ≤ c · slot · (alive(k) - Σ y(k-b+1 … k)), where alive(k) = Σ x(k-h … k-1) + y(k);
- L ≤ W ≤ U at the borders, and W never falls;
- what `envelopes` says of whole machines: how many must serve, when one must be alive, when one must be called.

Why this is a lower bound. In any schedule, a machine is alive at some time in slot k if a lease of it began in one of
the h slots before, or if it is new: one whose lease of slot k - h is carried on in slot k is counted once. So alive(k)
is how many are there at some time in the slot, no fewer than at any time in it. One that was ordered in the slots
k-b+1 … k boots throughout slot k, since b slots are no longer than a boot. No machine is ordered more than a boot
before the first arrival: one that is could be ordered later, live as long, and serve the same.

A long piece is searched in windows. A lease that reaches over a window's border is charged to each side by the slots
that lie in it whole, so all windows together charge no lease more than it costs; work may come in at whatever a
schedule can have done, and machines that were there before need no boot. So the windows' sum is a lower bound too.

What never happens here: a rounding to whole leases: that is the caller's, over the whole piece.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from autoscaler.study import lateness
from autoscaler.study.contract import Terms
from autoscaler.study.envelopes import Envelopes, Piece, envelopes
from autoscaler.study.solver import Program, numeric

_LONGEST_SLOT_S, _SHORTEST_SLOT_S = 120.0, 30.0
_WINDOW_UNITS = 24
"""Units to a window: wide enough that its borders cost little, and short enough for a search to end."""
_ROUNDS = 4
"""Of adding the calls that a solution leaves unheard. Each is a bound; few of them change it after the third."""
_SLACK = 1e-6


def fewest(piece: Piece, terms: Terms, *, late_share: float, time_limit_s: float) -> float:
    """Leases at least, as a fraction; -inf if the time was too short to say anything."""
    until = time.perf_counter() + time_limit_s
    slotted = _Slotted(piece, terms, late_share)
    whole = _Window(slotted, 0, slotted.count)
    windows = list(pairwise(slotted.cuts()))
    if late_share:
        return whole.fractions(time_limit_s)
    if len(windows) == 1:
        return whole.least(time_limit_s)
    best, total = whole.fractions(time_limit_s / 2), 0.0
    for place, (first, last) in enumerate(windows):
        shared_s = (until - time.perf_counter()) / (len(windows) - place)
        total += max(0.0, _Window(slotted, first, last).least(shared_s))
    return max(best, total or -math.inf)


class _Slotted:
    """One piece on its slots."""

    def __init__(self, piece: Piece, terms: Terms, late_share: float) -> None:
        self.piece, self.terms, self.late_share = piece, terms, late_share
        self.unit, self.slot_s = _slots(terms)
        self.boot = math.floor(terms.boot_s / self.slot_s + _SLACK)
        from_s = piece.starts_s - (self.boot + 2) * self.slot_s
        self.count = math.ceil((piece.ends_s - from_s) / self.slot_s) + 1
        self.line = envelopes(piece, terms, slot_s=self.slot_s, from_s=from_s, count=self.count)
        self.calls = _calls(self.line)

    def cuts(self) -> list[int]:
        """Borders of windows of about so many units, where the least work is near: there, a cut loses little."""
        np, half = numeric().np, self.unit // 2
        usual = _WINDOW_UNITS * self.unit
        cuts = [0]
        while self.count - cuts[-1] > 1.6 * usual:
            slots = np.arange(cuts[-1] + 3 * usual // 4, cuts[-1] + 5 * usual // 4)
            earliest = np.asarray(self.line.earliest)
            near = earliest[np.minimum(slots + half, self.count)] - earliest[np.maximum(slots - half, 0)]
            cuts.append(int(slots[np.argmin(near)]))
        return [*cuts, self.count]


class _Window:
    """The program of the slots `first` to `last` - 1; leases that reach into them are among its variables."""

    def __init__(self, slotted: _Slotted, first: int, last: int) -> None:
        self._np = numeric().np
        self._slotted, self._first, self._last = slotted, first, last
        self._lead = min(first, slotted.unit)
        self._program = Program()
        self._began, self._new, self._work = self._variables()
        self._here = self._np.arange(self._lead, self._lead + last - first)
        self._alive = [
            *(self._ago(self._began, ago) for ago in range(1, slotted.unit + 1)),
            self._ago(self._new, 0),
        ]
        self._booting = [self._ago(self._new, ago) for ago in range(slotted.boot)]
        self._unheard = (
            [] if slotted.late_share else [c for c in slotted.calls if first <= c[0] and c[1] < last]
        )
        self._rows()
        if slotted.late_share:
            self._forgive()
        else:
            self._serving_for_certain()

    def fractions(self, time_limit_s: float) -> float:
        """The bound if leases could be parts of one. Calls are added once a solution has left them unheard."""
        until = time.perf_counter() + time_limit_s
        best = -math.inf
        for _ in range(_ROUNDS):
            found = self._program.solve(time_limit_s=until - time.perf_counter())
            best = max(best, found.bound)
            if not len(found.values) or not self._hear(found.values):
                break
        return best

    def least(self, time_limit_s: float) -> float:
        """The bound for whole leases, as far as the search for it came."""
        until = time.perf_counter() + time_limit_s
        fraction = self.fractions(time_limit_s / 2)
        whole = self._program.solve_whole(time_limit_s=until - time.perf_counter())
        return max(fraction, whole.bound)

    def _variables(self) -> tuple[Any, Any, Any]:
        """x, y and W."""
        np, slotted, first, last = self._np, self._slotted, self._first, self._last
        slots = np.arange(first - self._lead, last)
        cost = np.ones(len(slots))
        if first:
            cost = np.minimum(cost, np.maximum(0, slots + slotted.unit - first) / slotted.unit)
        if last < slotted.count:
            cost = np.minimum(cost, np.maximum(0, last - slots - 1) / slotted.unit)
        latest = np.asarray(slotted.line.latest)[first : last + 1] * (not slotted.late_share)
        return (
            self._program.block(len(slots), cost=cost, whole=True),
            self._program.block(len(slots)),
            self._program.block(
                last - first + 1,
                lower=np.maximum(latest - _SLACK, 0.0),
                upper=np.asarray(slotted.line.earliest)[first : last + 1],
            ),
        )

    def _ago(self, block: Any, ago: int) -> Any:
        """For each slot of the window, the variable of the slot `ago` before it."""
        return self._np.where(self._here >= ago, block[0] + self._here - ago, -1)

    def _rows(self) -> None:
        """Who carries on, who may be new, and what work is done."""
        count, work = len(self._here), self._work
        rate = self._slotted.terms.slots * self._slotted.slot_s
        again = self._ago(self._began, self._slotted.unit)
        self._program.at_most(
            [(self._ago(self._began, 0), 1.0), (again, -1.0), (self._ago(self._new, 0), -1.0)], 0.0, count
        )
        self._program.at_most([(self._new, 1.0), (self._began, -1.0)], 0.0, len(self._new))
        self._program.at_most([(work[:-1], 1.0), (work[1:], -1.0)], 0.0, count)
        done = [(work[1:], 1.0), (work[:-1], -1.0)]
        serving = [*((part, -rate) for part in self._alive), *((part, rate) for part in self._booting)]
        self._program.at_most([*done, *serving], 0.0, count)

    def _serving_for_certain(self) -> None:
        machines = self._np.asarray(self._slotted.line.machines)[self._first : self._last]
        machines = self._np.ceil(machines / self._slotted.slot_s - _SLACK)
        some = self._np.flatnonzero(machines > 0.0)
        serving = [
            *((part[some], -1.0) for part in self._alive),
            *((part[some], 1.0) for part in self._booting),
        ]
        self._program.at_most(serving, -machines[some], len(some))

    def _hear(self, values: Sequence[float]) -> bool:
        """Add the calls that these values leave unheard. Whether there were any."""
        if not self._unheard:
            return False
        np = self._np
        called, ordered = np.asarray(self._unheard).T - self._first
        parts = [part[called] for part in self._alive]
        parts += [
            np.where(called + later <= ordered, self._new[0] + self._lead + called + later, -1)
            for later in range(1, int((ordered - called).max()) + 1)
        ]
        known = np.append(values, 0.0)  # what a negative number finds
        missed = sum(known[part] for part in parts) < 1.0 - _SLACK
        self._program.at_most([(part[missed], -1.0) for part in parts], -1.0, int(missed.sum()))
        self._unheard = [call for call, now in zip(self._unheard, missed, strict=True) if not now]
        return bool(missed.any())

    def _forgive(self) -> None:
        """Tasks may be late, and all work is done at some time: in these leases, or in others at full use."""
        np, slotted, program = self._np, self._slotted, self._program
        terms, late_share = slotted.terms, slotted.late_share
        lateness.forgive(program, slotted.piece, slotted.line, terms, work=self._work, late_share=late_share)
        after = program.block(1, cost=1.0)
        unit, boot = (-terms.quantum_s, len(self._began) + 1), (terms.boot_s, len(self._new))
        program.row(
            np.concatenate([self._began, after, self._new]),
            np.concatenate([np.full(times, seconds) for seconds, times in (unit, boot)]),
            -slotted.line.earliest[-1] / terms.slots,
        )


def _calls(line: Envelopes) -> tuple[tuple[int, int], ...]:
    """(k, x): alive(k) + Σ y(k+1 … x) ≥ 1, where k is the slot of the call and x that of the last order to hear it.

    A slot in which a machine must be alive whatever is ordered calls for itself.
    """
    nearest: dict[int, int] = {}
    for alive_s, ordered_s in line.calls:
        k = math.floor(alive_s / line.slot_s + _SLACK)
        x = math.floor(ordered_s / line.slot_s + _SLACK)
        nearest[k] = min(x, nearest.get(k, x))
    nearest |= {k: k for k, held_s in enumerate(line.held) if held_s > _SLACK}
    return tuple(nearest.items())


def _slots(terms: Terms) -> tuple[int, float]:
    """Slots to a unit, and their length: whole parts of a unit that fit best into a boot, the longest of the best."""
    fewest_, most = (
        max(1, math.ceil(terms.quantum_s / length - _SLACK)) for length in (_LONGEST_SLOT_S, _SHORTEST_SLOT_S)
    )

    def lost_s(parts: int) -> float:
        length = terms.quantum_s / parts
        return terms.boot_s - length * math.floor(terms.boot_s / length + _SLACK)

    parts = min(range(fewest_, most + 1), key=lambda parts: (round(lost_s(parts), 3), parts))
    return parts, terms.quantum_s / parts
