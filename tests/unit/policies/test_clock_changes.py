"""What cron begins when the clocks change, zone by zone, as cron(8) and crontab(5) of Vixie cron have it."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from policies import local_time
from policies.cron import begins

OSLO, LORD_HOWE = "Europe/Oslo", "Australia/Lord_Howe"
HOUR_S = 3_600


def told(cron: str, zone: str, day: str) -> list[str]:
    """The local times, with offset, at which it begins from one noon before the day until the noon in it."""
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=local_time.zone(zone)).timestamp()
    return [
        local_time.at_local(at, zone).strftime("%d %H:%M %z")
        for at in begins(cron, zone, noon - 24 * HOUR_S, noon)
    ]


@pytest.mark.parametrize(
    ("cron", "begun"),
    [
        ("30 1 * * *", ["29 01:30 +0100"]),
        ("0 2 * * *", ["29 03:00 +0200"]),
        ("30 2 * * *", ["29 03:00 +0200"]),
        ("59 2 * * *", ["29 03:00 +0200"]),
        ("0 3 * * *", ["29 03:00 +0200"]),
        ("30 2,3 * * *", ["29 03:00 +0200", "29 03:30 +0200"]),
    ],
)
def test_a_begin_in_the_skipped_hour_comes_right_after_it(cron: str, begun: list[str]) -> None:
    """Oslo, 29 March 2026: after 01:59:59 comes 03:00."""
    assert begun == told(cron, OSLO, "2026-03-29")


@pytest.mark.parametrize(
    ("cron", "begun"),
    [
        ("30 1 * * *", ["25 01:30 +0200"]),
        ("0 2 * * *", ["25 02:00 +0200"]),
        ("30 2 * * *", ["25 02:30 +0200"]),
        ("0 3 * * *", ["25 03:00 +0100"]),
    ],
)
def test_a_begin_in_the_repeated_hour_comes_once_the_first_time(cron: str, begun: list[str]) -> None:
    """Oslo, 25 October 2026: after 02:59:59 comes 02:00 again."""
    assert begun == told(cron, OSLO, "2026-10-25")


def test_what_goes_by_the_clock_skips_and_repeats_with_it() -> None:
    """A minute or hour that begins with `*`: nothing in the skipped hour, twice in the repeated one."""
    assert ["01:30 +0100", "03:30 +0200"] == [t[3:] for t in told("30 * * * *", OSLO, "2026-03-29")[14:16]]
    assert ["02:00 +0200", "02:30 +0200", "02:00 +0100", "02:30 +0100"] == [
        t[3:] for t in told("*/30 2 * * *", OSLO, "2026-10-25")
    ]


def test_a_change_of_half_an_hour_is_met_the_same_way() -> None:
    """Lord Howe: 02:00 becomes 02:30 on 4 October 2026, and 01:30 on 5 April."""
    assert ["04 02:30 +1100"] == told("0 2 * * *", LORD_HOWE, "2026-10-04")
    assert ["04 02:30 +1100"] == told("29 2 * * *", LORD_HOWE, "2026-10-04")
    assert ["04 02:45 +1100"] == told("45 2 * * *", LORD_HOWE, "2026-10-04")
    assert ["05 01:45 +1100"] == told("45 1 * * *", LORD_HOWE, "2026-04-05")
    assert ["05 01:45 +1100", "05 01:45 +1030"] == told("45 */1 * * *", LORD_HOWE, "2026-04-05")[13:15]


def test_midnight_itself_may_be_skipped() -> None:
    """Cairo, 24 April 2026: after 23:59:59 comes 01:00. The day still begins once."""
    assert ["24 01:00 +0300"] == told("0 0 * * *", "Africa/Cairo", "2026-04-24")


def test_a_day_that_never_was_begins_with_the_next() -> None:
    """Apia went from 29 to 31 December 2011; what belonged to the 30th came right after it, once."""
    assert ["31 00:00 +1400", "31 07:00 +1400"] == told("0 7 30,31 12 *", "Pacific/Apia", "2011-12-31")


def test_a_zone_is_told_where_its_clocks_change() -> None:
    """To the second, with the offset on both sides; the ends of the time asked for are no changes."""
    start = datetime(2026, 1, 1, 0, 17, tzinfo=UTC).timestamp()
    spring, autumn = local_time.changes(OSLO, start, start + 365 * 24 * HOUR_S)

    assert (HOUR_S, 2 * HOUR_S) == (spring.offset_before_s, spring.offset_after_s)
    assert datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp() == spring.at
    assert datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp() == autumn.at
    assert [] == list(local_time.changes(OSLO, start, spring.at))
    assert [] == list(local_time.changes(OSLO, spring.at, autumn.at))


def test_a_time_is_said_with_its_date_when_it_is_far_and_its_offset_when_it_comes_twice() -> None:
    """As people would say it on the telephone."""
    noon = datetime(2026, 10, 24, 10, tzinfo=UTC).timestamp()

    def said(hours: float) -> str:
        return local_time.told(noon + hours * HOUR_S, OSLO, seen_from=noon)

    assert "Sat 18:00" == said(6)
    assert ("Sun 02:30+02:00", "Sun 02:30+01:00") == (said(14.5), said(15.5))
    assert "Sun 1 Nov 11:00" == said(8 * 24)


@pytest.mark.parametrize(
    "name", ["Europe/Olso", "Europe", "", "../../etc/passwd", "/etc/localtime", "a\0b", "x" * 300]
)
def test_a_zone_that_is_not_there_is_refused_in_words(name: str) -> None:
    """Whatever the reason; a name is no path."""
    with pytest.raises(local_time.ZoneUnknown, match="such as Europe/Oslo or UTC"):
        local_time.zone(name)


def test_utc_is_known_where_no_time_zones_are_installed(tmp_path: Path) -> None:
    """It has no rules that could be missing; any other zone is refused there."""
    asks = (
        "from policies import local_time\n"
        "print(local_time.at_local(1_800_000_000.0, 'UTC').isoformat())\n"
        "try: local_time.zone('Europe/Oslo')\n"
        "except local_time.ZoneUnknown: print('refused')\n"
    )
    bare = {**os.environ, "PYTHONTZPATH": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    # The package tzdata, where it is installed beside Python, is kept from being found.
    hidden = f"import sys; sys.modules['tzdata'] = None\n{asks}"
    said = subprocess.run(
        [sys.executable, "-c", hidden], env=bare, capture_output=True, text=True, check=True
    )

    assert ["2027-01-15T08:00:00+00:00", "refused"] == said.stdout.splitlines()
