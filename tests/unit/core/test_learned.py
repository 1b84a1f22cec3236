"""When a machine is late: RFC 6298's estimator over the last boots, with a margin, bounds and a back-off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core import learned
from autoscaler.core.learned import Learned

BOUNDS = {"first_s": 600.0, "least_s": 180.0, "most_s": 1800.0}


def late(of: Learned, *, alike: bool = True, **bounds: float) -> float:
    return learned.late_after_s(of, alike=alike, **(BOUNDS | bounds))


@pytest.mark.parametrize(
    ("took_s", "estimate_s"),
    [
        # RFC 6298 (2.2): SRTT = R, RTTVAR = R/2, RTO = SRTT + 4 RTTVAR.
        ((100.0,), 300.0),
        # (2.3), with the old SRTT in RTTVAR: 3/4 · 50 + 1/4 · 0 = 37.5; SRTT stays.
        ((100.0, 100.0), 250.0),
        # RTTVAR = 3/4 · 100 + 1/4 · 100 = 100; SRTT = 7/8 · 200 + 1/8 · 100 = 187.5.
        ((200.0, 100.0), 187.5 + 4 * 100.0),
        # Twice the 95th percentile of the two, 195, is more than 112.5 + 4 · 62.5.
        ((100.0, 200.0), 390.0),
    ],
    ids=["one", "two alike", "the second one half as long", "the second one twice as long"],
)
def test_few_boots_leave_room_for_what_is_not_known(took_s: tuple[float, ...], estimate_s: float) -> None:
    """As a sender's time-out is wide before its first few answers."""
    assert estimate_s == pytest.approx(learned.estimate_s(took_s))


def test_boots_as_alike_as_clockwork_leave_room_for_one_that_is_not() -> None:
    """Their deviation comes to nothing, and the estimator alone would call the next one late by a second."""
    assert pytest.approx(124.0, abs=0.5) == learned.estimate_s((62.0,) * 20)


@pytest.mark.parametrize(
    ("took_s", "late_s"),
    [
        ((), 600.0),
        ((62.0,) * 12, 180.0),
        ((540.0,) * 12, 1080.0),
        ((1_700.0,) * 12, 1800.0),
    ],
    ids=[
        "nothing known",
        "quick: the floor",
        "slow: beyond ten minutes",
        "slower than any may be: the ceiling",
    ],
)
def test_the_time_follows_the_boots_within_its_bounds(took_s: tuple[float, ...], late_s: float) -> None:
    """One of a minute is late after three; one of nine is not late after ten."""
    assert late_s == pytest.approx(late(Learned(took_s=took_s)))


def test_one_odd_boot_widens_the_time_for_a_while_only() -> None:
    """It counts at once, for it may be a change; among many it is one of them."""
    before = Learned(took_s=(100.0,) * 19)
    after = replace(before, took_s=(*before.took_s, 900.0))
    calm = replace(before, took_s=(*after.took_s, *((100.0,) * 12))[-20:])

    assert late(before) < 250.0
    assert late(after) > 700.0
    assert late(calm) < 300.0


def test_boots_that_come_in_two_lengths_are_both_in_time() -> None:
    """One in five that takes six times as long is no failure."""
    assert late(Learned(took_s=(60.0, 60.0, 60.0, 60.0, 400.0) * 4)) >= 800.0


def test_what_was_cut_off_doubles_the_next_time_up_to_the_most() -> None:
    """A boot that was cut off teaches no length, so without this a time too short would never grow."""
    of, waited = Learned(took_s=(20.0,) * 12), []
    for _ in range(6):
        waited.append(late(of))
        of = learned.with_late(of, late(of), most_s=1800.0)

    assert [180.0, 360.0, 720.0, 1440.0, 1800.0, 1800.0] == waited


def test_ten_that_end_together_double_it_once() -> None:
    """They were given the same time, and say one thing."""
    of = Learned(took_s=(20.0,) * 12)
    for _ in range(10):
        of = learned.with_late(of, 180.0, most_s=1800.0)

    assert 360.0 == late(of)


def test_a_boot_takes_back_a_part_of_what_others_waited_in_vain() -> None:
    """At once would cut off the next slow one again; never would let one dead machine cost for ever."""
    of = learned.with_late(Learned(took_s=(20.0,) * 12), 180.0, most_s=1800.0)
    one = learned.with_boots(of, (20.0,), becomes="", most_s=1800.0)
    many = learned.with_boots(of, (20.0,) * 8, becomes="", most_s=1800.0)

    assert (324.0, 180.0) == (late(one), late(many))


def test_dead_machines_among_many_do_not_push_it_up() -> None:
    """One in fifteen never boots: each is late after little more than the floor."""
    of, waited = Learned(), []
    for _ in range(20):
        of = learned.with_boots(of, (30.0,) * 14, becomes="", most_s=1800.0)
        waited.append(late(of))
        of = learned.with_late(of, late(of), most_s=1800.0)

    assert max(waited[1:]) <= 360.0


def test_another_kind_is_given_the_first_time_and_more_where_the_old_one_took_more() -> None:
    """What it installs may have changed; that it got quicker nobody knows."""
    quick, slow = Learned(took_s=(30.0,) * 9), Learned(took_s=(400.0,) * 9)

    assert (180.0, 600.0) == (late(quick), late(quick, alike=False))
    assert late(slow) == late(slow, alike=False) == pytest.approx(800.0)


def test_the_first_of_a_new_kind_makes_the_old_one_forgotten() -> None:
    """But not that others were waited for in vain: that may have been of the new kind."""
    of = Learned(took_s=(30.0,) * 9, becomes="old", at_least_s=1200.0)
    after = learned.with_boots(of, (500.0,), becomes="new", most_s=1800.0)

    assert ((500.0,), "new", 1080.0) == (after.took_s, after.becomes, after.at_least_s)


def test_what_is_no_length_is_not_learned() -> None:
    """A broken clock's word; and nothing is longer than any machine is waited for."""
    nothing = learned.with_boots(Learned(), (float("nan"), float("inf"), -1.0), becomes="new", most_s=1800.0)
    long = learned.with_boots(Learned(), (1e9,), becomes="", most_s=1800.0)

    assert (Learned(), (1800.0,)) == (nothing, long.took_s)


def test_no_more_than_twenty_boots_are_remembered() -> None:
    """The journal writes them down on every tick."""
    of = learned.with_boots(Learned(), [float(n) for n in range(50)], becomes="", most_s=1800.0)

    assert tuple(float(n) for n in range(30, 50)) == of.took_s
