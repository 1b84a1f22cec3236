"""This computer as a world of the contract suite: real keepers with a program that does nothing but wait."""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import InstanceSpec, MayAct, NodeName, Provider, Purchase, always
from providers.local import keeper, processes
from tests.contract.worlds import Trouble


class LocalWorld:
    """One directory on this computer."""

    # The process table neither lags nor loses answers; what can fail here stands in the unit tests.
    troubles: frozenset[Trouble] = frozenset()
    lists_within_s = 20.0

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._fleets: set[str] = set()
        self._payloads = itertools.count(1)

    def open(self, fleet: str, *, may_act: MayAct = always) -> Provider:
        self._fleets.add(fleet)
        options = {"directory": str(self._directory)}
        return open_provider(
            "local", name="here", fleet=fleet, options=options, clock=SystemClock(), may_act=may_act
        )

    def spec(self, *, name: str, fleet: str, pool: str, user_data: bytes | None = None) -> InstanceSpec:
        program = {
            "argv": ["sleep", "600"],
            "environment": {"PAYLOAD": str(next(self._payloads))},
            "directory": str(self._directory),
            "expected_exit_codes": [0],
        }
        return InstanceSpec(
            name=NodeName(name),
            fleet=fleet,
            pool=pool,
            size="",
            image="",
            location="",
            user_data=json.dumps(program).encode() if user_data is None else user_data,
        )

    def purchase(self) -> Purchase:
        return Purchase(size="", image="", location="", user_data_bytes=100)

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        try:
            return (self._directory / fleet / name / keeper.USER_DATA).read_bytes()
        except FileNotFoundError as error:
            raise KeyError(name) from error

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        return tuple(processes.look(fleet, self._directory / fleet).machines)

    def meet(self, trouble: Trouble, *, times: int = 1) -> None:
        raise NotImplementedError(trouble)

    def calm(self) -> None:
        pass

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def close(self) -> None:
        """End whatever a failed test left."""
        for fleet in self._fleets:
            for running in processes.look(fleet, self._directory / fleet).machines.values():
                for process in running:
                    with contextlib.suppress(psutil.Error):
                        process.kill()


@contextmanager
def open_world(directory: Path) -> Iterator[LocalWorld]:
    """Machines under this directory, ended afterwards."""
    world = LocalWorld(directory)
    try:
        yield world
    finally:
        world.close()
