"""How often an account may be called: a bucket of calls that fills with time, spent on ends before purchases.

Providers block accounts that ask too often. The bucket holds one minute's worth, so a flood is answered at once and a
storm is not. Where an account says how much it still takes, that binds, too. What does not fit is asked on a later
tick; nothing is ever refused for good.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from autoscaler.core import rations
from autoscaler.core.facts import Bucket, Memory, Snapshot
from autoscaler.core.model import Action, CreateNode, DestroyNode, FleetRules
from autoscaler.core.rations import Ration
from providers.contract import ProviderName

DEFAULT_PER_MINUTE = 60.0
"""Hetzner Cloud allows 3,600 requests an hour; the listings of each tick come on top."""
_A_MINUTE_S = 60.0
_NONE: Mapping[ProviderName, int] = MappingProxyType({})


@dataclass(slots=True)
class CallBudget:
    """What may still be asked of each account on this tick. Spent while a plan is made."""

    left: dict[ProviderName, float]
    fleet: FleetRules
    told: dict[ProviderName, Ration] = field(default_factory=dict)
    """What the rate limits of those accounts leave that told one."""

    def take(self, provider: ProviderName) -> bool:
        """The call for one end, if there is one."""
        told = self.told.get(provider)
        if min(self._of(provider), told.ends if told else math.inf) < 1:
            return False
        self._spend(provider, told.an_end if told else 0.0)
        return True

    def buy(self, provider: ProviderName) -> None:
        """The call for one purchase; `whole` says how many there are."""
        self._spend(provider, rations.A_PURCHASE)

    def _spend(self, provider: ProviderName, requests: float) -> None:
        self.left[provider] = self._of(provider) - 1.0
        if provider in self.told:
            self.told[provider] = self.told[provider].less(requests)

    def whole(self, provider: ProviderName) -> int:
        """Whole calls left for purchases."""
        told = self.told.get(provider)
        return max(0, math.floor(min(self._of(provider), told.purchases if told else math.inf)))

    def why(self, provider: ProviderName) -> str:
        """Why calls wait."""
        told = self.told.get(provider)
        if told and min(told.ends, told.purchases) < self._of(provider):
            return told.why
        return f"{provider} takes {per_minute(self.fleet, provider):g} calls a minute (calls_per_minute)"

    def _of(self, provider: ProviderName) -> float:
        return self.left.get(provider, per_minute(self.fleet, provider))


def per_minute(fleet: FleetRules, provider: ProviderName) -> float:
    """Calls a minute that an account takes; also the most that may be made at once."""
    return max(1.0, fleet.calls_per_minute.get(provider, DEFAULT_PER_MINUTE))


def time_for(calls: int, fleet: FleetRules, provider: ProviderName) -> float:
    """Seconds that so many calls take beyond the first bucketful."""
    return max(0.0, calls / per_minute(fleet, provider) - 1.0) * _A_MINUTE_S


def budget(
    snapshot: Snapshot, memory: Memory, fleet: FleetRules, under_way: Mapping[ProviderName, int] = _NONE
) -> CallBudget:
    """The buckets as they are filled by now, and what rate limits leave with so many calls under way."""
    told = {
        name: allowed
        for name in memory.rate_limits
        if (allowed := rations.ration(name, memory, snapshot.at, fleet.tick_s, under_way.get(name, 0)))
    }
    return CallBudget(left=_filled(snapshot, memory, fleet), fleet=fleet, told=told)


def remember(
    snapshot: Snapshot, memory: Memory, actions: Iterable[Action], fleet: FleetRules
) -> Mapping[ProviderName, Bucket]:
    """The buckets after these actions. Full ones need not be remembered."""
    left = budget(snapshot, memory, fleet)
    spent = Counter(provider for action in actions for provider in _account(action))
    buckets = {}
    for provider in dict.fromkeys([*left.left, *spent]):
        calls = left.left.get(provider, per_minute(fleet, provider)) - spent[provider]
        if calls < per_minute(fleet, provider):
            buckets[provider] = Bucket(calls=max(0.0, calls), at=snapshot.at)
    return buckets


def _filled(snapshot: Snapshot, memory: Memory, fleet: FleetRules) -> dict[ProviderName, float]:
    """Filled by monotonic time; only a daemon that just began must go by the wall clock, and by a minute at most."""
    filled = {}
    for provider, bucket in memory.buckets.items():
        rate = per_minute(fleet, provider)
        passed_s = snapshot.elapsed_s or min(max(0.0, snapshot.at - bucket.at), _A_MINUTE_S)
        filled[provider] = min(rate, max(0.0, bucket.calls) + passed_s * rate / _A_MINUTE_S)
    return filled


def _account(action: Action) -> tuple[ProviderName, ...]:
    match action:
        case CreateNode():
            return (action.offer.provider,)
        case DestroyNode():
            return (action.provider,)
        case _:
            return ()
