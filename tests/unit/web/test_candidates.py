"""What a request would change: held to what is played, and written as lines of TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from fastapi import HTTPException

from autoscaler.config import Settings, load
from autoscaler.web import candidates
from autoscaler.web.candidates import Question, Turned
from tests.unit.cli.office import CONFIG, SECRETS


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    second = '[[pools.images.policies]]\nkind = "wait"\ntarget_wait = "90s"\n\n[[pools.images.offers]]'
    path.write_text(CONFIG.format(directory=tmp_path).replace("[[pools.images.offers]]", second))
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return load(config, SECRETS)


def question(candidate: str | dict[str, object], pool: str = "images") -> Question:
    return Question.model_validate({"pool": pool, "candidate": candidate})


def test_named_settings_become_the_pools_tables(settings: Settings, config: Path) -> None:
    """Policies come whole, as they are written, because a list takes the other's place."""
    asked = {"target_wait": "2m", "min_workers": 1, "scale_in_window": "10m", "tolerance": 0.05}

    text = candidates.toml(question(asked), settings, config)

    assert {
        "limits": {"min_workers": 1},
        "stabilize": {"scale_in_window": "10m", "tolerance": 0.05},
        "policies": [
            {"kind": "backlog", "messages_per_worker": 10},
            {"kind": "wait", "target_wait": "2m"},
        ],
    } == tomllib.loads(text)["pools"]["images"]


def test_a_setting_that_no_policy_has_is_refused(settings: Settings, config: Path) -> None:
    """Nothing would be changed by it, and somebody would believe that it made no difference."""
    with pytest.raises(HTTPException, match="is of kind rate") as refused:
        candidates.toml(question({"messages_per_s": 2}), settings, config)

    assert 409 == refused.value.status_code


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[bootstrap]\nenvironment = { X = { file = "/etc/passwd" } }', "bootstrap: not played"),
        ('[pools.images.upstream]\nfile = "/etc/x"', "upstream: not played"),
        ('[fleet]\nname = "other"', "fleet: not played"),
        ('[journal]\nurl = "x"\n[pools.images.limits]\nmax_workers = 2', "one pool"),
        ("[pools.other.limits]\nmax_workers = 2", "one pool"),
        ("pools = 3", "one pool"),
        ("limits = [", "the candidate has one problem"),
        ("\ufeff[bootstrap]", "the candidate has one problem"),
        ("a = " + "[" * 5_000, "the candidate has one problem"),
    ],
)
def test_what_is_not_played_is_not_looked_at(settings: Settings, config: Path, text: str, word: str) -> None:
    """No file, account or secret that a request names."""
    with pytest.raises(HTTPException, match=word) as refused:
        candidates.toml(question(text), settings, config)

    assert 409 == refused.value.status_code


@pytest.mark.parametrize(
    "text",
    ["[limits]\nmax_workers = 2", "[pools.images.limits]\nmax_workers = 2", "[stabilise]\nx = 1", ""],
)
def test_lines_of_the_pool_are_taken_as_they_are(settings: Settings, config: Path, text: str) -> None:
    """Unknown keys among them: the loader says what is wrong."""
    assert text == candidates.toml(question(text), settings, config)


def test_a_pool_that_is_not_there_is_not_found(settings: Settings, config: Path) -> None:
    """Before anything else is said."""
    with pytest.raises(HTTPException) as refused:
        candidates.toml(question({}, pool="--help"), settings, config)

    assert 404 == refused.value.status_code


def test_a_file_that_is_broken_meanwhile_is_said(settings: Settings, config: Path) -> None:
    """Named settings of policies rest on how they are written."""
    config.write_text("[fleet")

    with pytest.raises(HTTPException, match="cannot be read again"):
        candidates.toml(question({"target_wait": "2m"}), settings, config)


@pytest.mark.parametrize(("since", "right"), [("1m", True), ("30d", True), ("59s", False), ("31d", False)])
def test_a_time_has_bounds(since: str, right: bool) -> None:
    """A minute at least and a month at most."""
    if right:
        assert candidates.span_s(since) > 0
    else:
        with pytest.raises(HTTPException, match="no time from 1m to 30d"):
            candidates.span_s(since)


def test_the_page_offers_todays_values_as_they_are_written(settings: Settings) -> None:
    """Those that were left out, too, with what holds by itself; and every knob is one that a request may name."""
    knobs = candidates.knobs(settings, "images")

    assert {
        "messages_per_worker": "10",
        "target_wait": "90s",
        "min_workers": "0",
        "max_workers": "5",
        "scale_in_window": "5m",
        "scale_in_cooldown": "1m",
        "scale_out_window": "0s",
        "tolerance": "0.1",
        "max_step_out": "",
        "max_step_in": "",
    } == {each.name: each.now for each in knobs}
    assert {each.name for each in knobs} <= set(Turned.model_fields)
