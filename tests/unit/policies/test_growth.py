"""More workers that complete no more: growth stops where that is sure, and goes on where it is not or no longer so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from policies import growth
from policies.contract import Flow, QueueDemand
from policies.evidence import Brake, Growth
from tests.unit.policies.builders import a_demand, a_supply
from tests.unit.policies.downstream import Pool

BRAKE = Brake(few=7, few_per_s=4.1, many=12, many_per_s=3.9, left_s=600.0, holds_s=600.0)


def _rises(at_s: float) -> float:
    """From two tasks a second to six in two hours, and back to two after two and a half."""
    return min(6.0, 2.0 + at_s / 1800.0) if at_s < 9000.0 else 2.0


def _five(_: float) -> float:
    return 5.0


def looked(
    before: Growth, looks: int, workers: int, per_s: float, *, backlog: int = 10_000, **given: Any
) -> Growth:
    """So many looks of ten seconds at workers of two busy slots who complete so many a second, while others wait."""
    flow = Flow(arrived=0, completed=round(per_s * 10.0), over_s=10.0)
    demand = a_demand(backlog, 2 * workers, flow=flow, **given.pop("demand", {}))
    supply = a_supply(workers, **({"tasks_in_hand": 2 * workers} | given))
    for _ in range(looks):
        before = growth.with_look(before, demand, supply, task_s=2.0, boot_s=90.0)
    return before


SEVEN = looked(Growth(), 30, 7, 40.0)
"""Five minutes of seven workers who complete forty a second."""


@pytest.mark.parametrize("worse", [0.0, 0.1, 0.3])
def test_where_what_is_behind_is_the_bound_growth_stops(worse: float) -> None:
    """A database that bears five tasks a second gets no faster by more workers; unguarded the pool grows to its
    ceiling, and where they slow each other down it then completes less."""
    unguarded, guarded = (
        Pool(arrivals=_rises, bears=_five, worse=worse, guarded=guards).live(3.0) for guards in (False, True)
    )

    assert 200 == unguarded.peak
    assert guarded.peak < 50
    assert guarded.worker_h < unguarded.worker_h / 3
    assert guarded.done >= unguarded.done
    assert guarded.braked()


def test_when_what_is_behind_recovers_growth_goes_on() -> None:
    """The same workers then complete what so many should: nobody has to release the brake."""
    pool = Pool(arrivals=_rises, bears=lambda at_s: 5.0 if at_s < 7000.0 else 50.0).live(2.4)

    assert pool.braked()
    assert pool.traffic.growth.brake is None
    assert 0 == pool.backlog


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_sound_workers_are_never_doubted(seed: int, spread: float) -> None:
    """Load that comes in steps, idle times between them, and task times of every spread."""

    def steps(at_s: float) -> float:
        return (0.5, 9.0, 3.0, 30.0, 12.0)[int(at_s // 1500.0) % 5]

    pool = Pool(arrivals=steps, spread=spread, seed=seed).live(4.0)

    assert [] == pool.braked()
    assert pool.peak > 30


def test_heavier_tasks_are_no_reason_to_stop() -> None:
    """Tasks become four times as heavy: the queue grows, and so may the pool, for the workers before it grew were as
    slow."""
    pool = Pool(arrivals=lambda _: 4.0, task_s=lambda at_s: 2.0 if at_s < 3600.0 else 8.0).live(3.0)

    assert [] == pool.braked()
    assert 0 == pool.backlog


def test_more_workers_who_complete_no_more_are_noticed() -> None:
    """Once they have settled, and two looks say so; until then nothing is known."""
    grown = looked(SEVEN, 2, 12, 40.0)

    assert grown.brake is None
    braked = looked(grown, 10, 12, 39.0).brake
    assert braked is not None
    assert (7, 12) == (braked.few, braked.many)
    assert (40.0, 39.0) == pytest.approx((braked.few_per_s, braked.many_per_s), rel=0.02)


@pytest.mark.parametrize(
    ("workers", "per_s", "given"),
    [
        (12, 52.0, {}),
        (8, 40.0, {}),
        (12, 39.0, {"backlog": 0}),
        (12, 39.0, {"backlog": 100}),
        (12, 39.0, {"tasks_in_hand": 10}),
        (12, 39.0, {"tasks_in_hand": None}),
    ],
    ids=[
        "they complete more",
        "they are hardly more",
        "nothing waits",
        "the queue may have run empty",
        "their slots are idle",
        "they cannot be heard",
    ],
)
def test_what_may_have_another_reason_is_not_held_against_them(
    workers: int, per_s: float, given: dict[str, Any]
) -> None:
    """Nothing is concluded where arrivals, chance or the workers themselves may be what limits."""
    assert looked(SEVEN, 60, workers, per_s, **given).brake is None


def test_what_chance_may_do_is_not_held_against_them() -> None:
    """Sixty tasks in five minutes, then as many with five more workers: such luck is no rarity."""
    few = looked(Growth(), 30, 7, 0.2)

    assert looked(few, 60, 12, 0.2).brake is None
    assert looked(looked(Growth(), 30, 7, 2.0), 60, 12, 2.0).brake is not None


def test_workers_that_only_just_began_are_not_counted_as_more() -> None:
    """Each has a first task to finish, and something to load."""
    slow = replace(SEVEN, workers=7)
    flow = Flow(arrived=0, completed=400, over_s=10.0)
    for _ in range(55):
        demand, supply = a_demand(10_000, 24, flow=flow), a_supply(12, tasks_in_hand=24)
        slow = growth.with_look(slow, demand, supply, task_s=300.0, boot_s=90.0)

    assert slow.brake is None


def test_other_consumers_of_the_queue_count_as_workers() -> None:
    """Seventy workers of somebody else's hide what five of ours add."""

    def with_others(before: Growth, looks: int, ours: int, per_s: float) -> Growth:
        queue = QueueDemand(name="images", backlog=9, in_progress=9, consumers=70 + ours)
        return looked(before, looks, ours, per_s, demand={"queues": (queue,)})

    found = with_others(with_others(Growth(), 30, 7, 400.0), 60, 12, 426.0)

    assert found.brake is None
    assert looked(looked(Growth(), 30, 7, 400.0), 60, 12, 426.0).brake is not None


