"""What the daemon does for machines beside its ticks: it answers their wishes, ends users of those that went, and
speaks to those that have a lease.

In go settings and the parts opened from them; once more for each configuration, which replaces what the one before
began. What never happens here: a choice about nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Protocol

from autoscaler import enrolling, granting
from autoscaler.clock import Clock
from autoscaler.config import Settings
from autoscaler.core.reports import Report, Wants
from autoscaler.journal import Journal
from autoscaler.telemetry import Log
from autoscaler.wiring import Works
from autoscaler.wishes import Door

_GRACE_S = 5.0


class _Part(Protocol):
    def start(self) -> None: ...

    def stop(self, timeout_s: float) -> None: ...


class Attending:
    """The parts that attend to machines now."""

    def __init__(self, journal: Journal, *, may_speak: Callable[[], bool], clock: Clock, log: Log) -> None:
        self._journal = journal
        self._may_speak = may_speak
        self._clock = clock
        self._log = log
        self._door: Door | None = None
        self._begun = ExitStack()

    def knock(self, report: Report) -> None:
        """A machine wants something. Between two configurations nobody opens; it asks again."""
        door = self._door
        if door is not None:
            door.knock(report)

    def attend(self, settings: Settings, works: Works) -> None:
        """By these from now on. All are opened before those of the configuration before are ended."""
        parts: list[_Part] = []
        users, journal, door = works.granting, self._journal, None
        if works.machines is not None:
            door = enrolling.open_door(
                journal.live_nodes,
                grants={Wants.GRANT: users.nodes.grant} if users else {},
                may_act=journal.may_act,
                clock=self._clock,
                log=self._log,
            )
            parts.append(door)
        if users is not None:
            sweep = granting.open_sweep(
                settings, users, journal, clock=self._clock, log=self._log, may_act=journal.may_act
            )
            parts.append(sweep)
        voice = granting.open_voice(settings, clock=self._clock, may_speak=self._may_speak)
        if voice is not None:
            parts.append(voice)
        self.close()
        for part in parts:
            part.start()
            self._begun.callback(part.stop, _GRACE_S)
        self._door = door

    def close(self) -> None:
        """Attend to nobody any more."""
        self._door = None
        self._begun.close()
