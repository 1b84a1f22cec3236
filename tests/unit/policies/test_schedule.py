"""The policy `schedule`: what its windows keep and allow, until when, and in which words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from policies import local_time
from policies.account import explain
from policies.contract import Decision, DecisionInput, Hold, Limits, PolicySpec, Recommendation, Rule
from policies.decide import decide
from policies.kinds import open_policies
from policies.options import PolicyOptionsWrong
from policies.schedule import Schedule
from policies.sentence import sentence
from tests.unit.policies.builders import (
    CALM,
    a_demand,
    a_history,
    a_supply,
    an_input,
    backlog_spec,
    schedule_spec,
    steps_spec,
)

OSLO = "Europe/Oslo"
OFFICE = ("0 7 * * mon-fri", 11, 3, None)
NIGHT = ("0 22 * * *", 8, None, 2)


def at(local: str, zone: str = OSLO) -> float:
    """The instant of a local time there; the first, where it comes twice."""
    return datetime.fromisoformat(local).replace(tzinfo=local_time.zone(zone)).timestamp()


def opened(*windows: tuple[str, float, int | None, int | None]) -> Schedule:
    (policy,) = open_policies([schedule_spec(*windows)])
    assert isinstance(policy, Schedule)
    return policy


def said(policy: Schedule, local: str) -> Recommendation:
    return policy.recommend(a_demand(), a_supply(), a_history(), at=at(local))


def spans(policy: Schedule, start: str, end: str) -> list[tuple[str, int | None, int | None]]:
    """The stretches in local time: since when, floor and ceiling."""
    return [
        (local_time.at_local(s.since_at, policy.time_zone).strftime("%d %H:%M%z"), s.floor, s.ceiling)
        for s in policy.stretches(at(start), at(end))
    ]


def given(local: str, *windows: tuple[str, float, int | None, int | None], **changes: Any) -> DecisionInput:
    """A quiet pool at that time, with `backlog` beside the schedule."""
    backlog = changes.pop("backlog", 0)
    policies = (backlog_spec(), schedule_spec(*windows))
    return an_input(backlog, **({"at": at(local), "policies": policies} | changes))


def decided(local: str, *windows: tuple[str, float, int | None, int | None], **changes: Any) -> Decision:
    return decide(given(local, *windows, **changes))


@pytest.mark.parametrize(
    ("local", "workers"),
    [
        ("2026-06-12 06:59:59", None),
        ("2026-06-12 07:00", 3),
        ("2026-06-12 17:59:59", 3),
        ("2026-06-12 18:00", None),
        ("2026-06-13 12:00", None),
    ],
)
def test_a_floor_holds_from_its_begin_until_just_before_its_end(local: str, workers: int | None) -> None:
    """Outside it there is no opinion."""
    assert workers == said(opened(OFFICE), local).workers


def test_it_says_what_it_keeps_until_when_and_what_comes_then() -> None:
    """In the zone's own time, which is named."""
    asked = said(opened(OFFICE), "2026-06-12 12:00")

    assert "the schedule keeps 3 until Fri 18:00 (Europe/Oslo)" == asked.why
    assert "from Fri 18:00 (Europe/Oslo) the schedule asks for nothing" == asked.would_change
    assert (None, "") == (asked.at_most, asked.at_most_why)


def test_outside_its_windows_it_says_when_the_next_begins() -> None:
    """Over a weekend, and from one month to the next."""
    weekend = said(opened(OFFICE), "2026-06-12 18:00")
    monthly = said(opened(("0 0 1 * *", 24, 5, 9)), "2026-06-05 12:00")

    assert "no window of the schedule is in force" == weekend.why
    assert "from Mon 07:00 (Europe/Oslo) the schedule keeps 3" == weekend.would_change
    assert (
        "from Wed 1 Jul 00:00 (Europe/Oslo) the schedule keeps 5 and allows 9 at most" == monthly.would_change
    )


def test_what_never_ends_has_no_end_in_words() -> None:
    """Windows that touch are one; beyond a month nobody asks."""
    asked = said(opened(("0 0 * * *", 25, 2, None)), "2026-06-12 12:00")

    assert "the schedule keeps 2" == asked.why
    assert "nothing in the schedule changes within 32 days" == asked.would_change


def test_of_windows_that_overlap_the_highest_floor_and_the_lowest_ceiling_hold() -> None:
    """Each until it is another, and the words say that several were compared."""
    policy = opened(("0 6 * * *", 12, 2, 20), ("0 8 * * *", 2, 5, 30), ("0 9 * * *", 4, None, 10))
    asked = said(policy, "2026-06-12 09:30")

    assert (5, 10) == (asked.workers, asked.at_most)
    assert "the schedule keeps 5 until Fri 10:00 (Europe/Oslo), the highest floor of 2 windows" == asked.why
    assert (
        "the schedule allows 10 at most until Fri 13:00 (Europe/Oslo), the lowest ceiling of 3 windows"
        == asked.at_most_why
    )


