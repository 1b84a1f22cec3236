"""Laws of the calendar: what is worked out day by day is what a look at the clock, minute by minute, finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from policies import local_time
from policies.contract import PolicySpec
from policies.cron import Cron, begins, parse
from policies.kinds import open_policies
from policies.schedule import Schedule
from policies.windows import Window, stretches
from tests.property.strategies import demands, histories, supplies

MINUTE_S = 60
CHANGES = {
    "Europe/Oslo": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),
    "America/St_Johns": ("2026-03-08T05:30", "2026-11-01T04:30"),
    "Africa/Cairo": ("2026-04-23T22:00", "2026-10-29T21:00"),
    "UTC": ("2026-01-01T00:00",),
}
"""Each zone with the instants (UTC) at which its clocks change in 2026."""

# Few numbers, close to the hours in which clocks change, so that changes are really met.
minutes = st.sampled_from(["0", "30", "59", "15-45/15", "*", "*/20", "0,29,30,31"])
hours = st.sampled_from(["0", "1", "2", "3", "0-3", "1,2", "*", "*/2", "23", "2-23/7"])
days = st.sampled_from(["*", "29", "25", "1-7", "*/2", "8,4,24"])
months = st.sampled_from(["*", "mar-apr", "oct,nov", "1-12/3", "jan"])
weekdays = st.sampled_from(["*", "sun", "sat-sun", "7", "mon-fri", "*/3"])
crons = st.builds(lambda *parts: " ".join(parts), minutes, hours, days, months, weekdays)


@st.composite
def places(draw: st.DrawFn) -> tuple[str, int]:
    """A zone, and an instant (a whole minute) at most a day and a half from a change of its clocks."""
    zone = draw(st.sampled_from(sorted(CHANGES)))
    change = datetime.fromisoformat(draw(st.sampled_from(CHANGES[zone]))).replace(tzinfo=UTC)
    return zone, round(change.timestamp()) + draw(st.integers(-36 * 60, 36 * 60)) * MINUTE_S


def shown(cron: Cron, local: datetime) -> bool:
    """Whether the fields are those of a time on the wall."""
    return local.minute in cron.minutes and local.hour in cron.hours and cron.falls_on(local.date())


def begins_at(cron: Cron, zone: str, at: int) -> bool:
    """By a look at the clock at that minute and at the one before."""
    there = local_time.zone(zone)
    local, before = (datetime.fromtimestamp(t, there) for t in (at, at - MINUTE_S))
    if cron.by_the_clock:
        return shown(cron, local)
    if local.fold == 0 and shown(cron, local):
        return True
    skipped = before.replace(tzinfo=None) + timedelta(minutes=1)
    while skipped < local.replace(tzinfo=None):
        if shown(cron, skipped):
            return True
        skipped += timedelta(minutes=1)
    return False


def by_brute_force(text: str, zone: str, from_at: int, until_at: int) -> Iterator[int]:
    cron = parse(text)
    return (at for at in range(from_at, until_at, MINUTE_S) if begins_at(cron, zone, at))


@given(crons, places())
def test_the_next_begin_is_what_a_look_at_every_minute_finds(text: str, place: tuple[str, int]) -> None:
    """Over the hours around a change of the clocks: the first one, and all of them."""
    zone, start = place
    end = start + 2 * local_time.DAY_S
    expected = list(by_brute_force(text, zone, start, end))

    assert next(iter(expected), None) == next(begins(text, zone, start, end), None)
    assert expected == list(begins(text, zone, start, end))


window_rows = st.builds(
    Window,
    cron=crons,
    lasts_s=st.integers(1, 3 * 24 * 60).map(lambda minutes: minutes * 60.0),
    min_workers=st.none() | st.integers(0, 5),
    max_workers=st.none() | st.integers(0, 5),
)


@given(st.lists(window_rows, min_size=1, max_size=3).map(tuple), places())
def test_a_stretch_ends_where_a_look_at_every_minute_finds_another_state(
    windows: tuple[Window, ...], place: tuple[str, int]
) -> None:
    """The same windows in force, floors and ceilings, from the first minute to the last, without gaps."""
    zone, start = place
    end = start + local_time.DAY_S
    begun = [
        list(by_brute_force(window.cron, zone, start - round(window.lasts_s), end)) for window in windows
    ]
    found = list(stretches(windows, zone, start, end))

    assert (start, end) == (found[0].since_at, found[-1].until_at)
    assert all(one.until_at == two.since_at for one, two in pairwise(found))
    assert all(one.in_force != two.in_force for one, two in pairwise(found))
    for stretch in found:
        for at in range(round(stretch.since_at), round(stretch.until_at), MINUTE_S):
            in_force = tuple(
                number
                for number, window in enumerate(windows)
                if any(begin <= at < begin + window.lasts_s for begin in begun[number])
            )
            assert in_force == stretch.in_force
        floors = [n for i in stretch.in_force if (n := windows[i].min_workers) is not None]
        ceilings = [n for i in stretch.in_force if (n := windows[i].max_workers) is not None]
        assert (max(floors, default=None), min(ceilings, default=None)) == stretch.bounds


@given(demands, supplies, histories(), places(), st.floats(0, 60))
def test_a_recommendation_is_what_the_stretches_say(demand, supply, history, place, later_s: float) -> None:  # type: ignore[no-untyped-def] # three plain inputs that must not matter
    """The policy and the command `schedule` tell one story, and neither looks at demand."""
    zone, start = place
    rows = [
        {"cron": "0 2 * * *", "lasts_s": 5400.0, "min_workers": 3, "max_workers": 4},
        {"cron": "*/50 * * * *", "lasts_s": 600.5, "min_workers": 1},
    ]
    (policy,) = open_policies([PolicySpec(kind="schedule", options={"time_zone": zone, "windows": rows})])
    assert isinstance(policy, Schedule)
    at = start + later_s
    (now, *_) = policy.stretches(at, at + 1)
    asked = policy.recommend(demand, supply, history, at=at)

    assert now.bounds == (asked.workers, asked.at_most)
