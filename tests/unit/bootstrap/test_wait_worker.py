"""What waits while the machine boots: it becomes the very worker that `run-worker` would start, or has that started."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootstrap import assets
from testbed.waiting import wait_until

PROGRAM = Path(__file__).resolve().parents[3] / "bootstrap" / "assets" / "wait-worker"
USER = pwd.getpwuid(os.getuid())
ENVIRONMENT = {
    "PATH": "/opt/shop/bin:/usr/bin:/bin",
    "PYTHONUNBUFFERED": "1",
    "LANG": "C.UTF-8",
    "AUTOSCALER_NODE": "shop-images-7k2f",
    "CELERY_BROKER_URL": "amqp://worker:wacht'woord@broker.example/%2F",
    "SHOP_KEY": "first\nsecond = 'third'",
}
# Says all that a program can see of how it was started, and whether Celery was there before it.
SAYS = """\
import json, os, sys
loaded = "celery.apps.worker" in sys.modules
print(json.dumps({
    "loaded": loaded, "name": __name__, "argv": sys.argv, "path": sys.path[1:], "environ": dict(os.environ),
    "directory": os.getcwd(), "ids": [os.getresuid(), os.getresgid(), sorted(os.getgroups())],
    "own": os.stat("/proc/self/environ").st_uid, "pid": os.getpid(),
}))
"""

# One task, sent by the worker itself; its broker is a folder.
SHOP = """\
import os, celery
folders = dict.fromkeys(["data_folder_in", "data_folder_out", "control_folder"], {folder!r})
app = celery.Celery("shop", broker="filesystem://", broker_transport_options=folders)

@app.task
def done():
    with open({folder!r} + "/done", "w") as file:
        file.write(os.environ["SHOP_KEY"])

@celery.signals.worker_ready.connect
def ready(**_):
    done.apply_async()
