"""The process around the loop: what ends it, what does not, and in which order it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from autoscaler.clock import SystemClock
from autoscaler.core.invariants import InvariantViolated
from autoscaler.core.lifecycle import IllegalTransition
from autoscaler.daemon import DONE, LEASE_LOST, SOFTWARE_ERROR, Daemon
from autoscaler.journal.contract import JournalUnavailable, LeaseLost
from providers.contract import NodeName
from tests.unit.stand_ins import Heard, nothing, wait_for

SCRIPT = Path(__file__).with_name("daemon_process.py")
Script = Callable[[int], None]


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """A daemon takes the process's signals; the test runner wants them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class Stage:
    """A daemon in this process, whose n-th tick does what the script says."""

    def __init__(self, script: Script, *, tick_s: float = 0.01) -> None:
        self.script, self.ticks, self.closed = script, 0, 0
        self.begun_after: list[int] = []
        self.log = Heard()
        self.daemon = Daemon(
            loop=self,
            calls=self,
            thin=lambda: None,
            purge=nothing,
            close=self.close,
            clock=SystemClock(),
            log=self.log,
            tick_s=tick_s,
            begun=lambda: self.begun_after.append(self.ticks),
            stopping=nothing,
            grace_s=0.1,
        )

    def tick(self) -> None:
        self.ticks += 1
        self.script(self.ticks)

    def in_flight(self) -> frozenset[NodeName]:
        return frozenset()

    def stop(self, grace_s: float) -> frozenset[NodeName]:
        return frozenset()

    def close(self) -> None:
        self.closed += 1


def failing(error: Exception, *, ticks: range) -> Script:
    """Raise that on those ticks; end in order on the one after the last. A second signal would end this process."""

    def script(number: int) -> None:
        if number in ticks:
            raise error
        if number == ticks[-1] + 1:
            signal.raise_signal(signal.SIGTERM)

    return script


def test_a_journal_that_cannot_be_written_is_said_once_and_waited_for() -> None:
    """A full disk ends nothing: nothing is done until it can be written down, and then all goes on."""
    stage = Stage(failing(JournalUnavailable("the disk is full"), ticks=range(1, 25)))

    assert stage.daemon.run() == DONE
    assert stage.log.names().count("journal.failed") == 1
    assert stage.log.names().count("journal.recovered") == 1


