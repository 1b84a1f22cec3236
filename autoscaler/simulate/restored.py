"""Machines of which a restored journal knows nothing, and until when nobody could count them.

They are paid and count, but a daemon can count only what it was shown: until a listing names one for the first time,
another may be bought in its place. That purchase is excused as long as it stands, and none that was made later.
What never happens here: an excuse for what was bought once all of a pool's were shown.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from autoscaler.core.model import PoolName
from autoscaler.simulate.clock import WorldClock
from providers.contract import Listing, ProviderName


@dataclass(slots=True)
class _Forgotten:
    pool: PoolName
    shown_at: float = float("inf")


@dataclass(slots=True)
class Forgotten:
    """Those of one life, by account and id."""

    clock: WorldClock
    since: float = float("inf")
    """When a journal was first restored."""
    _machines: dict[tuple[ProviderName, str], _Forgotten] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def restored(self, names: Collection[str]) -> None:
        """Machines of these names were ordered, and have no record any more; some of them do not stand yet."""
        self.since = min(self.since, self.clock.elapsed)
        self._names |= {*names}

    def stands(self, account: ProviderName, instance_id: str, name: str, pool: PoolName) -> None:
        """That machine stands, from now on or since before the restore."""
        if name in self._names:
            self._machines.setdefault((account, instance_id), _Forgotten(pool))

    def known(self, account: ProviderName, instance_id: str) -> None:
        """That machine was shown, or stands no more."""
        machine = self._machines.get((account, instance_id))
        if machine is not None:
            machine.shown_at = min(machine.shown_at, self.clock.elapsed)

    def shown(self, account: ProviderName, listing: Listing) -> None:
        """A daemon looked at that account."""
        for instance in listing.instances if self._machines else ():
            self.known(account, instance.instance_id)

    def hidden_until(self, pool: PoolName) -> float:
        """When the last of that pool was first shown."""
        return max((m.shown_at for m in self._machines.values() if m.pool == pool), default=float("-inf"))
