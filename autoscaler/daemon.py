"""The daemon's life as a process: ticks paced by APScheduler, signals, and an orderly end.

It decides nothing about nodes. A tick that cannot be written down is tried again; a plan that breaks an invariant, or
ticks that fail one after another, end the process with 70, and the supervisor starts a new one from the journal. A
lease that another daemon took ends it with 75. Elsewhere: SIGHUP (`reload`), and the end of one whose tick never ends
(`vigil`, 71).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from autoscaler import memory
from autoscaler.clock import Clock
from autoscaler.core.invariants import InvariantViolated
from autoscaler.core.lifecycle import IllegalTransition
from autoscaler.journal.contract import JournalUnavailable, LeaseLost
from autoscaler.telemetry import Log
from providers.contract import NodeName

if TYPE_CHECKING:
    from apscheduler.schedulers.background import BackgroundScheduler

DONE, SOFTWARE_ERROR, LEASE_LOST = 0, 70, 75
_FAILURES_IN_A_ROW = 10
"""Ticks that may fail one after another before a fresh process is the better bet."""
_PURGE_EVERY_S = 3600
_THIN_EVERY_S = 60
_HANGING_TICKS = 5.0
"""A tick that lasts so long is said while it lasts: what it waits for may never come."""
_HANGING_S = 30.0
"""… and at least so long: slow answers, each within its time-out, may add up to this."""
_TICK_GRACE_S = 20.0
"""For the tick under way at the end: longer than any transaction with a server that is silent."""
_THREAD_GRACE_S = 1.0
"""For threads without work to notice that they are not needed any more; it takes them milliseconds."""


def _nothing() -> None:
    pass


class Ticking(Protocol):
    """What a tick is to its pacemaker."""

    def tick(self) -> object: ...


class Calls(Protocol):
    """Calls under way, as the end of the daemon needs them."""

    def in_flight(self) -> frozenset[NodeName]: ...

    def stop(self, grace_s: float) -> frozenset[NodeName]: ...


@dataclass(slots=True, kw_only=True)
class Daemon:
    """One run of the daemon. `purge` forgets what is older than the retention, `thin` keeps less of what is older than
    the details; `close` lets go of everything opened."""

    loop: Ticking
    calls: Calls
    purge: Callable[[], None]
    thin: Callable[[], None]
    close: Callable[[], None]
    clock: Clock
    log: Log
    begun: Callable[[], None] = _nothing
    """Called once, after the first tick, however that ended."""
    stopping: Callable[[], None]
    """Called once, when the end begins."""
    tick_s: float
    jitter_s: float = 0.0
    grace_s: float = 10.0
    """How long calls under way may take to finish at the end. Those that do not are left to the journal."""
    tick_grace_s: float = _TICK_GRACE_S
    """The same for a tick under way. One that hangs may still write, so nothing is closed and no lease given back."""
    farewell: Callable[[], None] = _nothing
    """Called once all was said, whatever still hangs; must end by itself."""

    def run(self) -> int:
        """Tick until told to stop. Returns the exit code."""
        before = frozenset(threading.enumerate())
        ending = _Ending(self.log, self.calls)
        ending.listen()
        pulse = _Pulse(self, ending)
        pulse.tick()
        self.begun()
        scheduler = _scheduler()
        # One thread, one instance, missed ticks folded into one: ticks never overlap and never pile up.
        paced = {"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        # A jitter of 0 is refused by nobody but means nothing; None says so.
        scheduler.add_job(
            pulse.tick, "interval", seconds=self.tick_s, jitter=self.jitter_s or None, id="tick", **paced
        )
        scheduler.add_job(pulse.purge, "interval", seconds=_PURGE_EVERY_S, id="purge", **paced)
        scheduler.add_job(pulse.thin, "interval", seconds=_THIN_EVERY_S, id="thin", **paced)
        scheduler.start()
        try:
            ending.wait(meanwhile=lambda: self._look_after(scheduler, pulse))
        finally:
            self.stopping()
            calm = _shut_down(scheduler, self.tick_grace_s)
            left = self.calls.stop(self.grace_s)
            if calm:
                self.close()
            self.log.say("daemon.stopped", left_in_flight=len(left))
            self.farewell()
        if left or not calm or _hanging(besides=before):
            # Threads that hang in a provider's call would keep the process; what they wait for is in the journal.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ending.code)
        return ending.code

    def _look_after(self, scheduler: BackgroundScheduler, pulse: _Pulse) -> None:
        """What keeps the next tick from coming: one that does not end, or a wall clock that was set back."""
        pulse.tell_hanging()
        now = datetime.fromtimestamp(self.clock.now(), UTC)
        for job in scheduler.get_jobs():
            # The scheduler dates jobs by the wall clock, and would wait until it is that time again.
            latest = now + job.trigger.interval + timedelta(seconds=self.jitter_s + 1.0)
            if job.next_run_time > latest:
                job.modify(next_run_time=now)


def _scheduler() -> BackgroundScheduler:
    # It looks through everything installed for plugins of its own, and the first tick needs none of it.
    from apscheduler.executors.pool import ThreadPoolExecutor  # noqa: PLC0415
    from apscheduler.schedulers.background import BackgroundScheduler  # noqa: PLC0415

    return BackgroundScheduler(executors={"default": ThreadPoolExecutor(1)}, timezone="UTC")


def _shut_down(scheduler: BackgroundScheduler, grace_s: float) -> bool:
    """Let no job begin any more; whether the one under way ended in time."""
    stopping = threading.Thread(
        target=scheduler.shutdown, kwargs={"wait": True}, name="stopping", daemon=True
    )
    stopping.start()
    stopping.join(grace_s)
    return not stopping.is_alive()


def _hanging(*, besides: frozenset[threading.Thread]) -> bool:
    """Whether a thread that the interpreter would wait for does not end, as of a call or a look given up long ago."""
    threads = [t for t in threading.enumerate() if t not in besides and not t.daemon]
    for thread in threads:
        thread.join(timeout=_THREAD_GRACE_S / len(threads))
    return any(thread.is_alive() for thread in threads)


class _Ending:
    """Why and with which code the process ends. The first signal ends it in order, the second at once.

    A signal's handler runs between any two steps of the main thread, which may hold any lock: all it does is put a
    word into a queue made for that (`SimpleQueue.put` may interrupt itself). The waiting thread says and does the rest.
    """

    def __init__(self, log: Log, calls: Calls) -> None:
        self.code = DONE
        self.asked = False
        """Set for good by the first who asks; no tick begins after that."""
        self._log = log
        self._calls = calls
        self._signal: signal.Signals | None = None
        self._words: SimpleQueue[int] = SimpleQueue()

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def wait(self, meanwhile: Callable[[], None]) -> None:
        """Block until asked; wakes now and then, since a signal's handler runs only while this thread does."""
        heard = False
        while not heard:
            with suppress(Empty):
                self._words.get(timeout=0.5)
                heard = True
            if not heard:
                meanwhile()
        if self._signal is not None:
            self._log.say("daemon.stopping", signal=self._signal.name, in_flight=len(self._calls.in_flight()))

    def ask(self, code: int) -> None:
        """End with this code, unless a worse one was asked for already."""
        self.code = max(self.code, code)
        self.asked = True
        self._words.put(code)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self._signal is not None:
            os._exit(128 + number)
        self._signal = signal.Signals(number)
        self.asked = True
        self._words.put(DONE)


