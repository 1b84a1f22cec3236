"""`autoscaler demo` as a curious visitor runs it: a process of its own, no broker, no account, no network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from autoscaler.demo import configured, pace
from testbed.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BEGINS_WITHIN_S = 120.0
ENDS_WITHIN_S = 4.0
"""A second or two, and as much again; on a computer that gives us its time."""
PROGRAM = """\
import os, sys
abroad = os.open(os.environ["DEMO_ABROAD"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def heed(event, given):
    if event == "socket.getaddrinfo" or event == "socket.connect":
        os.write(abroad, f"{event} {given[-1] if event == 'socket.connect' else given[0]}\\n".encode())
sys.addaudithook(heed)
from autoscaler.cli import main
main()
"""
"""The program, and on record each address that it asks for or connects to."""


class Visitor:
    """Who starts the demo and types commands in another terminal."""

    def __init__(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "kept"
        self.temporary = tmp_path / "tmp"
        self.temporary.mkdir()
        self.abroad = tmp_path / "abroad"
        self.running: list[subprocess.Popen[str]] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AUTOSCALER_")},
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.temporary),
            "DEMO_ABROAD": str(self.abroad),
        }

    def demo(self, *words: str) -> subprocess.Popen[str]:
        """Start it."""
        started = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, "demo", "--listen", "127.0.0.1:0", *words],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.running.append(started)
        return started

    def kept_demo(self, *words: str) -> subprocess.Popen[str]:
        """One whose journal others can read, once it goes on."""
        started = self.demo("--directory", str(self.directory), *words)
        self.await_beginning((self.directory / pace.FILE).exists, started)
        return started

    def await_beginning(self, so: Callable[[], object], started: subprocess.Popen[str]) -> None:
        """Until it is so, or the demo ended."""
        wait_until(
            lambda: so() or started.poll() is not None, BEGINS_WITHIN_S, "the end of the hours nobody watches"
        )
        assert started.poll() is None, started.communicate()[0]

    def says(self, *words: str) -> Any:
        """What a command says in JSON."""
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words, "--json", "-c", str(self.directory / configured.FILE)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return json.loads(done.stdout)

    def pool(self, name: str) -> dict[str, Any]:
        """How a pool stands."""
        return next(pool for pool in self.says("status")["pools"] if pool["pool"] == name)


@pytest.fixture
def visitor(tmp_path: Path) -> Iterator[Visitor]:
    """Whatever was started is ended, by its process id."""
    one = Visitor(tmp_path)
    yield one
    for process in one.running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _slower() -> float:
    """How many times longer work takes here now than alone: others may keep the computer busy."""
    began, spent = time.monotonic(), time.process_time()
    while time.process_time() - spent < 0.2:
        sum(range(10_000))
    return max(1.0, (time.monotonic() - began) / 0.2)


def _ended(started: subprocess.Popen[str], number: signal.Signals) -> str:
    """What it said, once it was told to end; it does in time, with 0, and nothing of it runs on."""
    family = psutil.Process(started.pid).children(recursive=True)
    within_s = ENDS_WITHIN_S * _slower()
    began = time.monotonic()
    started.send_signal(number)
    said, _ = started.communicate(timeout=60)

    assert 0 == started.returncode, said
    assert time.monotonic() - began < within_s
    assert not [child for child in family if child.is_running()]
    return said


def test_a_fleet_works_and_asks_nobody_elsewhere(visitor: Visitor) -> None:
    """Tasks are done, machines come and go, and not one address but loopback is ever asked for."""
    started = visitor.kept_demo("--history", "90m", "--for", "6s")
    said, _ = started.communicate(timeout=60)

    assert 0 == started.returncode, said
    tasks, machines = (int(word) for word in said.splitlines()[-1].split() if word.isdigit())
    assert tasks
    assert machines
    assert "gone" in {node["state"] for node in visitor.says("nodes", "--all")["nodes"]}
    asked = visitor.abroad.read_text().splitlines() if visitor.abroad.exists() else []
    assert [] == [line for line in asked if "127.0.0.1" not in line]


def test_an_operators_orders_act(visitor: Visitor) -> None:
    """Given by the ordinary commands, which go by the demo's time: an hour's hold is an hour there."""
    started = visitor.kept_demo("--history", "30m", "--speed", "120")
    assert visitor.says("pause", "reports")
    wait_until(lambda: visitor.pool("reports")["paused"], 20, "reports to be paused")
    assert visitor.says("hold", "mails", "3", "--for", "24h")
    wait_until(lambda: 3 == visitor.pool("mails")["wanted"], 20, "mails to be held at 3")
    wait_until(lambda: visitor.pool("mails")["serving"] >= 3, 60, "three workers of mails to serve")
    node = next(
        n["name"] for n in visitor.says("nodes")["nodes"] if n["pool"] == "mails" and n["state"] == "ready"
    )
    assert visitor.says("drain", node)
    wait_until(
        lambda: node not in {n["name"] for n in visitor.says("nodes")["nodes"]}, 60, f"{node} to be gone"
    )

    _ended(started, signal.SIGINT)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_leaves_no_file_and_no_process(visitor: Visitor, number: signal.Signals) -> None:
    """However it is told to end."""
    started = visitor.demo("--history", "30m")
    visitor.await_beginning(lambda: list(visitor.temporary.glob(f"*/{pace.FILE}")), started)

    _ended(started, number)
    assert [] == list(visitor.temporary.iterdir())


def test_it_ends_in_the_middle_of_its_history(visitor: Visitor) -> None:
    """Who is impatient then need not wait for it."""
    started = visitor.demo("--history", "7d")
    visitor.await_beginning(lambda: list(visitor.temporary.glob("*/journal.db-wal")), started)

    _ended(started, signal.SIGINT)
    assert [] == list(visitor.temporary.iterdir())


def test_it_is_a_light_guest(visitor: Visitor) -> None:
    """At its usual speed: less than half a core and a quarter of a gigabyte."""
    started = visitor.kept_demo("--history", "1h")
    guest = psutil.Process(started.pid)
    before, began = guest.cpu_times(), time.monotonic()
    wait_until(lambda: time.monotonic() >= began + 8.0, 20, "eight seconds to pass")
    after, took_s = guest.cpu_times(), time.monotonic() - began
    share = (after.user + after.system - before.user - before.system) / took_s

    assert share < 0.5
    assert guest.memory_info().rss < 250_000_000
    _ended(started, signal.SIGINT)


def test_a_directory_with_something_in_it_is_refused(visitor: Visitor) -> None:
    """It may be a real fleet's."""
    visitor.directory.mkdir()
    (visitor.directory / "journal.db").touch()
    started = visitor.demo("--directory", str(visitor.directory))
    said, _ = started.communicate(timeout=60)

    assert 2 == started.returncode
    assert "is not empty" in said
    assert ["journal.db"] == [each.name for each in visitor.directory.iterdir()]


def test_the_page_shows_and_takes_orders(visitor: Visitor) -> None:
    """Under a name that says that it is a demo; with the token that the terminal tells, and not without."""
    browser, opened = visitor.temporary / "browser", visitor.temporary / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > "{opened}.new" && mv "{opened}.new" "{opened}"\n')
    browser.chmod(0o700)
    visitor.environment["BROWSER"] = f"{browser} %s"
    started = visitor.kept_demo("--history", "1h", "--open")
    assert started.stdout is not None
    url = next(word for line in started.stdout for word in line.split() if word.startswith("http://"))
    token = (visitor.directory / configured.TOKEN_FILE).read_text().strip()
    order = {"kind": "pause", "target": "images"}

    wait_until(opened.exists, 20, "a browser to be opened")
    assert url == opened.read_text()
    assert "demo, 60× time" == requests.get(f"{url}api/v1/status", timeout=10).json()["fleet"]
    assert 401 == requests.post(f"{url}api/v1/orders", json=order, timeout=10).status_code
    given = requests.post(
        f"{url}api/v1/orders", json=order, headers={"Authorization": f"Bearer {token}"}, timeout=10
    )
    assert given.ok, given.text
    wait_until(lambda: visitor.pool("images")["paused"], 20, "images to be paused")

    _ended(started, signal.SIGINT)
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=5)