def test_a_window_that_begins_again_while_it_holds_goes_on_without_a_seam() -> None:
    """Its end is that of the last beginning."""
    policy = opened(("0 */2 * * *", 3, 1, None))

    assert [("12 12:00+0200", 1, None)] == spans(policy, "2026-06-12 12:00", "2026-06-20 12:00")


def test_a_ceiling_is_stronger_than_a_floor() -> None:
    """Of two windows; it limits cost."""
    decision = decided("2026-06-12 12:00", ("0 7 * * *", 11, 5, None), ("0 11 * * *", 2, None, 3))

    assert (5, 3, Rule.SCHEDULED_CEILING) == (decision.recommended, decision.wanted, decision.binding)
    assert "until Fri 13:00 (Europe/Oslo), and a ceiling is stronger than the floor of 5" in sentence(
        decision
    )


def test_a_window_lasts_elapsed_time_whatever_the_clocks_do() -> None:
    """24 h from midnight: an hour of overlap after the short day, an hour's gap on the long one."""
    daily = opened(("0 0 * * *", 24, 1, None))

    assert [("28 12:00+0100", 1, None)] == spans(daily, "2026-03-28 12:00", "2026-03-31 12:00")
    assert [
        ("24 12:00+0200", 1, None),
        ("25 23:00+0100", None, None),
        ("26 00:00+0100", 1, None),
    ] == spans(daily, "2026-10-24 12:00", "2026-10-27 12:00")


def test_a_window_over_the_change_ends_by_elapsed_time() -> None:
    """Eight hours from 22:00 end at 07:00 in spring and at 05:00 in autumn."""
    night = opened(NIGHT)

    assert ["28 22:00+0100", "29 07:00+0200"] == [
        s[0] for s in spans(night, "2026-03-28 12:00", "2026-03-29 12:00")
    ][1:]
    assert ["24 22:00+0200", "25 05:00+0100"] == [
        s[0] for s in spans(night, "2026-10-24 12:00", "2026-10-25 12:00")
    ][1:]


def test_a_window_of_four_weeks_is_still_seen_at_its_end() -> None:
    """It began long before the day that is asked about."""
    policy = opened(("0 0 1 * *", 28 * 24, 4, None))

    assert 4 == said(policy, "2026-06-28 23:59").workers
    assert None is said(policy, "2026-06-29 00:00").workers


def test_a_floor_raises_a_quiet_pool_and_the_sentence_says_so() -> None:
    """Also while it only keeps what is there: idle workers want a reason."""
    raised = decided("2026-06-12 12:00", OFFICE, supply=a_supply(2))
    kept = decided("2026-06-12 12:00", OFFICE, supply=a_supply(3))

    assert (
        "images: 2 → 3 workers: nothing waiting; the schedule keeps 3 until Fri 18:00 (Europe/Oslo)"
        == sentence(raised)
    )
    assert (
        "images: 3 workers stay: nothing waiting; the schedule keeps 3 until Fri 18:00 (Europe/Oslo)"
        == sentence(kept)
    )


def test_after_its_last_window_the_other_policies_decide() -> None:
    """Alone it leaves the number as it is, as every policy without an opinion."""
    after = "2026-06-12 18:00"
    alone = decided(after, supply=a_supply(3), policies=(schedule_spec(OFFICE),))

    assert 0 == decided(after, OFFICE, supply=a_supply(3)).wanted
    assert (3, Rule.NO_OPINION) == (alone.wanted, alone.binding)


def test_a_floor_does_not_pin_a_pool_that_needs_more() -> None:
    """The largest wish wins, as always."""
    assert 12 == decided("2026-06-12 12:00", OFFICE, backlog=120).wanted


def test_a_scheduled_ceiling_binds_what_all_policies_wish_at_once() -> None:
    """No window, cooldown or step limit puts it off: it limits cost."""
    calmed = replace(CALM, scale_in_window_s=300.0, scale_in_cooldown_s=600.0, max_step_in=1)
    decision = decided(
        "2026-06-12 23:00",
        NIGHT,
        backlog=120,
        supply=a_supply(6),
        history=a_history((10, 12, 6)),
        stabilization=calmed,
    )

    assert (12, 2, Rule.SCHEDULED_CEILING) == (decision.recommended, decision.wanted, decision.binding)
    assert "the schedule allows 2 at most until Sat 06:00 (Europe/Oslo)" in sentence(decision)
    assert "the end of the scheduled ceiling would allow 12 workers" in decision.would_change


def test_a_scheduled_ceiling_binds_a_number_that_nobody_asks_for() -> None:
    """What merely stands is no stronger than a wish."""
    decision = decided("2026-06-12 23:00", supply=a_supply(6), policies=(steps_spec(), schedule_spec(NIGHT)))

    assert [Rule.NO_OPINION, Rule.SCHEDULED_CEILING] == [step.rule for step in decision.steps]
    assert 2 == decision.wanted


