"""Prospects for the pools whose policies ask for one, renewed once a slice from what the journal holds.

Instants and measured traffic go in, prospects come out; the past is read once when a pool is first asked about, and
afterwards only what was added. What is kept here between two ticks is read anew after a restart and gives the same.
What never happens here: a decision, or more than one long reading in one tick.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.core import supply
from autoscaler.core.model import PoolName, PoolRules
from policies import forecast, seasons
from policies import traffic as traffics
from policies.contract import LONG_QUANTUM_S, Traffic
from policies.prospect import Prospect, Slice
from policies.seasons import Seasons

Read = Callable[[PoolName, float, float], Sequence[Slice]]
"""A pool's slices that began at or after the first instant and before the second, oldest first."""


@dataclass(slots=True)
class _Pool:
    """What is learned of one pool, and what was said last."""

    seasons: Seasons
    quantum_s: float
    learned_until_at: float | None = None
    prospect: Prospect | None = None


class Prospects:
    """Keeps what was learned of each pool that has a policy `forecast`."""

    def __init__(self, rules: Mapping[PoolName, PoolRules], read: Read) -> None:
        self._read = read
        self._pools = {
            name: _Pool(seasons=Seasons(time_zone=time_zone), quantum_s=_quantum_s(pool))
            for name, pool in rules.items()
            if (time_zone := _time_zone(pool)) is not None
        }

    @property
    def is_asked(self) -> bool:
        """Whether any pool's policies ask for a prospect."""
        return bool(self._pools)

    def of_pools(self, at: float, traffic: Mapping[PoolName, Traffic]) -> dict[PoolName, Prospect]:
        """Of each pool that asks for one and could be read by now."""
        found, may_read = {}, True
        for name, pool in self._pools.items():
            if pool.learned_until_at is None:
                if not may_read:
                    continue  # its turn comes with the next tick
                may_read = False
            prospect = self._prospect(name, pool, at, traffic.get(name) or Traffic())
            if prospect is not None:
                found[name] = prospect
        return found

    def _prospect(self, name: PoolName, pool: _Pool, at: float, traffic: Traffic) -> Prospect | None:
        began_at = seasons.began_at(at)
        if began_at is None:
            return None
        if pool.prospect is None or pool.prospect.from_at != began_at:
            since_at = began_at - seasons.KEPT_S if pool.learned_until_at is None else pool.learned_until_at
            if since_at < began_at:  # else the clock was set back: what is to be learned was learned
                pool.seasons.learn(self._read(name, since_at, began_at))
                pool.learned_until_at = began_at
            pool.prospect = pool.seasons.prospect(
                at, boot_s=traffics.boot_s(traffic), quantum_s=pool.quantum_s
            )
        return pool.prospect


def _time_zone(pool: PoolRules) -> str | None:
    """Of the first policy that asks for a prospect."""
    for policy in pool.policies:
        if policy.kind == forecast.NAME:
            return str(policy.options.get("time_zone", forecast.DEFAULT_ZONE))
    return None


def _quantum_s(pool: PoolRules) -> float:
    """So far is looked on for the sake of machines that are paid; not at all where that is too short to keep one."""
    quantum_s = supply.quantum_s(pool.offers)
    return quantum_s if quantum_s >= LONG_QUANTUM_S else 0.0
