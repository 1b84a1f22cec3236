"""The wheel: made without a network, installed into an environment of its own, at work far from any checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.tidy.repository import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

ANSWERS = (
    "--fleet", "shop", "--queue", "images", "--app", "shop.tasks:app", "--username", "autoscaler",
    "--management-url", "http://rabbit.example:15672", "--amqp-url", "amqp://rabbit.example:5672",
)  # fmt: skip
PARTS = ("autoscaler", "providers", "policies", "bootstrap", "pyproject.toml", "README.md", "LICENSE")


def _run(*command: str | Path, cwd: Path, code: int = 0, **environment: str) -> str:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert code == done.returncode, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From a copy of the sources: a build in the tree would take up what former builds left there."""
    folder = tmp_path_factory.mktemp("wheel")
    (folder / "source").mkdir()
    for part in PARTS:
        _run("cp", "-R", ROOT / part, folder / "source", cwd=folder)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "wheel")
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, folder / "source")
    _run(*pip, *options, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, in an environment that has the wheel itself, and what it needs by way of the tests'."""
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--python", place / "bin" / "python", "--disable-pip-version-check")
    _run(*pip, "--quiet", "install", "--no-deps", "--no-index", wheel, cwd=place)
    (own,) = place.glob("lib/python*/site-packages")
    others = next(path for path in sys.path if path.endswith("site-packages"))
    (own / "others.pth").write_text(f"{others}\n")
    where = _run(place / "bin" / "python", "-c", "import autoscaler; print(autoscaler.__file__)", cwd=place)
    assert where.startswith(str(own))
    return place / "bin" / "autoscaler"


def test_everything_that_is_read_at_run_time_is_in_the_wheel(wheel: Path) -> None:
    """Every file of the packages that git knows, code and data alike, and nothing else."""
    tracked = subprocess.run(
        ["git", "ls-files", "autoscaler", "providers", "policies", "bootstrap"],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=True,
    ).stdout.split()  # fmt: skip
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert set() == set(tracked) - held
    assert set() == {name for name in held - set(tracked) if not (ROOT / name).exists()}


def test_it_says_which_release_it_is(installed: Path, tmp_path: Path) -> None:
    """By its own metadata."""
    assert _run(installed, "--version", cwd=tmp_path).startswith("autoscaler ")


def test_a_configuration_is_written_and_checked_far_from_any_checkout(
    installed: Path, tmp_path: Path
) -> None:
    """What `init` writes from is in the wheel, as are schema, migrations and assets."""
    config = tmp_path / "config.toml"
    _run(installed, "init", config, *ANSWERS, "--provider", "local", cwd=tmp_path)
    said = _run(installed, "check", "--config", config, cwd=tmp_path, RABBITMQ_PASSWORD="hush")

    assert "is fine" in said
    _run(installed, "check", "--config", config, cwd=tmp_path, code=78)


def test_a_journal_is_made_by_the_migrations_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    """They are data to setuptools, and easily forgotten."""
    program = f"from autoscaler.journal import open_journal; open_journal('sqlite:///{tmp_path}/journal.db').close()"
    _run(installed.parent / "python", "-c", program, cwd=tmp_path)

    assert (tmp_path / "journal.db").stat().st_size > 10_000


def test_user_data_is_rendered_from_the_assets_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    """The program for machines is packed from files that are nobody's modules."""
    config = tmp_path / "config.toml"
    _run(installed, "init", config, *ANSWERS, cwd=tmp_path)
    secrets = dict.fromkeys(("RABBITMQ_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "hush")
    text = config.read_text()
    pool = text.partition("\n[pools.")[2].partition("]")[0]
    said = _run(installed, "cloud-init", pool, "--config", config, cwd=tmp_path, **secrets)

    assert said.startswith("#cloud-config")
    assert "hush" not in said
