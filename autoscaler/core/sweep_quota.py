"""How many silent machines without a record may be ended at an account unasked: a share of those listed, at a pace.

A journal restored from an old copy, or workers whose events go elsewhere, make a working fleet look like orphans. Then
a few machines pay for the mistake before somebody looks, not all of them. The rest of them wait, at that pace, or for
an operator's sweep: it is slow and never stops, because what is forgotten costs money.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.core.facts import Memory, listing_clock
from autoscaler.core.model import FleetRules
from autoscaler.core.waits import Wait, WaitKind
from providers.contract import Listing, ProviderName


@dataclass(slots=True, kw_only=True)
class Quota:
    """What is left of an account's share on this tick. Spent while strangers are judged."""

    provider: ProviderName
    most: int
    every_s: float
    now_on: float
    spent_on: tuple[float, ...]
    """When machines were ended unasked, on the account's listing clock; none longer ago than `every_s`."""
    held: int = 0

    def take(self) -> bool:
        """One more end, if the share allows it."""
        if len(self.spent_on) >= self.most:
            self.held += 1
            return False
        self.spent_on = (*self.spent_on, self.now_on)
        return True

    def waits(self, at: float) -> tuple[Wait, ...]:
        """What an operator should read of those that were held."""
        if not self.held:
            return ()
        why = (
            f"{self.held} silent machines without a record wait: no more than {self.most} are ended "
            f"in {self.every_s / 60:g} min unasked"
        )
        return (Wait(kind=WaitKind.ORPHANS, subject=self.provider, why=why, since_at=at),)


def quota(provider: ProviderName, listing: Listing, memory: Memory, fleet: FleetRules) -> Quota:
    """The account's share as it stands."""
    now_on = memory.clocks.get(listing_clock(provider), 0.0)
    spent = memory.sweeps.get(provider, ())
    return Quota(
        provider=provider,
        most=max(1, int(fleet.orphan_share * len(listing.instances))),
        every_s=fleet.orphan_every_s,
        now_on=now_on,
        spent_on=tuple(on for on in spent if 0.0 <= now_on - on < fleet.orphan_every_s),
    )
