"""The pure rooms stay pure: what thinks takes values and gives values, and can be replayed.

import-linter holds who may import whom among ourselves. This holds what the pure rooms may take from the standard
library and from others: no clock, no dice, no files, no network, no threads, no log.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tidy import repository

# Everything of the standard library that the pure rooms have a use for. A list of what is allowed, because a list of
# what is forbidden always forgets something. `datetime` and `zoneinfo` compute with instants that came as arguments;
# reading today's is banned by ruff.
ALLOWED = {
    "__future__", "abc", "array", "ast", "base64", "bisect", "builtins", "collections", "copy", "dataclasses",
    "datetime", "decimal", "enum", "fnmatch", "fractions", "functools", "gzip", "hashlib", "heapq", "importlib", "io",
    "ipaddress", "itertools", "json", "keyword", "lzma", "math", "operator", "pathlib", "re", "shlex", "statistics",
    "string", "textwrap", "tokenize", "types", "typing", "unicodedata", "urllib", "zlib", "zoneinfo",
}  # fmt: skip
# The same names, where one of their modules does reach outside.
REACHING_OUT = {"urllib.request", "urllib.robotparser"}
# What a room may take from others, with the reason.
FROM_OTHERS = {"bootstrap": {"yaml"}}  # cloud-config is YAML; rendering it is pure

# Text to this program: what machines run, which nothing here imports.
FOR_MACHINES = ("bootstrap", "assets", "enrol")

PURE = tuple(
    path
    for path in repository.modules(*repository.PACKAGES)
    if (path.parts[0] in {"policies", "bootstrap"} and path.parts[:3] != FOR_MACHINES)
    or path.parts[:2] == ("autoscaler", "core")
    or path.name == "contract.py"
)


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(repository.tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", PURE, ids=str)
def test_a_pure_room_reaches_for_nothing_outside(path: Path) -> None:
    """No clock, dice, file, socket, thread, logger or client in `core`, `policies`, `bootstrap` and the contracts."""
    allowed = ALLOWED | set(repository.PACKAGES) | FROM_OTHERS.get(path.parts[0], set())
    reached = {name for name in _imported(path) if name.split(".")[0] not in allowed or name in REACHING_OUT}

    assert set() == reached


@pytest.mark.parametrize("path", PURE, ids=str)
def test_a_pure_room_opens_and_prints_nothing(path: Path) -> None:
    """What needs no import can reach outside too: `open`, `print`, `input`, `eval`, `exec`."""
    called = {
        node.func.id
        for node in ast.walk(repository.tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }

    assert set() == called & {"open", "print", "input", "eval", "exec", "__import__"}
