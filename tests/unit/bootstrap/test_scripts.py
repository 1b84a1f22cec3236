"""What starts the worker on a machine, run with stand-ins for what a machine would have."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.contract import Application, ApplicationSource
from tests.unit.bootstrap import specs

HOSTILE = {
    "QUOTES": 'it\'s "quoted"',
    "SHELL": "$(touch /nonexistent) `id` ${HOME} \\ ; exit 3",
    "LINES": "first\nsecond\n",
    "SUPERVISOR": "%(ENV_HOME)s 100%",
    "UNICODE": "smørbrød 🐝 \u2028",
    "CARRIAGE": "a\r\nb",
    "EMPTY": "",
    "user": "root",
    "group": "0",
}


def _run(machine: specs.Machine, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [machine.program(name)],
        env=machine.environ(),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_what_starts_the_worker_is_valid_shell(shell: str, tmp_path: Path) -> None:
    """Both the system's shell and bash can read what we wrote."""
    machine = specs.Machine(tmp_path, specs.a_spec())
    subprocess.run([shell, "-n", machine.program("run-worker")], check=True, timeout=30)


def test_the_worker_starts_with_its_environment_and_without_secrets_in_its_command(tmp_path: Path) -> None:
    """Every value arrives as it was given, none shows in a command line, and none changes how the worker starts."""
    spec = specs.a_spec(
        user="nobody",
        application=Application(
            source=ApplicationSource.IMAGE, python="/srv/app's/python", directory=str(tmp_path)
        ),
        environment=HOSTILE,
        prefetch_multiplier=1,
        worker_args=("--logfile", "it's $(here)"),
    )
    machine = specs.Machine(tmp_path / "machine", spec)
    machine.stand_in("setpriv")

    done = _run(machine, "run-worker")
    argv = machine.argv_of("setpriv")

    assert (0, "") == (done.returncode, done.stdout)
    assert argv[0] == "--reuid=nobody"
    assert argv[1].removeprefix("--regid=").isdigit()
    assert argv[2:] == [
        "--init-groups",
        "--",
        "/srv/app's/python",
        str(machine.program("python/run-celery")),
        "--app=shop.celery:app",
        "worker",
        "--hostname=celery@shop-images-7k2f",
        "--queues=images,thumbs",
        "--concurrency=4",
        "--prefetch-multiplier=1",
        "--loglevel=INFO",
        "--without-gossip",
        "--logfile",
        "it's $(here)",
    ]
    expected = {**HOSTILE, "CELERY_BROKER_URL": spec.broker_url, "USER": "nobody", "PYTHONUNBUFFERED": "1"}
    assert expected.items() <= machine.environ_of("setpriv").items()


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A directory that another user may enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give root up")
@pytest.mark.skipif(not Path("/usr/bin/setpriv").exists(), reason="no setpriv on this system")
def test_the_worker_runs_as_its_user_and_cannot_read_the_secrets_file(open_root: Path) -> None:
    """With the real setpriv: another user, no group of root's, and the file with the secrets stays shut."""
    python = open_root / "python"
    python.write_text('#!/bin/sh\nid -un; id -G; cat "$SECRETS" && echo leaked; echo "$TOKEN"\n')
    python.chmod(0o755)
    spec = specs.a_spec(
        user="nobody",
        application=Application(source=ApplicationSource.IMAGE, python=str(python), directory="/"),
        environment={"TOKEN": "sesame", "SECRETS": f"{open_root}/machine/etc/autoscaler/worker.env"},
    )
    machine = specs.Machine(open_root / "machine", spec)
    (machine.bin / "setpriv").symlink_to("/usr/bin/setpriv")

    done = _run(machine, "run-worker")
    user, groups, token = done.stdout.splitlines()

    assert ("nobody", "sesame") == (user, token)
    assert "0" not in groups.split()


@pytest.mark.skipif(shutil.which("git") is None, reason="no git on this system")
@pytest.mark.parametrize(
    ("credentials", "expected"),
    [("me:p%40ss", {"username=me", "password=p@ss"}), ("a-token", {"username=a-token", "password="})],
)
def test_git_finds_the_credentials_of_its_host_and_of_no_other(
    credentials: str, expected: set[str], tmp_path: Path
) -> None:
    """Asked as git asks itself: the real git answers from our files, for this host alone."""
    application = replace(specs.GIT, reference=f"https://{credentials}@git.example/shop/tasks.git")
    specs.Machine(tmp_path, specs.a_spec(application=application))
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "etc/autoscaler"),
        "GIT_TERMINAL_PROMPT": "0",
    }

    def asked(host: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", "credential", "fill"],
            input=f"protocol=https\nhost={host}\n\n",
            env=environ,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert expected <= set(asked("git.example").stdout.splitlines())
    assert asked("other.example").returncode != 0
