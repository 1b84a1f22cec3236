"""How commands end: the exit codes, and the one table from errors to them.

What never happens here: printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from autoscaler.config import ConfigError
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.journal.contract import JournalUnavailable, LeaseHeld, LeaseLost
from autoscaler.plots.contract import PlotsUnavailable
from autoscaler.study.solver import OptimumUnavailable
from autoscaler.study.workload import WorkloadWrong
from autoscaler.whereabouts import ResidencyRefused
from bootstrap.contract import UnusableSpec, UserDataTooLarge
from policies import PolicyOptionsWrong
from providers.contract import ProviderError, ProviderOptionsWrong

DONE, FAILED, USAGE = 0, 1, 2
UNREACHABLE, LEASE_HELD, CONFIG = 69, 75, 78  # EX_UNAVAILABLE, EX_TEMPFAIL and EX_CONFIG of sysexits.h
INTERRUPTED = 130  # what shells say of a program that was ended by Ctrl-C


ELSEWHERE = "Name a file in a directory that is there and that you may write to."
"""What to do about a file that cannot be written."""


class CommandFailed(Exception):
    """A command cannot do what was asked. The message says why, and what to do about it."""

    def __init__(self, says: str, *, code: int = FAILED) -> None:
        super().__init__(says)
        self.code = code


CODES: Mapping[type[Exception], int] = MappingProxyType(
    {
        ConfigError: CONFIG,
        ProviderOptionsWrong: CONFIG,
        PolicyOptionsWrong: CONFIG,
        ResidencyRefused: CONFIG,
        UnusableSpec: CONFIG,
        UserDataTooLarge: CONFIG,
        LeaseHeld: LEASE_HELD,
        LeaseLost: LEASE_HELD,
        JournalUnavailable: UNREACHABLE,
        FactUnavailable: UNREACHABLE,
        ProviderError: UNREACHABLE,
        WorkloadWrong: FAILED,
        OptimumUnavailable: FAILED,
        PlotsUnavailable: FAILED,
    }
)
FORESEEN: tuple[type[Exception], ...] = (CommandFailed, *CODES)
"""Trouble that can be foreseen. Its message is for people and is all they see of it."""


def code_of(error: Exception) -> int:
    """The exit code of an error that was foreseen."""
    if isinstance(error, CommandFailed):
        return error.code
    return next(code for kind, code in CODES.items() if isinstance(error, kind))
