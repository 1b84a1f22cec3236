"""`doctor`: one document with everything that can be seen, and the reason for everything that cannot."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.cli import checking, examining, surroundings
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reports import Boot, Failure, Phase
from autoscaler.journal import LeaseHolder
from autoscaler.journal.contract import BootRecord
from providers.contract import NodeName
from tests.unit.cli.office import SECRETS, Office, a_decision
from tests.unit.core.builders import OFFER, POOL, a_node
from tests.unit.journal.records import a_transition

PARTS = (
    "programs", "system", "clock", "disks", "service", "log", "configuration", "reachable", "check", "journal",
    "fleet", "lately",
)  # fmt: skip


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is there to be heard; waiting for that is tested elsewhere."""
    monkeypatch.setattr(checking, "_LISTEN_S", 0.2)


def _report(office: Office, *arguments: str) -> Any:
    answer = office.command("doctor", "--json", *arguments)
    assert 0 == answer.code
    return answer.facts


def test_a_report_has_every_part(office: Office) -> None:
    """What is on record, what is configured, what the computer is."""
    now = time.time()
    failed = Boot(failed=Failure(phase=Phase.PACKAGES, says="no such package"))
    office.on_record(
        a_node("n1"),
        a_node("n2", NodeState.GONE),
        decisions=[a_decision(at=now - 9, backlog=30), a_decision(at=now, backlog=3)],
        moves=[a_transition("n1", at=now)],
        boots=[
            BootRecord(
                node=NodeName("n1"), pool=POOL, offer=OFFER.name, at=now, boot=failed, log=("secret?",)
            )
        ],
        memory=Memory(),
        at=now,
    )
    facts = _report(office)

    assert {"form", "secrets_too_short_to_look_for", *PARTS} == set(facts)
    assert not [name for name in PARTS if "failed" in facts[name]]
    assert {"nodes": 2, "decisions": 2, "boots": 1}.items() <= facts["journal"]["rows"].items()
    assert {"ready": 1, "gone": 1} == facts["journal"]["nodes_by_state"]
    assert facts["journal"]["files"]["journal.db"] > 0
    assert [now, now - 9] == [each["at"] for each in facts["lately"]["decisions"]]
    assert "images" in facts["lately"]["decisions"][0]["says"]
    assert "n1" == facts["lately"]["moves"][0]["node"]
    assert "no such package" == facts["lately"]["failed_boots"][0]["failed"]["says"]
    assert "secret?" not in json.dumps(facts)
    assert ["images"] == [pool["pool"] for pool in facts["fleet"]["pools"]]
    assert "images" in facts["configuration"]["settings"]["pools"]
    assert facts["disks"][str(office.directory)]["free_mb"] >= 0
    assert "Connection refused" in facts["reachable"]["amqp"]["failed"]
    assert {"broker", "workers", "journal"} <= {each["where"] for each in facts["check"]}


def test_a_report_for_people_is_the_same_document(office: Office) -> None:
    """Read by people, and by programs that read YAML."""
    answer = office.command("doctor")

    assert 0 == answer.code
    assert list(_report(office)) == list(yaml.safe_load(answer.out))
    assert "read it first" in answer.err


def test_a_report_is_written_where_it_is_wanted(office: Office, tmp_path: Path) -> None:
    """And over no journal."""
    office.on_record(a_node("n1"))

    assert 0 == office.command("doctor", "--output", str(tmp_path / "report.yaml")).code
    assert set(PARTS) < set(yaml.safe_load((tmp_path / "report.yaml").read_text()))
    refused = office.command("doctor", "--output", str(office.journal_file))
    assert (1, True) == (refused.code, "is a database" in refused.err)


def test_secrets_are_in_no_part(office: Office) -> None:
    """Not where they are configured, and not where something quotes them."""
    quoting = a_node("n1", reason=f"the panel said: {SECRETS['OFFICE_TOKEN']} is no token")
    office.on_record(quoting, moves=[a_transition("n1", reason=f"amqp://a:{SECRETS['OFFICE_PASSWORD']}@h")])
    for arguments in ((), ("--json",)):
        answer = office.command("doctor", *arguments)
        assert not [secret for secret in SECRETS.values() if secret in answer.out + answer.err]


