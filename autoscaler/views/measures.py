"""What metrics tell of the fleet beside its standing: values that are counted from the journal's records.

In go the journal, the settings and a standing, out comes one `Measures`. Nothing in it names a machine: series that
come and go with machines would fill any store. What never happens here: words for people, a format.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import quantiles

from autoscaler import pool_rules
from autoscaler.config import Settings
from autoscaler.core import bills, strangers
from autoscaler.core.facts import Memory, RestKind
from autoscaler.core.held_back import UNLISTED
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolName, PoolRules
from autoscaler.core.waits import WaitKind
from autoscaler.journal import Journal, read
from autoscaler.views import boots
from autoscaler.views.boots import Known
from autoscaler.views.standing import PoolStanding, Standing
from policies.contract import Decision, Limits
from providers.contract import ProviderName

WAITS_OVER_S = 600.0
"""Quantiles of waits are of so much time before."""
QUANTILES = (0.5, 0.9, 0.95, 0.99)
OVERDUE_ASKS = 5
"""A machine whose end was asked for so often is overdue, as the log has it."""
HOLDS = (UNLISTED, *RestKind, *WaitKind)
"""All that may hold something back; docs/breakers.md tells each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolMeasures:
    """One pool, beside its standing."""

    standing: PoolStanding
    decision: Decision | None
    limits: Limits | None
    """As configured; None where it is no longer."""
    target_wait_s: float | None
    """The shortest that a policy of it keeps."""
    waits_s: Mapping[float, float]
    """By quantile: how old the message at the head was, over the last `WAITS_OVER_S`. Empty where that was not seen."""
    machines: Mapping[NodeState, int]
    overdue: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphaned:
    """Machines with our mark and no record, at one account."""

    provider: ProviderName
    machines: int
    cost_per_h: float
    """By the offers they were most likely bought by; one of which no offer is known counts as 0."""
    spent: float
    """This month, by the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The whole fleet at one instant."""

    standing: Standing
    tick_s: float
    most_per_h: float | None
    pools: tuple[PoolMeasures, ...]
    holds: Mapping[str, int]
    """How many things are held back, by what."""
    orphans: tuple[Orphaned, ...]
    """Of every account that is known."""
    misplaced: Mapping[ProviderName, int]
    boots: tuple[Known, ...]


def look(
    journal: Journal, settings: Settings, standing: Standing, *, nodes: Iterable[Node], memory: Memory
) -> Measures:
    """Read the rest, for that standing of these nodes. Raises JournalUnavailable.

    Where a tick is written between the two looks, what is told of decisions is of the later one: the caller sees to it.
    """
    decisions = read.last_decisions(journal)
    waits = read.waits_since(journal, standing.at - WAITS_OVER_S)
    rules = {PoolName(name): pool_rules.of(name, pool) for name, pool in settings.pools.items()}
    by_pool: dict[PoolName, list[Node]] = {}
    for node in nodes:
        by_pool.setdefault(node.pool, []).append(node)
    return Measures(
        standing=standing,
        tick_s=settings.loop.tick_s,
        most_per_h=settings.fleet.max_cost_per_hour,
        pools=tuple(
            PoolMeasures(
                standing=pool,
                decision=stored.decision if stored is not None else None,
                limits=mine.limits if mine is not None else None,
                target_wait_s=target_wait_s(mine),
                waits_s=quantiles_of(waits.get(pool.pool, ())),
                machines=Counter(node.state for node in by_pool.get(pool.pool, ())),
                overdue=sum(_is_overdue(node) for node in by_pool.get(pool.pool, ())),
            )
            for pool in standing.pools
            for stored, mine in ((decisions.get(pool.pool), rules.get(pool.pool)),)
        ),
        holds=dict.fromkeys(HOLDS, 0) | Counter(held.kind for held in standing.held_back),
        orphans=_orphans(standing, memory, rules),
        misplaced=Counter(one.provider for one in standing.misplaced),
        boots=tuple(boots.known(memory, settings)),
    )


def quantiles_of(waits_s: Iterable[float]) -> dict[float, float]:
    """Of these lengths, by rank; empty for none."""
    known = sorted(s for s in waits_s if math.isfinite(s))
    if not known:
        return {}
    cuts = quantiles(known, n=100, method="inclusive") if len(known) > 1 else known * 99
    return {share: cuts[round(share * 100) - 1] for share in QUANTILES}


def target_wait_s(rules: PoolRules | None) -> float | None:
    """The shortest wait that a policy of the pool is to keep; None where none is told one."""
    told = [spec.options.get("target_wait_s") for spec in rules.policies] if rules is not None else []
    return min((float(s) for s in told if isinstance(s, int | float)), default=None)


def _is_overdue(node: Node) -> bool:
    return node.state is NodeState.DESTROYING and node.destroy_asks >= OVERDUE_ASKS


def _orphans(standing: Standing, memory: Memory, rules: Mapping[PoolName, PoolRules]) -> tuple[Orphaned, ...]:
    month, found = bills.month_of(standing.at), []
    for account in standing.accounts:
        here = [one for one in standing.strangers if one.provider == account.account]
        found.append(
            Orphaned(
                provider=account.account,
                machines=len(here),
                cost_per_h=sum(
                    strangers.offer_of(one, rules.get(bills.pool_of(one))).price_per_h for one in here
                ),
                spent=sum(bills.of_stranger(one, rules, memory, month, standing.at) for one in here),
            )
        )
    return tuple(found)
