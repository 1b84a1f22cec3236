"""The formulas by value, and the world against them: simulated waits are those of the theory."""

from __future__ import annotations

import math
import random
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

import pytest

from autoscaler.study.contract import Workload
from autoscaler.study.queueing import (
    erlang_b,
    erlang_c,
    mean_wait_s,
    share_waiting_longer,
    wait_quantile_s,
)
from autoscaler.study.score import nearest_rank
from autoscaler.study.world import World
from tests.unit.study.made import a_world, run_out

TASK_S = 10.0
SETTINGS = [(1, 0.7, 800_000), (4, 0.8, 800_000), (16, 0.9, 1_000_000)]
"""Servers, their use, and tasks. Waits hang together over long busy periods, so that so many tasks still leave the mean
uncertain by some 1 % to 2 %; the seed is fixed."""


def exponential(rate_per_s: float, tasks: int, seed: int) -> Workload:
    dice = random.Random(seed)
    submit_s: array[float] = array("d")
    at_s = 0.0
    for _ in range(tasks):
        at_s += dice.expovariate(rate_per_s)
        submit_s.append(at_s)
    runtime_s = array("d", (dice.expovariate(1 / TASK_S) for _ in range(tasks)))
    return Workload(name="M/M", submit_s=submit_s, runtime_s=runtime_s)


@dataclass(frozen=True, slots=True)
class Run:
    """A run to the end, and the arrivals and runtimes as drawn: their noise is not what is tested."""

    world: World
    rate_per_s: float
    task_s: float


@cache
def run_of(servers: int, use: float, tasks: int) -> Run:
    """One long run for all that is asked of it."""
    workload = exponential(servers * use / TASK_S, tasks, seed=1)
    world = run_out(a_world(workload, machines=servers))
    return Run(world, tasks / workload.span_s, workload.work_s / tasks)


@pytest.mark.parametrize(("servers", "use", "tasks"), SETTINGS)
def test_simulated_waits_average_to_erlangs(servers: int, use: float, tasks: int) -> None:
    """Within 3 % of the mean wait of M/M/c."""
    run = run_of(servers, use, tasks)
    simulated_s = sum(run.world.waits_s) / tasks

    assert simulated_s == pytest.approx(mean_wait_s(servers, run.rate_per_s, run.task_s), rel=0.03)


@pytest.mark.parametrize(("servers", "use", "tasks"), SETTINGS)
def test_simulated_waits_are_distributed_as_in_theory(servers: int, use: float, tasks: int) -> None:
    """The share that waits at all, the share that waits longer than a task runs, and the 95th percentile."""
    run = run_of(servers, use, tasks)
    waits_s = sorted(run.world.waits_s)
    drawn = (servers, run.rate_per_s, run.task_s)
    waiting = (tasks - bisect_right(waits_s, 0.0)) / tasks
    longer = (tasks - bisect_right(waits_s, TASK_S)) / tasks

    assert waiting == pytest.approx(erlang_c(servers, run.rate_per_s * run.task_s), rel=0.02)
    assert longer == pytest.approx(share_waiting_longer(*drawn, TASK_S), rel=0.05)
    assert nearest_rank(waits_s, 95) == pytest.approx(wait_quantile_s(*drawn, 0.95), rel=0.05)


@pytest.mark.parametrize(("servers", "use", "tasks"), SETTINGS)
def test_simulated_servers_are_as_busy_as_they_are_used(servers: int, use: float, tasks: int) -> None:
    """Seconds of running by seconds of all servers."""
    world = run_of(servers, use, tasks).world

    assert use == pytest.approx(world.busy_s / world.now_s / servers, rel=0.01)


@pytest.mark.parametrize(
    ("servers", "load"), [(0, 0.0), (0, 3.0), (1, 0.5), (4, 3.2), (16, 14.4), (7, 20.0), (3, 0.0)]
)
def test_the_recursion_is_erlangs_quotient_of_sums(servers: int, load: float) -> None:
    """(a^c / c!) by the sum of (a^k / k!), as he wrote it."""
    terms = [load**served / math.factorial(served) for served in range(servers + 1)]

    assert terms[-1] / sum(terms) == pytest.approx(erlang_b(servers, load))


def test_values_of_the_tables() -> None:
    """Two erlangs on three and on five servers, and one server, where the share that waits is the load."""
    assert (0.4444, 0.0597) == (round(erlang_c(3, 2), 4), round(erlang_c(5, 2), 4))
    assert 0.7 == pytest.approx(erlang_c(1, 0.7))
    assert 0.7 / 0.3 * TASK_S == pytest.approx(mean_wait_s(1, 0.07, TASK_S))


def test_many_servers_neither_overflow_nor_vanish() -> None:
    """Where factorials no longer fit a number."""
    assert 0 < erlang_c(10_000, 9_900) < 1


def test_the_quantile_undoes_the_tail() -> None:
    """So many wait longer; where most do not wait at all, the quantile is 0."""
    wait_s = wait_quantile_s(4, 0.32, TASK_S, 0.95)

    assert 0.05 == pytest.approx(share_waiting_longer(4, 0.32, TASK_S, wait_s))
    assert erlang_c(4, 3.2) == share_waiting_longer(4, 0.32, TASK_S, 0)
    assert 0 == wait_quantile_s(4, 0.32, TASK_S, 0.3)


def test_a_queue_that_never_settles_has_no_formula() -> None:
    """As much load as servers, or more; and arguments that mean nothing."""
    for servers, load in ((4, 4.0), (4, 5.0), (0, 0.0)):
        with pytest.raises(ValueError, match="grows without end"):
            erlang_c(servers, load)
    for servers, load in ((-1, 1.0), (1, -1.0), (1, math.nan), (1, math.inf)):
        with pytest.raises(ValueError, match="not negative"):
            erlang_b(servers, load)
    with pytest.raises(ValueError, match="a share from 0"):
        wait_quantile_s(1, 0.05, TASK_S, 1)
    with pytest.raises(ValueError, match="expected 0 or more"):
        share_waiting_longer(1, 0.05, TASK_S, -1)
