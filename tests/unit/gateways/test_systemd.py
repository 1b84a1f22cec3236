"""What systemd is told, heard at a real socket."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest

from autoscaler.gateways.systemd import Systemd, from_environment
from testbed.waiting import wait_until
from tests.unit.notify_socket import NotifySocket


def test_each_word_is_one_datagram_of_assignments(tmp_path: Path) -> None:
    """As sd_notify(3) has them; MONOTONIC_USEC belongs to RELOADING."""
    with NotifySocket(tmp_path / "notify") as ear:
        systemd = Systemd(str(ear.path), watches=True)
        systemd.expect_silence(91.5)
        systemd.ready("1 pool")
        systemd.beat("2 pools")
        systemd.reloading(12.000001)
        systemd.stopping()
        wait_until(lambda: "STOPPING=1" in ear.lines(), 10, lambda: f"the end; heard {ear.lines()}")

    assert [
        "WATCHDOG_USEC=91500000",
        "READY=1",
        "STATUS=1 pool",
        "WATCHDOG=1",
        "STATUS=2 pools",
        "RELOADING=1",
        "MONOTONIC_USEC=12000001",
        "STOPPING=1",
        "STATUS=stopping: calls under way may finish",
    ] == ear.lines()


def test_no_status_can_say_another_word(tmp_path: Path) -> None:
    """The name of a lease's holder comes out of a database: a line break in it would be an assignment of its own."""
    with NotifySocket(tmp_path / "notify") as ear:
        Systemd(str(ear.path)).beat("standing by: a\nMAINPID=1\r\x00 leads" + "x" * 5000)
        wait_until(lambda: bool(ear.statuses()), 10, lambda: "a status")

    assert ["WATCHDOG=1"] == [line for line in ear.lines() if not line.startswith("STATUS=")]
    assert ear.statuses()[0].startswith("standing by: a MAINPID=1   leads")
    assert 200 == len(ear.statuses()[0])


def test_what_we_start_is_not_told_where_systemd_listens(tmp_path: Path) -> None:
    """A machine that is a process of this computer is not the service; nor is a program of `external`."""
    with NotifySocket(tmp_path / "notify") as ear:
        environ = {
            "NOTIFY_SOCKET": str(ear.path),
            "WATCHDOG_USEC": "120000000",
            "WATCHDOG_PID": "7",
            "HOME": "/",
        }
        systemd = from_environment(environ, 7)
        systemd.ready("up")
        wait_until(lambda: "READY=1" in ear.lines(), 10, lambda: "the word")

    assert {"HOME": "/"} == environ
    assert systemd.watches


@pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": "5", "WATCHDOG_PID": "8", "NOTIFY_SOCKET": "/x"}])
def test_nobody_watches_who_was_not_asked_for_beats(environ: dict[str, str]) -> None:
    """No variable, or one that is meant for the process before us."""
    assert not from_environment(environ, 7).watches


def test_an_abstract_address_begins_with_a_null_byte() -> None:
    """As systemd writes those of containers."""
    name = f"autoscaler-test-{id(object())}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(f"\0{name}")
        ear.settimeout(10)
        from_environment({"NOTIFY_SOCKET": f"@{name}"}, 7).ready("up")
        told = ear.recv(100)

    assert b"READY=1\nSTATUS=up" == told


@pytest.mark.parametrize("address", ["/nobody/listens/there", "vsock:2:1", "", None])
def test_nobody_who_listens_is_no_trouble(address: str | None) -> None:
    """The daemon goes on, whoever started it."""
    environ = {} if address is None else {"NOTIFY_SOCKET": address}

    from_environment(environ, 7).beat("well")

    assert {} == environ


def test_a_systemd_that_reads_nothing_stops_nobody(tmp_path: Path) -> None:
    """Its queue is full: the beat is lost, and the tick goes on."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
        ear.bind(str(path))
        sent = _fill(str(path))
        Systemd(str(path)).beat("well")

    assert 0 < sent


def _fill(path: str) -> int:
    """Send until nothing more is taken; how much was."""
    sent = 0
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filling, contextlib.suppress(BlockingIOError):
        filling.setblocking(False)
        while True:
            filling.sendto(b"x", path)
            sent += 1
    return sent
