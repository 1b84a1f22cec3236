"""`init --systemd` and `init --supervisord`: how the daemon is run on this computer."""

from __future__ import annotations

import configparser
import getpass
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.office import Office

AUTOSCALER = Path(sys.executable).with_name("autoscaler")
NEEDS_SYSTEMD = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd is not installed here"
)
ME = getpass.getuser()
MOST_EXPOSED = 2.0


def written(office: Office, supervisor: str, *more: str) -> Path:
    """The file for this computer."""
    target = office.directory / "autoscaler.service"
    answer = office.command("init", str(target), f"--{supervisor}", "--service-user", ME, *more)
    assert 0 == answer.code, answer.err
    return target


def test_the_unit_runs_this_program_with_this_configuration(office: Office) -> None:
    """As the user that was named, and it may write where that configuration keeps the journal."""
    lines = written(office, "systemd").read_text().splitlines()

    assert f"ExecStart={AUTOSCALER} run --config {office.config}" in lines
    assert f"ExecReload={AUTOSCALER} reload --config {office.config}" in lines
    assert f"User={ME}" in lines
    assert f"EnvironmentFile=-{office.directory}/environment" in lines
    assert f"ReadWritePaths={office.directory}" in lines


def test_the_section_for_supervisord_does_too(office: Office) -> None:
    """Its files are those of configparser."""
    parser = configparser.ConfigParser(interpolation=None, inline_comment_prefixes=(";",))
    parser.read_string(written(office, "supervisord").read_text())
    section = parser["program:autoscaler"]

    assert f"{AUTOSCALER} run --config {office.config}" == section["command"]
    assert (ME, str(office.directory)) == (section["user"], section["directory"])
    assert ("unexpected", "0,78") == (section["autorestart"], section["exitcodes"])


def test_what_is_there_is_not_overwritten_unless_told_to(office: Office) -> None:
    """An operator may have changed it."""
    target = written(office, "systemd")
    target.write_text("mine")
    refused = office.command("init", str(target), "--systemd", "--service-user", ME)
    kept = target.read_text()
    written(office, "systemd", "--force")

    assert (1, "mine") == (refused.code, kept)
    assert "--force" in refused.err
    assert "ExecStart=" in target.read_text()
    assert 0o644 == stat.S_IMODE(target.stat().st_mode)


def test_it_says_what_to_do_next(office: Office) -> None:
    """Whoever reads this has a file, and no daemon yet."""
    for supervisor, next_ in {"systemd": "systemctl enable", "supervisord": "supervisorctl update"}.items():
        target = office.directory / f"{supervisor}.file"
        answer = office.command("init", str(target), f"--{supervisor}", "--service-user", ME)
        assert next_ in answer.out


def test_a_user_that_is_not_there_is_told_with_the_way_to_make_it(office: Office) -> None:
    """Of systemd one would hear no more than 217/USER."""
    target = office.directory / "new.service"
    answer = office.command("init", str(target), "--systemd", "--service-user", "no-such-user")

    assert 1 == answer.code
    assert "useradd --system" in answer.err
    assert not target.exists()


def test_a_path_that_is_more_than_one_word_is_refused(office: Office) -> None:
    """The two programs think differently of blanks, `%` and `$`."""
    odd = office.directory / "a b%n" / "config.toml"
    target = office.directory / "new.service"
    for supervisor in ("systemd", "supervisord"):
        answer = office.command("init", str(target), f"--{supervisor}", "--service-user", ME, "-c", str(odd))
        assert 1 == answer.code
        assert "cannot be written" in answer.err
        assert not target.exists()


def test_there_is_one_supervisor(office: Office) -> None:
    """Two would start two daemons, and one of them end with 75 for ever."""
    answer = office.command("init", "--systemd", "--supervisord")

    assert 2 == answer.code


@NEEDS_SYSTEMD
def test_systemd_finds_nothing_wrong_with_the_unit(office: Office) -> None:
    """Every word of it is one that this systemd knows."""
    done = subprocess.run(
        ["systemd-analyze", "verify", str(written(office, "systemd"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (0, "") == (done.returncode, done.stdout + done.stderr)


@NEEDS_SYSTEMD
def test_the_unit_leaves_little_open(office: Office) -> None:
    """By systemd's own measure, from 0 (shut) to 10."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(written(office, "systemd"))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    overall = next(line for line in done.stdout.splitlines() if "Overall exposure level" in line)

    assert float(overall.split(":")[1].split()[0]) <= MOST_EXPOSED
