"""The machines behind the made-up panel of the example's host: processes of this computer, one set for each server.

In go the panel and what runs on a server, by its number and name: commands, each with variables of its own. They run
from the server's birth on and are killed with it: a machine that ends says no goodbye.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from tests.contract.world_external_example import ExampleWorld
from tests.integration.stage import APP, Stage

_LOOK_S = 0.05

Commands = Callable[[int, str], Iterable[tuple[list[str], Mapping[str, str]]]]


def shared(stage: Stage) -> dict[str, str]:
    """The variables of a machine that the stage's own login was given to."""
    return {
        "CELERY_BROKER_URL": stage.broker.amqp_url_for(stage.vhost),
        "FLOOD_LEDGER": f"{stage.directory}/ledger",
    }


class PanelMachines:
    """All of one host's, kept by a thread until `close`."""

    def __init__(self, world: ExampleWorld, stage: Stage, commands: Commands) -> None:
        self._panel, self._stage = world.panel, stage
        self._commands = commands
        self._running: dict[int, list[subprocess.Popen[bytes]]] = {}
        self._names: dict[int, str] = {}
        self.ended_at: dict[str, float] = {}
        """By the machine's name."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep)
        self._thread.start()

    def _keep(self) -> None:
        while not self._over.wait(_LOOK_S):
            with self._panel.lock:
                standing = {number: server["hostname"] for number, server in self._panel.servers.items()}
            for number, name in standing.items():
                if number not in self._running:
                    self._names[number] = name
                    self._running[number] = [
                        self._start(name, *each) for each in self._commands(number, name)
                    ]
            for number in set(self._running) - set(standing):
                self._end(number)
        for number in list(self._running):
            self._end(number)

    def _start(self, name: str, command: list[str], variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self._stage.directory / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=APP,
                env={**os.environ, "AUTOSCALER_NODE": name, **variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _end(self, number: int) -> None:
        for process in self._running.pop(number):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.ended_at[self._names[number]] = time.time()

    def close(self) -> None:
        """End them all."""
        self._over.set()
        self._thread.join(30)
