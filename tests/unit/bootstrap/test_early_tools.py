"""What stands before supervisorctl and systemctl in a golden machine's first boot, beside stand-ins for both."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from bootstrap import early
from testbed.waiting import wait_until

LIB, CONF = "usr/local/lib/autoscaler/", "etc/supervisor/conf.d/celery-worker.conf"


class Tools:
    """The two tools before stand-ins for the real ones."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.here, self.lib, self.conf = root / "run/autoscaler-early", root / LIB, root / CONF
        for folder in (self.here, self.lib, self.conf.parent, root / "bin", root / "real"):
            folder.mkdir(parents=True)
        for file in early.files():
            name = Path(file.path).name
            if Path(file.path).parent.name == "bin":
                (root / "bin" / name).write_text(file.content)
                (root / "bin" / name).chmod(0o755)
                (root / "real" / name).write_text(
                    f'#!/bin/sh\necho "{name} $*" >>{root}/done\ncat {root}/says\n'
                )
                (root / "real" / name).chmod(0o755)
        (root / "says").write_text("")
        os.mkfifo(self.here / "go")
        (self.here / "worker.conf").write_text("[program:x]\n")
        (self.here / "shown").touch()
        self.conf.write_text("[program:x]\n")
        (self.lib / "run-worker").write_text("starter")
        (self.lib / "run-worker.real").write_text("real")

    def __call__(self, *argv: str) -> str:
        done = subprocess.run(
            argv,
            env={
                "PATH": f"{self.root}/bin:{self.root}/real:/usr/bin:/bin",
                "AUTOSCALER_ROOT": str(self.root),
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return done.stdout

    @property
    def done(self) -> list[str]:
        path = self.root / "done"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    return Tools(tmp_path)


def test_the_word_is_said_and_the_real_program_is_back_before_it(tools: Tools) -> None:
    """Whoever waits wakes up; whoever comes later finds nothing to wait for; nobody real was asked."""
    waits = f"print('here', flush=True); open({str(tools.here / 'go')!r}).read()"
    shows = f"print(open({str(tools.lib / 'run-worker')!r}).read())"
    reader = subprocess.Popen([sys.executable, "-c", f"{waits}; {shows}"], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    assert "here\n" == reader.stdout.readline()
    wait_until(lambda: psutil.Process(reader.pid).status() == "sleeping", 20, "it to wait")
    tools("systemctl", "start", "supervisor")
    tools("supervisorctl", "reread")
    tools("supervisorctl", "update")

    assert "real\n" == reader.communicate(timeout=20)[0]
    assert not (tools.here / "go").exists()
    assert not (tools.lib / "run-worker.real").exists()
    assert [] == tools.done


@pytest.mark.parametrize("trouble", ["another", "not shown"])
def test_a_section_that_supervisord_has_not_read_is_shown_to_it(tools: Tools, trouble: str) -> None:
    """User data of a later release than the image may know more of it; and supervisord may be late."""
    if trouble == "another":
        tools.conf.write_text("[program:x]\nmore=1\n")
    else:
        (tools.here / "shown").unlink()
    for words in ("systemctl start supervisor", "supervisorctl reread", "supervisorctl update"):
        tools(*words.split())

    start, reread = "systemctl start supervisor", "supervisorctl reread"
    assert [start, reread, start, reread, "supervisorctl update"] == tools.done
    assert "real" == (tools.lib / "run-worker").read_text()
    assert not (tools.here / "go").exists()


def test_a_worker_is_starting_for_a_while_and_then_what_supervisord_says(tools: Tools) -> None:
    """It counts from the word on, as a start counts for `startsecs`."""
    (tools.root / "says").write_text("x RUNNING pid 7\n")
    tools("supervisorctl", "update")
    assert "x STARTING\n" == tools("supervisorctl", "status", "x")
    went = tools.here / "went"
    went.write_text(f"{int(went.read_text()) - 7}\n")

    assert "x RUNNING pid 7\n" == tools("supervisorctl", "status", "x")


def test_an_end_that_supervisord_has_not_seen_to_yet_is_asked_for_again(tools: Tools) -> None:
    """It calls a crash so for a moment, before it starts the program anew."""
    (tools.root / "says").write_text("x EXITED\n")
    (tools.root / "real/supervisorctl").write_text(
        f"#!/bin/sh\ncat {tools.root}/says\necho 'x BACKOFF' >{tools.root}/says\n"
    )

    assert "x BACKOFF\n" == tools("supervisorctl", "status", "x")


def test_everything_else_is_for_the_real_ones(tools: Tools) -> None:
    """Packages that are installed meanwhile ask them too; once the word is said nothing is stood before."""
    tools("supervisorctl", "update")
    for words in (
        "systemctl daemon-reload",
        "systemctl start supervisor",
        "supervisorctl signal TERM x",
        "supervisorctl reread",
        "supervisorctl update",
        "systemctl add-wants multi-user.target supervisor",
    ):
        tools(*words.split())
        assert words == tools.done[-1]
