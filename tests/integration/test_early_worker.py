"""What waits under a real supervisord becomes a real Celery worker by the tools' word, and is kept as any worker is."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bootstrap import early
from testbed.waiting import wait_until
from tests.unit.bootstrap import on_machine
from tests.unit.bootstrap.waiting import ENVIRONMENT, SHOP, USER, Waiting

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

ROOT = Path(__file__).resolve().parents[2]
SUPERVISOR = ROOT / ".venv-stack" / "bin"
PYTHON = ROOT / ".venv-celery53" / "bin" / "python"
"""The oldest Celery there is a test for, in an environment where nothing else runs."""
NODE = "shop-images-7k2f"


class Golden:
    """A machine whose supervisord is up, and has nothing to run yet."""

    def __init__(self, root: Path) -> None:
        self.root = root
        mark = root / "drained"
        real = (
            (ROOT / "bootstrap/assets/run-celery").read_text().replace("/run/autoscaler/drained", str(mark))
        )
        self.waiting = Waiting(root, real, python=str(PYTHON))
        (self.waiting.work / "shop.py").write_text(SHOP.format(folder=str(root)))
        self.waiting.words += ["--concurrency=1", "--without-mingle", "--without-gossip", "--pool=prefork"]
        self.waiting.run_worker()
        self.waiting.environ({name: value for name, value in ENVIRONMENT.items() if "BROKER" not in name})
        self.waiting.go.unlink()
        self.waiting.go.parent.rmdir()
        (root / "etc/autoscaler").mkdir()
        settings = {"node": NODE, "fleet": "shop", "token": "", "user": USER.pw_name}
        (root / "etc/autoscaler/machine.json").write_text(json.dumps(settings))
        (root / "etc/supervisor/conf.d").mkdir(parents=True)
        for folder in ("var/log", "usr/local/lib/autoscaler-early/bin", "real"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        for file in early.files():
            if file.path.startswith("/usr/local"):
                (root / file.path[1:]).write_text(file.content)
                (root / file.path[1:]).chmod(int(file.mode, 8))
        self.conf = root / "supervisord.conf"
        self.conf.write_text(
            f"[unix_http_server]\nfile={root}/run/supervisor.sock\n[rpcinterface:supervisor]\n"
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisord]\nlogfile={root}/supervisord.log\npidfile={root}/supervisord.pid\n"
            f"[supervisorctl]\nserverurl=unix://{root}/run/supervisor.sock\n"
            f"[include]\nfiles={root}/etc/supervisor/conf.d/*.conf\n"
        )
        (root / "real/supervisorctl").write_text(
            f'#!/bin/sh\nexec {SUPERVISOR}/supervisorctl -c {self.conf} "$@"\n'
        )
        (root / "real/supervisorctl").chmod(0o755)
        self.supervisord = subprocess.Popen(
            [SUPERVISOR / "supervisord", "-n", "-c", self.conf],
            env={"PATH": "/usr/sbin:/usr/bin:/bin", "AUTOSCALER_ROOT": str(root)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def ctl(self, *words: str, tool: bool = True) -> str:
        """The tool in front of the real one, as the enrolment program finds it; or the real one, as all others do."""
        path = f"{self.root}/usr/local/lib/autoscaler-early/bin:" if tool else ""
        path += f"{self.root}/real:/usr/bin:/bin"
        done = subprocess.run(
            ["supervisorctl", *words],
            env={"PATH": path, "AUTOSCALER_ROOT": str(self.root)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout

    def pid(self) -> int:
        """Of the process that supervisord keeps now; 0 while there is none."""
        children = psutil.Process(self.supervisord.pid).children()
        return children[0].pid if children else 0

    @property
    def said(self) -> str:
        return (self.root / "var/log/supervisor/celery-worker.log").read_text()

    def close(self) -> None:
        family = psutil.Process(self.supervisord.pid).children(recursive=True)
        self.supervisord.kill()
        self.supervisord.wait(10)
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


@pytest.fixture
def golden(tmp_path: Path) -> Iterator[Golden]:
    assert (SUPERVISOR / "supervisord").exists(), (
        "the example's environment is missing: make .venv-stack/.ready"
    )
    machine = Golden(tmp_path)
    yield machine
    machine.close()


def test_who_fails_before_the_worker_begins_anew(golden: Golden, tmp_path: Path) -> None:
    """What waited is ended, by the real supervisord; the second run shows it a worker that it starts, and no other."""
    with on_machine.loaded(tmp_path) as modules:
        modules.early._have_it_wait()
        wait_until((tmp_path / "run/autoscaler-early/shown").exists, 60, "supervisord to be shown the worker")
        os.wait()
        first = wait_until(golden.pid, 20, "what waits to be started")
        modules.machine.answer = lambda argv: golden.ctl(*argv[1:], tool=False)
        modules.early.main("give-up")
        wait_until(lambda: not psutil.pid_exists(first), 20, "what waits to be ended")
        assert not (tmp_path / "done").exists()
        modules.machine.run = lambda argv, *_, **__: golden.ctl(*argv[1:], tool=False)
        modules.supervisord.begin(modules.machine.Settings())
    if os.getuid() == 0:  # run-worker itself gives the worker another user
        wait_until((tmp_path / "done").exists, 60, "a task to be done")
        assert "wait-worker" not in " ".join(psutil.Process(golden.pid()).cmdline())
    assert "setpriv" in (golden.waiting.lib / "run-worker").read_text()


def test_it_waits_works_comes_back_and_goes(golden: Golden, tmp_path: Path) -> None:
    """The process that waited does the task; once killed the worker is started as ever; told to go it stays down."""
    with on_machine.loaded(tmp_path) as modules:
        modules.early._have_it_wait()
        wait_until((tmp_path / "run/autoscaler-early/shown").exists, 60, "supervisord to be shown the worker")
        os.wait()
        first = wait_until(golden.pid, 20, "what waits to be started")
        assert "wait-worker" in " ".join(psutil.Process(first).cmdline())
        assert f"--hostname=celery@{NODE}" in psutil.Process(first).cmdline()
        # What enrolment does at its last phase, by the same program.
        modules.machine.run = lambda argv, *_, **__: golden.ctl(*argv[1:])
        modules.supervisord.begin(modules.machine.Settings())
    assert f"{NODE} STARTING\n" == golden.ctl("status", NODE)
    wait_until((tmp_path / "done").exists, 60, "a task to be done")

    assert "started anew" not in golden.said
    assert first == golden.pid()
    assert "setpriv" in (golden.waiting.lib / "run-worker").read_text()
    assert golden.ctl("reread").startswith("No config updates")
    wait_until(lambda: "RUNNING" in golden.ctl("status", NODE), 30, "supervisord to call it running")
    assert golden.ctl("status", NODE) == f"{NODE} RUNNING\n"  # by the tool's own asking
    if os.getuid() == 0:  # run-worker itself gives the worker another user
        (tmp_path / "done").unlink()
        os.kill(first, signal.SIGKILL)
        wait_until((tmp_path / "done").exists, 60, "the worker to come back")
        assert first != golden.pid()
        assert "wait-worker" not in " ".join(psutil.Process(golden.pid()).cmdline())
    golden.ctl("signal", "TERM", NODE)
    wait_until(lambda: "EXITED" in golden.ctl("status", NODE), 30, "the worker to go")
    assert 0 == golden.pid()
