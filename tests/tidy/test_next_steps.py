"""What a command says when it fails: why, and what to do about it."""

from __future__ import annotations

import ast
import re

import pytest

from tests.tidy import repository

_NEXT = re.compile(
    r"[Ee]xpected|--[a-z]|`|\bthere are\b|\bhas: |[Nn]ame (a|one|another)\b|install|Make one|[Tt]ake |Hold it|Write it|"
    r"Set it|\{has\}|give (one|it)|Known are|adds one|Nothing was ordered|one daemon, one supervisor"
)
_SAID_ELSEWHERE = (
    "says", "why", "nothing", "output.clean(says)", "_nothing(", "wanted.no_pool(", "wanted.no_node(",
    "output.clean(str(error))", "f'{option}: {error}'",
)  # fmt: skip
"""Texts that are put together where the reason is known; the tests of their commands read them."""


def _failures() -> list[tuple[str, str]]:
    calls = [
        (path, node)
        for path in repository.modules("autoscaler")
        if path.parent.name == "cli"
        for node in ast.walk(ast.parse(repository.text(path)))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("CommandFailed", ".usage"))
    ]
    return [(f"{path.name}:{call.lineno}", ast.unparse(call.args[0])) for path, call in calls]


@pytest.mark.parametrize(("place", "text"), _failures(), ids=lambda value: value if ".py:" in value else "")
def test_a_failure_says_the_next_step(place: str, text: str) -> None:
    """What is expected, which there are, or what to type."""
    if text.startswith(_SAID_ELSEWHERE):
        return

    assert _NEXT.search(text.replace("exits.ELSEWHERE", "Name a file")), place
