"""Every block of code is of a language that some test here reads by what it is for."""

from __future__ import annotations

import ast
import configparser
import json
import subprocess

import pytest
import yaml

from testbed.postgresql import PROGRAMS, PrivatePostgreSQL
from tests.docs import pages
from tests.docs.pages import Block

READ_BY = {
    "console": "test_what_is_typed_is_shell, and its commands by test_commands.py",
    "sh": "test_what_is_typed_is_shell, and its commands by test_commands.py",
    "toml": "test_configurations.py",
    "json": "test_json_parses",
    "yaml": "test_yaml_parses",
    "ini": "test_ini_parses",
    "python": "test_python_parses",
    "sql": "test_sql_is_taken_by_its_server",
    "mermaid": "tests/tidy/test_lifecycle_page.py: it is made from the table of the life cycle",
    "text": "nobody: drawings, and what programs print",
}
ALL = [block for page in pages.all_pages() for block in pages.blocks(page)]
SCRIPTS = list(pages.scripts())


def _of(language: str) -> list[Block]:
    return [block for block in ALL if block.language == language]


def test_every_block_is_of_a_known_language() -> None:
    """Another one would be read by nobody."""
    assert [] == [f"{block}: {block.language!r}" for block in ALL if block.language not in READ_BY]


def test_there_is_something_to_read() -> None:
    """The tests below find the blocks."""
    assert len(SCRIPTS) > 40
    assert all(_of(language) for language in READ_BY)


@pytest.mark.parametrize(("block", "script"), SCRIPTS, ids=[str(block) for block, _ in SCRIPTS])
def test_what_is_typed_is_shell(block: Block, script: str) -> None:
    """And a block with prompts has at least one."""
    read = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, timeout=30, check=False
    )

    assert script.strip()
    assert (0, "") == (read.returncode, read.stderr)


@pytest.mark.parametrize("block", _of("json"), ids=str)
def test_json_parses(block: Block) -> None:
    """As JSON."""
    assert json.loads(block.text)


@pytest.mark.parametrize("block", _of("yaml"), ids=str)
def test_yaml_parses(block: Block) -> None:
    """As YAML."""
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", _of("ini"), ids=str)
def test_ini_parses(block: Block) -> None:
    """As `name = value`, with sections or without."""
    parser = configparser.RawConfigParser(strict=True)
    headed = block.text if block.text.lstrip().startswith("[") else "[all]\n" + block.text
    parser.read_string(headed)

    assert all(value for section in parser.sections() for value in parser[section].values())


@pytest.mark.parametrize("block", _of("python"), ids=str)
def test_python_parses(block: Block) -> None:
    """As Python."""
    assert ast.parse(block.text).body


@pytest.mark.skipif(not PROGRAMS.is_dir(), reason="PostgreSQL is not installed: apt-get install postgresql")
@pytest.mark.parametrize("block", _of("sql"), ids=str)
def test_sql_is_taken_by_its_server(block: Block) -> None:
    """By a private PostgreSQL, which has a user of that name already."""
    statements = block.text.replace("autoscaler", "somebody").split(";")

    with PrivatePostgreSQL() as server, server._connect() as connection:
        for statement in filter(str.strip, statements):
            connection.execute(statement.encode())
        owner = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'somebody'"
        ).fetchone()

    assert ("somebody",) == owner
