"""What machines say of their boots, true or not: messages in the broker, read by the production code.

One that becomes a worker says so on its way; one that never will says that it failed, or nothing. A liar says that it
failed while its worker works, and speaks for others with its own token. What never happens here: a machine's end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from autoscaler.core.facts import Missing
from autoscaler.core.reports import Refusals, Report
from autoscaler.gateways import enrolment_reports
from autoscaler.simulate.clock import SteppedClock, WorldClock
from autoscaler.simulate.clouds import FLEET
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.script import Script
from autoscaler.tokens import derive
from providers.contract import NodeName

_AGAIN_S = 30.0
_GIVES_UP_S = (20.0, 200.0)
_SILENT_SHARE = 0.5
"""Of the machines that never become workers: their network never came up."""
_MOST_HELD = 10_000
_NEVER = float("inf")


class Speech:
    """The enrolment queue of one life's broker, and those who write to it."""

    def __init__(self, clock: WorldClock, script: Script, broker_down: Callable[[], bool]) -> None:
        self._clock = clock
        self._script = script
        self._down = broker_down
        self._tokens = derive("a simulated password", FLEET)
        self._standing: dict[str, None] = {}
        self.bodies: dict[int, bytes] = {}
        """What waits in the queue."""
        self._number = 0
        self.failed: dict[str, None] = {}
        """Machines that said themselves that they failed."""

    def begins(self, name: str, boots_in_s: float, stands: Callable[[], bool]) -> None:
        """A machine has power. It becomes a worker in so long, or never."""
        power_on = self._clock.elapsed
        dice = self._script.dice(Fault.REPORT_LIES)
        if boots_in_s == _NEVER:
            if dice.random() < _SILENT_SHARE:
                return
            self._clock.later(dice.uniform(*_GIVES_UP_S), lambda: self._fails(name, power_on, stands))
        elif self._script.strikes(Fault.REPORT_LIES, power_on):
            self._standing[name] = None
            self._clock.later(dice.uniform(0.0, 300.0), lambda: self._lies(name, power_on, stands))
        else:
            self._standing[name] = None
            booted = {"phase": "booted", "from_s": 0.0, "to_s": boots_in_s / 2, "ok": True, "says": ""}
            half = {"phases": [booted]}
            self._clock.later(boots_in_s / 2, lambda: self._says(name, power_on, stands, half))
            # As a program on the machine does: it says so once it started the worker, whose own words come later.
            started = {
                "phase": "worker",
                "from_s": boots_in_s / 2,
                "to_s": boots_in_s,
                "ok": True,
                "says": "",
            }
            whole = {"phases": [booted, started]}
            self._clock.later(boots_in_s, lambda: self._says(name, power_on, stands, whole))

    def publish(self, body: bytes) -> None:
        """Whoever has a right to the exchange writes what he likes; the oldest make room for the newest."""
        if not self._down():
            self._number += 1
            self.bodies[self._number] = body
            while len(self.bodies) > _MOST_HELD:
                del self.bodies[next(iter(self.bodies))]

    def _says(
        self,
        name: str,
        power_on: float,
        stands: Callable[[], bool],
        more: Mapping[str, Any],
        *,
        for_: str = "",
    ) -> None:
        if not stands():
            self._standing.pop(name, None)
            return
        said = {
            "v": 1,
            "node": for_ or name,
            "token": self._tokens.of(name),
            "uptime_s": self._clock.elapsed - power_on,
            "phases": [],
            "failed": None,
            **more,
        }
        self.publish(json.dumps(said).encode())

    def _fails(self, name: str, power_on: float, stands: Callable[[], bool]) -> None:
        if stands():
            self.failed[name] = None
            failed = {"phase": "application", "says": "it cannot be installed", "log": ["gave up"]}
            self._says(name, power_on, stands, {"failed": failed})
            self._clock.later(_AGAIN_S, lambda: self._fails(name, power_on, stands))

    def _lies(self, name: str, power_on: float, stands: Callable[[], bool]) -> None:
        """Of itself, and of everybody it has heard of."""
        if not stands():
            self._standing.pop(name, None)
            return
        self.failed[name] = None
        failed = {"phase": "disk", "says": "a lie", "log": []}
        for whom in (name, *(other for other in self._standing if other != name)):
            self._says(name, power_on, stands, {"failed": failed}, for_=whom)
        self._clock.later(_AGAIN_S, lambda: self._lies(name, power_on, stands))

    def tidy(self, standing: Callable[[str], bool]) -> None:
        """Forget who stands no more."""
        for names in (self._standing, self.failed):
            for name in [name for name in names if not standing(name)]:
                del names[name]

    def heard(self, at: float) -> tuple[dict[NodeName, Report], int]:
        """The newest report of each node, as the production code reads it, and how many were none."""
        found: dict[NodeName, Report] = {}
        refused = 0
        for body in self.bodies.values():
            try:
                report = enrolment_reports.read(body, self._tokens, at)
            except enrolment_reports.Refused:
                refused += 1
            else:
                found[report.node] = report
        return found, refused


class Mailbox:
    """What one daemon hears of the queue: a message stays in it until the tick that took it in was written down."""

    def __init__(self, speech: Speech, wall: SteppedClock, broker_down: Callable[[], bool]) -> None:
        self._speech = speech
        self._wall = wall
        self._down = broker_down
        self._taken: tuple[int, ...] = ()
        self._refused = 0

    def reports(self) -> Mapping[NodeName, Report] | Missing:
        """All that came and was not forgotten."""
        if self._down():
            return Missing(why="the broker is away")
        self._taken = tuple(self._speech.bodies)
        found, refused = self._speech.heard(self._wall.now())
        self._refused += refused
        return found

    def forget(self, _reports: Mapping[NodeName, Report]) -> None:
        """The broker need keep them no longer."""
        for number in self._taken:
            self._speech.bodies.pop(number, None)
        self._taken = ()

    def refusals(self) -> Refusals:
        """What was dropped."""
        return Refusals(messages=self._refused, why="it is another's")
