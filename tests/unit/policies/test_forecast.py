"""The policy `forecast`: what is foreseen, as workers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.contract import History, PolicySpec, Recommendation, Traffic
from policies.forecast import open_policy
from policies.kinds import open_policies
from policies.options import PolicyOptionsWrong
from policies.prospect import Foreseen, Prospect
from tests.unit.policies.builders import a_demand, a_supply

FROM = 1_710_316_800.0
"""Wednesday, 2024-03-13, 08:00 UTC."""
SLICE_S = 300.0
TRAFFIC = Traffic(tasks=1000.0, busy_s=20_000.0, boots=20.0, boot_s=20 * 120.0)
"""Tasks of 20 s, boots of two minutes."""


def foreseen(*per_s: float) -> Foreseen:
    return Foreseen(says="as yesterday at this time", per_s=per_s, error=0.18, present_error=0.29, slices=12)


def a_prospect(**given: object) -> Prospect:
    return replace(Prospect(from_at=FROM, slice_s=SLICE_S), **given)  # type: ignore[arg-type] - named by each test


def asked(
    prospect: Prospect | None,
    *,
    after_s: float = 0.0,
    target_s: float = 30.0,
    workers: int = 0,
    quantum_s: float = 3600.0,
    zone: str = "UTC",
) -> Recommendation:
    policy = open_policy({"target_wait_s": target_s, "time_zone": zone})
    history = History(traffic=TRAFFIC, prospect=prospect)
    return policy.recommend(a_demand(), a_supply(workers, quantum_s=quantum_s), history, at=FROM + after_s)


def test_workers_are_there_when_the_peak_begins() -> None:
    """One slice early would be too early by minutes: they are ordered a boot and some ticks before."""
    prospect = a_prospect(soon=foreseen(0.0, 4.0))

    assert (
        0 == asked(prospect, after_s=SLICE_S - 151).workers
        or asked(prospect, after_s=SLICE_S - 151).workers is None
    )
    assert 45 == asked(prospect, after_s=SLICE_S - 149).workers


def test_the_floor_holds_while_the_slice_of_the_peak_lasts() -> None:
    """What is over is not looked at any more."""
    prospect = a_prospect(soon=foreseen(4.0, 0.0))

    assert 45 == asked(prospect, after_s=SLICE_S - 1).workers
    assert asked(prospect, after_s=SLICE_S).workers is None


@pytest.mark.parametrize(("target_s", "expected"), [(30.0, 45), (120.0, 33)])
def test_a_target_that_a_new_machine_can_meet_needs_fewer(target_s: float, expected: int) -> None:
    """4 tasks a second of 20 s on two slots are 40 workers: with some slots to spare, or fewer and a queue."""
    assert expected == asked(a_prospect(soon=foreseen(4.0, 4.0)), target_s=target_s).workers


def test_paid_workers_are_held_for_a_peak_that_passes_within_their_quantum() -> None:
    """Kept or bought again they cost one quantum; kept, nobody waits for their boot. Never more than there are."""
    rates = (0.0, 0.0, 0.0, 4.0, 4.0, *(0.0,) * 8)
    prospect = a_prospect(later=foreseen(*rates))

    assert [20, 45] == [asked(prospect, workers=workers).workers for workers in (20, 80)]
    assert "08:15" in asked(prospect, workers=20).why


def test_workers_are_not_held_for_a_peak_that_outlasts_their_quantum() -> None:
    """Kept from now they would be paid a second time before it ends: it is cheaper to buy them when it begins."""
    rates = (0.0, 0.0, 0.0, *(4.0,) * 10)

    assert asked(a_prospect(later=foreseen(*rates)), workers=20).workers is None


def test_nobody_is_held_who_is_paid_by_the_minute() -> None:
    """Bought again when the peak begins they cost less than kept until then."""
    prospect = a_prospect(later=foreseen(0.0, 0.0, 4.0, *(0.0,) * 10))

    assert asked(prospect, workers=20, quantum_s=60.0).workers is None


def test_the_part_of_a_peak_that_passes_is_held_above_the_part_that_stays() -> None:
    """Ten are wanted for hours and are the floor's to ask for; the twenty above them pass."""
    rates = (0.8, 0.8, 2.4, 2.4, *(0.8,) * 9)
    prospect = a_prospect(later=foreseen(*rates))

    assert 28 == asked(prospect, workers=40).workers


@pytest.mark.parametrize(
    ("prospect", "why"),
    [
        (None, "there is no history to look at"),
        (a_prospect(why="less than a day of history"), "less than a day of history"),
        (a_prospect(soon=foreseen(0.0, 0.0)), "no peak is near"),
    ],
)
def test_it_is_silent_and_says_why(prospect: Prospect | None, why: str) -> None:
    """No opinion is no wish for none: the other policies decide."""
    recommended = asked(prospect, workers=5)

    assert (None, why) == (recommended.workers, recommended.why)
    assert recommended.would_change


def test_the_reason_names_the_time_the_method_and_both_errors() -> None:
    """An operator can tell from the sentence why machines are bought while nothing waits."""
    told = asked(a_prospect(soon=foreseen(0.0, 1.0)), after_s=200, zone="Europe/Oslo").why

    assert (
        "13 workers for Wed 09:05 (Europe/Oslo), as yesterday at this time "
        "(where that said more, its error was 18 % against 29 % of the present)"
    ) == told


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "target_wait_s is missing"),
        ({"target_wait_s": 0.5}, "target_wait_s is '0.5'"),
        ({"target_wait_s": 30, "time_zone": "Mars/Olympus"}, "time_zone is 'Mars/Olympus'"),
        ({"target_wait_s": 30, "time_zone": 3}, "time_zone is '3'"),
        ({"target_wait_s": 30, "horizon": 3}, "horizon is not an option here"),
    ],
)
def test_wrong_options_are_refused_by_name(options: dict[str, object], says: str) -> None:
    """As with every policy."""
    with pytest.raises(PolicyOptionsWrong) as refused:
        open_policies([PolicySpec(kind="forecast", options=options)])

    assert says in str(refused.value)
