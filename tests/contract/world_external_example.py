"""The example of a program as a provider: our provider, its program as it is shipped, its made-up host on loopback.

What stands is read from behind, in the host's own memory. Troubles queue for the requests that they concern.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import socket
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from autoscaler.clock import SystemClock
from providers import open_provider
from providers.contract import InstanceSpec, MayAct, NodeName, Provider, Purchase, always
from tests.contract.worlds import Trouble

PLACE = Path(__file__).parents[2] / "examples" / "external"
PROGRAM = PLACE / "fjord_vps.py"
TOKEN = "sesame"
REFUSALS: Mapping[Trouble, tuple[int, str, dict[str, str]]] = {
    Trouble.CAPACITY: (409, "out_of_stock", {}),
    Trouble.QUOTA: (403, "quota_exceeded", {}),
    Trouble.REJECTED: (422, "invalid", {}),
    Trouble.THROTTLED: (429, "slow_down", {"Retry-After": "7"}),
}


def load(name: str) -> ModuleType:
    """A module of the example, which is no package."""
    spec = importlib.util.spec_from_file_location(f"example_{name}", PLACE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class ExampleWorld:
    """One account at Fjord VPS."""

    troubles = frozenset(Trouble)
    lists_within_s = 10.0

    def __init__(self, panel: Any, port: int) -> None:
        self.panel = panel
        self.port = port
        self._payloads = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: list[Trouble] = []
        self._released = threading.Event()
        panel.trouble = self._disturb

    def open(self, fleet: str, *, may_act: MayAct = always) -> Provider:
        section = tomllib.loads((PLACE / "provider.toml").read_text())["providers"]["fjord"]
        options = {
            "command": [sys.executable, "-I", str(PROGRAM)],
            "settings": {**section["settings"], "url": f"http://127.0.0.1:{self.port}"},
            "secrets": {"token": TOKEN},
            "settle_s": 1.0,
            "user_data_limit_bytes": section["user_data_limit_bytes"],
        }
        return open_provider(
            "external", name="fjord", fleet=fleet, options=options, clock=SystemClock(), may_act=may_act
        )

    def spec(self, *, name: str, fleet: str, pool: str, user_data: bytes | None = None) -> InstanceSpec:
        text = f"#cloud-config\n# {next(self._payloads)}\n".encode()
        return InstanceSpec(
            name=NodeName(name),
            fleet=fleet,
            pool=pool,
            size="s-1",
            image="debian-12",
            location="osl",
            user_data=text if user_data is None else user_data,
        )

    def purchase(self) -> Purchase:
        return Purchase(size="s-1", image="debian-12", location="osl", user_data_bytes=100)

    def user_data_of(self, *, name: str, fleet: str) -> bytes:
        return {each["hostname"]: each["user_data"].encode() for each in self._standing(fleet)}[name]

    def machines_of(self, *, fleet: str) -> tuple[str, ...]:
        return tuple(each["hostname"] for each in self._standing(fleet))

    def meet(self, trouble: Trouble, *, times: int = 1) -> None:
        with self._lock:
            self._waiting += [trouble] * times

    def calm(self) -> None:
        with self._lock:
            self._waiting.clear()
        self._released.set()
        self._released = threading.Event()

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def _standing(self, fleet: str) -> list[dict[str, Any]]:
        with self.panel.lock:
            return [each for each in self.panel.servers.values() if f"fleet={fleet} " in each["note"]]

    def _disturb(self, exchange: Any) -> bool:
        """Whether a trouble that concerns this request has dealt with it."""
        of_listings = {Trouble.LISTING_CUT, Trouble.LISTING_FAILS, Trouble.SILENCE}
        concerned = {"POST": set(Trouble) - of_listings | {Trouble.SILENCE}, "GET": of_listings}.get(
            exchange.command, set()
        )
        with self._lock:
            met = next((each for each in self._waiting if each in concerned), None)
            if met is None:
                return False
            self._waiting.remove(met)
        deeds: Mapping[Trouble, Callable[[], object]] = {
            Trouble.ANSWER_LOST: lambda: (exchange.carry_out(), cut(exchange)),
            Trouble.REQUEST_LOST: lambda: cut(exchange),
            Trouble.LISTING_FAILS: lambda: exchange.reply(502, {"oops": "Bad Gateway"}),
            Trouble.LISTING_CUT: lambda: self._move(exchange),
            Trouble.SILENCE: lambda: (self._released.wait(60), cut(exchange)),
        }
        if met in REFUSALS:
            status, code, headers = REFUSALS[met]
            exchange.reply(status, {"error": {"code": code, "message": "no"}}, headers)
        else:
            deeds[met]()
        return True

    def _move(self, exchange: Any) -> None:
        """A page from which a machine has moved away."""
        status, page = exchange.carry_out()
        exchange.reply(status, {**page, "servers": page["servers"][1:]})


def cut(exchange: Any) -> None:
    """No answer, and the connection is gone."""
    exchange.close_connection = True
    with contextlib.suppress(OSError):
        exchange.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def open_world(directory: Path) -> Iterator[ExampleWorld]:
    """Start the made-up host, and end it."""
    module = load("panel")
    panel = module.Panel(TOKEN, install_s=0.3, quota=1000)
    server = module.serve(panel)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    world = ExampleWorld(panel, server.server_address[1])
    try:
        yield world
    finally:
        world.calm()
        server.shutdown()
        server.server_close()
        thread.join(10)
