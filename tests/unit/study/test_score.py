"""Outcomes by value: quanta billed, quantiles by nearest rank, and who was late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.score import billed_s, nearest_rank, outcome
from autoscaler.study.world import World
from tests.unit.study.made import a_workload, a_world, run_out, walked

TERMS = Terms(slots=1, target_wait_s=10.0, price_per_h=2.0, quantum_s=3600)


def scored(
    workload: Workload, world: World, lives: list[tuple[float, float]] | None = None, terms: Terms = TERMS
) -> Outcome:
    return outcome("rule", workload, world, lives or [], 3, 2, 1, terms)


@pytest.mark.parametrize(
    ("life_s", "quantum_s", "billed"),
    [
        (0, 3600, 0), (1, 3600, 3600), (3600, 3600, 3600), (3600.5, 3600, 7200), (0.1 * 3 * 600, 60, 180),
        (1e-9, 3600, 3600), (90, 60, 120), (90.5, 59, 90.5), (90.5, 1, 90.5), (90.5, 0, 90.5),
    ],
)  # fmt: skip
def test_a_begun_quantum_is_billed_whole(life_s: float, quantum_s: float, billed: float) -> None:
    """What binary fractions add bills nothing, any life bills a quantum, and below a minute seconds are exact."""
    assert billed == pytest.approx(billed_s(life_s, quantum_s))


@pytest.mark.parametrize("life_s", [-1.0, float("nan"), float("inf")])
def test_no_machine_is_gone_before_it_was_ordered(life_s: float) -> None:
    """Nor does it live for ever."""
    with pytest.raises(ValueError, match="lived"):
        billed_s(life_s, 3600)


@pytest.mark.parametrize(
    ("values", "percent", "value"),
    [
        ([], 50, 0), ([7], 1, 7), ([7], 100, 7), ([1, 2], 50, 1), ([1, 2], 51, 2),
        (range(1, 101), 95, 95), (range(1, 101), 7, 7), (range(1, 11), 95, 10), (range(1, 21), 95, 19),
    ],
)  # fmt: skip
def test_a_quantile_is_the_value_of_nearest_rank(values: list[float], percent: int, value: float) -> None:
    """Always one of the values."""
    assert value == nearest_rank(list(values), percent)


def test_the_bill_is_the_sum_of_what_each_machine_bills() -> None:
    """Each in its own quanta, times the price; busy hours are seconds of running by slots."""
    workload = a_workload((0, 1800), (0, 1800))
    world = run_out(a_world(workload, machines=1, slots=2))
    result = scored(workload, world, [(0, 3601), (100, 200)], replace(TERMS, slots=2))

    assert (3, 6, 0.5) == (result.node_hours_billed, result.cost, result.node_hours_busy)


def test_exact_seconds_where_there_is_no_quantum() -> None:
    """36 seconds are a hundredth of an hour."""
    workload = a_workload((0, 1))
    result = scored(workload, run_out(a_world(workload, machines=1)), [(0, 36)], replace(TERMS, quantum_s=1))

    assert 0.01 == pytest.approx(result.node_hours_billed)


def test_waits_and_counts_are_told_as_they_are() -> None:
    """Of tasks of ten seconds on one machine each waits ten seconds longer; a wait of exactly the target is in time."""
    workload = a_workload((0, 10), (0, 10), (0, 10), (0, 10))
    result = scored(workload, run_out(a_world(workload, machines=1)))

    assert (10, 30, 30, 30) == (result.wait_p50_s, result.wait_p95_s, result.wait_p99_s, result.wait_max_s)
    assert 0.5 == result.within_target
    assert (4, 4, 0, 0) == (
        result.tasks_arrived, result.tasks_done, result.tasks_lost, result.tasks_redelivered,
    )  # fmt: skip
    assert ("rule", 3, 2, 1) == (result.policy, result.creates, result.destroys, result.nodes_peak)


def test_a_wait_that_fractions_make_a_hair_longer_is_in_time() -> None:
    """0.1 + 0.2 is not 0.3 to a machine, and nobody was late for that."""
    workload = a_workload((0, 0.1), (0, 0.2), (0, 1))
    result = scored(workload, run_out(a_world(workload, machines=1)), None, replace(TERMS, target_wait_s=0.3))

    assert 1 == result.within_target


def test_a_task_that_never_started_is_late() -> None:
    """However short it has waited; its wait so far counts in the quantiles, and nothing is lost."""
    workload = a_workload((0, 100), (15, 1), (18, 1), (50, 1))
    world = walked(a_world(workload, machines=1), [20])
    world.remove("n0")
    result = scored(workload, world)

    assert (0.25, 2, 5) == (result.within_target, result.wait_p50_s, result.wait_max_s)
    assert (3, 0, 0, 1) == (
        result.tasks_arrived, result.tasks_done, result.tasks_lost, result.tasks_redelivered,
    )  # fmt: skip


def test_of_no_tasks_all_are_in_time() -> None:
    """A day without work keeps the promise."""
    result = scored(a_workload(), World(a_workload(), 1))

    assert (1, 0, 0) == (result.within_target, result.wait_max_s, result.cost)
