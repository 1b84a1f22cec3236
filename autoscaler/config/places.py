"""Where the document says that machines may stand, and where it says that locations are: the two must agree.

In goes the document as written, out come findings: a pool that would widen the fleet's residency, and statements about
one place that contradict each other. What never happens here: a look at what a provider knows; that needs the provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.config.problem import Place
from autoscaler.config.report import Finding


def disagreements(
    fleet: Mapping[str, Any], providers: Mapping[str, Any], pools: Mapping[str, Mapping[str, Any]]
) -> Iterator[Finding]:
    """Every pair of keys about countries that cannot both be meant."""
    everywhere = _texts(fleet.get("residency"))
    yield from _repeated(("fleet", "residency"), everywhere)
    stated: dict[tuple[str, str], tuple[str, str]] = {}
    for name, pool in pools.items():
        own = _texts(pool.get("residency"))
        yield from _repeated(("pools", name, "residency"), own)
        for number, country in enumerate(own if everywhere else ()):
            if country not in everywhere:
                yield Finding(
                    place=("pools", name, "residency", number),
                    found=f"{country}, where the fleet may not be",
                    expected=f"one of fleet.residency, which is {', '.join(everywhere)}",
                    advice="A pool narrows the fleet's countries; only the fleet can widen them.",
                )
        offers = pool.get("offers")
        for number, offer in enumerate(offers if isinstance(offers, list) else ()):
            if isinstance(offer, dict):
                yield from _of_offer(("pools", name, "offers", number, "country"), offer, providers, stated)


def _of_offer(
    place: Place,
    offer: Mapping[str, Any],
    providers: Mapping[str, Any],
    stated: dict[tuple[str, str], tuple[str, str]],
) -> Iterator[Finding]:
    """The account's own word, and that of other offers of the same location."""
    country, provider, location = offer.get("country"), offer.get("provider"), offer.get("location", "")
    if not (isinstance(country, str) and isinstance(provider, str) and isinstance(location, str)):
        return
    account = providers.get(provider)
    of_account = account.get("country") if isinstance(account, dict) else None
    if isinstance(of_account, str) and of_account != country:
        yield Finding(
            place=place,
            found=f"{country}, but providers.{provider}.country is {of_account}",
            expected="the same country, or the account's left out",
            advice="An account's country holds for all of its locations.",
        )
    said, where = stated.setdefault((provider, location), (country, ".".join(map(str, place))))
    if said != country:
        yield Finding(
            place=place,
            found=f"{country} for a location that is in {said} by {where}",
            expected="one country for one location",
        )


def _repeated(place: Place, countries: list[str]) -> Iterator[Finding]:
    for number, country in enumerate(countries):
        if country in countries[:number]:
            yield Finding(
                place=(*place, number), found=f"{country} a second time", expected="each country once"
            )


def _texts(value: object) -> list[str]:
    """The list, if it is one of texts throughout; positions stay true."""
    return value if isinstance(value, list) and all(isinstance(item, str) for item in value) else []
