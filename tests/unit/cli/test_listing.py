"""The list of commands is known without the commands, and is what they say of themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from autoscaler.cli import app
from autoscaler.cli.listing import COMMANDS

HEAVY = (
    "alembic",
    "apscheduler",
    "autoscaler.config",
    "autoscaler.journal",
    "autoscaler.wiring",
    "fastapi",
    "jinja2",
    "libcloud",
    "numpy",
    "pika",
    "prometheus_client",
    "requests",
    "sqlalchemy",
    "starlette",
    "structlog",
    "uvicorn",
    "yaml",
)
_TOLD_WHAT_WAS_IMPORTED = """
import atexit, json, sys
from autoscaler.cli import main
atexit.register(lambda: sys.stderr.write(json.dumps(sorted(sys.modules))))
main()
"""


def _group() -> Any:
    return typer.main.get_command(app.app)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_listed_with_its_own_words(name: str) -> None:
    """The first paragraph of its help, and the panel it stands in; the rest is read when it is asked for."""
    command, listed = _group().commands[name], COMMANDS[name]

    assert command.help.split("\n\n")[0].replace("\n", " ") == listed.says
    assert (name, listed.panel) == (command.name, command.rich_help_panel)
    assert not command.hidden
    assert not command.deprecated


def test_help_is_what_it_would_be_with_all_commands_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Word for word."""
    listed = CliRunner().invoke(app.app, ["--help"]).stdout
    monkeypatch.setattr(app.Commands, "get_command", lambda self, _, name: self.commands.get(name))

    assert CliRunner().invoke(app.app, ["--help"]).stdout == listed
    assert all(name in listed for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "environment", "says"),
    [
        (("--help",), {}, "Buys and gives back"),
        (("statsu",), {}, ""),
        (
            (),
            {"_AUTOSCALER_COMPLETE": "complete_bash", "COMP_WORDS": "autoscaler hi", "COMP_CWORD": "1"},
            "history\n",
        ),
    ],
    ids=["help", "a wrong word", "completion"],
)
def test_what_needs_no_command_imports_none(
    arguments: tuple[str, ...], environment: dict[str, str], says: str
) -> None:
    """A second of a processor for a page of words, or for TAB, is what nobody waits for."""
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_WHAT_WAS_IMPORTED, *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    imported = set(json.loads(done.stderr[done.stderr.rindex("[") :]))

    assert says in done.stdout
    assert set() == imported & set(HEAVY)
    assert set() == imported & {f"autoscaler.cli.{listed.module}" for listed in COMMANDS.values()}


def test_a_command_is_imported_without_the_others() -> None:
    """What one needs is no other's burden."""
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_WHAT_WAS_IMPORTED, "why", "--help"],
        capture_output=True,
        text=True,
        timeout=50,
        check=True,
    )
    imported = set(json.loads(done.stderr[done.stderr.rindex("[") :]))
    commands = {f"autoscaler.cli.{listed.module}" for listed in COMMANDS.values()}

    assert {"autoscaler.cli.reasons"} == imported & commands
