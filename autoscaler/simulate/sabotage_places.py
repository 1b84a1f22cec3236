"""Rules about places, each broken as an honest programmer might break it: what is wished, and what is not known.

Each is put in place for one life by `sabotage`. What never happens here: an exception raised to be noticed.
"""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.core import invariants, residency
from autoscaler.core.model import FleetRules, PoolRules
from autoscaler.simulate.sabotage_parts import Parts
from providers.contract import ProviderName


def takes_residency_for_a_wish(parts: Parts) -> None:
    """A place that is offered is one that somebody wanted."""
    parts.put(residency, "why_refused", lambda *_: "")
    parts.put(invariants, "_residency_holds", lambda *_: None)


def lets_be_what_is_not_known(parts: Parts) -> None:
    """Who would forbid a place of which nobody says that it is abroad?"""
    sound: Callable[..., str] = residency.why_refused

    def why_refused(provider: ProviderName, location: str, pool: PoolRules | None, fleet: FleetRules) -> str:
        known = fleet.places.country(provider, location) is not None
        return sound(provider, location, pool, fleet) if known else ""

    parts.put(residency, "why_refused", why_refused)
    parts.put(invariants, "_residency_holds", lambda *_: None)
