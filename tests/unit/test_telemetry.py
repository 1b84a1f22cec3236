"""What may be said: a closed catalogue, held at the moment of saying."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

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


def test_the_journal_is_told_how_grave_each_line_is() -> None:
    """Where systemd reads standard error, each line begins with its level, and no colour is in it."""
    says = (
        "import os, sys; stream = os.fstat(2)\n"
        "os.environ['JOURNAL_STREAM'] = f'{stream.st_dev}:{stream.st_ino}'\n"
        "from autoscaler import telemetry; log = telemetry.open_log(form=sys.argv[1], level='debug')\n"
        "log.say('journal.failed', error='full'); log.say('journal.recovered')\n"
        "log.say('tick.overran', took_s=1, tick_s=1); log.say('pool.repeated', pool='a', sentence='b')\n"
        "import logging; logging.getLogger('other').warning('odd')\n"
    )
    for form in ("auto", "console"):
        done = subprocess.run(
            [sys.executable, "-c", says, form], capture_output=True, text=True, timeout=60, check=True
        )

        assert ["<3>", "<6>", "<4>", "<7>", "<4>"] == [line[:3] for line in done.stderr.splitlines()]
        assert "\x1b" not in done.stderr


def test_a_stream_that_is_not_the_journals_has_no_such_signs() -> None:
    """The variable is inherited by what writes elsewhere: only the very stream it names counts."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from autoscaler import telemetry; telemetry.open_log(form='json').say('journal.recovered')",
        ],
        env={**os.environ, "JOURNAL_STREAM": "9:1234567"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stderr.startswith("{")
