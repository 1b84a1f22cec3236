"""One account that several fleets share: a rate limit, a quota, and a door to it for each daemon.

It stands on the simulated cloud. Calls come in, answers go out, and what each fleet asked is counted; a call beyond the
limit is refused and counted, one for a machine of another fleet is a harm. What never happens here: a word about how
the limit is to be divided.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from benchmarks.sharded.checks import Ledgers
from providers.contract import Instance, InstanceId, InstanceSpec, Listing, MayAct, QuotaRefused, Throttled
from providers.simulated import Machine, SimulatedCloud, SimulatedProvider

_MINUTE_S = 60.0
_RETRY_AFTER_S = 30.0


@dataclass(slots=True)
class Account:
    """What the account takes: a bucket of a minute's requests, which fills evenly, and so many machines."""

    cloud: SimulatedCloud
    monotonic: Callable[[], float]
    per_minute: float
    quota: int
    rows_per_page: int
    standing: int = 0
    asked: Counter[tuple[int, str]] = field(default_factory=Counter)
    """Requests by shard and kind."""
    throttled: Counter[int] = field(default_factory=Counter)
    full: int = 0
    least_left: float = math.inf
    _left: float = math.nan
    _filled_on: float = 0.0

    def take(self, shard: int, kind: str, requests: int = 1) -> None:
        """Count them, or refuse them. Raises Throttled."""
        now = self.monotonic()
        had = self.per_minute if math.isnan(self._left) else self._left
        left = min(self.per_minute, had + (now - self._filled_on) * self.per_minute / _MINUTE_S)
        self._left, self._filled_on = left, now
        if left < requests:
            self.throttled[shard] += 1
            raise Throttled(
                f"the account takes {self.per_minute:g} requests a minute", retry_after_s=_RETRY_AFTER_S
            )
        self._left -= requests
        self.least_left = min(self.least_left, self._left)
        self.asked[shard, kind] += requests


class Door(SimulatedProvider):
    """The account as one daemon of one shard has it."""

    def __init__(
        self,
        account: Account,
        shard: int,
        fleet: str,
        ledgers: Ledgers,
        *,
        may_act: MayAct,
        leads: Callable[[], bool],
    ) -> None:
        """`leads`: whether no later daemon of that shard has taken the lease, by the world's own knowledge."""
        super().__init__(cloud=account.cloud, fleet=fleet, may_act=may_act)
        self._account = account
        self._shard = shard
        self._mark = fleet
        self._ledgers = ledgers
        self._leads = leads

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        """Order a machine."""
        self._ledgers.asks(self._shard, spec.name, self._leads())
        self._account.take(self._shard, "create")
        if self._account.standing >= self._account.quota:
            self._account.full += 1
            raise QuotaRefused(f"{spec.name}: the account holds {self._account.quota} machines")
        self._ledgers.ordered(self._shard, spec.name)
        return super().create(spec, timeout_s=timeout_s)

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        """End one."""
        self._ledgers.asks(self._shard, name, self._leads())
        self._account.take(self._shard, "destroy")
        self._ledgers.ends(self._shard, name)
        super().destroy(name, instance_id, timeout_s=timeout_s)

    def list_instances(self, *, timeout_s: float) -> Listing:
        """The fleet's machines, page by page."""
        machines = self._ledgers.standing_of(self._mark)
        pages = max(1, math.ceil(machines / self._account.rows_per_page))
        self._account.take(self._shard, "list", pages)
        return super().list_instances(timeout_s=timeout_s)


class Tenants:
    """What stands, told by the cloud as it changes: to the account, to the ledgers, and to those who live there."""

    def __init__(
        self, ledgers: Ledgers, began: Callable[[Machine], None], gone: Callable[[Machine], None]
    ) -> None:
        self.account: Account | None = None
        self._ledgers = ledgers
        self._began = began
        self._gone = gone

    def made(self, machine: Machine) -> None:
        """It stands."""
        self._count(1)
        self._ledgers.stands(machine)
        self._began(machine)

    def ended(self, machine: Machine) -> None:
        """It stands no more."""
        self._count(-1)
        self._ledgers.stands_no_more(machine)
        self._gone(machine)

    def _count(self, by: int) -> None:
        if self.account is not None:
            self.account.standing += by
