"""What the commands say of themselves, what the pages say, and what is shipped beside them are one."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from autoscaler.cli import app, commands_page
from tests.tidy.repository import ROOT

DEPLOY = ROOT / "deploy"


def test_the_page_of_commands_is_what_help_says() -> None:
    """Renew it with `make pages`."""
    expected = commands_page.render()

    assert expected == (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def test_every_command_and_option_says_what_it_is_for() -> None:
    """`--help` is the first documentation anybody reads."""
    group = typer.main.get_command(app.app)
    commands = {"autoscaler": group, **group.commands}  # type: ignore[attr-defined] # Typer types its group as a command

    silent = [name for name, command in commands.items() if not command.help]
    silent += [
        f"{name} {parameter.name}"
        for name, command in commands.items()
        for parameter in command.params
        if not getattr(parameter, "help", "")
    ]

    assert [] == silent


def test_the_configuration_that_init_starts_from_is_the_example() -> None:
    """Renew it with `make pages`."""
    expected = (ROOT / "config.example.toml").read_text(encoding="utf-8")

    assert expected == (ROOT / "autoscaler" / "cli" / "starter.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["autoscaler.service", "supervisor.conf"])
def test_the_files_that_init_writes_for_supervisors_are_those_of_deploy(name: str) -> None:
    """Renew them with `make pages`."""
    expected = (DEPLOY / name).read_text(encoding="utf-8")

    assert expected == (ROOT / "autoscaler" / "cli" / name).read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_the_service_file_is_one_that_systemd_takes(tmp_path: Path) -> None:
    """With a program that is there in place of the installed one."""
    text = (DEPLOY / "autoscaler.service").read_text(encoding="utf-8")
    unit = tmp_path / "autoscaler.service"
    unit.write_text(re.sub(r"^(Exec\w+)=\S+", r"\1=/bin/true", text, flags=re.MULTILINE))

    done = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_both_supervisors_leave_a_daemon_down_that_a_restart_cannot_mend() -> None:
    """78 is somebody's to mend; everything else is tried again, 75 too: of a pair, who starts again stands by."""
    service = configparser.ConfigParser(strict=False, interpolation=None)
    service.optionxform = str  # type: ignore[assignment,method-assign] # systemd's keys have capitals
    service.read(DEPLOY / "autoscaler.service")
    program = configparser.ConfigParser(interpolation=None, comment_prefixes=";")
    program.read(DEPLOY / "supervisor.conf")

    assert "78" == service["Service"]["RestartPreventExitStatus"]
    assert "0,78" == program["program:autoscaler"]["exitcodes"]
