"""What may be said: a closed catalogue, held at the moment of saying."""

from __future__ import annotations

import json
import re

import pytest

from autoscaler import telemetry


@pytest.mark.parametrize("event", sorted(telemetry.EVENTS))
def test_every_event_is_a_noun_and_what_became_of_it(event: str) -> None:
    """With a level that exists and a meaning for an operator."""
    kind = telemetry.EVENTS[event]

    assert re.fullmatch(r"[a-z]+\.[a-z]+", event)
    assert kind.level in telemetry.LEVELS
    assert kind.means


def test_an_event_outside_the_catalogue_is_a_programmers_error() -> None:
    """So is one with other fields: what is said can be relied on by whoever reads it."""
    log = telemetry.open_log(form="json")

    with pytest.raises(KeyError):
        log.say("node.vanished")
    with pytest.raises(ValueError, match="carries"):
        log.say("journal.failed")
    with pytest.raises(ValueError, match="carries"):
        log.say("journal.failed", error="full", disk="sda1")


def test_an_event_is_one_line_of_json_with_its_level_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    """On standard error; standard output belongs to commands."""
    telemetry.open_log(form="json").say("journal.failed", error="the disk\nis full")

    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    said = json.loads(line)
    assert captured.out == ""
    assert ("journal.failed", "error", "the disk\nis full") == (said["event"], said["level"], said["error"])
    assert said["timestamp"].endswith("Z")


def test_what_is_quieter_than_the_level_is_not_said(capsys: pytest.CaptureFixture[str]) -> None:
    """A repeated decision is for those who look for it."""
    log = telemetry.open_log(form="json", level="info")
    log.say("pool.repeated", pool="images", sentence="no workers")
    log.say("pool.decided", pool="images", sentence="no workers")

    assert [json.loads(line)["event"] for line in capsys.readouterr().err.splitlines()] == ["pool.decided"]