def test_a_shell_without_the_secrets_sees_what_needs_none(office: Office) -> None:
    """That they are missing is told, and why services were not looked at."""
    office.secrets = {"OFFICE_TOKEN": "t0ken-of-the-shop"}
    office.on_record(a_node("n1"))
    facts = _report(office)

    (problem,) = facts["configuration"]["problems"]
    assert problem.startswith(
        "broker.password: found the environment variable OFFICE_PASSWORD, which is not set"
    )
    assert "not looked at" in facts["check"][-1]
    assert 1 == facts["journal"]["rows"]["nodes"]


@pytest.mark.parametrize(
    "spoil", ["[fleet", "[fleet]\nname = 7\n[broker]\npassword = {env = 'OFFICE_TOKEN'}", None]
)
def test_a_configuration_that_is_wrong_is_a_finding(office: Office, spoil: str | None) -> None:
    """That is when a report is wanted."""
    if spoil is None:
        office.config.unlink()
    else:
        office.config.write_text(spoil)
    facts = _report(office)

    assert facts["configuration"]["problems"]
    assert facts["configuration"]["settings"] is None
    assert "cannot be used" in facts["journal"]["failed"]
    assert facts["programs"]["python"]


def test_a_journal_of_another_release_is_a_finding(office: Office) -> None:
    """With its files, and the copies beside it."""
    office.on_record(a_node("n1"))
    with closing(sqlite3.connect(office.journal_file)) as journal, journal:
        journal.execute("UPDATE journal_schema SET version_num = '9999'")
    journal_part = _report(office)["journal"]

    assert "9999, newer than this program's" in journal_part["failed"]
    assert "journal.db" in journal_part["files"]


def test_a_part_that_hangs_or_breaks_leaves_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what became of it."""
    never = threading.Event()
    monkeypatch.setattr(surroundings, "system", never.wait)
    monkeypatch.setattr(surroundings, "service", lambda: 1 / 0)
    try:
        monkeypatch.setenv("OFFICE_PASSWORD", "p4ssword")
        document = examining.report(office.config, last=3, patience_s=2.0)
    finally:
        never.set()

    assert "it did not end within 2 s" == document["system"]["failed"]
    assert "ZeroDivisionError: division by zero" == document["service"]["failed"]
    assert document["programs"]["sqlite"]


def test_the_holder_of_the_lease_is_named(office: Office) -> None:
    """Whoever writes the report may have two daemons and not know."""
    with office.daemon():
        lease = _report(office)["journal"]["lease"]

    assert {"owner", "epoch", "since_at"} == set(lease)
    assert "test pid 1 user nobody" == LeaseHolder(**lease).owner


@pytest.mark.parametrize(
    ("line", "is_trouble"),
    [
        ('{"event": "pool.decided", "level": "info"}', False),
        ('{"event": "tick.failed", "level": "error"}', True),
        ('{"event": "stranger.seen", "level": "warning"}', True),
        ("Traceback (most recent call last):", True),
        ("[1, 2]", True),
        ("", False),
    ],
)
def test_trouble_in_a_log_is_what_is_no_everyday_event(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, *, is_trouble: bool
) -> None:
    """Tracebacks too, which are no events at all."""
    log = tmp_path / "autoscaler.log"
    log.write_text('{"event": "daemon.started", "level": "info"}\n' + line + "\n")
    monkeypatch.setattr(surroundings, "_SUPERVISORS_LOG", log)
    monkeypatch.setattr(surroundings, "_UNDER_SYSTEMD", tmp_path / "no systemd")

    assert ([line] if is_trouble else []) == surroundings.log(5)["trouble"]
    assert [] == surroundings.log(0)["trouble"]


def test_a_log_may_be_handed_over(office: Office, tmp_path: Path) -> None:
    """By root, to the daemon's user; or from where somebody's own supervisor writes it."""
    (tmp_path / "own.log").write_text('{"event": "tick.failed", "level": "error"}\n')

    assert 1 == len(_report(office, "--log", str(tmp_path / "own.log"))["log"]["trouble"])
    assert "FileNotFoundError" in _report(office, "--log", str(tmp_path / "none"))["log"]["failed"]
