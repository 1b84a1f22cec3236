"""Packages and the application on a machine: what is missing, tried again, by files that only root can read."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.contract import WorkerSpec
from tests.unit.bootstrap import on_machine, specs

THERE = "supervisor supervisor=4.2.5-1 install ok installed\ncurl curl=7.88.1-10 install ok installed\n"
Play = Callable[..., Any]


class Stage:
    """A machine with stand-ins, on which the program's own functions are called."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch, spec: WorkerSpec) -> None:
        self.machine = specs.Machine(root, spec)
        self.machine.stand_in("dpkg-query", f"printf '%s' '{THERE}'")
        for name in ("apt-get", "dpkg"):
            self.machine.stand_in(name)
        patch.setenv("PATH", self.machine.environ()["PATH"])
        self.pauses: list[float] = []

    def play(self, act: Callable[[SimpleNamespace, Any], str]) -> str:
        """What `act` says, given the modules and the settings; pauses take no time."""
        with on_machine.loaded(self.machine.root) as here, pytest.MonkeyPatch.context() as patch:
            clock = SimpleNamespace(sleep=self.pauses.append, monotonic=time.monotonic)
            patch.setattr(here.installing, "time", clock)
            try:
                return act(here, here.machine.Settings())
            except here.machine.Failed as error:
                return f"FAILED {error}"

    def was_called(self, name: str) -> bool:
        """Whether that stand-in was."""
        return (self.machine.root / "calls" / f"{name}.argv").exists()


def _packages(here: SimpleNamespace, settings: Any) -> str:
    return str(here.installing.packages(settings))


def _application(here: SimpleNamespace, settings: Any) -> str:
    return str(here.installing.application(settings))


def test_only_what_is_missing_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A version that was asked for is missing where another one is there; nobody is asked, nothing else comes along."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec())
    stage.machine.settle(packages=["supervisor", "ffmpeg", "curl=7.99", "supervisor=4.2.5-1"])

    assert "installed: ffmpeg curl=7.99" == stage.play(_packages)
    assert ["--no-install-recommends", "install", "ffmpeg", "curl=7.99"] == stage.machine.argv_of("apt-get")[
        -4:
    ]
    assert "noninteractive" == stage.machine.environ_of("apt-get")["DEBIAN_FRONTEND"]


