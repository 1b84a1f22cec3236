"""This machine's account of its way to become a worker, and the thread that tells it to the fleet.

Phases add to it from their own threads; a report goes out whenever it changed, over one connection. Each holds all
that was so far, so one that was lost is in the next. A broker that takes no reports is told of in the log, and keeps
no machine from becoming a worker. What never happens here: a second failure; the first is why.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from bootstrap.assets.enrol import amqp, machine

IDLE_S = 15
"""Between signs of life, and between failed attempts at most; twice as long between reports of a failure."""
_ASKING_S = 0.5


class Reports(threading.Thread):
    """A thread that ends with its process."""

    def __init__(self, settings: machine.Settings) -> None:
        super().__init__(daemon=True)
        self.phases: dict[str, dict[str, Any]] = {}
        self.failed: dict[str, Any] | None = None
        self.disk: dict[str, Any] | None = None
        self.wants: str | None = None
        self.url: str = settings.broker["url"]
        self.reached = threading.Event()
        """The broker let us in by `url`: there was a round trip."""
        self.trouble = ""
        """Why the broker was not reached, or takes no report."""
        self.revision = 1
        self.told = 0
        """The revision of the account that was last told."""
        self.ended = False
        self._changed = threading.Event()
        self._settings = settings

    def is_done(self, name: str) -> bool:
        """Whether that phase ended well."""
        return name in self.phases and bool(self.phases[name]["ok"])

    def phase(self, name: str, from_s: float, ok: bool, says: str) -> None:
        """A phase ended. One that had no more time has ended already."""
        if name in self.phases:
            return
        says = machine.masked(says)[:300]
        to_s = machine.uptime_s()
        machine.say(f"{name}: {'done' if ok else 'FAILED'} in {to_s - from_s:.1f} s: {says}")
        self.phases[name] = {"phase": name, "from_s": from_s, "to_s": to_s, "ok": ok, "says": says}
        if not ok and not self.failed:
            self.failed = {"phase": name, "says": says}
        self.change()

    def change(self) -> None:
        """There is news."""
        self.revision += 1
        self._changed.set()

    def report(self) -> bytes:
        """What the fleet is told, with the last lines of the log where a phase failed."""
        said = {
            "v": 1,
            "node": self._settings.node,
            "token": self._settings.token,
            "uptime_s": machine.uptime_s(),
            "phases": list(self.phases.values()),
            "failed": self.failed and {**self.failed, "log": machine.tail()},
            "disk": self.disk,
            "wants": self.wants,
        }
        return json.dumps(said, ensure_ascii=False).encode(errors="replace")

    def last_word(self, deadline_s: float) -> None:
        """Return once all is told, or the time is up, and leave was taken of the broker."""
        ends_at = time.monotonic() + deadline_s
        while self.url and self.told < self.revision and time.monotonic() < ends_at:
            time.sleep(0.05)
        self.ended = True
        self._changed.set()
        if self.is_alive():
            self.join(3)

    def run(self) -> None:
        """Tell, over one connection after another."""
        pause_s = 0.5
        while not self.ended:
            try:
                connection = self.connect()
                self.reached.set()
                try:
                    while self._turn(connection):
                        pause_s, self.trouble = 0.5, ""
                finally:
                    connection.close()
            except Exception as error:  # noqa: BLE001 - around one connection: this thread is all that is heard of us
                if str(error) != self.trouble:
                    machine.say(f"nothing was reported: {error}")
                self.trouble = str(error)
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, IDLE_S)

    def connect(self) -> amqp.Connection:
        """To the broker, as who we are now."""
        return amqp.connect(
            self.url, self._settings.broker["ca_file"], f"autoscaler: {self._settings.node} enrols"
        )

    def _turn(self, connection: amqp.Connection) -> bool:
        """One report if there is news, and a look for what was asked for. False where the connection is to end."""
        if self.told < self.revision:
            self._changed.clear()
            revision = self.revision
            connection.publish(
                self._settings.broker["enrolment_exchange"], self._settings.fleet, self.report()
            )
            self.told = revision
        if self.wants:
            from bootstrap.assets.enrol import grant  # noqa: PLC0415 - only where it is packed

            url = grant.look(connection, self._settings)
            if url:
                # From now on we are who we were made, under a password that no user data holds.
                self.url, self.wants = url, None
                self.reached.clear()
                return False
        if not self._changed.wait(_ASKING_S if self.wants else IDLE_S):
            connection.beat()
        return not self.ended
