"""The page of documents for programs names every field, and no field that there is not."""

from __future__ import annotations

import dataclasses
import re
import time
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autoscaler.core.model import Node, Transition
from autoscaler.views.history import History
from autoscaler.views.standing import Standing
from tests.tidy.repository import ROOT
from tests.unit.cli.office import Office, a_decision
from tests.unit.core.builders import a_node

_PAGE = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")


def documented(section: str) -> frozenset[str]:
    """The fields of one section's table."""
    text = _PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    return frozenset(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def fields_of(kind: Any, at: str = "") -> Iterator[str]:
    """Every field of a value of this type, as a path."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    real = [each for each in inner if each is not type(None)]
    if isinstance(kind, typing.NewType):
        yield from fields_of(kind.__supertype__, at)
    elif origin in {typing.Union, types.UnionType} and len(real) == 1:
        yield from fields_of(real[0], at)
    elif origin is tuple and len(inner) == 2 and inner[1] is Ellipsis:
        yield from fields_of(inner[0], f"{at}[]")
    elif dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        for field in dataclasses.fields(kind):
            yield from fields_of(hints[field.name], f"{at}.{field.name}" if at else field.name)
    else:
        yield at


def paths(value: object, at: str = "") -> Iterator[str]:
    """Every field that a document holds."""
    if isinstance(value, dict) and value:
        for name, each in value.items():
            yield from paths(each, f"{at}.{name}" if at else name)
    elif isinstance(value, list):
        for each in value:
            yield from paths(each, f"{at}[]")
    else:
        yield at


def undocumented(document: object, section: str) -> set[str]:
    """Fields of this document that stand nowhere in the section."""
    told = documented(section)
    open_ended = tuple(name.removesuffix("…") for name in told if name.endswith("…"))
    # Of a value that is null its parts are told.
    return {
        path
        for path in paths(document)
        if path not in told
        and not path.startswith(open_ended or ("\0",))
        and not any(name.startswith(f"{path}.") for name in told)
    }


def test_the_page_has_every_field_of_the_standing() -> None:
    """And no other. The daemon's holder is told flat."""
    flat = {"daemon.owner", "daemon.since_at"}
    fields = {field for field in fields_of(Standing) if not field.startswith("daemon.holder")}

    assert fields | flat == documented("Status")


def test_the_page_has_every_field_of_a_history() -> None:
    """And no other."""
    assert set(fields_of(History)) == documented("History")


def test_the_page_has_every_field_of_a_node() -> None:
    """With what it went through."""
    node = {f"nodes[].{field}" for field in fields_of(Node)}
    moves = {f"nodes[].transitions[].{field}" for field in fields_of(Transition)}

    assert node | moves <= documented("Nodes")


@pytest.mark.parametrize(
    ("section", "arguments"),
    [
        ("Status", ("status",)),
        ("Nodes", ("nodes",)),
        ("Nodes", ("nodes", "shop-images-1")),
        ("Decisions", ("why", "images")),
        ("History", ("history", "images")),
        ("Orders", ("pause", "images", "--no-wait")),
        ("User data", ("cloud-init", "images")),
    ],
    ids=str,
)
def test_what_a_command_prints_stands_on_the_page(
    tmp_path: Path, section: str, arguments: tuple[str, ...]
) -> None:
    """A field that is added must be told."""
    office = Office(tmp_path)
    office.on_record(a_node("shop-images-1"), decisions=[a_decision(at=time.time(), backlog=42)])

    facts = office.command(*arguments, "--json").facts

    assert set() == undocumented(facts, section)
