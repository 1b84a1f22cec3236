"""What is learned of a pool's past, when it is believed, and when it is not."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from policies.contract import Flow
from policies.prospect import Prospect, Slice
from policies.seasons import SLICE_S, Seasons, slice_of
from tests.unit.policies.past import DAY_SLICES, SINCE, Shape, at, peak_at_nine, slices

BOOT_S, HOUR_S = 120.0, 3600.0


def prospect(shape: Shape, now: float, *, zone: str = "UTC", quantum_s: float = 0.0) -> Prospect:
    """By all of the past until now."""
    learned = Seasons(time_zone=zone)
    learned.learn(slices(shape, days=(now // SLICE_S - SINCE) / DAY_SLICES))
    return learned.prospect(now, boot_s=BOOT_S, quantum_s=quantum_s)


def test_a_daily_peak_is_foreseen_once_it_was_foretold_on_two_days() -> None:
    """One day to learn from and two to be judged by; before that nobody is bought for it."""
    shape = peak_at_nine()

    assert [None, None] == [prospect(shape, at(day, 8.95)).soon for day in (1, 2)]
    soon = prospect(shape, at(3, 8.95)).soon
    assert soon is not None
    assert soon.per_s[0] < 0.1
    assert 600 / SLICE_S == pytest.approx(soon.per_s[1], rel=0.05)
    assert soon.error < 0.8 * soon.present_error


def test_what_is_foreseen_reaches_as_far_as_was_asked() -> None:
    """For a boot the slice that ends it, for a paid hour all of that; never beyond."""
    found = prospect(peak_at_nine(), at(5, 8.5), quantum_s=HOUR_S)

    assert found.soon is not None
    assert found.later is not None
    assert [2, 13] == [len(found.soon.per_s), len(found.later.per_s)]
    assert at(5, 8.5) == found.from_at


def test_there_is_silence_where_the_present_does_as_well() -> None:
    """A past that never says more than the last ten minutes do is no reason for anything."""
    found = prospect(lambda _: 20.0, at(6, 12))

    assert (None, None) == (found.soon, found.later)
    assert found.why


def test_there_is_silence_about_what_comes_by_chance() -> None:
    """Bursts without a season are noise, whatever a method said of them; the reason tells by how much it erred."""
    dice = random.Random(7)
    drawn = [dice.choice((0.0, 0.0, 5.0, 600.0)) for _ in range(10 * DAY_SLICES)]
    found = prospect(lambda number: drawn[number], at(9, 12), quantum_s=HOUR_S)

    assert (None, None) == (found.soon, found.later)
    assert "times as much" in found.why


def test_a_peak_stays_at_its_local_hour_when_the_clocks_change() -> None:
    """Oslo's clocks went forward on 31 March 2024: nine o'clock came an hour earlier by UTC."""
    shape = peak_at_nine(zone="Europe/Oslo")
    sunday, monday = 21, 22

    for day in (sunday, monday):
        soon = prospect(shape, at(day, 7) - 60, zone="Europe/Oslo").soon
        assert soon is not None
        assert soon.per_s[1] > 1.5
    by_utc = prospect(shape, at(sunday, 7) - 60).soon
    assert by_utc is None or by_utc.per_s[1] < 1.0


def test_weekdays_are_told_from_weekends() -> None:
    """After two weeks a peak of working days is foreseen on a Monday, and none on a Saturday."""

    def shape(number: int) -> float:
        weekday = (6 + number // DAY_SLICES) % 7  # the first day is a Sunday
        return peak_at_nine()(number) if weekday < 5 else 10.0

    saturday, monday = 27, 29
    on_monday, on_saturday = (prospect(shape, at(day, 9) - 60).soon for day in (monday, saturday))

    assert on_monday is not None
    assert on_monday.per_s[1] > 1.5
    assert on_saturday is None or on_saturday.per_s[1] < 0.5


def test_a_peak_that_does_not_come_is_given_up_after_a_slice() -> None:
    """What was foreseen for nine is not foreseen for five past nine when nobody came at nine."""

    def shape(number: int) -> float:
        return peak_at_nine()(number) if number < 6 * DAY_SLICES else 10.0

    before, after = (prospect(shape, at(6, 9) + seconds).soon for seconds in (-60, 360))

    assert before is not None
    assert after is not None
    assert before.per_s[1] > 1.5
    assert max(after.per_s) < 0.3


def test_nothing_is_foreseen_beyond_what_was_ever_seen() -> None:
    """Today's level may double what was usual, but not what was the highest."""

    def shape(number: int) -> float:
        grown = 2.0 if number >= 6 * DAY_SLICES else 1.0
        return grown * (600.0 if number % DAY_SLICES >= 108 else 300.0)

    soon = prospect(shape, at(6, 9) - 60).soon

    assert soon is not None
    assert max(soon.per_s) <= 600.0 / SLICE_S


