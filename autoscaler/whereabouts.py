"""Where machines may stand, put together from settings and opened providers, and asked once more before each order.

In go settings and what providers know of their locations; out come the places that the core judges by, the refusal of a
configuration that would order elsewhere, and the gate right in front of each create. What never happens here: a look at
a provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from autoscaler.config import Settings
from autoscaler.core import residency
from autoscaler.core.model import FleetRules, Offer, PoolName, PoolRules
from autoscaler.core.places import Places
from autoscaler.execute import WhyNotThere
from providers.contract import InstanceSpec, ProviderName, ProviderTraits

Rules = Mapping[PoolName, PoolRules]


class ResidencyRefused(ValueError):
    """The configuration would let machines stand where residency does not allow it, or states where something is that
    its provider knows better: names every offer and every statement."""


def places(settings: Settings, traits: Mapping[ProviderName, ProviderTraits]) -> Places:
    """What is known of every location. Raises ResidencyRefused for a statement that its provider knows better."""
    stated: dict[ProviderName, dict[str, str]] = {}
    for pool in settings.pools.values():
        for offer in pool.offers:
            if offer.country is not None:
                stated.setdefault(ProviderName(offer.provider), {})[offer.location] = offer.country
    found = Places(
        known=MappingProxyType({name: MappingProxyType(dict(of.countries)) for name, of in traits.items()}),
        stated=MappingProxyType(stated),
        of_account=MappingProxyType(
            {ProviderName(n): p.country for n, p in settings.providers.items() if p.country is not None}
        ),
    )
    if wrong := found.contradictions():
        raise ResidencyRefused("the configuration says otherwise than the provider: " + "; ".join(wrong))
    return found


def refused(rules: Rules, fleet: FleetRules) -> Iterator[tuple[PoolName, Offer, str]]:
    """Every offer that may not be bought where it is, and why."""
    for name, pool in rules.items():
        for offer in pool.offers:
            if why := residency.why_refused(offer.provider, offer.location, pool, fleet):
                yield name, offer, why


def require(rules: Rules, fleet: FleetRules) -> None:
    """Raise ResidencyRefused if any offer may not be bought where it is."""
    found = [f"pools.{name}: {why}" for name, _, why in refused(rules, fleet)]
    if found:
        raise ResidencyRefused("an offer is where no machine may stand: " + "; ".join(found))


def gate(rules: Rules, fleet: FleetRules) -> WhyNotThere:
    """The last question before an order goes out, about the order as it was written and not as it was meant."""

    def why_not(provider: ProviderName, order: InstanceSpec) -> str:
        return residency.why_refused(provider, order.location, rules.get(PoolName(order.pool)), fleet)

    return why_not
