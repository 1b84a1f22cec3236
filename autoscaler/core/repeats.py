"""Which decisions say again what stood before: those are not kept once more.

A pool is decided about on every tick, and mostly the same. Its past holds what later decisions heed, and that is what
stood when: a decision that repeats the one before adds nothing to it. In go a tick's decisions and what was kept of
those before, out comes what repeats. What never happens here: a decision left out because another is like it that is
not on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from autoscaler.core.model import PoolDecision, PoolName

AGAIN_AFTER_S = 3_600.0
"""A decision that stands is kept anew after so long: with it stands what was measured of the pool by then, which a
replay of its past begins from."""


Key = tuple[PoolName, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Of one pool: when a decision became part of its past last, what that said, and every figure of the last one."""

    at: float
    gist: tuple[object, ...]
    figures: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """Of decisions those that add nothing, by pool and instant."""

    said: frozenset[Key] = frozenset()
    """They want, and wish for, what the one before did, of as many workers and for the same reasons."""
    whole: frozenset[Key] = frozenset()
    """Of those the ones of which no figure moved either."""
    kept: Mapping[PoolName, Kept] = field(default_factory=lambda: MappingProxyType({}))
    """What the next tick compares with, once this one is on record."""


def of(
    decided: Iterable[PoolDecision], remarks: Mapping[str, tuple[str, ...]], before: Mapping[PoolName, Kept]
) -> Repeats:
    """What repeats `before`, which must be on record. `remarks` are the plan's, of each pool."""
    said, whole, kept = set(), set(), {}
    for one in decided:
        pool, had, figures = one.pool, before.get(one.pool), _figures(one)
        gist = _gist(one, remarks[one.pool])
        if had is None or had.gist != gist or not _stands(had, one):
            kept[pool] = Kept(at=one.at, gist=gist, figures=figures)
            continue
        said.add((pool, one.at))
        if had.figures == figures:
            whole.add((pool, one.at))
        kept[pool] = Kept(at=had.at, gist=gist, figures=figures)
    return Repeats(said=frozenset(said), whole=frozenset(whole), kept=kept)


def _stands(had: Kept, one: PoolDecision) -> bool:
    """Whether what was kept is what the journal tells of the past, and not of too long ago."""
    past = one.decision.input.history.past
    return bool(past) and past[-1].at == had.at <= one.at < had.at + AGAIN_AFTER_S


def _gist(one: PoolDecision, remarks: tuple[str, ...]) -> tuple[object, ...]:
    """What windows and cooldowns heed of it, and why it is so."""
    decision = one.decision
    given = decision.input
    return (
        decision.recommended,
        decision.wanted,
        given.supply.workers,
        decision.binding,
        bool(decision.held),
        given.demand_missing,
        given.supply_missing,
        given.policies,
        given.limits,
        given.stabilization,
        given.paused,
        given.hold,
        remarks,
    )


def _figures(one: PoolDecision) -> tuple[object, ...]:
    """Everything of it that somebody is shown. What was measured of its traffic ages on every tick, and is not."""
    decision = one.decision
    demand = decision.input.demand
    seen = demand and (
        demand.backlog,
        demand.in_progress,
        demand.arrivals_per_s,
        demand.completions_per_s,
        demand.wait_s,
        demand.queues,
        demand.warnings,
    )
    return (
        seen,
        decision.input.supply,
        decision.input.allowance,
        decision.proposals,
        decision.steps,
        decision.held,
        decision.would_change,
        one.sentence,
    )
