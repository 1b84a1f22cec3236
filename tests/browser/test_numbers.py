"""One number, five places: what a browser shows, what commands, the API and metrics say, and what the journal holds."""

from __future__ import annotations

import json
import re
import sqlite3
from typing import Any

import pytest
from playwright.sync_api import Page
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from autoscaler.cli.app import app
from tests.browser.looking import Visitor
from tests.browser.shown import POOL, Shown
from tests.integration.web.served import get

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]

STAGE = {"tick": "5s", "slots": 2}
"""Long enough to ask everywhere between two ticks."""
_TRIES = 15
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}
_COLUMNS = (
    "waiting",
    "oldest_s",
    "in_progress",
    "serving",
    "arriving",
    "leaving",
    "lost",
    "wanted",
    "cost_per_h",
)
_OF_SAMPLES = {"waiting": "backlog", "oldest_s": "wait_s"}
"""Other names of the same in the journal."""
_OF_METRICS = {
    "waiting": "waiting_messages", "oldest_s": "oldest_message_seconds", "in_progress": "in_progress_messages",
    "wanted": "wanted_workers", "cost_per_h": "cost_per_hour",
}  # fmt: skip
_STATES = ("serving", "arriving", "leaving", "lost")

_ROW = """
([pool, names]) => {
    const row = document.getElementById(`pool-${pool}`).cloneNode(true);
    for (const part of row.querySelectorAll("b, .of")) part.remove();
    const cells = [...row.children].slice(1, 1 + names.length).map((cell) => cell.textContent.trim());
    return Object.fromEntries(names.map((name, place) => [name, cells[place]]));
}
"""
_TILES = """
() => Object.fromEntries([...document.querySelectorAll("dl.tiles > .tile")].map((tile) =>
    [tile.querySelector("dt").textContent.trim(), tile.querySelector("strong").textContent.trim()]))
"""


def tick_of(page: Page) -> float:
    return float(page.evaluate("document.body.dataset.at"))


def shown_at_one_tick(visitor: Visitor, shown: Shown, path: str) -> tuple[Page, dict[str, dict[str, Any]]]:
    """The page, and what every other place says of the pool, all as of the tick that the page is of."""
    page = visitor.look_at(path, java_script_enabled=False)  # so that it stays as it is
    for _ in range(_TRIES):
        page.reload()
        tick, of_journal = tick_of(page), journal(shown)
        told = {"metrics": metrics(shown), "api": pool_of(shown.asked("/api/v1/status"))}
        told |= {"command": pool_of(status(shown)), "journal": of_journal}
        seen = {"page": tick} | {place: each["at"] for place, each in told.items()}
        if len(set(seen.values())) == 1:
            return page, told
    raise AssertionError(f"never saw all of them between two ticks: {seen}")


def status(shown: Shown) -> dict[str, Any]:
    """What the command says, without the seconds in which its process would start."""
    answer = CliRunner(env=shown.stage.environment).invoke(app, ["status", "--json"])
    assert answer.exit_code == 0, answer.output
    document: dict[str, Any] = json.loads(answer.stdout)
    return document


def pool_of(document: dict[str, Any]) -> dict[str, Any]:
    found = next(each for each in document["pools"] if each["pool"] == POOL)
    return {name: found[name] for name in _COLUMNS} | {"at": document["daemon"]["last_tick_at"]}


def metrics(shown: Shown) -> dict[str, Any]:
    samples = [
        sample
        for family in text_string_to_metric_families(get(shown.stage, "/metrics").text)
        for sample in family.samples
    ]
    of_pool = {
        (sample.name, sample.labels.get("state")): sample.value
        for sample in samples
        if sample.labels.get("pool") == POOL
    }
    found: dict[str, Any] = {
        name: of_pool[f"autoscaler_pool_{metric}", None] for name, metric in _OF_METRICS.items()
    }
    found |= {state: of_pool["autoscaler_pool_workers", state] for state in _STATES}
    at = next(each.value for each in samples if each.name == "autoscaler_last_tick_timestamp_seconds")
    return found | {"at": at}


def journal(shown: Shown) -> dict[str, Any]:
    """The last tick's row, past all code of ours."""
    names = [name for name in _COLUMNS if name != "lost"]  # which is no column there
    columns = ", ".join(["at", *(_OF_SAMPLES.get(name, name) for name in names)])
    file = f"file:{shown.stage.directory}/journal.db?mode=ro"
    with sqlite3.connect(file, uri=True, timeout=10) as opened:
        row = opened.execute(
            f"select {columns} from samples where pool = ? order by at desc limit 1",
            (POOL,),
        ).fetchone()
    return dict(zip(["at", *names], row, strict=True))


def number(text: str) -> float:
    """What a text says: a number, or a duration."""
    plain = text.replace("\u202f", "")
    if re.fullmatch(r"[\d.]+", plain):
        return float(plain)
    return float(
        sum(int(count) * _SECONDS[unit] for count, unit in re.findall(r"(\d+) (s|min|h|d)\b", plain))
    )


def same(text: str, value: float | None) -> bool:
    """Whether that text says this number, with the decimals that it has; durations in whole seconds."""
    if value is None:
        return text == "–"
    decimals = len(text.partition(".")[2])
    return number(text) == (float(f"{value:.{decimals}f}") if decimals else float(int(value)))


def test_a_row_of_the_overview_says_what_everything_else_says_of_the_same_tick(
    visitor: Visitor, shown: Shown
) -> None:
    """Waiting and oldest, in progress, workers by state, wanted, and the cost of an hour."""
    page, told = shown_at_one_tick(visitor, shown, "/")
    row = page.evaluate(_ROW, [POOL, list(_COLUMNS)])

    assert told["command"] == told["api"] == told["metrics"]
    assert told["journal"] == {name: told["api"][name] for name in told["journal"]}
    assert {} == {
        name: (row[name], told["api"][name]) for name in _COLUMNS if not same(row[name], told["api"][name])
    }
    assert number(row["waiting"]) > 0
    assert number(row["cost_per_h"]) > 0


def test_the_page_of_a_pool_says_the_same(visitor: Visitor, shown: Shown) -> None:
    """In its tiles."""
    page, told = shown_at_one_tick(visitor, shown, f"/pools/{POOL}")
    tiles = page.evaluate(_TILES)

    pairs = {
        "Waiting": "waiting", "In progress": "in_progress", "Workers": "serving", "Wanted": "wanted",
        "Cost now": "cost_per_h",
    }  # fmt: skip
    said = {tile: tiles[tile].removesuffix(" EUR") for tile in pairs}
    assert {} == {
        tile: (said[tile], told["metrics"][name])
        for tile, name in pairs.items()
        if not same(said[tile], told["metrics"][name])
    }
