"""What a machine does where its disk, its image or its fleet is not as it should be."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.unit.bootstrap import on_machine


@pytest.fixture
def here(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """The program's modules, under a root of their own with a log."""
    (tmp_path / "var/log").mkdir(parents=True)
    (tmp_path / "etc/autoscaler").mkdir(parents=True)
    with on_machine.loaded(tmp_path) as modules:
        yield modules


@pytest.mark.parametrize(
    "name", ["LANGCHAIN_API_KEY", "PATHWAY_TOKEN", "PYTHON_INDEX_PASSWORD", "AUTOSCALER_SIDE_KEY"]
)
def test_a_secret_is_masked_however_its_variable_begins(
    name: str, here: SimpleNamespace, tmp_path: Path
) -> None:
    """Only our own variables are no secrets, and an operator's may begin like one of these."""
    (tmp_path / "etc/autoscaler/worker.env").write_text(
        f"LANG=C.UTF-8\nPYTHONUNBUFFERED=1\n{name}=geheim99\n"
    )
    here.machine.hide("")

    assert "it is ********" == here.machine.masked("it is geheim99")


class Asking:
    """Reports that reach the broker and are never answered; `changes` counts how often they went out."""

    def __init__(self) -> None:
        self.url, self.wants, self.trouble, self.changes = "amqp://h", None, "", 0
        self.reached = SimpleNamespace(is_set=lambda: True)

    def change(self) -> None:
        self.changes += 1


def test_a_wish_that_nobody_answers_is_told_again_and_again(
    here: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon drops one that it cannot answer at that moment: its broker's API or its journal may be away."""
    now = [100.0]
    monkeypatch.setattr(here.machine, "uptime_s", lambda: now[0])
    monkeypatch.setattr(here.grant.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    told = Asking()

    with pytest.raises(here.machine.Failed, match="nothing was granted within 600 s"):
        here.grant.await_it(told)
    assert 50 <= told.changes <= 70


def test_a_full_disk_does_not_silence_a_machine(here: SimpleNamespace, tmp_path: Path) -> None:
    """What it would write down about itself is less worth than what it has to tell."""
    (tmp_path / "var/lib/autoscaler-enrolment.json").mkdir(parents=True)

    here.enrolment._keep_state({"run": 1})

    assert {} == here.enrolment._state()


def test_a_file_that_an_interrupted_measurement_left_is_no_excuse(
    here: SimpleNamespace, tmp_path: Path
) -> None:
    """Power that went in the middle leaves it behind, and images may hold it."""
    (tmp_path / ".autoscaler-disk").write_text("left")

    mean_ms, worst_ms, requests = here.disk._by_us(str(tmp_path))

    assert 0 < mean_ms <= worst_ms
    assert requests > 0
    assert not (tmp_path / ".autoscaler-disk").exists()


def test_what_was_granted_to_another_machine_is_not_kept(here: SimpleNamespace, tmp_path: Path) -> None:
    """An image that was made of a live worker holds its password; a damaged file holds nothing."""
    granted = tmp_path / "etc/autoscaler/granted.json"
    granted.write_text(json.dumps({"node": "other", "broker_url": "amqp://u:secret@h"}))

    assert "" == here.grant.taken(SimpleNamespace(node="mine"))
    assert not granted.exists()
    for damaged in ("", "{", "[]", '"text"', "null"):
        granted.write_text(damaged)
        assert "" == here.grant.taken(SimpleNamespace(node="mine"))
    granted.write_text(json.dumps({"node": "mine", "broker_url": "amqp://u:secret@h"}))
    assert "amqp://u:secret@h" == here.grant.taken(SimpleNamespace(node="mine"))
    assert granted.exists()


def test_who_could_write_nothing_down_goes_on_telling(
    here: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a later run of the program takes its place, and that one's name is in the file."""

    class Over(Exception):
        """The end of the test."""

    told: list[str] = []

    def change() -> None:
        told.append("changed")
        if len(told) == 3:
            raise Over

    monkeypatch.setattr(os, "dup2", lambda *_: None)
    monkeypatch.setattr(here.enrolment.time, "sleep", lambda _seconds: None)
    with pytest.raises(Over):
        here.enrolment._tell_for_ever(SimpleNamespace(change=change))
    here.enrolment._keep_state({"run": 1})
    here.enrolment._tell_for_ever(SimpleNamespace(change=change))
