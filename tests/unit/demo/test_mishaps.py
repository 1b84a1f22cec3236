"""What goes wrong in the demo: each kind soon, told once each time, and nothing else ever."""

from __future__ import annotations

from autoscaler.demo.mishaps import STROKES, TROUBLES, Mishaps
from autoscaler.simulate.contract import Fault

HISTORY_S, HOUR_S, STEP_S = 86_400.0, 3_600.0, 30.0


def _told(since_s: float, until_s: float) -> list[str]:
    """All that a world which asks for everything is told in that time."""
    news: list[str] = []
    script = Mishaps(begins_s=HISTORY_S, tell=news.append)
    at = since_s
    while at < until_s:
        for trouble in TROUBLES:
            script.lasts(trouble.fault, at, trouble.where)
        for stroke in STROKES:
            script.strikes(stroke.fault, at)
        at += STEP_S
    return news


def test_every_kind_comes_within_three_hours_of_the_first_look() -> None:
    """Three minutes of who looks on, at the usual speed."""
    assert {each.says for each in (*TROUBLES, *STROKES)} == set(_told(HISTORY_S, HISTORY_S + 3 * HOUR_S))


def test_a_trouble_is_told_once_however_long_it_lasts() -> None:
    """Not each time that somebody meets it."""
    news = _told(HISTORY_S, HISTORY_S + 3 * HOUR_S)

    assert [1] * len(TROUBLES) == [news.count(each.says) for each in TROUBLES]


def test_the_day_before_had_its_share_of_each() -> None:
    """What attention and history show did not begin with the visitor."""
    assert {each.says for each in (*TROUBLES, *STROKES)} == set(_told(0.0, HISTORY_S))


def test_nothing_else_ever_goes_wrong() -> None:
    """It is a demo, and not a trial."""
    script = Mishaps(begins_s=HISTORY_S, tell=lambda _: None)
    lasting = {each.fault for each in TROUBLES}
    striking = {each.fault for each in STROKES}

    for fault in Fault:
        for at in (0.0, HISTORY_S, HISTORY_S + 40 * 60.0):
            assert fault in striking or not script.strikes(fault, at)
            assert fault in lasting or not script.lasts(fault, at)


def test_other_places_know_nothing_of_a_trouble() -> None:
    """Where one account has no machine left the other one sells."""
    script = Mishaps(begins_s=HISTORY_S, tell=lambda _: None)
    out = next(each for each in TROUBLES if each.fault is Fault.CAPACITY_REFUSED)
    at = HISTORY_S + out.first_s

    assert script.lasts(out.fault, at, out.where)
    assert not script.lasts(out.fault, at, "skog small")
