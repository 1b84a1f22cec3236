"""Keeps this machine's leave to work: as long as its fleet is heard it has it, and when it is not, it stops by itself.

In come beats of the daemon, which publishes them while it may act; out goes a TERM to the worker when none came for
the time that was agreed, which lets it finish what it holds, and a start when the fleet is heard again. What never
happens here: the end of a task, a start of a worker that the daemon told to go.
"""

from __future__ import annotations

import contextlib
import os
import re
import struct
import time
from types import ModuleType

from bootstrap.assets.enrol import amqp, machine, reports

_LOOK_S = 2
_ENDED = f"{machine.ROOT}/run/autoscaler-fenced"
"""Which process was told to finish. Like that process it is gone with the next boot."""
# One beat; one that waited for a quarter of a minute says nothing of the fleet's health now; nobody reads it any more.
_LIMITS = {"x-max-length": 1, "x-message-ttl": 15_000, "x-expires": 600_000}


class Lease:
    """What was heard, and what was done about it."""

    def __init__(self, settings: machine.Settings, keeper: ModuleType, told: reports.Reports) -> None:
        self._settings, self._keeper, self._told = settings, keeper, told
        self._fleet = f"autoscaler.fleet.{settings.fleet}"
        self._queue = f"{self._fleet}.{settings.node}"
        self._connection: amqp.Connection | None = None
        # Whoever kept the lease before may have died; what he began is ours to end, once the fleet is heard.
        self.fenced = machine.read(_ENDED)
        self._heard_at = float("-inf") if self.fenced else machine.uptime_s()
        self._trouble = ""
        self.down = False

    def turn(self) -> None:
        """Listen once, and do what follows. Raises Failed where the keeper did not do as told."""
        if self._hears():
            self._heard_at = machine.uptime_s()
        silent = machine.uptime_s() - self._heard_at >= self._settings.lease["after_s"]
        word, said = self._keeper.state(self._settings)
        over = word in self._keeper.OVER
        # One that dies while it finishes is a crash to its keeper, which starts it again, as another process.
        process = "".join(re.findall("pid[ =]([1-9][0-9]*)", said.lower())[:1])
        is_another = process not in ("", self.fenced)
        if silent and is_another:
            # A worker that is down already was told to go, and is not ours to bring back.
            machine.say("the fleet is not heard: the worker finishes what it holds")
            self._keeper.end_warmly(self._settings)
            self._note(process)
            self._tell("fenced")
        elif self.fenced and is_another:
            self._note("")
        elif self.fenced and over and not silent:
            machine.say("the fleet is heard again: the worker is started")
            self._keeper.start(self._settings)
            self.down = False
            self._note("")
            self._tell(None)
        elif self.fenced and over and not self.down:
            self.down = True
            machine.say("the worker is down")
            if self._settings.lease["then"] == "poweroff":
                machine.run(["systemctl", "poweroff"])

    def _note(self, process: str) -> None:
        """Which process was told to finish; none, where a worker may work."""
        self.fenced = process
        with contextlib.suppress(OSError):
            if process:
                machine.write(_ENDED, process)
            else:
                os.unlink(_ENDED)

    def _hears(self) -> bool:
        """Whether a beat came since the last time. A broker that cannot be asked is one where nothing is heard."""
        try:
            if not self._connection:
                self._connection = self._listen()
            return len(list(self._connection.get(self._queue))) > 0
        except OSError as error:
            if str(error) != self._trouble:
                machine.say(f"nothing can be heard: {error}")
            self._connection, self._trouble = None, str(error)
            return False

    def _listen(self) -> amqp.Connection:
        """A queue of our own, bound to what the whole fleet hears."""
        connection = self._told.connect()
        limits = b"".join(
            amqp.short(name) + b"l" + struct.pack(">q", limit) for name, limit in _LIMITS.items()
        )
        # Durable: brokers are about to refuse queues that many may use and that no restart survives.
        connection.call(50, 10, b"\0\0", self._queue, b"\2", amqp.long(limits))
        connection.call(50, 20, b"\0\0", self._queue, self._fleet, "", b"\0", amqp.long(b""))
        return connection

    def _tell(self, wants: str | None) -> None:
        """Say how it stands, if anybody hears it."""
        self._told.wants = wants
        try:
            if self._connection:
                exchange = self._settings.broker["enrolment_exchange"]
                self._connection.publish(exchange, self._settings.fleet, self._told.report())
        except OSError as error:
            machine.say(f"nothing was reported: {error}")
            self._connection = None


def keep(settings: machine.Settings, keeper: ModuleType, told: reports.Reports) -> None:
    """Until this process is ended."""
    lease = Lease(settings, keeper, told)
    while True:
        try:
            lease.turn()
        except machine.Failed as error:
            machine.say(str(error))
        time.sleep(_LOOK_S)
