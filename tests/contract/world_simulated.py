"""The simulated cloud as a world of the contract suite: virtual time, listings that lag, every trouble on order."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from providers import open_provider
from providers.contract import InstanceSpec, MayAct, NodeName, Provider, Purchase, always
from providers.simulated import Fault, SimulatedCloud
from providers.simulated.cloud import Habits
from tests.contract.worlds import Trouble

_FAULTS = {
    Trouble.CAPACITY: Fault.CAPACITY,
    Trouble.QUOTA: Fault.QUOTA,
    Trouble.REJECTED: Fault.REJECTED,
    Trouble.THROTTLED: Fault.THROTTLED,
    Trouble.ANSWER_LOST: Fault.ANSWER_LOST,
    Trouble.REQUEST_LOST: Fault.REQUEST_LOST,
    Trouble.LISTING_CUT: Fault.LISTING_CUT,
    Trouble.LISTING_FAILS: Fault.LISTING_FAILS,
}


class VirtualClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.at = 1_700_000_000.0

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at


class SimulatedWorld:
    """One cloud, on which each opened provider is one more daemon."""

    troubles = frozenset(_FAULTS)
    lists_within_s = 60.0

    def __init__(self) -> None:
        self._clock = VirtualClock()
        self._cloud = SimulatedCloud(clock=self._clock, habits=Habits(boot_s=30.0, list_lag_s=20.0))
        self._payloads = itertools.count(1)

    def open(self, fleet: str, *, may_act: MayAct = always) -> Provider:
        return open_provider(
            "simulated",
            name="pretend",
            fleet=fleet,
            options={"cloud": self._cloud},
            clock=self._clock,
            may_act=may_act,
        )

    def spec(self, *, name: str, fleet: str, pool: str, user_data: bytes | None = None) -> InstanceSpec:
        return InstanceSpec(
            name=NodeName(name),
            fleet=fleet,
            pool=pool,
            size="small",
            image="debian-12",
            location="no-1",
            user_data=f"#cloud-config\n# {next(self._payloads)}\n".encode()
            if user_data is None
            else user_data,
        )

    def purchase(self) -> Purchase:
        return Purchase(size="small", image="debian-12", location="no-1", user_data_bytes=100)

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        return {each.name: each.user_data for each in self._cloud.standing(fleet)}[name]

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        return tuple(each.name for each in self._cloud.standing(fleet))

    def meet(self, trouble: Trouble, *, times: int = 1) -> None:
        self._cloud.disturb(_FAULTS[trouble], times=times)

    def calm(self) -> None:
        self._cloud.calm()

    def pass_time(self, seconds: float) -> None:
        self._clock.at += seconds


@contextmanager
def open_world(directory: Path) -> Iterator[SimulatedWorld]:
    """Nothing to start and nothing to end."""
    yield SimulatedWorld()
