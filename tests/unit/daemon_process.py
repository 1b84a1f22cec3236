"""A daemon with scripted parts, to be run as a process: `python daemon_process.py HOW DIARY`.

HOW is `calm`, `hanging` (a call that does not end), `given up` (a thread that hangs and that nobody waits for),
`slow` (a first tick that lasts), `stuck` (a second tick that does not end) or `endless` (an end that does not come).
What it does is written to the file DIARY, a line each.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from autoscaler.clock import SystemClock
from autoscaler.daemon import Daemon
from providers.contract import NodeName


class Parts:
    """Loop, calls and log in one."""

    def __init__(self, how: str, diary: Path) -> None:
        self._how, self._diary = how, diary
        self._lock = threading.Lock()
        self._ticks = 0

    def write(self, line: str) -> None:
        with self._lock, self._diary.open("a") as diary:
            diary.write(f"{line}\n")

    def tick(self) -> None:
        self._ticks += 1
        if self._ticks == 1 and self._how == "given up":
            threading.Thread(target=threading.Event().wait, name="call_0").start()
        self.write("tick")
        if self._ticks == 1 and self._how == "slow":
            time.sleep(1.0)
            self.write("slow tick ended")
        if self._ticks == 2 and self._how == "stuck":
            self.write("stuck")
            threading.Event().wait()

    def in_flight(self) -> frozenset[NodeName]:
        return frozenset({NodeName("n1")} if self._how == "hanging" else ())

    def stop(self, grace_s: float) -> frozenset[NodeName]:
        self.write("stop")
        return self.in_flight()

    def close(self) -> None:
        self.write("close")
        while self._how == "endless":
            time.sleep(0.05)

    def farewell(self) -> None:
        self.write("farewell")

    def say(self, event: str, /, **fields: object) -> None:
        self.write(f"{event} {sorted(fields.items())}")


if __name__ == "__main__":
    parts = Parts(sys.argv[1], Path(sys.argv[2]))
    daemon = Daemon(
        loop=parts,
        calls=parts,
        thin=lambda: None,
        purge=lambda: None,
        close=parts.close,
        clock=SystemClock(),
        log=parts,
        tick_s=0.05,
        stopping=lambda: None,
        farewell=parts.farewell,
        grace_s=0.1,
        tick_grace_s=0.5,
    )
    sys.exit(daemon.run())
