"""The real daemon under a systemd's ear: what it tells from its start to its end, and what it tells no more."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.unit.notify_socket import NotifySocket

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
WATCHED = {"WATCHDOG_USEC": "120000000"}
STILL_S = 4.0
"""Many times the second between two ticks: in so long a silence several beats are missing."""


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path / "notify") as listening:
        yield listening


def beats(ear: NotifySocket, more_than: int) -> None:
    wait_until(
        lambda: len(ear.times("WATCHDOG=1")) > more_than,
        60,
        lambda: f"more than {more_than} beats; heard {ear.lines()[-10:]}",
    )


def test_it_says_when_it_is_ready_beats_with_its_ticks_and_says_when_it_ends(
    set_stage: Callable[..., Stage], ear: NotifySocket
) -> None:
    """With what `systemctl status` shows; and none of it may start a machine that could speak for it."""
    stage = set_stage(secrets={**WATCHED, "NOTIFY_SOCKET": str(ear.path)})
    daemon = stage.start_daemon()
    beats(ear, 3)
    code = stage.stop_daemon()
    wait_until(lambda: "STOPPING=1" in ear.lines(), 10, lambda: f"the end; heard {ear.lines()[-10:]}")

    words = [line for line in ear.lines() if not line.startswith("STATUS=")]
    assert (0, 0) == (code, daemon.returncode)
    assert ["WATCHDOG_USEC=83000000", "WATCHDOG=1", "READY=1"] == words[:3]
    assert {"WATCHDOG=1"} == set(words[3:-1])
    assert "STOPPING=1" == words[-1]
    assert "1 pool: no workers wanted, 0 serving, 0 arriving, 0 leaving" in ear.statuses()


def test_no_beat_comes_from_a_process_that_stands_still_and_it_goes_on_afterwards(
    set_stage: Callable[..., Stage], ear: NotifySocket
) -> None:
    """SIGSTOP is what a wedge of the whole process looks like; after SIGCONT nothing of it is held against it."""
    stage = set_stage(secrets={**WATCHED, "NOTIFY_SOCKET": str(ear.path)})
    daemon = stage.start_daemon()
    beats(ear, 1)
    daemon.send_signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    # One may have been on its way.
    wait_until(lambda: time.monotonic() > stopped_at + STILL_S, 30, "a silence of several ticks")
    during = [at for at in ear.times("WATCHDOG=1") if at > stopped_at + 1.0]
    known = len(ear.times("WATCHDOG=1"))
    daemon.send_signal(signal.SIGCONT)
    beats(ear, known + 1)

    assert [] == during
    assert 0 == stage.stop_daemon()


def test_a_tick_that_never_ends_stops_the_beat_and_then_the_daemon(
    set_stage: Callable[..., Stage], ear: NotifySocket
) -> None:
    """With a code of its own, and with what each thread was doing: other threads of it go on, and are no evidence."""
    stage = set_stage(secrets={**WATCHED, "NOTIFY_SOCKET": str(ear.path)})
    daemon = stage.start_daemon(sys.executable, "-m", "tests.integration.service.wedged", "3", "3")
    code = daemon.wait(timeout=90)

    assert 71 == code, stage.tail()
    assert 2 == len(ear.times("WATCHDOG=1"))
    assert 1 == len(stage.said("daemon.wedged"))
    assert "wedged.py" in stage.tail(lines=400)


def test_a_first_tick_that_never_ends_is_no_start(set_stage: Callable[..., Stage], ear: NotifySocket) -> None:
    """`systemctl start` waits for READY, and would fail."""
    stage = set_stage(secrets={**WATCHED, "NOTIFY_SOCKET": str(ear.path)})
    daemon = stage.start_daemon(sys.executable, "-m", "tests.integration.service.wedged", "1", "3")

    assert 71 == daemon.wait(timeout=90), stage.tail()
    assert "READY=1" not in ear.lines()


def test_its_death_by_the_watchdog_tells_where_it_stood(
    set_stage: Callable[..., Stage], ear: NotifySocket
) -> None:
    """SIGABRT is systemd's word to a service that does not beat."""
    stage = set_stage(secrets={**WATCHED, "NOTIFY_SOCKET": str(ear.path)})
    daemon: subprocess.Popen[bytes] = stage.start_daemon()
    beats(ear, 1)
    daemon.send_signal(signal.SIGABRT)

    assert -signal.SIGABRT == daemon.wait(timeout=60)
    assert "Fatal Python error: Aborted" in stage.tail(lines=400)
