"""Configuration on a page is one that the daemon takes: whole files as they stand, parts within a small whole one.

A part may name accounts without saying what they are: these come from the guides to providers, which hold them.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from autoscaler import config
from autoscaler.config import ConfigError
from tests.docs import pages
from tests.docs.pages import Block
from tests.unit.config import documents

Table = dict[str, Any]
BLOCKS = [block for page in pages.living_pages() for block in pages.blocks(page) if block.language == "toml"]
PARTS_OF_A_POOL = {"policies", "stabilize", "limits", "timeouts", "offers", "bootstrap"}
ELSEWHERE = {"fjord": "examples/external/provider.toml"}
"""Accounts that a page leads to another file for."""
PATHS = {"ca_file"}
"""Keys whose file is read when the configuration is."""


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_configuration_on_a_page_is_taken(block: Block, tmp_path: Path) -> None:
    """With secrets that are there."""
    written = tomllib.loads(block.text)
    if written.keys() >= {"fleet", "broker", "pools"}:
        text = block.text
    else:
        text = _document(_whole(_as_pools(written), tmp_path))

    assert () == _problems(text)


def test_the_tutorial_s_second_pool_goes_below_its_first() -> None:
    """One file, as its third chapter has it; and its schedule with it."""
    first, second, schedule = (block.text for block in BLOCKS if block.page == "docs/tutorial.md")

    assert () == _problems(f"{first}\n{second}")
    assert () == _problems(
        f"{first}\n{second.replace('[[pools.uploads.offers]]', schedule + '[[pools.uploads.offers]]')}"
    )


def test_a_key_that_is_not_there_is_found(tmp_path: Path) -> None:
    """So the rule above can fail."""
    for part in (
        {"pools": {"images": {"slotss": 4}}},
        {"fleet": {"residency": ["Norway"]}},
        {"stabilise": {}},
    ):
        assert _problems(_document(_whole(_as_pools(part), tmp_path)))


class _AnySecret(dict[str, str]):
    """An environment in which every variable is set, to an address where its name says so."""

    def __contains__(self, name: object) -> bool:
        return True

    def __getitem__(self, name: str) -> str:
        return "amqps://shop:secret@rabbit.example:5671//" if name.endswith("BROKER_URL") else "a-secret"

    def get(self, name: str, default: Any = None) -> Any:
        return self[name]


def _problems(text: str) -> tuple[str, ...]:
    try:
        config.parse(text, _AnySecret())
    except ConfigError as error:
        return tuple(map(str, error.problems))
    return ()


def _as_pools(written: Table) -> Table:
    """What `backtest` takes as a part of one pool is one here, too."""
    if written.keys() <= PARTS_OF_A_POOL:
        return {"pools": {"images": written}}
    return written


def _whole(part: Table, directory: Path) -> Table:
    """The part within the small configuration, every one of its pools with what it does not say."""
    small = tomllib.loads(documents.DOCUMENT)
    usual = small["pools"].pop("images")
    usual["offers"][0]["price_per_hour"] = 0.01  # a ceiling on money wants it
    if "pools" not in part:
        part = {**part, "pools": {"images": {}}}
    whole = _merged(small, part)
    for name, pool in whole["pools"].items():
        whole["pools"][name] = _merged({**usual, "queues": [name]}, pool)
    accounts = _accounts()
    for pool in whole["pools"].values():
        for offer in pool["offers"]:
            whole["providers"].setdefault(offer["provider"], accounts.get(offer["provider"], {}))
    certificate = directory / "ca.pem"
    certificate.write_text("the loader reads no certificate\n")
    found: Table = _readable(whole, str(certificate))
    return found


def _merged(under: Table, over: Table) -> Table:
    both = {**under, **over}
    for key in under.keys() & over.keys():
        if isinstance(under[key], dict) and isinstance(over[key], dict):
            both[key] = _merged(under[key], over[key])
    return both


def _accounts() -> Table:
    """The accounts of the guides, by name."""
    found: Table = {}
    for block in BLOCKS:
        if block.page.startswith("docs/providers/"):
            found |= tomllib.loads(block.text).get("providers", {})
    for file in ELSEWHERE.values():
        found |= tomllib.loads(pages.text(file)).get("providers", {})
    return found


def _readable(value: Any, path: str) -> Any:
    """The same with secrets that can be read here, and with files that are there."""
    if isinstance(value, dict):
        if value.keys() <= {"file", "credential"} and value:
            return {"env": "A_SECRET"}
        return {key: path if key in PATHS else _readable(each, path) for key, each in value.items()}
    return [_readable(each, path) for each in value] if isinstance(value, list) else value


def _document(tables: Table) -> str:
    return "".join(f"{key} = {_value(value)}\n" for key, value in tables.items())


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
