"""How long boots take in lives in which that is learned: of each pool at each account another time, and it changes.

Some are as quick as any for a while and then take minutes, as after an image that grew or with a mirror that is slow.
What never happens here: a machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from autoscaler.core.model import PoolName, Timeouts
from providers.contract import ProviderName

_SHARE = 0.4
"""Of all lives; in the others operators wrote a number."""
FIRST_S, LEAST_S, MOST_S = 150.0, 40.0, 600.0
"""The first as the number that others wrote; the least leaves room for no more than the quickest boot here."""
_LONGER_S = (0.0, 60.0, 150.0, 300.0)
"""With any boot and the time to connect these stay below the most, so every pool can be served."""
_LOOKED_FOR_S = (120.0, 900.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Of one life."""

    learned: bool = False
    reports: bool = True
    """Whether machines say how they get on: some brokers give them no right to."""
    changes: Mapping[tuple[PoolName, ProviderName], tuple[tuple[float, float], ...]] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """From when on boots take so much longer than usual, the newest last."""

    def longer_s(self, pool: PoolName, account: ProviderName, at: float) -> float:
        """By how much a boot that begins now is longer."""
        begun = [longer_s for since, longer_s in self.changes.get((pool, account), ()) if since <= at]
        return begun[-1] if begun else 0.0

    def times(self, of: Timeouts) -> Timeouts:
        """An operator's, who leaves it to be learned or not."""
        if not self.learned:
            return of
        return replace(of, enrol_s=MOST_S, enrol_first_s=FIRST_S, enrol_least_s=LEAST_S)


def draw(seed: int, pools: Iterable[PoolName], accounts: Iterable[ProviderName]) -> Lengths:
    """Dice of their own, so that other lives are as they would be without."""
    dice, accounts = random.Random(f"lengths {seed}"), tuple(accounts)
    if dice.random() >= _SHARE:
        return Lengths()
    changes = {}
    for pool in pools:
        # At all accounts at once: what a pool installs is the same everywhere, and it has nowhere else to go.
        first, then = dice.uniform(*_LOOKED_FOR_S), dice.uniform(*_LOOKED_FOR_S)
        grown_s, after_s = dice.choice(_LONGER_S), dice.choice(_LONGER_S)
        for account in accounts:
            part = dice.uniform(0.7, 1.0)
            changes[pool, account] = ((first, grown_s * part), (first + then, after_s * part))
    return Lengths(learned=True, reports=dice.random() < 0.5, changes=changes)