def test_a_past_that_cannot_be_thinned_is_said_once_and_when_it_can_be_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ticks go on beside it, and a notice of it has an end."""
    monkeypatch.setattr("autoscaler.daemon._THIN_EVERY_S", 0.01)
    tried: list[int] = []

    def script(_: int) -> None:
        if len(tried) > 6 and not ended:
            ended.append(True)
            signal.raise_signal(signal.SIGTERM)

    def thin() -> None:
        tried.append(1)
        if len(tried) < 5:
            raise JournalUnavailable("the disk is full")

    ended: list[bool] = []
    stage = Stage(script)
    stage.daemon.thin = thin

    assert stage.daemon.run() == DONE
    assert stage.log.names().count("journal.failed") == 1
    assert stage.log.names().count("journal.recovered") == 1


def test_what_waits_for_the_first_tick_waits_for_no_second_one() -> None:
    """However the first one ends: whoever looks why it failed looks at the page."""
    stage = Stage(failing(RuntimeError("odd"), ticks=range(1, 3)))

    assert stage.daemon.run() == DONE
    assert [1] == stage.begun_after


def test_a_lost_lease_ends_the_process_with_75() -> None:
    """Another daemon works with the journal now: this one says so once and does nothing more."""
    stage = Stage(failing(LeaseLost("second took it over"), ticks=range(3, 100)))

    assert stage.daemon.run() == LEASE_LOST
    assert stage.log.names().count("lease.lost") == 1
    assert "journal.failed" not in stage.log.names()
    assert stage.closed == 1


@pytest.mark.parametrize("error", [InvariantViolated("two creates"), IllegalTransition("gone")])
def test_a_plan_that_must_not_be_ends_the_process_with_70(error: Exception) -> None:
    """A fresh process reads the journal and looks again; this one is not to be trusted."""
    stage = Stage(failing(error, ticks=range(3, 4)))

    assert stage.daemon.run() == SOFTWARE_ERROR
    assert ("plan.refused", {"error": str(error)}) in stage.log.events
    assert stage.closed == 1


def test_ten_ticks_that_fail_one_after_another_end_the_process_with_70() -> None:
    """Whatever is wrong, a fresh process is the better bet."""
    stage = Stage(failing(RuntimeError("odd"), ticks=range(1, 100)))

    assert stage.daemon.run() == SOFTWARE_ERROR
    assert stage.log.names().count("tick.failed") >= 10


def test_ticks_that_fail_now_and_then_end_nothing() -> None:
    """The next one looks again."""

    def script(number: int) -> None:
        if number == 30:
            signal.raise_signal(signal.SIGTERM)
        elif number % 5:
            raise RuntimeError("odd")

    stage = Stage(script)

    assert stage.daemon.run() == DONE
    assert stage.log.names().count("tick.failed") >= 24


def test_a_signal_after_a_refused_plan_does_not_hide_it() -> None:
    """The worse reason is the exit code."""

    def script(number: int) -> None:
        if number == 1:  # a second signal would end the process at once, and the tests with it
            signal.raise_signal(signal.SIGTERM)
        raise InvariantViolated("two creates")

    assert Stage(script).daemon.run() == SOFTWARE_ERROR


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (InvariantViolated("two creates"), SOFTWARE_ERROR),
        (LeaseLost("second took it over"), LEASE_LOST),
        (None, DONE),
    ],
)
def test_no_tick_begins_once_the_end_was_asked_for(end: Exception | None, code: int) -> None:
    """However long the pacemaker goes on: here it has time for twenty ticks before the process gets to its end."""

    def script(number: int) -> None:
        if number > 1:
            return
        if end is not None:
            raise end
        signal.raise_signal(signal.SIGTERM)

    stage = Stage(script)
    shutdown = BackgroundScheduler.shutdown

    def late(scheduler: BackgroundScheduler, wait: bool = True) -> None:
        time.sleep(20 * stage.daemon.tick_s)
        shutdown(scheduler, wait=wait)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(BackgroundScheduler, "shutdown", late)
        assert stage.daemon.run() == code
    assert stage.ticks == 1


def test_ticks_never_overlap_and_never_pile_up() -> None:
    """One that lasts too long is said, and those missed meanwhile are one."""
    inside, most = threading.Semaphore(1), []

    def script(number: int) -> None:
        alone = inside.acquire(blocking=False)
        most.append(alone)
        time.sleep(0.05)
        inside.release()
        if number == 6:
            signal.raise_signal(signal.SIGTERM)

    stage = Stage(script, tick_s=0.01)

    assert stage.daemon.run() == DONE
    assert all(most)
    assert "tick.overran" in stage.log.names()


def test_a_wall_clock_that_is_set_back_stops_no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler dates ticks by it, and would wait for an hour to come again."""
    back_s = [0.0]

    class Stepped(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) - timedelta(seconds=back_s[0])

    class Clock(SystemClock):
        def now(self) -> float:
            return super().now() - back_s[0]

    def script(number: int) -> None:
        if number == 3:
            back_s[0] = 3600.0
        if number == 6:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Stepped)
    stage = Stage(script)
    stage.daemon.clock = Clock()
    giving_up = threading.Timer(10.0, signal.raise_signal, (signal.SIGTERM,))
    giving_up.start()

    assert stage.daemon.run() == DONE
    giving_up.cancel()
    assert 6 <= stage.ticks


