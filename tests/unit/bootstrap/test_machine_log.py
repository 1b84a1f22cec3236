"""What the program of a machine writes down, runs and leaves on disk."""

from __future__ import annotations

import os
import time
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


def test_a_secret_stands_in_no_line_whoever_wrote_it(here: SimpleNamespace, tmp_path: Path) -> None:
    """Passwords as they stand in addresses and as they are meant, values of the worker's environment, tokens."""
    (tmp_path / "etc/autoscaler/worker.env").write_text(
        "LANG=C.UTF-8\nAUTOSCALER_POOL=images\nAPI_KEY='first line\nsecond line'\nSHORT=abc\n"
    )
    here.machine.hide("a1b2c3d4", "amqp://me:wacht%40woord@b1;amqp://me:geheim99@b2/v", "")
    here.machine.run(
        [
            "sh",
            "-c",
            "echo wacht%40woord wacht@woord geheim99 a1b2c3d4; echo https://u:x@h/ 'first line\nsecond line' abc",
        ]
    )
    here.machine.say("the pool is images")
    log = (tmp_path / "var/log/autoscaler-enrolment.log").read_text()

    assert not [
        word for word in ("wacht", "geheim", "a1b2", "u:x", "first line", "second line") if word in log
    ]
    assert "abc" in log  # what is so short hides half of the log, and no secret is
    assert "pool is images" in log  # nor is what we wrote ourselves
    assert 0o600 == (tmp_path / "var/log/autoscaler-enrolment.log").stat().st_mode & 0o777


def test_the_tail_is_what_a_report_may_hold(here: SimpleNamespace) -> None:
    """The last hundred lines, and no more of them than 16 kB, without what became known as a secret only later."""
    for number in range(150):
        here.machine.say(f"line {number} holds geheim99")
    here.machine.hide("geheim99")
    tail = here.machine.tail()

    assert 100 == len(tail)
    assert tail[-1].endswith("line 149 holds ********")
    for _ in range(100):
        here.machine.say("æ" * 3000)
    assert len("\n".join(here.machine.tail()).encode()) <= 24_000
    assert max(map(len, here.machine.tail())) <= 400


@pytest.mark.parametrize(
    ("wrote", "told"),
    [
        (["ERROR: not this one", "ERROR: no match for shop", "and more"], ": ERROR: no match for shop"),
        (["E: Unable to locate package shop"], ": E: Unable to locate package shop"),
        (["an ERROR: in the middle", "Errors were met"], ""),
        (["ERROR: " + "æ" * 4000], ": ERROR: " + "æ" * 200),
    ],
)
def test_a_failure_bears_the_last_error_that_was_told(
    wrote: list[str], told: str, here: SimpleNamespace
) -> None:
    """An exit code alone says nothing; the line is cut where it would crowd out the rest."""
    with pytest.raises(here.machine.Failed) as failed:
        here.machine.run(["sh", "-c", "printf '%s\n' \"$@\"; exit 3", "sh", *wrote])

    assert str(failed.value).endswith(f": exit code 3{told}")
    assert all(line in failed.value.wrote for line in wrote)


def test_no_token_of_an_address_stands_in_what_is_told(here: SimpleNamespace) -> None:
    """A wheel may need one in its query, and pip tells the whole address where it cannot get it."""
    shown = here.machine.masked(
        "HTTP error 404 while getting https://h.example/shop.whl?token=a1b2&x=9 (from what?)"
    )

    assert "HTTP error 404 while getting https://h.example/shop.whl?******** (from what?)" == shown


def test_a_program_that_does_not_end_is_ended(here: SimpleNamespace) -> None:
    """With all that it started, and its time is told."""
    began_at = time.monotonic()
    with pytest.raises(here.machine.Failed, match="sleep 60: not done within 1 s"):
        here.machine.run(["sleep", "60"], 1)

    assert time.monotonic() - began_at < 10


def test_a_service_that_a_program_leaves_behind_is_not_waited_for(here: SimpleNamespace) -> None:
    """It may hold the program's output open for ever."""
    began_at = time.monotonic()
    said = here.machine.run(["sh", "-c", "sleep 20 & echo $!"])
    os.kill(int(said), 9)

    assert time.monotonic() - began_at < 10


@pytest.mark.parametrize(
    ("argv", "expected"), [(["false"], "false: exit code 1"), (["no-such-program"], "No such file")]
)
def test_a_program_that_fails_says_how(here: SimpleNamespace, argv: list[str], expected: str) -> None:
    """By its exit code, or by what kept it from running."""
    with pytest.raises(here.machine.Failed, match=expected):
        here.machine.run(argv)


def test_what_a_program_is_told_stands_in_no_command_line(here: SimpleNamespace) -> None:
    """Lines of an operator's go to the shell by its standard input."""
    assert "sh -eu \n" == here.machine.run(["sh", "-eu"], 10, "tr '\\0' ' ' </proc/$$/cmdline; echo\n")


def test_a_file_is_whole_and_closed_to_others_from_its_first_byte(
    here: SimpleNamespace, tmp_path: Path
) -> None:
    """What was there stays until the new text is all there."""
    path = tmp_path / "etc/new/secret"
    for text in ("first", "second"):
        here.machine.write(str(path), text)

        assert (text, 0o600) == (path.read_text(), path.stat().st_mode & 0o777)
    assert [path] == list(path.parent.iterdir())


def test_settings_have_defaults_and_the_rest_of_a_table_keeps_its_own(
    here: SimpleNamespace, tmp_path: Path
) -> None:
    """What the daemon does not write is as it is anyway."""
    (tmp_path / "etc/autoscaler/machine.json").write_text(
        '{"node": "n", "fleet": "f", "token": "", "broker": {"url": "amqp://h"}, "disk": {"limit_ms": 9.5}, "new": 1}'
    )
    settings = here.machine.Settings()

    assert {"check": "refuse", "limit_ms": 9.5} == settings.disk
    assert "autoscaler.enrolment" == settings.broker["enrolment_exchange"]
    assert ("celery", "supervisord", "shared") == (settings.user, settings.keeper, settings.credentials)
