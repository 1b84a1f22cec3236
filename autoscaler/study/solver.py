"""The one door to numpy and scipy, which only a study of optima needs, and the linear programs that pass through it.

A program is built from blocks of variables and from rows `sum of coefficient × variable ≤ limit`, many rows at once.
HiGHS (Huangfu and Hall, 2018) solves it, by way of `scipy.optimize`.
What never happens here: an import of either library before somebody asks for a program, or a word about machines; and
nothing is printed, though HiGHS would.
"""

from __future__ import annotations

import ctypes
import importlib
import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

_MIP_GAP = 1e-3
"""Relative. A search that is this near is as good as over."""


class OptimumUnavailable(Exception):
    """The numerical libraries are not installed; the message says how to get them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Numeric:
    """The libraries. They carry types only here and there, so all that leaves this module is plain numbers."""

    np: Any
    sparse: Any
    optimize: Any


def numeric() -> Numeric:
    """Numpy and the parts of scipy. OptimumUnavailable where they are missing."""
    try:
        return Numeric(
            np=importlib.import_module("numpy"),
            sparse=importlib.import_module("scipy.sparse"),
            optimize=importlib.import_module("scipy.optimize"),
        )
    except ImportError as missing:
        raise OptimumUnavailable(
            f"The optimum of a workload is computed with scipy, which is not installed ({missing}): "
            "pip install 'vps-autoscaler[study]'."
        ) from missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What a solver found within its time."""

    bound: float
    """No choice of the variables costs less; -inf when there was no time to know even that."""
    values: Sequence[float]
    """One for each variable, of the best choice; empty if none was proven to be the best."""


class Program:
    """Minimise `cost · x` over `lower ≤ x ≤ upper` and rows `A x ≤ limit`; some of x may have to be whole numbers."""

    def __init__(self) -> None:
        self._with = numeric()
        self._lower: list[Any] = []
        self._upper: list[Any] = []
        self._cost: list[Any] = []
        self._whole: list[Any] = []
        self._places: list[tuple[Any, Any, Any]] = []
        self._limits: list[Any] = []
        self.variables = 0
        self.rows = 0

    def block(
        self,
        size: int,
        *,
        lower: Sequence[float] | float = 0.0,
        upper: Sequence[float] | float = math.inf,
        cost: Sequence[float] | float = 0.0,
        whole: bool = False,
    ) -> Any:
        """`size` new variables, as an array of their numbers."""
        np = self._with.np
        for kept, value in ((self._lower, lower), (self._upper, upper), (self._cost, cost)):
            kept.append(np.broadcast_to(np.asarray(value, dtype=float), (size,)))
        self._whole.append(np.full(size, int(whole)))
        self.variables += size
        return np.arange(self.variables - size, self.variables)

    def at_most(self, terms: Sequence[tuple[Any, Any]], limits: Sequence[float] | float, count: int) -> None:
        """`count` rows at once: each term is (variables, coefficients), one a row; a negative number is no variable."""
        np = self._with.np
        for variables, coefficients in terms:
            there = np.flatnonzero(variables >= 0)
            factors = np.broadcast_to(np.asarray(coefficients, dtype=float), (count,))
            self._places.append((self.rows + there, variables[there], factors[there]))
        self._limits.append(np.broadcast_to(np.asarray(limits, dtype=float), (count,)))
        self.rows += count

    def row(self, variables: Any, coefficients: Any, limit: float) -> None:
        """One row, however long."""
        np = self._with.np
        factors = np.broadcast_to(np.asarray(coefficients, dtype=float), variables.shape)
        self._places.append((np.full(len(variables), self.rows), variables, factors))
        self._limits.append(np.array([limit]))
        self.rows += 1

    def add_to_last(self, count: int, rows: Any, variables: Any, coefficients: Any) -> None:
        """More terms for the last `count` rows: `rows` counts from the first of these."""
        self._places.append((self.rows - count + rows, variables, coefficients))

    def solve(self, *, time_limit_s: float) -> Solution:
        """With every variable allowed to be a fraction."""
        np, optimize = self._with.np, self._with.optimize
        if time_limit_s <= 0.0:
            return Solution(bound=-math.inf, values=())
        with _unheard():
            found = optimize.linprog(
                np.concatenate(self._cost),
                A_ub=self._matrix(),
                b_ub=np.concatenate(self._limits),
                bounds=np.column_stack([np.concatenate(self._lower), np.concatenate(self._upper)]),
                method="highs",
                options={"time_limit": time_limit_s},
            )
        if found.status != 0:
            return Solution(bound=-math.inf, values=())
        return Solution(bound=float(found.fun), values=found.x)

    def solve_whole(self, *, time_limit_s: float) -> Solution:
        """With those whole that have to be. A search that is cut short still leaves the bound that it had proven."""
        np, optimize = self._with.np, self._with.optimize
        if time_limit_s <= 0.0:
            return Solution(bound=-math.inf, values=())
        with _unheard():
            found = optimize.milp(
                np.concatenate(self._cost),
                constraints=optimize.LinearConstraint(self._matrix(), -np.inf, np.concatenate(self._limits)),
                bounds=optimize.Bounds(np.concatenate(self._lower), np.concatenate(self._upper)),
                integrality=np.concatenate(self._whole),
                options={"time_limit": time_limit_s, "mip_rel_gap": _MIP_GAP},
            )
        proven = -math.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
        return Solution(bound=proven, values=() if found.x is None or found.status != 0 else found.x)

    def _matrix(self) -> Any:
        np = self._with.np
        rows, columns, factors = (np.concatenate(part) for part in zip(*self._places, strict=True))
        return self._with.sparse.coo_matrix(
            (factors, (rows, columns)), shape=(self.rows, self.variables)
        ).tocsc()


@contextmanager
def _unheard() -> Iterator[None]:
    """What C code prints meanwhile goes nowhere.

    HiGHS tells of its sub-searches by printf, whatever it is asked, and so into the middle of our caller's output. It
    is descriptor 1 that has to be elsewhere, for the whole process, and C's own buffer must be emptied on both sides.
    """
    _flush_c()
    try:
        kept = os.dup(1)
    except OSError:  # there is no standard output that could be spoilt
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
        try:
            yield
        finally:
            _flush_c()
            os.dup2(kept, 1)
    finally:
        os.close(kept)


def _flush_c() -> None:
    with suppress(AttributeError, OSError):  # a C library without a known name
        ctypes.CDLL(None).fflush(None)
