"""The daemon's log with ears: what is said goes to the log as ever, and what operators chose of it to their webhooks.

`say` puts a notice into a queue with a bound, and a thread of its own sends what is there: one try at a time, so that a
receiver that hangs costs the others no more than its time-out; again after growing pauses, or when the receiver says;
in order, and not for ever. What never happens here: a caller that waits for a receiver or hears of its trouble, a
notice about notices, an address or a token in what is said.
"""

from __future__ import annotations

import random
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from autoscaler.clock import Clock
from autoscaler.config import Settings
from autoscaler.config.notice import OWN
from autoscaler.config.sieve import Sieve
from autoscaler.notices import routes, sending, shapes
from autoscaler.notices.choosing import Chooser
from autoscaler.notices.contract import Answer, Ending, Notice, Route, Said
from autoscaler.telemetry import EVENTS, Log

MOST_WAITING = 100
"""For one receiver. Who has a hundred unread notices reads the log; the oldest goes first, and is counted."""
MOST_TRIES = 10
"""Some twenty minutes with the pauses below, unless the receiver asks for longer ones."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 2.0, 300.0
PACE_S = 1.0
"""Between two notices to one receiver: Slack takes one a second."""
_TELL_DROPPED_EVERY_S = 60.0
GRACE_S = 5.0
"""For what is still to be told at the end, one try each."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    notice: Notice
    number: str = field(default_factory=lambda: uuid.uuid4().hex)
    tries: int = 0


@dataclass(slots=True, kw_only=True)
class _Desk:
    """One receiver: what it is to be told, and how it fares."""

    route: Route
    chooser: Chooser
    queue: deque[_Waiting] = field(default_factory=deque)
    not_before_on: float = 0.0
    dropped: int = 0
    """Since that was said last."""
    dropped_told_on: float | None = None
    lost: int = 0
    """Dropped or given up, since the last one that arrived."""
    failing: bool = False

    def put(self, notice: Notice) -> None:
        if len(self.queue) >= MOST_WAITING:
            self.queue.popleft()
            self.dropped += 1
            self.lost += 1
        self.queue.append(_Waiting(notice=notice))


