"""What studies are given on the command line and by the configuration: durations, means with their spread, a pool.

What never happens here: a run, or a word about one command that does not hold for all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from autoscaler import pool_rules
from autoscaler.cli import exits, opened, output
from autoscaler.config import Settings
from autoscaler.config.values import seconds
from autoscaler.core.model import PoolRules
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Terms
from autoscaler.study.run import Configured
from policies import open_policies

TARGET_WAIT_S = 120.0
"""Where neither the operator nor a policy names one."""
FOR_NOTHING = "The offer names no price_per_hour, so everything costs 0; compare the machines bought."
_LONGEST_S = 86_400.0
_SHORTEST_S = 1.0
_SHORTEST_TICK_S = 1.0
"""A daemon that looks more often would only make the trial longer."""
_LONGEST_MEAN_S: Mapping[str, float] = MappingProxyType(
    {"--task-seconds": workloads.SECONDS_AT_MOST, "--boot-seconds": 86_400.0}
)
_LARGEST_CV = 100.0


def usage(says: str) -> exits.CommandFailed:
    """An error in what was asked."""
    return exits.CommandFailed(output.clean(says), code=exits.USAGE)


def target_s(text: str) -> float | None:
    """`--target-wait` in seconds; None where it was not given. Raises CommandFailed."""
    return duration_s("--target-wait", text) if text else None


def duration_s(option: str, text: str) -> float:
    """That option's seconds. Raises CommandFailed."""
    try:
        given_s = seconds(text)
    except ValueError:
        given_s = 0.0
    if not _SHORTEST_S <= given_s <= _LONGEST_S:
        raise usage(f"{option} {text!r} is no duration from 1s to 1d; expected one such as 30s, 2m or 1h.")
    return given_s


def mean_and_cv(option: str, text: str, *, cv: float = 0.0) -> tuple[float, float]:
    """A mean in seconds, and after a comma the coefficient of variation; else this one. Raises CommandFailed."""
    mean, _, after = text.partition(",")
    try:
        mean_s, spread = float(mean), float(after or cv)
    except ValueError:
        mean_s, spread = math.nan, math.nan
    most_s = _LONGEST_MEAN_S[option]
    if not (0 < mean_s <= most_s and 0 <= spread <= _LARGEST_CV):
        raise usage(
            f"{option} {text!r} is no MEAN[,CV]; expected seconds above 0 up to {most_s:,.0f}, such as 90, "
            f"or with a spread up to {_LARGEST_CV:g}, such as 90,0.3."
        )
    return mean_s, spread


def rules(config: Path | None, pool: str) -> tuple[PoolRules, float]:
    """That pool in the words of the core, and the seconds between two ticks.

    Its policies can be opened. Raises CommandFailed, ConfigError, PolicyOptionsWrong.
    """
    settings = opened.settings(config, secrets=False)
    return rules_of(settings, pool_of(settings, pool))


def pool_of(settings: Settings, pool: str) -> str:
    """The pool that is meant: the only one where none is named. Raises CommandFailed."""
    if not pool and len(settings.pools) > 1:
        raise usage(f"Which pool? The configuration has: {', '.join(settings.pools)}; name one with --pool.")
    return opened.pool(settings, pool or next(iter(settings.pools)))


def rules_of(settings: Settings, name: str) -> tuple[PoolRules, float]:
    """As `rules`, of settings that are there."""
    # Clients of clouds and brokers are slow to import.

    found = pool_rules.of(name, settings.pools[name])
    # Before anything is played: a run would open them on its first tick, in another process perhaps.
    open_policies(found.policies)
    return found, settings.loop.tick_s


def of_pool(
    pool: PoolRules, tick_s: float, *, boot: tuple[float, float], target_wait_s: float
) -> tuple[Configured, Terms]:
    """The pool's own policies, and what a study takes as given, at the price and quantum of its first offer."""
    offer = pool.offers[0]
    terms = Terms(
        slots=pool.slots,
        boot_s=boot[0],
        boot_cv=boot[1],
        target_wait_s=target_wait_s,
        min_workers=pool.limits.min_workers,
        max_workers=pool.limits.max_workers,
        price_per_h=offer.price_per_h / pool.weight_of(offer.name),
        quantum_s=offer.quantum_s,
    )
    configured = Configured(
        policies=pool.policies, stabilization=pool.stabilization, tick_s=max(tick_s, _SHORTEST_TICK_S)
    )
    return configured, terms


def with_target(pool: PoolRules, target_wait_s: float) -> PoolRules:
    """The pool with this target in its policies `wait`."""
    policies = tuple(
        replace(spec, options={**spec.options, "target_wait_s": target_wait_s})
        if spec.kind == "wait"
        else spec
        for spec in pool.policies
    )
    return replace(pool, policies=policies)
