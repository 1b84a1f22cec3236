"""A report is taken for what a machine says of itself, or dropped whole; what it says is made harmless first."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from autoscaler.core.reports import DiskFigures, Failure, Phase, PhaseTime, Wants
from autoscaler.gateways import enrolment_reports
from autoscaler.gateways.enrolment_reports import Refused, read
from tests.unit.gateways import said_by_machines as machines
from tests.unit.gateways.said_by_machines import TOKENS, body, failed, said


def test_a_report_is_read_whole() -> None:
    """Phases in the order of a boot, whatever order they came in."""
    report = read(body(phases=machines.phases()[::-1], wants="grant"), TOKENS, at=1000.0)

    assert ("node-1", 1000.0, 34.5) == (report.node, report.heard_at, report.uptime_s)
    assert PhaseTime(phase=Phase.BOOTED, from_s=0.0, to_s=6.5) == report.phases[0]
    assert Phase.WORKER is report.phases[-1].phase
    assert report.worker_started
    assert DiskFigures(mean_ms=0.4, worst_ms=7.25, requests=250) == report.disk
    assert Wants.GRANT is report.wants
    assert None is report.failed


def test_a_failure_names_its_phase_and_brings_its_log() -> None:
    """And a worker was not started then."""
    report = read(body(**failed(says="pip\ngave  up")), TOKENS, at=1.0)

    assert Failure(phase=Phase.APPLICATION, says="pip gave up") == report.failed
    assert ("one", "two") == report.log
    assert not report.worker_started


def test_a_token_is_worth_nothing_for_another_node() -> None:
    """Whose it is decides of whom it may speak; the reason tells neither token."""
    with pytest.raises(Refused) as refused:
        read(body("node-2", token=TOKENS.of("node-1")), TOKENS, at=1.0)

    assert TOKENS.of("node-1") not in str(refused.value)
    assert TOKENS.of("node-2") not in str(refused.value)


WRONG: tuple[dict[str, Any], ...] = (
    {"v": 2},
    {"v": True},
    {"node": ""},
    {"node": "a\nb"},
    {"node": "x" * 256},
    {"node": 7},
    {"token": None},
    {"token": "0" * 64},
    {"uptime_s": -1},
    {"uptime_s": True},
    {"uptime_s": "7"},
    {"uptime_s": 10**400},
    {"uptime_s": 1e8},
    {"phases": {}},
    {"phases": machines.phases()[:1] * 2},
    {"phases": [{"phase": "machine", "from_s": 0, "to_s": 1, "ok": True}]},
    {"phases": [{"phase": "heartbeat", "from_s": 0, "to_s": 1, "ok": True}]},
    {"phases": [{"phase": "booted", "from_s": 2, "to_s": 1, "ok": True}]},
    {"phases": [{"phase": "booted", "from_s": 0, "to_s": 99, "ok": True}]},
    {"phases": [{"phase": "booted", "from_s": 0, "to_s": 1, "ok": 1}]},
    {"failed": "yes"},
    {"failed": {"phase": "task", "says": "", "log": []}},
    {"failed": {"phase": "disk", "says": None}},
    {"failed": {"phase": "disk", "says": "", "log": [1]}},
    {"failed": {"phase": ["disk"], "says": ""}},
    {"disk": {"mean_ms": -1, "worst_ms": 1, "requests": 1}},
    {"disk": [1]},
    {"wants": "root"},
    {"wants": ["grant"]},
)


@pytest.mark.parametrize("change", WRONG, ids=lambda change: json.dumps(change)[:60])
def test_what_is_out_of_bounds_is_dropped_whole(change: dict[str, Any]) -> None:
    """Nothing of it is believed, and nothing breaks."""
    with pytest.raises(Refused):
        read(json.dumps(said() | change).encode(), TOKENS, at=1.0)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"v":NaN}',
        b"[" * 100_000,
        b" " * 65_537,
        b'{"v":' + b"9" * 5000 + b"}",
    ],
    ids=["nothing", "no text", "a list", "null", "NaN", "deep", "long", "many digits"],
)
def test_what_is_no_object_is_dropped(raw: bytes) -> None:
    """Whatever stands in the queue."""
    with pytest.raises(Refused):
        read(raw, TOKENS, at=1.0)


def test_a_log_is_kept_from_its_end_and_within_bounds() -> None:
    """The last hundred lines, and no more bytes than are kept of any: what failed stands at the end."""
    many = read(body(**failed(log=[f"line {n}" for n in range(500)])), TOKENS, at=1.0)
    wide = read(body(**failed(log=["x" * 900] * 30)), TOKENS, at=1.0)

    assert 100 == len(many.log)
    assert "line 499" == many.log[-1]
    assert 0 < sum(len(line.encode()) + 1 for line in wide.log) <= enrolment_reports.LOG_BYTES


def test_no_line_steers_a_terminal_or_tells_a_password() -> None:
    """Colours go, other control characters are shown as what they are not, credentials in addresses are masked."""
    lines = [
        "\x1b[31mERROR\x1b[0m\tno \x07bell",
        "\x1b]0;title\x07x",
        "Looking in https://kari:s3cr@t@pypi.example/simple",
        "git+https://t0ken@git.example/a and amqp://u:p%40w@rabbit//",
        "\ud800",
    ]
    report = read(
        body(**failed(says="https://kari:s3cret@x.example is down\x1b[2J", log=lines)), TOKENS, at=1.0
    )

    assert (
        "ERROR   no \ufffdbell",
        "x",
        "Looking in https://********@pypi.example/simple",
        "git+https://********@git.example/a and amqp://********@rabbit//",
        "\ufffd",
    ) == report.log
    assert report.failed is not None
    assert "https://********@x.example is down" == report.failed.says


def test_a_long_address_is_masked_before_it_is_cut() -> None:
    """Half an address may hold a whole password and not the sign that it is one."""
    line = "x" * 980 + " https://kari:s3cret-s3cret-s3cret-s3cret@pypi.example/"
    report = read(body(**failed(says=line[700:], log=[line])), TOKENS, at=1.0)

    assert report.failed is not None
    assert "s3cret" not in report.log[0] + report.failed.says


@pytest.mark.parametrize("filling", ["://a:", "\x1b[0", "\x1b]", "://" + "@", ":", "a@"])
def test_no_text_takes_long_to_clean(filling: str) -> None:
    """However it is made: the time grows with the length of the message alone."""
    text = (filling * 65_536)[:60_000]
    began = time.process_time()
    enrolment_reports.clean(text)

    assert time.process_time() - began < 1.0