def test_a_scheduled_ceiling_gives_way_to_safety_and_to_the_pools_own_floor() -> None:
    """Unseen workers, too few good looks, `min_workers`; but nothing is bought above it meanwhile."""
    at_night = given("2026-06-12 23:00", NIGHT, backlog=120, supply=a_supply(6))
    unseen = decide(replace(at_night, supply_missing="no event for 90 s"))
    early = decide(
        replace(at_night, history=a_history(good_looks=1), stabilization=replace(CALM, good_looks=3))
    )

    assert (6, Rule.SUPPLY_MISSING) == (unseen.wanted, unseen.binding)
    assert (6, Rule.GOOD_LOOKS) == (early.wanted, early.binding)
    assert 4 == decide(replace(at_night, limits=Limits(min_workers=4, max_workers=9))).wanted


def test_a_schedule_is_not_asked_while_blind_paused_or_held() -> None:
    """Blindness changes nothing but to `on_unknown`, and a person's word goes before the calendar's."""
    night = given("2026-06-12 23:00", NIGHT, supply=a_supply(6), backlog=None)
    office = given("2026-06-12 12:00", OFFICE, supply=a_supply(1), backlog=None)
    held = replace(night, hold=Hold(workers=5, until_at=night.at + 60))

    assert [6, 1, 5, 6] == [decide(one).wanted for one in (night, office, held, replace(night, paused=True))]


def test_the_lowest_of_two_schedules_ceilings_binds() -> None:
    """Each in its own zone."""
    policies = (schedule_spec(NIGHT), schedule_spec(("0 20 * * *", 4, None, 1), zone="UTC"), backlog_spec())
    decision = decided("2026-06-12 23:00", backlog=120, policies=policies)

    assert 1 == decision.wanted
    assert "allows 1 at most until Sat 00:00 (UTC)" in sentence(decision)


def test_the_whole_account_names_floor_and_ceiling() -> None:
    """`autoscaler why`."""
    told = explain(decided("2026-06-12 12:00", ("0 7 * * mon-fri", 11, 3, 40)))

    assert "  schedule                3  the schedule keeps 3 until Fri 18:00 (Europe/Oslo)\n" in told
    assert "   the schedule allows 40 at most until Fri 18:00 (Europe/Oslo)\n" in told


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"time_zone": "Europe/Olso"}, "time_zone is 'Europe/Olso'; expected a zone that this machine knows"),
        ({"time_zone": 1}, "time_zone is '1'; expected text in quotes"),
        ({"windows": []}, "windows has 0 rows; expected 1 to 50"),
        ({"cron": "0 25 * * *"}, "windows[0].cron is '0 25 * * *': hour is '25'; expected 0 to 23"),
        ({"cron": None}, "windows[0].cron is 'None'; expected text in quotes"),
        ({"lasts_s": 59}, "windows[0].lasts_s is '59'; expected a number of at least 60 and at most 2419200"),
        ({"lasts_s": 2_419_201}, "windows[0].lasts_s is '2419201'"),
        ({"min_workers": -1}, "windows[0].min_workers is '-1'; expected a whole number of at least 0"),
        ({"min_workers": 5, "max_workers": 4}, "windows[0].min_workers is 5; expected at most max_workers, which is 4"),
        ({"min_workers": None}, "windows[0].min_workers and max_workers are missing; expected one of them or both"),
        ({"for": 3}, "windows[0].for is not an option here; known: cron, lasts_s, max_workers, min_workers"),
    ],
)  # fmt: skip
def test_wrong_options_are_told_with_their_place(change: dict[str, Any], says: str) -> None:
    """And nothing besides."""
    options: dict[str, Any] = {
        "time_zone": OSLO,
        "windows": [{"cron": "0 7 * * *", "lasts_s": 60, "min_workers": 1}],
    }
    outer = {key: value for key, value in change.items() if key in options}
    inner = {key: value for key, value in change.items() if key not in options}
    options["windows"][0] |= inner

    with pytest.raises(PolicyOptionsWrong) as caught:
        open_policies([PolicySpec(kind="schedule", options=options | outer)])

    assert str(caught.value).startswith(f"policies[0] (schedule): {says}")
    assert 1 == len(caught.value.problems)


def test_a_decision_replays_from_the_plain_values_of_its_journal() -> None:
    """Windows come back as lists of plain tables, and give the same number in the same words."""
    decision = decided("2026-10-25 02:30", OFFICE, ("30 2 * * *", 1, 2, 4))
    stored = json.loads(json.dumps([[spec.kind, spec.options] for spec in decision.input.policies]))
    policies = tuple(PolicySpec(kind=kind, options=options) for kind, options in stored)

    again = decide(replace(decision.input, policies=policies))

    assert 2 == decision.wanted
    assert (decision.steps, decision.proposals) == (again.steps, again.proposals)