@pytest.mark.parametrize("packages", [[], ["supervisor", "curl=7.88.1-10"]])
def test_where_nothing_is_missing_no_list_is_fetched(
    packages: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A golden image loses no second to its mirror."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec())
    stage.machine.settle(packages=packages)

    assert "installed: nothing was missing" == stage.play(_packages)
    assert not stage.was_called("apt-get")


def test_a_mirror_that_fails_is_asked_again_before_it_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five times, with growing pauses; then the phase says which program failed and how."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec())
    count = tmp_path / "count"
    stage.machine.stand_in("apt-get", f"echo x >>{count}; exit 100")
    said = stage.play(_packages)

    assert said.startswith("FAILED apt-get -qq")
    assert said.endswith("exit code 100, attempt 5")
    assert (5, [3, 6, 9, 12]) == (len(count.read_text().splitlines()), stage.pauses)


VERSIONS = "ERROR: Could not find a version that satisfies the requirement shop==9 (from versions: {})"
NO_MATCH = "ERROR: No matching distribution found for shop==9"
RETRIED = "WARNING: Retrying (Retry(total=0)) after connection broken by 'refused': /simple/shop/"


@pytest.mark.parametrize(
    ("pip_says", "attempts"),
    [
        ([VERSIONS.format("1.0, 1.1"), NO_MATCH], 2),
        (["Looking in indexes: http://a/simple", VERSIONS.format("1.0"), NO_MATCH], 2),
        ([VERSIONS.format("none"), NO_MATCH], 5),
        ([RETRIED, VERSIONS.format("1.0"), NO_MATCH], 5),
        (["Looking in indexes: http://a/simple, http://b/simple", VERSIONS.format("1.0"), NO_MATCH], 5),
        (["Looking in links: /srv/wheels", VERSIONS.format("1.0"), NO_MATCH], 5),
        (["ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."], 5),
    ],
)
def test_a_version_that_an_index_does_not_have_is_asked_for_twice(
    pip_says: list[str], attempts: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only where the one place that was asked told which versions it has: whoever is away or busy has none to tell, and
    pip says the same last words of it."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec())
    count = tmp_path / "count"
    said = "; ".join(f"echo {shlex.quote(line)}" for line in pip_says)
    _with_pip(stage, tmp_path, f"echo x >>{count}; {said}; exit 1")
    told = stage.play(_application)

    assert f"exit code 1: {pip_says[-1]}, attempt {attempts}" in told
    assert attempts == len(count.read_text().splitlines())


def test_a_busy_index_that_says_no_once_is_asked_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second no must be one as well."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec())
    count, no = tmp_path / "count", shlex.quote(VERSIONS.format("1.0"))
    _with_pip(stage, tmp_path, f"echo x >>{count}; [ $(wc -l <{count}) != 1 ] || echo {no}; exit 1")

    assert stage.play(_application).endswith("exit code 1, attempt 5")


def test_an_operators_commands_run_before_packages_and_fail_the_phase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first line that fails ends them, and nothing is installed on a machine that is not as it was meant."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec())
    stage.machine.settle(
        commands_before=[f"echo one >>{tmp_path}/done", f"false\necho two >>{tmp_path}/done"]
    )

    assert stage.play(_packages).startswith("FAILED /bin/sh -eu: exit code 1")
    assert "one\n" == (tmp_path / "done").read_text()
    assert not stage.was_called("apt-get")


def _with_pip(stage: Stage, root: Path, body: str = "exit 0") -> None:
    """A `python3 -m venv` that makes an environment whose Python is a stand-in."""
    venv = root / "opt/autoscaler/venv/bin"
    stage.machine.stand_in("pip", body, at=root / "made/python")
    made = f"mkdir -p {venv}; cp --remove-destination {root}/made/python {venv}/python; touch {venv}/pip"
    stage.machine.stand_in("python3", made)


def test_an_application_is_installed_from_files_only_root_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pip and git read what they need from files; their command lines name those files and nothing else."""
    application = replace(
        specs.GIT, reference="https://me:geheim@git.example/shop/tasks.git", revision="a" * 40
    )
    stage = Stage(tmp_path, monkeypatch, specs.a_spec(application=application))
    _with_pip(stage, tmp_path)

    assert "installed" == stage.play(_application)
    assert ["-m", "venv", f"{tmp_path}/opt/autoscaler/venv/"] == stage.machine.argv_of("python3")
    assert stage.machine.argv_of("pip") == [
        "-m",
        "pip",
        "install",
        "-r",
        f"{tmp_path}/etc/autoscaler/requirements.txt",
    ]
    environ = stage.machine.environ_of("pip")
    assert Path(environ["PIP_CONFIG_FILE"]).read_text().startswith("[global]\n")
    assert (Path(environ["XDG_CONFIG_HOME"]) / "git/credentials").exists()
    assert "geheim" not in "".join(environ.values())


@pytest.mark.parametrize(
    ("revision", "expected"), [("a" * 40, "in the image"), ("main", "installed"), ("v1.4", "installed")]
)
def test_an_image_with_the_same_requirements_is_left_as_it_is(
    revision: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second machine of the same definition installs nothing; a branch or a tag may mean something else by now."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec(application=replace(specs.GIT, revision=revision)))
    _with_pip(stage, tmp_path)

    assert ["installed", expected] == [stage.play(_application) for _ in range(2)]
    (tmp_path / "etc/autoscaler/requirements.txt").write_text("other\n")
    assert "installed" == stage.play(_application)


def test_half_an_environment_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whose pip did not come is none."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec())
    half = tmp_path / "opt/autoscaler/venv/bin"
    half.mkdir(parents=True)
    (half / "python").touch()
    _with_pip(stage, tmp_path)

    assert "installed" == stage.play(_application)
    assert stage.was_called("python3")


def test_commands_after_the_application_run_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing is installed."""
    stage = Stage(tmp_path, monkeypatch, specs.a_spec(application=specs.IMAGE))
    stage.machine.settle(commands_after=[f"echo two >>{tmp_path}/done"])

    assert "in the image" == stage.play(_application)
    assert "two\n" == (tmp_path / "done").read_text()
    assert "image" == json.loads((tmp_path / "etc/autoscaler/machine.json").read_text())["source"]
