"""How commands end: codes, one sentence, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoscaler.cli import exits, foreseen, identity
from autoscaler.config import ConfigError
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.journal import JournalUnavailable, LeaseHeld
from bootstrap.contract import UserDataTooLarge
from providers.contract import ProviderOptionsWrong, RequestRejected
from tests.unit.cli.office import SECRETS, Office
from tests.unit.core.builders import a_node

AUTOSCALER = Path(sys.executable).parent / "autoscaler"
UNFORESEEN = """
import autoscaler.views.standing as standing
def look(*_): raise RuntimeError("boo")
standing.look = look
from autoscaler.cli import main
main()
"""


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError([]), 78),
        (ProviderOptionsWrong("no"), 78),
        (UserDataTooLarge("no"), 78),
        (LeaseHeld("pid 1", 0.0, place="here"), 75),
        (JournalUnavailable("no"), 69),
        (FactUnavailable("no"), 69),
        (RequestRejected("no"), 69),
        (exits.CommandFailed("no"), 1),
        (exits.CommandFailed("no", code=2), 2),
    ],
)
def test_every_foreseen_error_has_its_code(error: Exception, code: int) -> None:
    """The table of interface and README; sysexits.h has the numbers."""
    assert code == foreseen.code_of(error)


def test_config_may_stand_before_or_after_the_command(office: Office) -> None:
    """The closer word wins."""
    office.on_record(a_node())
    mine, other = str(office.config), str(office.directory / "other.toml")

    codes = [
        office.command(*arguments).code
        for arguments in (
            ("--config", mine, "status"),
            ("status", "--config", mine),
            ("-c", other, "status", "-c", mine),
            ("-c", other, "status"),
        )
    ]

    assert [0, 0, 0, 78] == codes


def test_the_version_is_told() -> None:
    """As the package says it."""
    done = subprocess.run([AUTOSCALER, "--version"], capture_output=True, text=True, timeout=30, check=True)

    assert f"autoscaler {identity.version()}\n" == done.stdout


def test_a_wrong_command_is_usage_with_a_guess(office: Office) -> None:
    """`statsu` was probably `status`."""
    answer = office.command("statsu")

    assert 2 == answer.code
    assert "status" in answer.err


@pytest.mark.parametrize(("debug", "traceback"), [("", False), ("1", True)])
def test_what_nobody_foresaw_is_one_sentence_and_a_way_to_see_more(
    office: Office, debug: str, traceback: bool
) -> None:
    """A traceback only for whoever asks for it."""
    office.on_record()
    environment = os.environ | SECRETS | {"AUTOSCALER_CONFIG": str(office.config), "AUTOSCALER_DEBUG": debug}

    done = subprocess.run(
        [sys.executable, "-c", UNFORESEEN, "status"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert 1 == done.returncode
    assert "RuntimeError: boo" in done.stderr
    assert traceback == ("Traceback" in done.stderr)


def test_a_terminal_that_knows_no_arrows_is_no_reason_to_fail(office: Office) -> None:
    """What cannot be encoded is shown as its escape."""
    office.on_record(a_node(reason="2 → 4"))
    environment = os.environ | {"AUTOSCALER_CONFIG": str(office.config), "PYTHONIOENCODING": "ascii"}

    done = subprocess.run(
        [AUTOSCALER, "nodes"], env=environment, capture_output=True, timeout=30, check=False
    )

    assert (0, True) == (done.returncode, rb"2 \u2192 4" in done.stdout)


@pytest.mark.parametrize(
    "damage", [b"not a database at all, but longer than a header of one hundred bytes" * 4, b""]
)
def test_a_journal_that_is_none_is_a_service_that_is_not_there(office: Office, damage: bytes) -> None:
    """Damaged, or an empty file that no daemon wrote."""
    office.journal_file.write_bytes(damage)

    answer = office.command("status")

    assert 69 == answer.code
    assert str(office.journal_file) in answer.err


def test_a_daemon_does_not_begin_on_another_fleets_journal(office: Office) -> None:
    """It sees none of the machines there in its own listings, and would take them for gone while they are paid."""
    office.on_record(a_node("films-images-1"))
    done = subprocess.run(
        [AUTOSCALER, "run"],
        env={**os.environ, **SECRETS, "AUTOSCALER_CONFIG": str(office.config)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 78 == done.returncode
    assert "is another fleet's: films-images-1 is on record, and no machine of fleet shop" in done.stderr
    assert "Name a journal of its own in `journal.url`" in done.stderr
