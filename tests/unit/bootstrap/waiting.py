"""A process that waits as one of a golden machine does in its first boot, under a root of its own."""

from __future__ import annotations

import json
import os
import pwd
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from bootstrap import assets

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

    def __init__(self, root: Path, program: str = SAYS, *, python: str = sys.executable) -> None:
        self.root, self.work, self.python = root, root / "work", python
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
        command = " ".join([self.python, *(f"'{word}'" for word in (*self.words, *more))])
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
            [self.python, str(PROGRAM), *self.words],
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
