"""A world over a cloud server on loopback: what every such world has in common, so that one of them is a few lines.

In goes a running `testbed.clouds.cloud.Cloud`, what an operator would write to reach it, what to buy there, and where a
machine's document bears our mark; out comes a `World`. Its time is the server's clock, which is turned, not waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import InstanceSpec, MayAct, NodeName, Provider, Purchase, always
from providers.libcloud import marks
from providers.libcloud import options as account_options
from testbed.clouds import descriptions, exchange
from testbed.clouds.cloud import Cloud
from testbed.clouds.exchange import Fault, Kind
from testbed.clouds.machines import Machine
from tests.contract.worlds import Trouble

Mark = Callable[[Machine], tuple[str, str]]
"""The fleet and the node's name that a machine's document bears; empty where it bears none."""


def no_mark(_: Machine) -> tuple[str, str]:
    """For clouds whose machines bear nothing but a name."""
    return "", ""


class LoopbackWorld:
    """One account at a cloud on loopback, opened by the kind `libcloud`. At its end it closes what it opened."""

    def __init__(
        self,
        cloud: Cloud,
        *,
        options: Mapping[str, object],
        purchase: Purchase,
        mark: Mark = no_mark,
        tells_of_cut_listings: bool = False,
        lists_within_s: float = 30.0,
        endpoint: bool = True,
    ) -> None:
        """`options` as under `[providers.NAME]`, but for host, port and `secure`; without `endpoint` they say where the
        cloud is. A listing that lacks a machine is a `LISTING_CUT` where the adapter calls it incomplete
        (`tells_of_cut_listings`)."""
        self.cloud = cloud
        self.lists_within_s = lists_within_s
        here = {"host": "127.0.0.1", "port": cloud.server.port, "secure": False} if endpoint else {}
        self.options = {**here, **options}
        self._purchase = purchase
        self._mark = mark
        self._closing = ExitStack()
        self._held = 0
        refusals = cloud.refusals
        self._faults: dict[Trouble, tuple[Kind | None, Fault]] = {
            Trouble.CAPACITY: (Kind.CREATE, Fault(answer=refusals.capacity)),
            Trouble.REJECTED: (Kind.CREATE, Fault(answer=refusals.rejected)),
            Trouble.THROTTLED: (Kind.CREATE, Fault(answer=refusals.throttled)),
            Trouble.ANSWER_LOST: (Kind.CREATE, exchange.ANSWER_LOST),
            Trouble.REQUEST_LOST: (Kind.CREATE, exchange.REQUEST_LOST),
            Trouble.LISTING_CUT: (Kind.LIST, exchange.LISTING_CUT),
            Trouble.LISTING_FAILS: (Kind.LIST, exchange.BAD_GATEWAY),
            Trouble.SILENCE: (None, exchange.SILENCE),
        }
        if refusals.quota is not None:
            self._faults[Trouble.QUOTA] = (Kind.CREATE, Fault(answer=refusals.quota))
        if not tells_of_cut_listings:
            del self._faults[Trouble.LISTING_CUT]
        self.troubles = frozenset(self._faults)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()

    def open(self, fleet: str, *, may_act: MayAct = always) -> Provider:
        provider = open_provider(
            "libcloud",
            name="loopback",
            fleet=fleet,
            options=self.options,
            clock=SystemClock(),
            may_act=may_act,
        )
        self._closing.callback(provider.close)
        return provider

    def spec(self, *, name: str, fleet: str, pool: str, user_data: bytes | None = None) -> InstanceSpec:
        return InstanceSpec(
            name=NodeName(name),
            fleet=fleet,
            pool=pool,
            size=self._purchase.size,
            image=self._purchase.image,
            location=self._purchase.location,
            user_data=b"#cloud-config\n" if user_data is None else user_data,
        )

    def purchase(self) -> Purchase:
        return self._purchase

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        return {self._mark(each): each.user_data for each in self.cloud.machines.standing()}[fleet, name]

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        marks = [self._mark(each) for each in self.cloud.machines.standing()]
        return tuple(name for marked, name in marks if marked == fleet)

    def meet(self, trouble: Trouble, *, times: int = 1) -> None:
        kind, fault = self._faults[trouble]
        self.cloud.server.meet(fault, kind=kind, times=times)

    def calm(self) -> None:
        self.cloud.server.calm()

    def billed(self) -> tuple[str, ...]:
        """Where nothing is made beside machines, by their API, nothing can be left of them."""
        api = self.cloud.api
        return api.billed() if hasattr(api, "billed") else ()

    def hold_against_descriptions(self) -> int:
        """How many exchanges since the last time were held against a published description. Raises AssertionError
        where a request or an answer does not fit it."""
        exchanges = self.cloud.server.exchanges
        fresh, self._held = exchanges[self._held :], len(exchanges)
        count, wrong = descriptions.held(fresh, self.cloud.descriptions, self.cloud.deviations)
        assert not wrong, "\n".join(sorted(set(wrong)))
        return count

    def pass_time(self, seconds: float) -> None:
        self.cloud.machines.clock.turn(seconds)


class NamesOnlyWorld(LoopbackWorld):
    """Where machines bear no mark but their names (`MarkShape.NAME`): whose they are is found by asking for each fleet
    whether the name is its own."""

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        return {self._ours(each, fleet): each.user_data for each in self.cloud.machines.standing()}[name]

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        names = [self._ours(each, fleet) for each in self.cloud.machines.standing()]
        return tuple(name for name in names if name)

    def _ours(self, machine: Machine, fleet: str) -> str:
        dialect = account_options.DIALECTS[str(self.options["driver"])]
        owner = marks.owner_of(dialect, fleet=fleet, row={}, name=machine.name)
        return owner.name if owner else ""