class _Pulse:
    """What the pacemaker calls. Around one tick: whatever goes wrong in it, the next one looks again."""

    def __init__(self, daemon: Daemon, ending: _Ending) -> None:
        self._daemon = daemon
        self._ending = ending
        self._failures = 0
        self._unwritable = False
        self._untidy: set[str] = set()
        """Jobs beside the ticks that could not be done, and of which that was said."""
        self._began_on: float | None = None
        self._told_hanging = False

    def tick(self) -> None:
        # The pacemaker stops a moment after the end was asked for: not one more tick with a plan that must not be, nor
        # with a journal that is another daemon's.
        if self._ending.asked:
            return
        daemon, log = self._daemon, self._daemon.log
        began = daemon.clock.monotonic()
        self._told_hanging, self._began_on = False, began
        try:
            with memory.of_a_tick():
                daemon.loop.tick()
        except (InvariantViolated, IllegalTransition) as error:
            log.say("plan.refused", error=str(error))
            self._ending.ask(SOFTWARE_ERROR)
        except LeaseLost as error:
            log.say("lease.lost", error=str(error))
            self._ending.ask(LEASE_LOST)
        except JournalUnavailable as error:
            if not self._unwritable:
                log.say("journal.failed", error=str(error))
            self._unwritable = True
        except Exception as error:  # noqa: BLE001 - around one tick: the next one looks again
            self._failures += 1
            log.say("tick.failed", error=f"{type(error).__name__}: {error}")
            if self._failures >= _FAILURES_IN_A_ROW:
                self._ending.ask(SOFTWARE_ERROR)
        else:
            self._failures = 0
            if self._unwritable:
                log.say("journal.recovered")
            self._unwritable = False
        finally:
            self._began_on = None
        took_s = daemon.clock.monotonic() - began
        if took_s > daemon.tick_s:
            log.say("tick.overran", took_s=round(took_s, 2), tick_s=daemon.tick_s)

    def tell_hanging(self) -> None:
        """Say once of each tick that does not end that it does not. Any thread but the tick's may ask."""
        daemon, began_on = self._daemon, self._began_on
        if began_on is None or self._told_hanging:
            return
        lasts_s = daemon.clock.monotonic() - began_on
        if lasts_s > max(_HANGING_S, _HANGING_TICKS * daemon.tick_s):
            self._told_hanging = True
            daemon.log.say("tick.hangs", lasts_s=round(lasts_s), tick_s=daemon.tick_s)

    def purge(self) -> None:
        self._tidy("purge", self._daemon.purge)

    def thin(self) -> None:
        self._tidy("thin", self._daemon.thin)

    def _tidy(self, job: str, tidy: Callable[[], None]) -> None:
        """Said once, as of a tick that cannot be written; not at all while that is said of ticks."""
        if self._ending.asked:
            return
        try:
            tidy()
        except JournalUnavailable as error:
            if job not in self._untidy and not self._unwritable:
                self._untidy.add(job)
                self._daemon.log.say("journal.failed", error=str(error))
        else:
            if job in self._untidy:
                self._untidy.remove(job)
                self._daemon.log.say("journal.recovered")
