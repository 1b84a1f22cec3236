"""The real daemon under a real supervisord, run by the file that `init --supervisord` wrote."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage

SUPERVISORD = shutil.which("supervisord")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(180),
    pytest.mark.skipif(SUPERVISORD is None, reason="supervisord is not installed here"),
]
BACK_S = 60.0
"""Seconds are usual; a busy computer may take one minute for a start."""

_HEAD = """\
[supervisord]
nodaemon = true
logfile = {directory}/supervisord.log
pidfile = {directory}/supervisord.pid
childlogdir = {directory}
{user}

[unix_http_server]
file = {socket}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{socket}

"""


class Supervised:
    """One supervisord with one daemon."""

    def __init__(self, stage: Stage, directory: Path) -> None:
        self.stage = stage
        section = directory / "autoscaler.conf"
        done = stage.run(
            "init",
            str(section),
            "--supervisord",
            "--service-user",
            getpass.getuser(),
            "--config",
            str(stage.config),
        )
        assert 0 == done.returncode, done.stderr
        text = section.read_text()
        usual = "stderr_logfile=/var/log/supervisor/autoscaler.log"
        assert usual in text
        text = text.replace(usual, f"stderr_logfile={stage.directory}/daemon.log")
        self.config = directory / "supervisord.conf"
        as_root = "user = root" if os.getuid() == 0 else ""
        head = _HEAD.format(directory=directory, socket=directory / "s", user=as_root)
        self.config.write_text(head + text)
        assert SUPERVISORD
        self.process = subprocess.Popen(
            [SUPERVISORD, "--configuration", self.config],
            env=stage.environment,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def daemons(self) -> list[int]:
        """Process ids."""
        return [child.pid for child in psutil.Process(self.process.pid).children()]

    def tell(self, *words: str) -> str:
        """What supervisorctl says to that."""
        done = subprocess.run(
            ["supervisorctl", "-c", str(self.config), *words],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.stdout + done.stderr

    def close(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def supervised(set_stage: Callable[..., Stage], tmp_path: Path) -> Iterator[Supervised]:
    stage = set_stage()
    directory = tmp_path / "supervisord"
    directory.mkdir()
    running = Supervised(stage, directory)
    yield running
    running.close()


def test_a_daemon_that_is_killed_is_back_in_seconds(supervised: Supervised) -> None:
    """`kill -9`, and the next one goes on with the same journal; told to stop, it ends in order and stays so."""
    stage = supervised.stage
    stage.wait_until_said("daemon.started")
    (first,) = supervised.daemons()
    os.kill(first, signal.SIGKILL)
    wait_until(
        lambda: len(stage.said("daemon.started")) == 2,
        BACK_S,
        lambda: f"the next daemon\n{supervised.tell('status')}\n{stage.tail()}",
    )
    (second,) = supervised.daemons()
    said = supervised.tell("stop", "autoscaler")

    assert first != second
    assert "autoscaler: stopped" in said
    assert [] == supervised.daemons()
    assert 1 == len(stage.said("daemon.stopped"))


def test_a_wrong_configuration_starts_nothing_until_it_is_mended(supervised: Supervised) -> None:
    """However often supervisord tries; then the daemon is back, and nothing else needs doing."""
    stage = supervised.stage
    stage.wait_until_said("daemon.started")
    right = stage.config.read_text()
    stage.config.write_text(right.replace("max_workers", "max_wrokers"))
    (pid,) = supervised.daemons()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "max_wrokers" in stage.tail(), BACK_S, lambda: supervised.tell("status"))
    started = len(stage.said("daemon.started"))
    stage.config.write_text(right)
    supervised.tell("start", "autoscaler")
    stage.wait_until_said("daemon.started", times=2)

    assert 1 == started
