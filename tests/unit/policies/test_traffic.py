"""What looks at the broker teach: service time by Little's law, rates, and a past that grows coarser with age."""

from __future__ import annotations

import pytest

from policies import traffic
from policies.contract import Flow, Traffic
from tests.unit.policies.builders import a_demand, a_supply


def looked(
    times: int, *, arrived: int = 0, completed: int = 0, busy: int = 0, backlog: int = 0, over_s: float = 10.0
) -> Traffic:
    """The traffic after so many looks that all saw the same."""
    found = Traffic()
    for _ in range(times):
        flow = Flow(arrived=arrived, completed=completed, over_s=over_s)
        demand = a_demand(backlog, busy, flow=flow)
        found = traffic.with_look(found, demand, a_supply(100, tasks_in_hand=busy))
    return found


def test_before_anything_is_measured_a_task_lasts_ten_seconds() -> None:
    """It has to be something, and it is said to be an assumption."""
    assert 10.0 == traffic.task_s(Traffic())


@pytest.mark.parametrize(("busy", "completed", "task_s"), [(50, 10, 50.0), (1, 200, 0.05), (8, 2, 40.0)])
def test_a_task_lasts_as_long_as_slots_are_busy_for_it(busy: int, completed: int, task_s: float) -> None:
    """Little's law: busy slots = completions a second × seconds a task."""
    assert task_s == pytest.approx(traffic.task_s(looked(2000, completed=completed, busy=busy)), rel=0.05)


def test_tasks_that_run_long_are_noticed_before_the_first_ends() -> None:
    """Ten minutes on one slot without an end: they are no tasks of ten seconds."""
    assert traffic.task_s(looked(60, busy=1)) > 300.0


def test_what_waits_in_the_workers_hands_is_not_busy() -> None:
    """Prefetched messages are delivered and run nothing: of 40 in two hands of two slots four run."""
    found = traffic.with_look(Traffic(), a_demand(0, 40), a_supply(2))

    assert 4.0 == found.busy


def test_a_look_without_counts_teaches_no_rate() -> None:
    """After a reset of the broker's counters nothing is known of the time between."""
    before = looked(10, arrived=50, completed=50, busy=5)
    after = traffic.with_look(before, a_demand(0, 7), a_supply(100))

    assert (before.arrivals, before.arrivals_per_s, before.tasks) == (
        after.arrivals,
        after.arrivals_per_s,
        after.tasks,
    )
    assert 7.0 == after.busy


def test_old_arrivals_are_joined_and_none_is_lost_within_an_hour() -> None:
    """The past stays bounded, and its sum right: deadlines are counted from it."""
    found = looked(360, arrived=3)

    assert len(found.arrivals) <= traffic.MOST_SPANS
    assert 3 * 360 == sum(span.amount for span in found.arrivals)
    assert all(span.seconds == 10.0 for span in found.arrivals[-6:])


def test_a_peak_is_remembered_for_ten_minutes() -> None:
    """A fleet is kept at what it had to bear lately."""
    found = looked(30, arrived=100)
    for _ in range(48):
        found = traffic.with_look(
            found, a_demand(0, 0, flow=Flow(arrived=0, completed=0, over_s=10.0)), a_supply(1)
        )
    assert traffic.peak_per_s(found, 600.0) > 8.0
    assert traffic.peak_per_s(found, 180.0) < 1.0
    for _ in range(60):
        found = traffic.with_look(
            found, a_demand(0, 0, flow=Flow(arrived=0, completed=0, over_s=10.0)), a_supply(1)
        )
    assert traffic.peak_per_s(found, 600.0) < 1.0


def test_tasks_in_hand_are_no_time_without_a_task() -> None:
    """A fleet that has just begun has ended nothing yet; its tasks are not taken for endless ones."""
    found = Traffic()
    for busy in (0, 200, 200, 200):
        flow = Flow(arrived=0, completed=0, over_s=10.0)
        found = traffic.with_look(found, a_demand(0, busy, flow=flow), a_supply(100, tasks_in_hand=busy))

    assert 20.0 < traffic.task_s(found) < 60.0


@pytest.mark.parametrize(("completions", "least", "most"), [((6, 6), 0.0, 0.2), ((12, 0), 4.0, 8.0)])
def test_the_spread_of_completions_is_measured(
    completions: tuple[int, int], least: float, most: float
) -> None:
    """Slots that end tasks evenly have no spread; those that stand still and then end many have much of it."""
    found = Traffic(tasks=1000.0, busy_s=10_000.0, busy=1.0)
    for minute in range(60):
        for _ in range(6):
            flow = Flow(arrived=0, completed=completions[minute % 2] // 6, over_s=10.0)
            found = traffic.with_look(found, a_demand(0, 1, flow=flow), a_supply(1))

    assert least < traffic.dispersion(found) < most


def test_what_is_completed_under_pressure_is_watched_for_a_minute_of_it() -> None:
    """And forgotten once nothing waits: idle slots say nothing of how fast they are."""
    pressed = looked(20, completed=4, busy=8, backlog=9)

    assert (60.0, 24) == (
        sum(span.seconds for span in pressed.pressed),
        sum(span.amount for span in pressed.pressed),
    )
    assert () == looked(20, completed=4, busy=8).pressed


def test_boots_are_averaged_over_the_last_twenty() -> None:
    """A provider that became slower is noticed."""
    found = traffic.with_boots(Traffic(), [60.0] * 20)
    for _ in range(40):
        found = traffic.with_boots(found, [120.0])

    assert 90.0 == traffic.boot_s(Traffic())
    assert 110.0 < traffic.boot_s(found) < 120.0
    assert found == traffic.with_boots(found, [float("nan"), -5.0])


def test_what_waits_for_its_time_in_a_workers_hands_is_not_busy() -> None:
    """Tasks with an ETA are delivered and unacknowledged for hours; the workers say that they run nothing."""
    found = traffic.with_look(Traffic(), a_demand(0, 200), a_supply(10, tasks_in_hand=0))

    assert 0.0 == found.busy