class Notices:
    """A log that tells people. Any thread may call it."""

    def __init__(
        self,
        log: Log,
        clock: Clock,
        *,
        send: sending.Send | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._log = log
        self._clock = clock
        self._send = send or sending.sender(clock)
        self._chance = chance
        self._fleet = ""
        self._sieve = Sieve(())
        self._wanted: frozenset[str] = frozenset()
        self._desks: tuple[_Desk, ...] = ()
        self._woken = threading.Condition()
        self._until_on: float | None = None
        self._thread: threading.Thread | None = None

    def say(self, event: str, /, **fields: object) -> None:
        """Write it to the log, and tell those who chose it. Waits for nobody; raises what the log raises."""
        self._log.say(event, **fields)
        if event in self._wanted:
            try:
                self._hear(Said(event=event, fields=fields, at=self._clock.now(), on=self._clock.monotonic()))
            except Exception as error:  # noqa: BLE001 - around one notice: whatever is wrong with it, the daemon goes on
                self._log.say("notice.failed", notice="any", about=event, why=type(error).__name__, tries=0)

    def prepare(self, settings: Settings) -> Callable[[], None]:
        """What makes these settings count. Raises ConfigError, and nothing is changed yet."""
        found, sieve = routes.routes(settings), routes.sieve(settings)

        def take_in() -> None:
            with self._woken:
                before = {desk.route.name: desk for desk in self._desks}
                self._fleet, self._sieve = settings.fleet.name, sieve
                self._desks = tuple(_desk(route, before.get(route.name)) for route in found)
                self._wanted = frozenset().union(*(desk.chooser.listens_to() for desk in self._desks))
                if self._desks and self._thread is None and self._until_on is None:
                    self._thread = threading.Thread(target=self._run, name="notices", daemon=True)
                    self._thread.start()
                self._woken.notify_all()

        return take_in

    def close(self, grace_s: float = GRACE_S) -> None:
        """Tell what is still to be told, within that time, and nothing after it."""
        with self._woken:
            if self._until_on is None:
                self._until_on = self._clock.monotonic() + grace_s
            self._woken.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(grace_s)
        with self._woken:
            self._wanted = frozenset()
            left = [(desk.route.name, len(desk.queue)) for desk in self._desks if desk.queue]
            for desk in self._desks:
                desk.queue.clear()
        for name, count in left:
            self._log.say("notice.dropped", notice=name, count=count, why="the daemon ended")

    def turn(self) -> float | None:
        """Send one that is due, if there is one; then how long there is nothing to do, None for until somebody says
        something. The notices' own thread alone calls it."""
        self._tell_dropped()
        with self._woken:
            now = self._clock.monotonic()
            for desk in self._desks:
                for notice in desk.chooser.due(now):
                    desk.put(notice)
            ready = [desk for desk in self._desks if desk.queue and self._due_on(desk) <= now]
            # Whoever waits longest: one that always fails must not keep the others from their turn.
            if not ready:
                return self._rest_s(now)
            desk = min(ready, key=lambda each: each.not_before_on)
            waiting = desk.queue[0]
            waiting.tries += 1
            lost, fleet, sieve = desk.lost, self._fleet, self._sieve
            within_s = desk.route.timeout_s
            if self._until_on is not None:
                within_s = min(within_s, self._until_on - now)
        if within_s <= 0:
            return None
        answer = self._tried(desk.route, waiting, within_s, (fleet, sieve, lost))
        self._conclude(desk, waiting, answer, lost)
        return 0.0

    def _tried(
        self, route: Route, waiting: _Waiting, within_s: float, told_with: tuple[str, Sieve, int]
    ) -> Answer:
        fleet, sieve, lost = told_with
        try:
            letter = shapes.letter(
                waiting.notice, route, number=waiting.number, fleet=fleet, sieve=sieve, lost=lost
            )
            return self._send(route, letter, within_s)
        except Exception as error:  # noqa: BLE001 - around one notice: it is given up, the others are told
            return Answer(ending=Ending.REFUSED, says=f"it cannot be written ({type(error).__name__})")

    def _hear(self, said: Said) -> None:
        with self._woken:
            for desk in self._desks:
                if (notice := desk.chooser.hear(said)) is not None:
                    desk.put(notice)
            # Also where nothing is told now: a trouble that came back waits for its time.
            self._woken.notify_all()

    def _run(self) -> None:
        while True:
            try:
                rest_s = self.turn()
            except Exception:  # noqa: BLE001 - around one notice: a log that fails must not end all that come after it
                rest_s = PACE_S
            if rest_s == 0.0:
                continue
            with self._woken:
                if self._until_on is not None and (
                    self._clock.monotonic() >= self._until_on or not any(d.queue for d in self._desks)
                ):
                    return
                if not any(self._is_due(desk) for desk in self._desks):
                    self._woken.wait(rest_s)

    def _conclude(self, desk: _Desk, waiting: _Waiting, answer: Answer, lost: int) -> None:
        """Keep, or let go, what was tried."""
        with self._woken:
            now = self._clock.monotonic()
            last_try = waiting.tries >= MOST_TRIES or self._until_on is not None
            over = answer.ending is not Ending.NOT_NOW or last_try
            if over and desk.queue and desk.queue[0] is waiting:
                desk.queue.popleft()
            desk.not_before_on = now + (PACE_S if over else self._pause_s(waiting, answer))
            was_failing = desk.failing
            if answer.ending is Ending.TAKEN:
                desk.lost -= lost
                desk.failing = False
        if answer.ending is Ending.TAKEN:
            if was_failing:
                self._log.say("notice.recovered", notice=desk.route.name)
        elif over:
            self._failed(desk, waiting, answer.says)

    def _failed(self, desk: _Desk, waiting: _Waiting, why: str) -> None:
        with self._woken:
            desk.lost += 1
            desk.failing = True
        self._log.say(
            "notice.failed", notice=desk.route.name, about=waiting.notice.event, why=why, tries=waiting.tries
        )

    def _pause_s(self, waiting: _Waiting, answer: Answer) -> float:
        grown = min(_FIRST_PAUSE_S * 2.0 ** (waiting.tries - 1), _LONGEST_PAUSE_S)
        # Chance keeps many daemons from knocking together when their receiver comes back.
        grown *= 0.75 + 0.5 * self._chance()
        return grown if answer.after_s is None else max(answer.after_s, PACE_S)

    def _tell_dropped(self) -> None:
        """Say how many had no room, now and then and not for each."""
        told = []
        with self._woken:
            now = self._clock.monotonic()
            for desk in self._desks:
                waits = (
                    desk.dropped_told_on is not None and now < desk.dropped_told_on + _TELL_DROPPED_EVERY_S
                )
                if desk.dropped and not waits:
                    told.append((desk.route.name, desk.dropped))
                    desk.dropped, desk.dropped_told_on = 0, now
        for name, count in told:
            why = f"more than {MOST_WAITING} waited; the oldest went"
            self._log.say("notice.dropped", notice=name, count=count, why=why)

    def _due_on(self, desk: _Desk) -> float:
        """At the end nobody is waited for."""
        return desk.not_before_on if self._until_on is None else float("-inf")

    def _is_due(self, desk: _Desk) -> bool:
        return bool(desk.queue) and self._due_on(desk) <= self._clock.monotonic()

    def _rest_s(self, now: float) -> float | None:
        queued = (desk.not_before_on for desk in self._desks if desk.queue)
        later = (on for desk in self._desks if (on := desk.chooser.next_due_on()) is not None)
        next_on = min((*queued, *later), default=None)
        return None if next_on is None else max(0.001, next_on - now)


@contextmanager
def opened(log: Log, settings: Settings, clock: Clock) -> Iterator[Notices]:
    """A log that tells people, until the block ends. Raises ConfigError where an address is none."""
    notices = Notices(log, clock)
    notices.prepare(settings)()
    try:
        yield notices
    finally:
        notices.close()


def _desk(route: Route, before: _Desk | None) -> _Desk:
    """With what it had to tell and remembers, where it was there before under this name."""
    assert not any(event.startswith(OWN) for event in route.choice.events)
    assert route.choice.events <= EVENTS.keys()
    if before is None:
        return _Desk(route=route, chooser=Chooser(route.choice))
    before.route = route
    before.chooser.go_by(route.choice)
    return before