def test_after_its_time_a_few_more_are_tried_and_it_lasts_longer_if_they_do_not_help() -> None:
    """By a quarter: then they are compared with those there are."""
    braked = looked(looked(SEVEN, 20, 12, 40.0), 60, 12, 40.0)
    trying = braked.brake
    assert trying is not None
    assert 15 == trying.tried

    again = looked(braked, 20, 15, 40.0).brake
    assert again is not None
    assert (None, 1200.0) == (again.tried, again.holds_s)
    assert looked(braked, 60, 15, 50.0).brake is None
    assert looked(braked, 50, 12, 40.0).brake is None


def test_after_its_time_it_is_off_where_nothing_waits() -> None:
    """What was true under pressure need not be true when it comes again."""
    braked = looked(SEVEN, 20, 12, 40.0)
    assert braked.brake is not None

    assert looked(braked, 70, 12, 5.0, backlog=0).brake is None


def test_what_is_older_than_half_an_hour_is_no_measure() -> None:
    """By then tasks and what they depend on may be others."""
    later = looked(SEVEN, 190, 7, 1.0, backlog=0)

    assert looked(later, 60, 12, 40.0).brake is None


def test_what_is_not_counted_grows_old_too() -> None:
    """A level is forgotten after half an hour, and a brake after its time and that."""
    braked = looked(SEVEN, 20, 12, 40.0)
    found = [braked]
    for _ in range(300):
        found.append(
            growth.with_look(
                found[-1], a_demand(10_000, 24), a_supply(12), task_s=2.0, boot_s=90.0, elapsed_s=10.0
            )
        )

    left = [None if one.brake is None else one.brake.left_s for one in found]
    assert braked.brake is not None
    assert [braked.brake.left_s - 300.0, 0.0, None] == [left[30], left[70], left[-1]]
    assert () == found[-1].levels


def test_over_a_time_of_unknown_length_nothing_is_compared() -> None:
    """Seven before a restart, twelve after it: hours may lie between. A brake lasts its time."""
    assert looked(growth.undated(SEVEN), 60, 12, 39.0).brake is None
    assert BRAKE == growth.undated(replace(SEVEN, brake=BRAKE)).brake


def test_what_is_kept_stays_bounded() -> None:
    """It is written down with every decision."""
    found = Growth()
    for workers in range(1, 200):
        found = looked(found, 3, workers, 10.0 * workers)

    assert len(found.levels) <= 24
