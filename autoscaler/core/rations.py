"""What an account's rate limit, as its provider told it, leaves for looks, for ends and for purchases.

In go what was told and the pace of looks, out come numbers of calls, and how far apart looks must be to last. Looks
come before ends and ends before purchases: without a listing we are blind, and what is to end is paid until then. What
never happens here: a belief in what was told beyond an hour, or an end that waits for it alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from autoscaler.core.facts import Memory, Snapshot
from autoscaler.core.model import Action, CreateNode, DestroyNode
from providers.contract import ProviderName, RateLimit

LONGEST_S = 3600.0
"""What is told of later than this is told of an hour from now: the word comes from outside, and ends wait for it."""
LONGEST_APART_S = 60.0
"""Looks are this far apart at most: the word may be a lie, and a look is what tells that it was one."""
A_PURCHASE = 2.0
"""An order takes one request, and at some clouds another for its volume."""
_SHARE_OF_LOOKS = 0.8
"""Of all that an account takes; the rest is for orders and ends."""
_SOON_S = 60.0
"""Ends leave looks their next minute, as far as it is not renewed before; purchases that, and all until it is."""
_NEXT_LOOKS = 2.0
"""Left to looks in any case."""
_SHARE_ANYWAY = 0.02
"""Of what is left where looks alone will use it up before then: so few orders change nothing about that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ration:
    """Requests that may be made now, and why no more. An end first asks what there is, page by page."""

    for_ends: float
    for_purchases: float
    an_end: float
    why: str

    @property
    def ends(self) -> float:
        """How many may be asked for."""
        return self.for_ends / self.an_end

    @property
    def purchases(self) -> float:
        """How many machines may be ordered."""
        return self.for_purchases / A_PURCHASE

    def less(self, requests: float) -> Ration:
        """What is left after so many."""
        return replace(self, for_ends=self.for_ends - requests, for_purchases=self.for_purchases - requests)


def remember(snapshot: Snapshot) -> Mapping[ProviderName, RateLimit]:
    """The newest word of each account, until it is over."""
    before = snapshot.memory.rate_limits
    # One that was known is remembered with what was spent since.
    news = {
        name: limit
        for name, limit in snapshot.rate_limits.items()
        if name not in before or limit.told_at != before[name].told_at
    }
    told = {**before, **news}
    at = snapshot.at
    bounded = {
        # Set back, the wall clock would make it last for as long.
        name: replace(limit, resets_at=min(limit.resets_at, at + LONGEST_S), told_at=min(limit.told_at, at))
        for name, limit in told.items()
    }
    return {name: limit for name, limit in bounded.items() if limit.resets_at > at}


def spent(memory: Memory, actions: Iterable[Action]) -> Mapping[ProviderName, RateLimit]:
    """What is left of each account's word after these actions; the next look may be some ticks away."""
    left = dict(memory.rate_limits)
    for action in actions:
        match action:
            case CreateNode():
                name, requests = action.offer.provider, A_PURCHASE
            case DestroyNode():
                name, requests = action.provider, 0.0
            case _:
                continue
        if name in left:
            requests = requests or _an_end(left[name])
            left[name] = replace(left[name], remaining=max(0, math.floor(left[name].remaining - requests)))
    return left


def _an_end(limit: RateLimit) -> float:
    """Requests that it takes: what there is is asked first, page by page."""
    return 1.0 + limit.listing_requests


def apart_s(limit: RateLimit, at: float) -> float:
    """How far apart looks must be that they last until more is taken, evenly, and leave orders and ends their share.

    Where looks are asked more often than that, all of it is used up soon, and none is left until then.
    """
    left_s = min(max(0.0, limit.resets_at - at), LONGEST_S)
    if limit.sliding:
        # What others spend may come back much later.
        per_s = min(limit.per_s, limit.remaining / _SOON_S)
    elif left_s > 0.0:
        per_s = limit.per_s + limit.remaining / left_s
    else:
        return 0.0
    looks_per_s = _SHARE_OF_LOOKS * per_s / limit.listing_requests
    return min(LONGEST_APART_S, 1.0 / looks_per_s) if looks_per_s > 1.0 / LONGEST_APART_S else LONGEST_APART_S


def ration(provider: ProviderName, memory: Memory, at: float, tick_s: float, under_way: int) -> Ration | None:
    """What may be asked besides looks, with so many calls under way; None where nothing binds."""
    limit = memory.rate_limits.get(provider)
    if limit is None or limit.resets_at <= at:
        return None
    left_s = min(limit.resets_at - at, LONGEST_S)
    back_per_s = 0.0 if limit.sliding else limit.per_s
    an_end = _an_end(limit)
    have = limit.remaining + back_per_s * max(0.0, at - limit.told_at) - an_end * under_way
    # What comes back meanwhile serves looks first.
    looks_per_s = max(0.0, limit.listing_requests / max(tick_s, apart_s(limit, at)) - back_per_s)
    least = _NEXT_LOOKS * limit.listing_requests
    # Some clouds (DigitalOcean) tell when the first request comes back: what is spent at once comes back much later.
    until_reset = least + looks_per_s * max(left_s, _SOON_S)
    soon = least + looks_per_s * min(left_s, _SOON_S)
    spare = have - until_reset if have >= until_reset else _SHARE_ANYWAY * have
    why = (
        f"{provider} says that it takes {limit.remaining} requests more in the next {math.ceil(left_s)} s "
        "(its rate limit), which looks at its machines and their ends need first"
    )
    # One end a tick is asked for whatever was told: where that is true, the answer will say so itself.
    return Ration(
        for_ends=max(an_end, have - soon, spare), for_purchases=max(0.0, spare), an_end=an_end, why=why
    )
