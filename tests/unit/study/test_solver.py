"""The door to the solver: it is quiet, whatever the library prints."""

from __future__ import annotations

import ctypes
import os

import pytest

from autoscaler.study import solver


def _prints(text: bytes) -> None:
    """As C code does, through C's own buffer."""
    ctypes.CDLL(None).printf(text)


def test_what_c_code_prints_while_it_solves_is_not_heard(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """HiGHS tells of its sub-searches by printf; a JSON document must come out whole all the same."""
    scipy = pytest.importorskip("scipy.optimize")
    real = scipy.linprog

    def loud(*arguments: object, **options: object) -> object:
        _prints(b"tmpSolver.run();\n")
        return real(*arguments, **options)

    monkeypatch.setattr(scipy, "linprog", loud)
    _prints(b"before, ")
    program = solver.Program()
    program.block(1, lower=3.0, cost=2.0)
    program.row(program.block(1), 1.0, 1.0)

    bound = program.solve(time_limit_s=5.0).bound

    _prints(b"after\n")
    ctypes.CDLL(None).fflush(None)
    assert (6.0, "before, after\n") == (bound, capfd.readouterr().out)


def test_a_program_without_a_standard_output_is_solved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have closed it; then there is nothing to be quiet about."""
    pytest.importorskip("scipy")

    def closed(_: int) -> int:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    program = solver.Program()
    program.row(program.block(1, lower=1.0, cost=1.0), 1.0, 2.0)

    assert 1.0 == program.solve(time_limit_s=5.0).bound
