"""How long machines of each offer take to become workers: offers differ in hardware, image and place.

Boots go in by offer and pool, and out comes a pool's traffic with the boot time of the offer that would be bought. What
never happens here: a choice of an offer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from autoscaler.core.model import Offer, OfferName
from policies import traffic as traffics
from policies.contract import Span, Traffic


def learn(
    before: Mapping[OfferName, Span], found: Mapping[OfferName, Iterable[float]]
) -> dict[OfferName, Span]:
    """Machines and their seconds by offer, with these boots; the oldest are forgotten as in `policies.traffic`."""
    after = dict(before)
    for name, seconds in found.items():
        known = before.get(name, Span(seconds=0.0, amount=0.0))
        taken = traffics.with_boots(Traffic(boots=known.amount, boot_s=known.seconds), seconds)
        after[name] = Span(seconds=taken.boot_s, amount=taken.boots)
    return after


def of_offer(
    traffic: Traffic, offer: Offer | None, boots: Mapping[OfferName, Span], key: OfferName
) -> Traffic:
    """The traffic with that offer's own boots; with those of all that were bought as long as it has none."""
    own = boots.get(key)
    if offer is None or own is None or not own.amount:
        return traffic
    return replace(traffic, boots=own.amount, boot_s=own.seconds, boots_of=offer.name)
