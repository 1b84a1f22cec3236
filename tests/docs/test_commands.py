"""What people are told to type exists: our commands with their options, targets of make, files of the repository."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from autoscaler.cli import app
from tests.docs import pages
from tests.docs.pages import Command

MAKEFILE = (pages.ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = frozenset(re.findall(r"^([a-z0-9-]+):", MAKEFILE, re.MULTILINE))
VARIABLES = frozenset(re.findall(r"\$\(?([A-Z_]+)\b", MAKEFILE)) | {"PYTHON"}
OURS = ("autoscaler", "bootstrap", "benchmarks", "deploy", "docs", "examples", "policies", "providers",
        "requirements", "scripts", "testbed", "tests")  # fmt: skip
STANDS_FOR_A_NUMBER = "N"
ALL = tuple(pages.commands())


def _named(name: str) -> list[Command]:
    return [command for command in ALL if command.words[0].rpartition("/")[2] == name]


def test_commands_are_found() -> None:
    """In blocks and in prose, on many pages."""
    assert len(_named("autoscaler")) > 100
    assert len(_named("make")) > 30
    assert len({command.where.partition(":")[0] for command in ALL}) > 20


@pytest.mark.parametrize("command", dict.fromkeys(_named("autoscaler")), ids=str)
def test_a_command_of_ours_is_one_that_the_program_takes(command: Command) -> None:
    """Parsed by the program's own parser: the command is there, its options are, and their values are of their kind."""
    arguments = ["2" if word == STANDS_FOR_A_NUMBER else word for word in command.words[1:]]

    refusal = _refusal(arguments)

    assert not refusal or (command.in_prose and refusal.startswith("MissingParameter")), refusal


def test_the_parser_refuses_what_is_not_there() -> None:
    """So the rule above can fail."""
    for wrong in (
        ["statuss"],
        ["status", "--wach"],
        ["hold", "images"],
        ["nodes", "a", "b"],
        ["hold", "images", "many"],
    ):
        assert _refusal(wrong)


@functools.cache
def _program() -> Any:
    return typer.main.get_command(app.app)


def _refusal(arguments: list[str]) -> str:
    """What the program's parser says against these arguments; nothing is carried out."""
    group = _program()
    try:
        with group.make_context("autoscaler", list(arguments)) as context:
            rest = [*context._protected_args, *context.args]
            if rest:
                name, command, own = group.resolve_command(context, rest)
                command.make_context(name, own, parent=context).close()
    except Exception as error:  # noqa: BLE001 # Typer brings its own copy of Click's errors
        return f"{type(error).__name__}: {getattr(error, 'message', error)}"
    return ""


@pytest.mark.parametrize("command", dict.fromkeys(_named("make")), ids=str)
def test_a_target_of_make_is_there(command: Command) -> None:
    """And the Makefile reads the variables that it is given."""
    given = [word.partition("=")[0] for word in command.words[1:] if "=" in word]
    targets = [word for word in command.words[1:] if "=" not in word and not word.startswith("-")]

    assert targets
    assert set() == set(targets) - TARGETS
    assert set() == set(given) - VARIABLES


def test_a_file_of_the_repository_is_there() -> None:
    """Whatever begins with one of its directories; `build/` is made, and other paths are the reader's machines'."""
    missing = [
        f"{command.where}: {path}"
        for command in ALL
        for path in _paths(command)
        if not any(pages.ROOT.glob(path.partition("::")[0].rstrip("/")))
    ]

    assert [] == missing
    assert len([path for command in ALL for path in _paths(command)]) > 15


def _paths(command: Command) -> list[str]:
    first = command.words[0]
    beside = Path(pages.ROOT, command.directory)
    here = [
        (Path(command.directory) / word).as_posix()
        for word in command.words
        if re.fullmatch(r"[\w-]+\.py", word) and (beside / "fill.py").is_file()
    ]
    return here + [
        word.removeprefix("./")
        for word in command.words
        if word.removeprefix("./").split("/")[0] in OURS and "/" in word and not first.startswith("/")
    ]


def test_programs_of_the_virtual_environment_are_there() -> None:
    """Those that pages call by `.venv/bin/`."""
    called = {command.words[0] for command in ALL if command.words[0].startswith(".venv/bin/")}

    assert called
    assert [] == [program for program in called if not (pages.ROOT / program).exists()]


def test_modules_that_are_run_are_there() -> None:
    """`python -m NAME` of ours."""
    run = {
        command.words[command.words.index("-m") + 1]
        for command in ALL
        if "-m" in command.words[:-1] and "python" in command.words[0]
    }
    ours = {name for name in run if name.partition(".")[0] in OURS}

    assert ours
    for name in ours:
        path = pages.ROOT.joinpath(*name.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), name
