"""What an account's rate limit, as its provider told it, leaves for ends and for purchases.

In go what was told and the pace of looks, out come numbers of calls. Looks come before ends and ends before purchases:
a tick without a listing is blind, and what is to end is paid until then. What never happens here: a belief in what was
told beyond an hour, or an end that waits for it alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from autoscaler.core.facts import Memory, Snapshot
from providers.contract import ProviderName, RateLimit

LONGEST_S = 3600.0
"""What is told of later than this is told of an hour from now: the word comes from outside, and ends wait for it."""
_REQUESTS_A_CALL = 2.0
"""Most clouds are asked what there is, and then for its end; an order takes one, and some another for its volume."""
_SOON_S = 60.0
"""Ends leave looks their next minute, as far as it is not renewed before; purchases that, and all until it is."""
_NEXT_LOOKS = 2.0
"""Left to looks in any case."""
_SHARE_ANYWAY = 0.02
"""Of what is left where looks alone will use it up before then: so few orders change nothing about that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ration:
    """Calls that may be made now, and why no more."""

    ends: float
    purchases: float
    why: str


def remember(snapshot: Snapshot) -> Mapping[ProviderName, RateLimit]:
    """The newest word of each account, until it is over."""
    told = {**snapshot.memory.rate_limits, **snapshot.rate_limits}
    at = snapshot.at
    bounded = {
        # Set back, the wall clock would make it last for as long.
        name: replace(limit, resets_at=min(limit.resets_at, at + LONGEST_S), told_at=min(limit.told_at, at))
        for name, limit in told.items()
    }
    return {name: limit for name, limit in bounded.items() if limit.resets_at > at}


def ration(provider: ProviderName, memory: Memory, at: float, tick_s: float, under_way: int) -> Ration | None:
    """What may be asked besides looks, with so many calls under way; None where nothing binds."""
    limit = memory.rate_limits.get(provider)
    if limit is None or limit.resets_at <= at:
        return None
    left_s = min(limit.resets_at - at, LONGEST_S)
    have = limit.remaining + limit.per_s * max(0.0, at - limit.told_at) - _REQUESTS_A_CALL * under_way
    # What comes back meanwhile serves looks first.
    looks_per_s = max(0.0, limit.listing_requests / tick_s - limit.per_s)
    least = _NEXT_LOOKS * limit.listing_requests
    # Some clouds (DigitalOcean) tell when the first request comes back: what is spent at once comes back much later.
    until_reset = least + looks_per_s * max(left_s, _SOON_S)
    soon = least + looks_per_s * min(left_s, _SOON_S)
    spare = have - until_reset if have >= until_reset else _SHARE_ANYWAY * have
    purchases = max(0.0, spare) / _REQUESTS_A_CALL
    ends = max(0.0, have - soon) / _REQUESTS_A_CALL
    why = (
        f"{provider} says that it takes {limit.remaining} requests more in the next {math.ceil(left_s)} s "
        "(its rate limit), which looks at its machines and their ends need first"
    )
    # One end a tick is asked for whatever was told: where that is true, the answer will say so itself.
    return Ration(ends=max(1.0, ends, purchases), purchases=purchases, why=why)
