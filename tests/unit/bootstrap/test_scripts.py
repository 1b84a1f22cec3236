"""The programs a machine is given, run with stand-ins for what a machine would have."""

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


@pytest.mark.parametrize("source", specs.SOURCES)
def test_every_program_is_valid_shell(source: str, tmp_path: Path) -> None:
    """Both the system's shell and bash can read what we wrote."""
    machine = specs.Machine(tmp_path, specs.a_spec(application=specs.SOURCES[source]))
    programs = machine.program("run-worker").parent.iterdir()
    for program in (each for each in programs if each.read_text().startswith("#!/bin/sh")):
        for shell in ("sh", "bash"):
            subprocess.run([shell, "-n", program], check=True, timeout=30)


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

    assert (0, "") == (done.returncode, done.stderr)
    assert argv[0] == "--reuid=nobody"
    assert argv[1].removeprefix("--regid=").isdigit()
    assert argv[2:] == [
        "--init-groups",
        "--",
        "/srv/app's/python",
        "-m",
        "celery",
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


def test_an_application_is_installed_from_files_only_root_can_read(tmp_path: Path) -> None:
    """Pip and git read what they need from files; their command lines name those files and nothing else."""
    application = replace(
        specs.GIT,
        reference="https://me:geheim@git.example/shop/tasks.git",
        index_url="https://pypi.example/simple",
        python="python-for-venv",
    )
    machine = specs.Machine(tmp_path, specs.a_spec(application=application))
    pip = tmp_path / "opt/autoscaler/venv/bin/python"
    machine.stand_in("python-for-venv")
    machine.stand_in("pip", at=pip)

    done = _run(machine, "install-application")

    assert (0, "") == (done.returncode, done.stderr)
    assert ["-m", "venv", f"{tmp_path}/opt/autoscaler/venv"] == machine.argv_of("python-for-venv")
    assert machine.argv_of("pip") == [
        "-m", "pip", "install", "--requirement", f"{tmp_path}/etc/autoscaler/requirements.txt"
    ]  # fmt: skip
    environ = machine.environ_of("pip")
    assert Path(environ["PIP_CONFIG_FILE"]).read_text().startswith("[global]\n")
    assert "geheim" not in "".join(environ.values())


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


def _a_machine_with_supervisord(root: Path) -> specs.Machine:
    machine = specs.Machine(root, specs.a_spec(user="nobody"))
    for name in ("supervisorctl", "systemctl"):
        machine.stand_in(name)
    # Giving a directory to another user is root's to do; everything else `install` does is really done.
    owner = '[ "$4" = -o ] && { shift 7; set -- -d "$@"; }\n'
    machine.stand_in("install", f'{owner}exec /usr/bin/install "$@"')
    machine.stand_in("sleep")
    return machine


def test_the_worker_is_shown_to_supervisord_only_when_it_is_installed(tmp_path: Path) -> None:
    """Its program file appears after the application: supervisord never starts what is not there yet."""
    machine = _a_machine_with_supervisord(tmp_path)
    conf = tmp_path / "etc/supervisor/conf.d/celery-worker.conf"
    machine.stand_in("install-application", f"test ! -e {conf}", at=machine.program("install-application"))

    done = _run(machine, "become-worker")

    assert (0, "") == (done.returncode, done.stderr)
    assert ["update"] == machine.argv_of("supervisorctl")
    assert "[program:shop-images-7k2f]" in conf.read_text()
    assert (tmp_path / "var/lib/autoscaler").is_dir()


def test_an_installation_is_tried_again_before_it_is_given_up(tmp_path: Path) -> None:
    """A mirror that fails four times costs time; five times, and the machine says so and shows supervisord nothing."""
    machine = _a_machine_with_supervisord(tmp_path)
    count = tmp_path / "count"
    machine.stand_in(
        "install-application", f"echo x >>{count}; exit 7", at=machine.program("install-application")
    )

    done = _run(machine, "become-worker")

    assert done.returncode != 0
    assert "gave up after 5 attempts" in done.stderr
    assert 5 == len(count.read_text().splitlines())
    assert not (tmp_path / "etc/supervisor/conf.d").exists()


def test_a_machine_without_supervisord_says_so(tmp_path: Path) -> None:
    """The missing package is named, instead of a command that was not found."""
    machine = specs.Machine(tmp_path, specs.a_spec())
    for name in ("getent", "id"):
        machine.stand_in(name)
    done = subprocess.run(
        [machine.program("become-worker")],
        env={"PATH": str(machine.bin)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert 1 == done.returncode
    assert "the package 'supervisor' was not installed" in done.stderr
