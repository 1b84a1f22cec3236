"""In which country a location is: by what its provider knows, else by what the operator states of it.

In go an account and a location as it is written in an offer or in a listing, out comes a country's code, or None for
not known. What never happens here: a guess. A name that looks like a city proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from providers.contract import ProviderName

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What is known about where locations are. A provider's own knowledge outranks every statement."""

    known: Mapping[ProviderName, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """By account and location, as the provider's traits have it."""
    stated: Mapping[ProviderName, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """By account and location, as the operator has it."""
    of_account: Mapping[ProviderName, str] = field(default_factory=lambda: MappingProxyType({}))
    """Accounts all of whose locations are in one country, as the operator has it."""

    def country(self, provider: ProviderName, location: str) -> str | None:
        """The country of that location, None where nobody knows it.

        An account's own country holds for locations that no offer names, and for one that is not named at all.
        """
        known, stated = self.known.get(provider, _NONE), self.stated.get(provider, _NONE)
        return known.get(location) or stated.get(location) or self.of_account.get(provider)

    def contradictions(self) -> tuple[str, ...]:
        """Every statement that the provider knows better, in words."""
        found = [
            f"{provider}: {location or 'its own choice of a location'} is in {known[location]}, not in {country}"
            for provider, of_provider in self.stated.items()
            for known in [self.known.get(provider, _NONE)]
            for location, country in of_provider.items()
            if known.get(location, country) != country
        ]
        for provider, country in self.of_account.items():
            others = sorted({c for c in self.known.get(provider, _NONE).values() if c != country})
            if others:
                found.append(
                    f"{provider}: not all of it is in {country}, there are locations in {', '.join(others)}"
                )
        return tuple(found)
