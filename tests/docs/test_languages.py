"""Every block of code is of a language that some test here reads by what it is for."""

from __future__ import annotations

import ast
import configparser
import json
import re
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
    "nginx": "tests/integration/web_tier, by nginx itself",
    "js": "test_polkit_allows_what_the_configuration_asks_for",
    "mermaid": "tests/tidy/test_lifecycle_page.py: it is made from the table of the life cycle",
    "text": "nobody: drawings, and what programs print",
}
ALL = [block for page in pages.all_pages() for block in pages.blocks(page)]
EXAMPLE = (pages.ROOT / "config.example.toml").read_text()
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


def test_polkit_allows_what_the_configuration_asks_for() -> None:
    """The one command of the example, for the user that the unit has, and nothing else."""
    (rule,) = _of("js")
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.read(pages.ROOT / "deploy" / "autoscaler.service")
    (asked,) = re.findall(r'^#?reload = \["/usr/bin/systemctl", "(\w+)", "(\S+)"\]', EXAMPLE, re.MULTILINE)
    compared = dict(re.findall(r'(?:lookup\(")?(\w+)(?:"\))? == "([^"]+)"', rule.text))

    assert {"verb": asked[0], "unit": asked[1], "user": unit["Service"]["User"]} == {
        name: value for name, value in compared.items() if name != "id"
    }
    assert "org.freedesktop.systemd1.manage-units" == compared["id"]
    assert all(rule.text.count(left) == rule.text.count(right) for left, right in ("()", "{}", "[]"))


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