"""


class Waiting:
    """A process that waits, as supervisord would have started it."""

    def __init__(self, root: Path, program: str = SAYS) -> None:
        self.root, self.work = root, root / "work"
        self.lib = root / "usr/local/lib/autoscaler"
        self.go = root / "run/autoscaler-early/go"
        for folder in (self.work, self.lib, self.go.parent, root / "etc"):
            folder.mkdir(parents=True)
        self.words = [
            str(root / "run-celery"),
            "--app=shop:app",
            "worker",
            "--hostname=celery@shop-images-7k2f",
        ]
        (root / "run-celery").write_text(program)
        self.environ(ENVIRONMENT)
        self.run_worker()
        os.mkfifo(self.go)
        self.process: subprocess.Popen[str] | None = None

    def environ(self, variables: dict[str, str]) -> None:
        """The file that a machine's worker has its variables from."""
        lines = (f"{name}={shlex.quote(value)}\n" for name, value in variables.items())
        (self.root / "etc/worker.env").write_text("".join(lines))

    def run_worker(self, *more: str) -> None:
        """The program as user data brings it, for a place of its own."""
        command = " ".join([sys.executable, *(f"'{word}'" for word in (*self.words, *more))])
        text = assets.fill(
            "run-worker", USER=USER.pw_name, DIRECTORY=str(self.work), COMMAND=command, DRAINED=""
        )
        stand_in = self.root / "bin"
        stand_in.mkdir(exist_ok=True)
        (stand_in / "ip").write_text(
            f'#!/bin/sh\n[ "$*" != rule ] || echo "uidrange {USER.pw_uid}-{USER.pw_uid} "\n'
        )
        (stand_in / "ip").chmod(0o755)
        text = text.replace("set -eu\n", f"set -eu\nPATH={stand_in}:$PATH\n")
        (self.lib / "run-worker").write_text(text.replace("/etc/autoscaler/", f"{self.root}/etc/"))

    def begin(self, **variables: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *self.words],
            env={"AUTOSCALER_ROOT": str(self.root), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
            | {"PATH": "/usr/bin:/bin"}
            | variables,
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def say_the_word(self) -> None:
        """As the tool does it: nobody who comes later waits."""
        word = os.open(self.go, os.O_RDWR)
        self.go.unlink()
        os.write(word, b"\n")
        os.close(word)

    def end(self) -> tuple[dict[str, Any], str]:
        assert self.process is not None
        said, trouble = self.process.communicate(timeout=60)
        assert 0 == self.process.returncode, trouble
        return json.loads(said), trouble

    def close(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[Waiting]:
    found = Waiting(tmp_path)
    yield found
    found.close()


def its_own(waiting: Waiting) -> dict[str, Any]:
    """What the program sees where `run-worker` starts it, as ever."""
    done = subprocess.run(
        ["/bin/sh", str(waiting.lib / "run-worker")],
        env={"AUTOSCALER_ROOT": str(waiting.root), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        | {"PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_it_becomes_the_worker_that_would_have_been_started(waiting: Waiting) -> None:
    """Same words, variables, directory, user and groups, in the process that waited."""
    waiting.begin()
    waiting.say_the_word()
    said, trouble = waiting.end()

    assert "" == trouble
    assert waiting.process is not None
    assert waiting.process.pid == said.pop("pid")
    assert said.pop("loaded")
    assert "__main__" == said["name"]
    assert said["argv"] == waiting.words
    assert ENVIRONMENT.items() <= said["environ"].items()
    assert str(waiting.work) == said["directory"]
    if os.getuid() == 0:  # setpriv gives root alone another user
        ever = its_own(waiting)
        assert not ever.pop("loaded")
        ever.pop("pid")
        assert ever == said


def test_it_waits_for_the_word_and_goes_when_it_is_told_to(waiting: Waiting) -> None:
    """A machine that fails before its worker starts ends with what waits there."""
    waiting.begin()
    assert waiting.process is not None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.process.wait(1.5)
    waiting.process.terminate()

    assert -signal.SIGTERM == waiting.process.wait(10)


def test_a_word_that_came_before_is_not_waited_for(waiting: Waiting) -> None:
    """The keeper may be slower than all the rest."""
    waiting.go.unlink()
    waiting.begin()

    assert waiting.end()[0]["loaded"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user: run-worker itself needs it")
@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"variables": {"LANG": "nl_NL.UTF-8"}}, "another language"),
        ({"variables": {"PYTHONUNBUFFERED": ""}}, "a buffer"),
        ({"variables": {"PYTHONHASHSEED": "1"}}, "PYTHONHASHSEED counts from the start"),
        ({"variables": {"PYTHONPATH": "/srv/own"}}, "PYTHONPATH comes before"),
        ({"variables": {"C_FORCE_ROOT": "1"}}, "C_FORCE_ROOT counts"),
        ({"variables": {"CELERY_CUSTOM_WORKER_POOL": "x:Y"}}, "CELERY_CUSTOM_WORKER_POOL counts"),
        ({"variables": {"KOMBU_LOG_DEBUG": "1"}}, "KOMBU_LOG_DEBUG counts"),
        ({"variables": {"LD_PRELOAD": ""}}, "LD_PRELOAD counts"),
        ({"variables": {"TZ": "Europe/Amsterdam"}}, "TZ counts"),
        ({"shadow": "kombu.py"}, "has its own kombu"),
        ({"shadow": "click"}, "has its own click"),
        ({"words": "--loglevel=DEBUG"}, "other words"),
        ({"keeper": {"PYTHONPATH": "/srv/own"}}, "of the keeper's"),
        ({"text": "exec env X=1 "}, "nothing is known"),
    ],
    ids=str,
)
def test_where_it_would_make_a_difference_the_worker_is_started_as_ever(
    waiting: Waiting, case: dict[str, Any], reason: str
) -> None:
    """In doubt: nothing that was loaded here is used, and the reason stands in the worker's log."""
    waiting.environ(ENVIRONMENT | case.get("variables", {}))
    if "shadow" in case:
        (waiting.work / case["shadow"]).mkdir()
    if "words" in case:
        waiting.run_worker(case["words"])
    if "text" in case:
        path = waiting.lib / "run-worker"
        path.write_text(path.read_text().replace('\nexec "$@"', f'\n{case["text"]}"$@"'))
    waiting.begin(**case.get("keeper", {}))
    waiting.say_the_word()
    said, trouble = waiting.end()

    assert reason in trouble
    assert not said["loaded"]
    assert (ENVIRONMENT | case.get("variables", {})).items() <= said["environ"].items()
    assert waiting.process is not None
    assert waiting.process.pid == said["pid"]


def test_real_celery_works_and_ends_in_order(tmp_path: Path) -> None:
    """Its pool's children are forked from what waited, and do a task; TERM ends it with 0 as ever."""
    real = (PROGRAM.parent / "run-celery").read_text()
    waiting = Waiting(tmp_path, real.replace("/run/autoscaler/drained", f"{tmp_path}/drained"))
    (waiting.work / "shop.py").write_text(SHOP.format(folder=str(tmp_path)))
    waiting.words += ["--concurrency=1", "--without-mingle", "--without-gossip", "--pool=prefork"]
    waiting.run_worker()
    variables = {name: value for name, value in ENVIRONMENT.items() if name != "CELERY_BROKER_URL"}
    waiting.environ(variables)
    waiting.begin()
    try:
        waiting.say_the_word()
        wait_until((tmp_path / "done").exists, 40, "a task to be done")
        assert waiting.process is not None
        waiting.process.terminate()
        _, trouble = waiting.process.communicate(timeout=30)

        assert "started anew" not in trouble
        assert 0 == waiting.process.returncode
        assert ENVIRONMENT["SHOP_KEY"] == (tmp_path / "done").read_text()
    finally:
        waiting.close()