def test_a_tick_that_does_not_end_is_said_once_while_it_lasts() -> None:
    """It may wait for ever, and nobody would know why nothing happens."""
    late, said = [0.0], threading.Event()

    class Clock(SystemClock):
        def monotonic(self) -> float:
            return super().monotonic() + late[0]

    class Log(Heard):
        def say(self, event: str, /, **fields: object) -> None:
            super().say(event, **fields)
            if event == "tick.hangs":
                said.set()

    def script(number: int) -> None:
        if number == 3:
            late[0] = 31.0
            said.wait(10.0)
        if number == 5:
            signal.raise_signal(signal.SIGTERM)

    stage = Stage(script)
    stage.daemon.clock, stage.daemon.log = Clock(), (log := Log())

    assert stage.daemon.run() == DONE
    (lasts_s,) = (fields["lasts_s"] for event, fields in log.events if event == "tick.hangs")
    assert 31 <= lasts_s <= 41


class Process:
    """The scripted daemon as a process of its own."""

    def __init__(self, how: str, directory: Path) -> None:
        self._diary = directory / "diary"
        self._diary.touch()
        self.popen = subprocess.Popen([sys.executable, str(SCRIPT), how, str(self._diary)])

    def lines(self) -> list[str]:
        return self._diary.read_text().splitlines()

    def ticks(self) -> int:
        return self.lines().count("tick")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Process]]:
    started: list[Process] = []

    def begin(how: str) -> Process:
        started.append(Process(how, tmp_path))
        wait_for(started[-1].ticks, "the first tick")
        return started[-1]

    yield begin
    for process in started:
        process.popen.kill()
        process.popen.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_daemon_in_order(start: Callable[[str], Process], number: signal.Signals) -> None:
    """No tick any more, then calls under way, then everything opened is let go; and the exit code says all is well."""
    process = start("calm")
    wait_for(lambda: process.ticks() >= 3, "some ticks")
    process.popen.send_signal(number)

    assert process.popen.wait(timeout=10) == 0
    order = [line.split()[0] for line in process.lines() if line != "tick"]
    assert order == ["daemon.stopping", "stop", "close", "daemon.stopped", "farewell"]
    assert process.lines()[-4:][0] == "stop"


@pytest.mark.parametrize("how", ["hanging", "given up"])
def test_nothing_that_hangs_keeps_the_process(start: Callable[[str], Process], how: str) -> None:
    """Neither a call under way nor a thread given up long ago: what they did is found by looking."""
    process = start(how)
    process.popen.send_signal(signal.SIGTERM)

    assert process.popen.wait(timeout=10) == 0
    assert process.lines()[-2].startswith("daemon.stopped")
    assert process.lines()[-1] == "farewell"


def test_a_tick_that_does_not_end_keeps_no_process_and_its_lease_is_not_given_back(
    start: Callable[[str], Process],
) -> None:
    """It may still write; so nothing is closed under it, and the lease runs out by itself."""
    process = start("stuck")
    wait_for(lambda: "stuck" in process.lines(), "the tick that hangs")
    process.popen.send_signal(signal.SIGTERM)

    assert process.popen.wait(timeout=10) == 0
    assert "close" not in process.lines()
    assert process.lines()[-2].startswith("daemon.stopped")
    assert process.lines()[-1] == "farewell"


def test_a_signal_during_the_first_tick_lets_it_end(start: Callable[[str], Process]) -> None:
    """A tick is never cut in two by an orderly end."""
    process = start("slow")
    process.popen.send_signal(signal.SIGTERM)

    assert process.popen.wait(timeout=10) == 0
    assert "slow tick ended" in process.lines()


def test_a_second_signal_ends_it_at_once(start: Callable[[str], Process]) -> None:
    """Whoever asks twice does not want to wait."""
    process = start("endless")
    process.popen.send_signal(signal.SIGTERM)
    wait_for(lambda: "close" in process.lines(), "the orderly end to begin")
    process.popen.send_signal(signal.SIGTERM)

    assert process.popen.wait(timeout=10) == 128 + signal.SIGTERM
