"""What arrived, from what was looked at: every task once, and no gap without a word."""

from __future__ import annotations

from autoscaler.study.recorded import Gap, Interval, arrivals
from tests.unit.study.looked import a_look, blind, uncounted

STEADY = [a_look(tick, arrived=3, completed=3, in_progress=2, busy=2) for tick in range(6)]
"""Three tasks a tick of some seven seconds each, in two slots."""


def test_what_the_broker_counted_is_what_came() -> None:
    """Between two looks, and not before the first."""
    came = arrivals(STEADY, 7.0)

    expected = tuple(
        Interval(from_s=10.0 * n, to_s=10.0 * n + 10.0, arrived=3, counted=True) for n in range(5)
    )
    assert (expected, (), 0) == (came.intervals, came.gaps, came.uncounted)
    assert (0, 2, 17) == (came.waiting, came.running, came.total)


def test_a_blind_time_that_the_counters_outlasted_is_told_and_exact() -> None:
    """The next look says how many came in all of it."""
    after = a_look(12, arrived=25, completed=20, counted_s=70.0, backlog=5)
    came = arrivals([*STEADY, *(blind(tick) for tick in range(6, 12)), after], 7.0)

    assert (Gap(from_s=50.0, to_s=120.0, arrived=25, counted=True, blind=True),) == came.gaps
    assert 0 == came.uncounted


def test_tasks_that_came_while_nobody_looked_are_spread_over_that_time() -> None:
    """What waits now was not there before, and the slots that were busy at both ends completed some meanwhile."""
    back = uncounted(65, backlog=100, in_progress=2, busy=2)
    came = arrivals([*STEADY, back, a_look(66, arrived=4, backlog=104, in_progress=2, busy=2)], 10.0)

    # 600 s of two busy slots are 120 tasks of 10 s.
    assert (Gap(from_s=50.0, to_s=650.0, arrived=220, counted=False, blind=False),) == came.gaps
    assert Interval(from_s=50.0, to_s=650.0, arrived=220, counted=False) == came.intervals[5]
    assert 220 == came.uncounted


def test_the_end_of_a_gap_that_was_counted_is_not_guessed() -> None:
    """A daemon that came back and failed its first look counts from there."""
    came = arrivals(
        [*STEADY, a_look(35, arrived=6, completed=0, counted_s=20.0, backlog=56, in_progress=2)], 10.0
    )

    # 280 s of one busy slot on average are 28 tasks; 50 more wait than before, and six of what waits were counted.
    assert (
        Interval(from_s=50.0, to_s=330.0, arrived=78, counted=False),
        Interval(from_s=330.0, to_s=350.0, arrived=6, counted=True),
    ) == came.intervals[5:]


def test_rows_without_counts_are_read_by_their_rates() -> None:
    """Of an older release; fractions are handed on until they are a task."""
    rows = [uncounted(tick, arrivals_per_s=0.25, in_progress=1, busy=None) for tick in range(5)]

    assert [2, 3, 2, 3] == [interval.arrived for interval in arrivals(rows, None).intervals]
    assert 10 == arrivals(rows, None).uncounted


def test_rows_without_counts_and_rates_are_read_by_what_is_there() -> None:
    """What there is more of came; what there is less of was completed, and pays for what seems to come next."""
    rows = [uncounted(0), uncounted(1, backlog=4), uncounted(2, backlog=1), uncounted(3, backlog=6)]

    assert [4, 2] == [interval.arrived for interval in arrivals(rows, None).intervals]


def test_counters_that_a_broker_forgot_of_an_idle_queue_are_no_doubt() -> None:
    """Nothing was there at either look."""
    came = arrivals([uncounted(tick) for tick in range(4)], None)

    assert ((), (), 0) == (came.intervals, came.gaps, came.total)


def test_an_hour_that_a_clock_went_through_twice_holds_the_tasks_of_both() -> None:
    """Looks then stand closer than they were, or at one instant; no time is negative and no task lost."""
    looks = [
        a_look(0),
        a_look(1, arrived=2),
        a_look(1, arrived=1),
        a_look(1.2, arrived=1),
        a_look(2, arrived=3),
    ]
    came = arrivals(looks, None)

    assert all(interval.from_s < interval.to_s for interval in came.intervals)
    assert 7 == came.total


def test_a_record_that_never_saw_demand_holds_nothing() -> None:
    """Not even a gap: there is no look on either side of it."""
    came = arrivals([blind(0), blind(1)], None)

    assert (0, ()) == (came.total, came.gaps)
