"""Which errors end a command in their own sentence, and the one table from them to exit codes.

What never happens here: printing.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from autoscaler.cli.exits import CONFIG, FAILED, LEASE_HELD, UNREACHABLE, CommandFailed
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
