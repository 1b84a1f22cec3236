"""What `kind = "schedule"` accepts, and how its windows must agree with the limits."""

from __future__ import annotations

import pytest

from autoscaler.config import schedules
from tests.unit.config.documents import problems, settings, the_problem

SCHEDULE = """
[[pools.images.policies]]
kind = "schedule"
time_zone = "Europe/Oslo"
[[pools.images.policies.windows]]
cron = "0 7 * * mon-fri"
lasts = "11h"
min_workers = 3
max_workers = 4
[[pools.images.policies.windows]]
cron = "0 22 * * *"
lasts = "8h"
max_workers = 0
"""


def told(old: str, new: str) -> tuple[str, str]:
    """The path and the words of the only problem of the changed schedule."""
    assert 1 == SCHEDULE.count(old)
    problem = the_problem(more=SCHEDULE.replace(old, new))
    return problem.path.removeprefix("pools.images.policies[1]."), str(problem)


def test_a_schedule_is_handed_on_in_seconds() -> None:
    """Unset numbers are left out; durations are seconds in a key that says so."""
    policy = settings(more=SCHEDULE).pools["images"].policies[1]

    assert "schedule" == policy.kind
    assert {
        "time_zone": "Europe/Oslo",
        "windows": (
            {"cron": "0 7 * * mon-fri", "lasts_s": 39_600.0, "min_workers": 3, "max_workers": 4},
            {"cron": "0 22 * * *", "lasts_s": 28_800.0, "max_workers": 0},
        ),
    } == policy.options()


@pytest.mark.parametrize(
    ("old", "new", "path", "says"),
    [
        ('"Europe/Oslo"', '"Oslo"', "time_zone", "expected a zone that this machine knows, such as Europe/Oslo or UTC"),
        ('"Europe/Oslo"', '"europe/oslo"', "time_zone", "Did you mean Europe/Oslo?"),
        ('"Europe/Oslo"', "2", "time_zone", "found 2; expected the name of a time zone in quotes"),
        ('"0 22 * * *"', '"0 22 * *"', "windows[1].cron", "It has 4 of the five fields"),
        ('"0 22 * * *"', '"0 25 * * *"', "windows[1].cron", "Hour is '25'; expected 0 to 23."),
        ('"0 22 * * *"', "22", "windows[1].cron", "found 22; expected cron's five fields"),
        ('"11h"', '"5w"', "windows[0].lasts", "expected a duration from 1m to 4w"),
        ('"11h"', '"59s"', "windows[0].lasts", "expected a duration from 1m to 4w"),
        ("min_workers = 3", "min_workers = -1", "windows[0].min_workers", "expected a number of at least 0"),
        ("max_workers = 0", "", "windows[1]", "found no number; expected min_workers, max_workers or both"),
        ("min_workers = 3", "min_workers = 5", "windows[0].min_workers", "the window's max_workers, which is 4"),
        ("max_workers = 0", "min_workers = 5", "windows[1].min_workers", "at most limits.max_workers, which is 4"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(old: str, new: str, path: str, says: str) -> None:
    """Each with its place and what was expected."""
    found, words = told(old, new)

    assert (path, True) == (found, says in words)


def test_a_scheduled_ceiling_below_the_pools_floor_is_refused() -> None:
    """The floor would always win, so it could never be kept."""
    problem = the_problem(("max_workers = 4", "max_workers = 4\nmin_workers = 1"), more=SCHEDULE)

    assert "pools.images.policies[1].windows[1].max_workers" == problem.path
    assert "at least limits.min_workers, which is 1" in str(problem)


def test_a_machine_without_any_zones_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small container; the name is not to blame."""
    monkeypatch.setattr(schedules, "available_timezones", set)

    assert "No zone is known here at all." in told('"Europe/Oslo"', '"Europe/Nowhere"')[1]


def test_windows_of_other_peoples_policies_are_theirs() -> None:
    """Keys are judged only where the kind is ours."""
    more = '[[pools.images.policies]]\nkind = "theirs"\nwindows = [{ min_workers = 99 }, 3]\n'

    assert () == problems(more=more)
