"""The external provider's world: a real program, run for every call, with its machines as files in a directory."""

from __future__ import annotations

import itertools
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import InstanceSpec, MayAct, NodeName, Provider, Purchase, always
from tests.contract import external_program
from tests.contract.worlds import Trouble


class ExternalWorld:
    """One directory, and the program that keeps its machines there."""

    troubles = frozenset(Trouble)
    lists_within_s = 10.0

    def __init__(self, place: Path) -> None:
        self._place = place
        for part in ("machines", "names", "faults"):
            (place / part).mkdir(parents=True)
        self._payloads = itertools.count(1)
        self._faults = itertools.count(1)

    def open(self, fleet: str, *, may_act: MayAct = always) -> Provider:
        options = {
            # Isolated: what is asked comes from standard input alone.
            "command": [sys.executable, "-I", external_program.__file__, str(self._place)],
            "secrets": {"token": "sesame"},
            "settle_s": 1.0,
            "names_unique": True,
            "user_data_limit_bytes": 32_768,
        }
        return open_provider(
            "external", name="panel", fleet=fleet, options=options, clock=SystemClock(), may_act=may_act
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
        standing = external_program.standing(self._place)
        return {(each["fleet"], each["name"]): external_program.user_data(each) for each in standing}[
            fleet, name
        ]

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        standing = external_program.standing(self._place)
        return tuple(each["name"] for each in standing if each["fleet"] == fleet)

    def meet(self, trouble: Trouble, *, times: int = 1) -> None:
        fault = trouble.value.replace(" ", "-")
        for _ in range(times):
            (self._place / "faults" / f"{next(self._faults):06}.{fault}").touch()

    def calm(self) -> None:
        for file in (self._place / "faults").iterdir():
            file.unlink(missing_ok=True)

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)


@contextmanager
def open_world(directory: Path) -> Iterator[ExternalWorld]:
    """Nothing runs between calls, so there is nothing to end."""
    yield ExternalWorld(directory)