def test_a_slice_that_nobody_saw_is_unknown_and_not_empty() -> None:
    """After a day of blindness the peak is foreseen as before, from the days that were seen."""
    whole = slices(peak_at_nine(), days=5)
    blind = [
        replace(one, arrived=0.0, looked_s=10.0) if 3 <= number / DAY_SLICES < 4 else one
        for number, one in enumerate(whole)
    ]
    learned = Seasons()
    learned.learn(blind)
    found = learned.prospect(at(5, 9) - 60, boot_s=BOOT_S, quantum_s=0.0)
    assert found.from_at > whole[-1].since_at

    learned.learn(slices(peak_at_nine(), days=5 + 8.9 / 24, since=5 * DAY_SLICES))
    soon = learned.prospect(at(5, 9) - 60, boot_s=BOOT_S, quantum_s=0.0).soon
    assert soon is not None
    assert soon.per_s[1] > 1.5


def test_the_same_past_teaches_the_same_at_once_or_bit_by_bit() -> None:
    """A daemon that starts anew says what the one before would have said."""
    dice = random.Random(3)
    past = [
        replace(s, arrived=s.arrived * dice.uniform(0.5, 1.5)) for s in slices(peak_at_nine(), days=20.37)
    ]
    at_once, by_bits = Seasons(), Seasons()
    at_once.learn(past)
    left = list(past)
    while left:
        some = dice.randint(1, 40)
        by_bits.learn(left[:some])
        left = left[some:]

    now = past[-1].since_at + SLICE_S
    one, other = (s.prospect(now, boot_s=700.0, quantum_s=HOUR_S) for s in (at_once, by_bits))
    assert one.soon is not None
    assert one == other


def test_what_is_out_of_order_or_no_number_teaches_nothing() -> None:
    """A clock that was set back, a damaged figure: the prospect stays what it was."""
    past = slices(peak_at_nine(), days=4)
    sound, hostile = Seasons(), Seasons()
    sound.learn(past)
    odd = [
        Slice(since_at=math.nan, arrived=1.0, looked_s=SLICE_S),
        Slice(since_at=math.inf, arrived=1.0, looked_s=SLICE_S),
        Slice(since_at=-5.0, arrived=1.0, looked_s=SLICE_S),
        past[-1],
        past[7],
    ]
    hostile.learn(past)
    hostile.learn(odd)
    now = at(4)

    assert sound.prospect(now, boot_s=BOOT_S, quantum_s=0.0) == hostile.prospect(
        now, boot_s=BOOT_S, quantum_s=0.0
    )
    for broken in (math.nan, math.inf, -1.0, 1e300):
        assert hostile.prospect(broken, boot_s=BOOT_S, quantum_s=HOUR_S).soon is None
    for amounts in ((math.nan, 300.0), (-3.0, 300.0), (math.inf, 300.0), (5.0, math.nan), (5.0, math.inf)):
        later = Slice(since_at=past[-1].since_at + SLICE_S, arrived=amounts[0], looked_s=amounts[1])
        learned = Seasons()
        learned.learn([*past, later])
        found = learned.prospect(now + SLICE_S, boot_s=math.inf, quantum_s=math.inf).soon
        assert found is None or all(math.isfinite(rate) for rate in found.per_s)


@pytest.mark.parametrize(
    ("now", "flow", "expected"),
    [
        (
            1_000.0,
            Flow(arrived=7, completed=1, over_s=10.0),
            Slice(since_at=900.0, arrived=7.0, looked_s=10.0),
        ),
        (1_000.0, None, None),
        (1_000.0, Flow(arrived=7, completed=1, over_s=0.0), None),
        (1_000.0, Flow(arrived=7, completed=1, over_s=SLICE_S + 1), None),
        (1_000.0, Flow(arrived=-7, completed=1, over_s=10.0), None),
        (math.nan, Flow(arrived=7, completed=1, over_s=10.0), None),
    ],
)
def test_a_look_is_placed_in_its_slice_or_not_at_all(
    now: float, flow: Flow | None, expected: Slice | None
) -> None:
    """What was counted over longer than a slice may have come in any of several."""
    assert expected == slice_of(now, flow)
