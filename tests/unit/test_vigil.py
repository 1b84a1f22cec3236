"""Watching over ticks: what is a beat, what is none, and what ends a daemon in which nothing goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler import vigil
from autoscaler.clock import SystemClock
from autoscaler.gateways.systemd import Systemd
from autoscaler.journal.contract import JournalUnavailable
from testbed.waiting import wait_until
from tests.unit.notify_socket import NotifySocket
from tests.unit.stand_ins import Heard

MONOTONIC = SystemClock().monotonic


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path / "notify") as listening:
        yield listening


class Scripted:
    """A loop whose ticks end as scripted."""

    def __init__(self, *ends: object) -> None:
        self._ends = list(ends)

    def tick(self) -> object:
        end = self._ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def a_vigil(
    ear: NotifySocket, log: Heard, ended: threading.Event, *, patience_s: float = 0.2, pause_s: float = 0.01
) -> vigil.Vigil:
    return vigil.Vigil(
        Systemd(str(ear.path), watches=True),
        log,
        patience_s=patience_s,
        monotonic=MONOTONIC,
        end=ended.set,
        pause_s=pause_s,
    )


def test_a_tick_that_was_written_down_is_the_start_and_each_end_of_one_is_a_beat(ear: NotifySocket) -> None:
    """A tick that failed is a beat and no start: nothing hangs, and nothing is looked after yet."""
    watch = a_vigil(ear, Heard(), threading.Event())
    watched = watch.over(Scripted(JournalUnavailable("disk full"), "one", "two"), says=str)
    with pytest.raises(JournalUnavailable):
        watched.tick()
    watched.tick()
    watched.tick()
    watch.stopping()
    watch.stop()
    wait_until(lambda: "STOPPING=1" in ear.lines(), 10, lambda: f"the end; heard {ear.lines()}")

    words = [line for line in ear.lines() if not line.startswith("STATUS=")]
    assert ["WATCHDOG=1", "WATCHDOG=1", "READY=1", "WATCHDOG=1", "STOPPING=1"] == words
    assert ["the last tick failed: JournalUnavailable", "one", "one", "two"] == ear.statuses()[:4]


def test_who_stands_by_has_started_and_says_for_whom(ear: NotifySocket) -> None:
    """Waiting is its work: systemd does not wait for a first tick that may be months away."""
    watch = a_vigil(ear, Heard(), threading.Event())
    watch.beat("standing by: a leads")
    wait_until(lambda: "READY=1" in ear.lines(), 10, lambda: "ready")

    assert "standing by: a leads" == ear.statuses()[-1]


def test_a_daemon_in_which_nothing_ends_any_more_says_so_and_ends(ear: NotifySocket) -> None:
    """Under whichever supervisor; systemd is told beforehand how long it may have to wait."""
    log, ended = Heard(), threading.Event()
    watch = a_vigil(ear, log, ended)
    watch.start()

    assert ended.wait(10)
    assert [("daemon.wedged", {"silent_s": 0, "patience_s": 0})] == log.events
    assert ["WATCHDOG_USEC=15200000"] == ear.lines()


def test_a_daemon_whose_ticks_end_is_left_alone(ear: NotifySocket) -> None:
    """For many times as long as one may hang; and once they stop, it is not."""
    ended = threading.Event()
    watch = a_vigil(ear, Heard(), ended, patience_s=0.3)
    watched = watch.over(Scripted(*range(50)), says=str)
    watch.start()
    calm = not any(ended.wait(0.02) or watched.tick() is None for _ in range(50))

    assert calm
    assert ended.wait(10)


def test_time_in_which_the_whole_process_stood_still_is_no_silence(ear: NotifySocket) -> None:
    """A machine that was suspended, a process that was stopped and goes on: its ticks had no turn either."""
    ended, asked = threading.Event(), 0

    def leaping() -> float:
        nonlocal asked
        asked += 1
        return MONOTONIC() + 1000.0 * (asked // 3)

    watch = vigil.Vigil(
        Systemd(None), Heard(), patience_s=60.0, monotonic=leaping, end=ended.set, pause_s=0.01
    )
    watch.start()
    wait_until(lambda: asked > 30, 10, lambda: "many looks at the clock")
    watch.stop()

    assert not ended.is_set()


def test_a_log_that_nobody_reads_does_not_keep_a_wedged_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs may be the pipe that we speak into."""
    monkeypatch.setattr(vigil, "_LAST_WORDS_S", 0.05)
    ended, full = threading.Event(), threading.Event()

    class Full(Heard):
        def say(self, event: str, /, **fields: object) -> None:
            full.wait(30)

    watch = vigil.Vigil(
        Systemd(None), Full(), patience_s=0.05, monotonic=MONOTONIC, end=ended.set, pause_s=0.01
    )
    watch.start()
    gone = ended.wait(10)
    full.set()

    assert gone


@pytest.mark.parametrize(("tick_s", "most"), [(0.1, 76.0), (5.0, 76.0), (60.0, 616.0), (3600.0, 36016.0)])
def test_patience_outlasts_every_tick_that_may_still_end(tick_s: float, most: float) -> None:
    """It is longer than a hanging tick takes to be told of (5 ticks, 30 s), and than a lease is kept for one (10)."""
    patience_s = vigil.patience_s(tick_s=tick_s, jitter_s=0.0, observe_timeout_s=8.0)

    assert most == patience_s
    assert patience_s > max(30.0, 10.0 * tick_s)
