"""The page of what-if: today's settings to turn, an answer beside today's, and nothing that could be markup."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.model import PoolName
from autoscaler.web import comparison, pages
from autoscaler.web.candidates import Knob
from autoscaler.web.pages import Manner
from autoscaler.web.trials import State, Trial
from tests.unit.web import made, reading

HOSTILE = "<script>alert('x')</script>\"'&"
KNOBS = (Knob(name="min_workers", label="Fewest workers", now="0", about="the floor", is_number=True),)


def outcome(**fields: Any) -> dict[str, Any]:
    usual = {
        "policy": "configured", "cost": 10.0, "within_target": 0.95, "wait_p50_s": 1.0, "wait_p95_s": 40.0,
        "wait_p99_s": 90.0, "wait_max_s": 120.0, "creates": 7, "nodes_peak": 4, "tasks_arrived": 900,
        "tasks_done": 900,
    }  # fmt: skip
    return usual | fields


def facts(**candidate: Any) -> dict[str, Any]:
    return {
        "workload": {"seconds": 7200.0, "tasks": 900},
        "results": [outcome(), outcome(**candidate)],
        "recorded": outcome(cost=9.5),
        "says": ["The candidate would have cost less.", "Today's settings, played again, cost more."],
        "record": {"target_wait_s": 60.0, "doubts": [HOSTILE]},
    }


def a_trial(**fields: Any) -> Trial:
    usual = {
        "id": "abc", "pool": "images", "since": "7d", "toml": f"# {HOSTILE}\n", "began_at": 0.0,
        "state": State.DONE, "facts": facts(cost=8.0, wait_p95_s=70.0, creates=5),
    }  # fmt: skip
    return Trial(**(usual | fields))


def page(trial: Trial | None, *, gone: bool = False, orders: bool = True) -> reading.Page:
    manner = Manner(orders=orders)
    body = pages.what_if(made.a_standing(), PoolName("images"), KNOBS, trial, gone=gone, manner=manner)
    return reading.read(body)


@pytest.mark.parametrize(
    ("candidate", "what", "differs", "look"),
    [
        ({"cost": 8.0}, "Cost", "2.00 less, 20 %", "good"),
        ({"cost": 10.02}, "Cost", "the same", ""),
        ({"within_target": 0.9}, "Started in time", "5.0 points less", "bad"),
        ({"within_target": 0.97}, "Started in time", "2.0 points more", "good"),
        ({"wait_p95_s": 70.0}, "Wait, 95 %", "30 s longer, 75 %", "bad"),
        ({"wait_p50_s": 1.8}, "Wait, median", "the same", ""),
        ({"creates": 5}, "Machines bought", "2 fewer", ""),
        ({"tasks_done": 890}, "Tasks not done", "10 more", "bad"),
    ],
)
def test_each_figure_has_its_difference_in_words(
    candidate: dict[str, Any], what: str, differs: str, look: str
) -> None:
    """And whether that is good; what is nearly the same is the same."""
    row = next(each for each in comparison.rows(facts(**candidate)) if each.what == what)

    assert (differs, look) == (row.differs, row.look)


def test_a_fleet_that_cost_nothing_is_compared_all_the_same() -> None:
    """An offer may name no price."""
    free = facts(cost=0.0)
    free["results"][0]["cost"] = 0.0

    assert "the same" == comparison.rows(free)[0].differs
    free["results"][1]["cost"] = 2.0
    assert "2.00 more" == comparison.rows(free)[0].differs


def test_the_form_holds_todays_values_with_a_label_each() -> None:
    """Whoever cannot see it hears what each field is."""
    read = page(None)

    field = next(each for each in read.all_of("input") if each.attributes.get("name") == "min_workers")
    assert ("0", "0") == (field.attributes["value"], field.attributes["data-now"])
    assert "label" in field.within
    assert [] == read.unclosed


def test_an_answer_stands_beside_todays_with_the_lines_to_keep() -> None:
    """Text from the configuration and the journal is text."""
    read = page(a_trial())

    assert [] == read.unclosed
    assert "2.00 less, 20 %" in read.text
    assert "The candidate would have cost less." in read.text
    assert read.text.count("alert('x')") == 2
    assert not [each for each in read.all_of("script") if each.text]


@pytest.mark.parametrize(
    ("state", "title"),
    [
        (State.RUNNING, "It runs"),
        (State.WRONG, "The candidate is no configuration"),
        (State.FAILED, "It could not be played"),
        (State.STOPPED, "It was ended"),
    ],
)
def test_without_a_result_the_reason_is_shown(state: State, title: str) -> None:
    """As text, whatever stands in it."""
    read = page(replace(a_trial(), state=state, says=HOSTILE, facts=None))

    assert title in read.text
    assert HOSTILE in read.text


def test_an_answer_that_is_no_longer_kept_is_said() -> None:
    """The address may have been kept longer."""
    assert "no longer kept" in page(None, gone=True).text


def test_without_a_token_nothing_is_asked() -> None:
    """The page says how to do it by hand."""
    read = page(None, orders=False)

    assert not [each for each in read.all_of("form") if each.attributes.get("id") == "what-if"]
    assert "autoscaler backtest --pool images" in read.text
