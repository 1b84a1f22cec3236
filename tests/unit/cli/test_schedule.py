"""`schedule`: what is to come, in the zone's local time, in words and as JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import pytest

from autoscaler.cli import opened
from autoscaler.clock import SystemClock
from tests.unit.cli.office import Office

BACKLOG = 'kind = "backlog"\nmessages_per_worker = 10\n'
WINDOWS = """
[[pools.images.policies]]
kind = "schedule"
time_zone = "Europe/Oslo"

[[pools.images.policies.windows]]
cron = "30 2 * * *"
lasts = "2h"
min_workers = 3

[[pools.images.policies.windows]]
cron = "0 3 * * sun"
lasts = "1h"
min_workers = 2
max_workers = 2
"""


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sets the time by which commands go."""

    def set_to(text: str) -> None:
        class Stopped(SystemClock):
            def now(self) -> float:
                return datetime.fromisoformat(text).timestamp() + 0.4

        monkeypatch.setattr(opened, "CLOCK", Stopped())

    return set_to


@pytest.fixture
def scheduled(office: Office) -> Office:
    office.rewrite(BACKLOG, BACKLOG + WINDOWS)
    office.secrets = {}
    return office


def test_the_short_night_is_told_in_local_time(scheduled: Office, at: Callable[[str], None]) -> None:
    """The change of the clocks has a row of its own, and overlaps say which number holds."""
    at("2026-03-28T12:00+01:00")

    answer = scheduled.command("schedule", "images", "--next", "1d")

    assert 0 == answer.code
    assert (
        """\
images, policies[1]: Europe/Oslo, for 1 d
FROM                           LASTS        AT LEAST  AT MOST  BECAUSE
Sat 2026-03-28 12:00:00+01:00  14 h                –        –  no window
Sun 2026-03-29 03:00:00+02:00                                  clocks go forward 1 h: after 01:59:59 comes 03:00:00
Sun 2026-03-29 03:00:00+02:00  1 h                 3        2  30 2 * * * and 0 3 * * sun; the highest floor holds; \
the ceiling is stronger than the floor
Sun 2026-03-29 04:00:00+02:00  1 h                 3        –  30 2 * * *
Sun 2026-03-29 05:00:00+02:00  8 h or more         –        –  no window

Where nothing is kept, the other policies decide alone: backlog.
"""
        == answer.out
    )


def test_the_long_night_is_told_in_local_time(scheduled: Office, at: Callable[[str], None]) -> None:
    """02:30 comes twice and counts once; two hours from there are over at 03:30."""
    at("2026-10-25T00:00+02:00")

    rows = [
        line.split("  ")[0]
        for line in scheduled.command("schedule", "images", "--next", "12h").out.splitlines()
    ]

    assert [
        "Sun 2026-10-25 00:00:00+02:00",
        "Sun 2026-10-25 02:30:00+02:00",
        "Sun 2026-10-25 02:00:00+01:00",
        "Sun 2026-10-25 03:00:00+01:00",
        "Sun 2026-10-25 03:30:00+01:00",
        "Sun 2026-10-25 04:00:00+01:00",
    ] == rows[2:-2]  # fmt: skip


def test_the_facts_hold_instants_and_local_times(scheduled: Office, at: Callable[[str], None]) -> None:
    """Scripts rest on these names; what ends beyond the time asked for has no end."""
    at("2026-03-29T00:00+01:00")

    facts = scheduled.command("schedule", "images", "--next", "3h", "--json").facts
    (policy,) = facts["policies"]
    first, *_, last = policy["stretches"]

    assert ("images", 3 * 3600) == (facts["pool"], facts["until_at"] - facts["at"])
    assert {"policy", "time_zone", "windows", "stretches", "clock_changes"} == policy.keys()
    assert (1, "Europe/Oslo") == (policy["policy"], policy["time_zone"])
    assert {"cron": "30 2 * * *", "lasts_s": 7200.0, "min_workers": 3, "max_workers": None} == policy[
        "windows"
    ][0]
    assert ("2026-03-29T00:00:00+01:00", "2026-03-29T03:00:00+02:00") == (first["since"], first["until"])
    assert (7200.0, None, None, []) == (
        first["until_at"] - first["since_at"], first["min_workers"], first["max_workers"], first["windows"],
    )  # fmt: skip
    assert (None, None, 3, 2, [0, 1]) == tuple(
        last[key] for key in ("until_at", "until", "min_workers", "max_workers", "windows")
    )
    assert [
        {
            "at": first["until_at"],
            "offset_before_s": 3600,
            "offset_after_s": 7200,
            "local": "2026-03-29T03:00:00+02:00",
        }
    ] == policy["clock_changes"]


def test_a_schedule_alone_says_that_the_number_stays_outside_it(office: Office) -> None:
    """Whoever expects none at night learns it before the night."""
    office.rewrite("[[pools.images.policies]]\n" + BACKLOG, WINDOWS)

    assert (
        "no other policy asks for anything, and the number stays as it is"
        in office.command("schedule", "images").out
    )


def test_a_pool_without_a_schedule_is_told(office: Office) -> None:
    """An empty table would look like a schedule that does nothing."""
    answer = office.command("schedule", "images")

    assert 1 == answer.code
    assert "Pool images has no policy of kind schedule; [[pools.images.policies]]" in answer.err


@pytest.mark.parametrize("span", ["14", "0s", "367d", "-1d", "soon"])
def test_a_span_that_is_none_is_refused(scheduled: Office, span: str) -> None:
    """With what would do."""
    answer = scheduled.command("schedule", "images", f"--next={span}")

    assert 2 == answer.code
    assert "expected one such as 12h, 14d or 4w" in answer.err


def test_a_zone_that_this_machine_lacks_is_an_error_of_the_configuration(scheduled: Office) -> None:
    """With its line, and the zone that was probably meant."""
    scheduled.rewrite("Europe/Oslo", "Europe/Olso")

    answer = scheduled.command("check")

    assert 78 == answer.code
    assert (
        'pools.images.policies[1].time_zone: found "Europe/Olso"; expected a zone that this machine knows'
        in answer.err
    )
    assert "Did you mean Europe/Oslo?" in answer.err
