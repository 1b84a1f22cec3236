"""What every machine costs, by the world's own account: each quantum as it begins, from its making to its end.

Machines that appear and vanish go in, the bill of the calendar month comes out. It is worked out apart from the
daemon's own bills, by true time. What never happens here: a look at a record.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from autoscaler.core.model import Offer, PoolName
from autoscaler.simulate.clock import WorldClock
from providers.contract import ProviderName

_Key = tuple[ProviderName, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stay:
    pool: PoolName
    offer: Offer
    since_at: float


@dataclass(slots=True)
class Till:
    """The money of one life."""

    clock: WorldClock
    doubted: bool = False
    """Nobody can hold the daemon to this account any more: its clock was set, so its hours and months are others; or
    what it had written down was lost."""
    _there: dict[_Key, _Stay] = field(default_factory=dict)
    _gone: dict[float, dict[PoolName, float]] = field(default_factory=dict)
    """By the beginning of the month."""

    def opens(self, account: ProviderName, instance_id: str, pool: PoolName, offer: Offer) -> None:
        """That machine is paid from now on."""
        self._there[account, instance_id] = _Stay(pool=pool, offer=offer, since_at=self.clock.now())

    def closes(self, account: ProviderName, instance_id: str) -> None:
        """It is not paid any more. One that the provider made unasked never was."""
        stay = self._there.pop((account, instance_id), None)
        if stay is None:
            return
        for start_at, end_at in _months(stay.since_at, self.clock.now()):
            of_month = self._gone.setdefault(start_at, {})
            amount = _cost(stay, start_at, end_at, self.clock.now())
            of_month[stay.pool] = of_month.get(stay.pool, 0.0) + amount

    def bill(self) -> dict[PoolName, float]:
        """This month's, by pool."""
        ((start_at, end_at),) = _months(self.clock.now(), self.clock.now())
        sums = dict(self._gone.get(start_at, {}))
        for stay in self._there.values():
            amount = _cost(stay, start_at, end_at, self.clock.now())
            sums[stay.pool] = sums.get(stay.pool, 0.0) + amount
        return sums

    def month_ends_in_s(self) -> float:
        """Until the next month begins."""
        ((_, end_at),) = _months(self.clock.now(), self.clock.now())
        return end_at - self.clock.now()


def _months(since_at: float, until_at: float) -> Iterator[tuple[float, float]]:
    """The beginning and the end of every month of that time."""
    begins = datetime.fromtimestamp(since_at, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while begins.timestamp() <= until_at:
        ends = (begins + timedelta(days=31)).replace(day=1)
        yield begins.timestamp(), ends.timestamp()
        begins = ends


def _cost(stay: _Stay, start_at: float, end_at: float, now: float) -> float:
    """The quanta that began in that month. The first in a new one may be the last in the old one by the daemon's count,
    which runs from the order, so it is given away."""
    quantum_s, since_at = stay.offer.quantum_s, stay.since_at
    first = math.ceil((start_at - since_at) / quantum_s) + 1 if since_at < start_at else 0
    last = math.floor((now - since_at) / quantum_s)
    if now >= end_at:
        last = math.ceil((end_at - since_at) / quantum_s) - 1
    return max(0, last - first + 1) * quantum_s * stay.offer.price_per_h / 3600
