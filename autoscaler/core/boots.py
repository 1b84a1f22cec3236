"""How long machines of each offer take to become workers: offers differ in hardware, image and place.

Boots go in by offer and pool, and out comes a pool's traffic with the boot time of the offer that would be bought, or
of what is most like it. What never happens here: a choice of an offer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from autoscaler.core.facts import Memory
from autoscaler.core.model import Offer, OfferName, PoolRules
from policies import traffic as traffics
from policies.contract import Span, Traffic

_FOR = " for "
"""Between an offer and its pool, in the keys that `offers.for_pool` makes."""


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


def of_offer(traffic: Traffic, offer: Offer, pool: PoolRules, memory: Memory) -> Traffic:
    """The traffic with that offer's own boots for the pool; while it has none, with those of the same size at the same
    provider, be it with another image; else with those of all that were bought. And why, where they are not its own."""
    key = _key(offer, pool)
    own = memory.boots.get(key)
    if own is not None and own.amount:
        known = memory.learned.get(key)
        changed = known is not None and known.changed
        why = "none has become a worker since what they become was changed" if changed else ""
        return _with(traffic, own, offer.name, why)
    why = f"none of {offer.name} has become a worker yet"
    for alike in _alike(memory.boots, offer, pool):
        return _with(traffic, memory.boots[alike], alike.removesuffix(f"{_FOR}{pool.name}"), why)
    return replace(traffic, boots_why=why) if traffic.boots else traffic


def of_interest(boots: Mapping[OfferName, Span], pools: Iterable[PoolRules]) -> set[OfferName]:
    """The offers whose boots are worth knowing: those of these pools, and what stood in the place of one that has no
    boot of its own yet."""
    # Each pool looks at its own alone: where half of a thousand pools had boots, looking at all took 30 ms of a tick.
    own: defaultdict[str, dict[OfferName, Span]] = defaultdict(dict)
    for key, span in boots.items():
        own[key.rpartition(_FOR)[2]][key] = span
    found = set()
    for pool in pools:
        of_pool = own[pool.name.rpartition(_FOR)[2]]
        for offer in pool.offers:
            key = _key(offer, pool)
            found.add(key)
            if key not in of_pool:
                found.update(_alike(of_pool, offer, pool))
    return found


def _alike(boots: Mapping[OfferName, Span], offer: Offer, pool: PoolRules) -> Iterator[OfferName]:
    """Of the same pool, size and provider, the nearest first: with another image, which may not be bought any more;
    elsewhere."""
    of_pool, here = f"{_FOR}{pool.name}", f"{offer.provider}/{offer.location}/{offer.size}/"
    images = [key for key in boots if key.endswith(of_pool) and key.startswith(here)]
    # The image that was bought last stands last.
    yield from (key for key in reversed(images) if boots[key].amount)
    for other in pool.offers:
        key = _key(other, pool)
        same = (other.provider, other.size) == (offer.provider, offer.size) and key not in images
        if same and key in boots and boots[key].amount:
            yield key


def _with(traffic: Traffic, span: Span, of: str, why: str) -> Traffic:
    return replace(traffic, boots=span.amount, boot_s=span.seconds, boots_of=of, boots_why=why)


def _key(offer: Offer, pool: PoolRules) -> OfferName:
    return OfferName(f"{offer.name}{_FOR}{pool.name}")
