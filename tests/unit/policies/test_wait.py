"""The policy `wait` by value: deadlines against starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policies.contract import History, Recommendation, Span, Spread, Traffic
from policies.options import PolicyOptionsWrong
from policies.wait import open_policy
from tests.unit.policies.builders import NOW, a_demand, a_supply

BOOT_S = 90.0


def measured(task_s: float, *, per_s: float = 0.0, busy: float = 0.0, just_now: float = 0.0) -> Traffic:
    """Tasks of that length, at a steady rate for the last ten minutes, and a burst in the last ten seconds."""
    return Traffic(
        arrivals=(
            *(Span(seconds=10.0, amount=per_s * 10) for _ in range(47)),
            Span(seconds=10.0, amount=just_now),
        ),
        arrivals_per_s=per_s,
        recent_per_s=per_s,
        peaks=(Span(seconds=60.0, amount=per_s),),
        tasks=1000.0,
        busy_s=1000.0 * task_s,
        busy=busy,
        boots=10.0,
        boot_s=10 * BOOT_S,
    )


def recommend(
    backlog: int,
    traffic: Traffic,
    serving: int = 0,
    arriving: tuple[float, ...] = (),
    target_s: float = 120.0,
) -> Recommendation:
    policy = open_policy({"target_wait_s": target_s})
    supply = a_supply(serving, len(arriving), arriving_for_s=arriving)
    return policy.recommend(a_demand(backlog), supply, History(traffic=traffic), at=NOW)


def test_nothing_waits_and_nothing_is_wanted() -> None:
    """A pool that never had traffic costs nothing."""
    assert 0 == recommend(0, Traffic()).workers


def test_one_task_brings_one_worker() -> None:
    """Also before anything is measured."""
    assert 1 == recommend(1, Traffic()).workers


def test_long_tasks_that_came_at_once_need_a_slot_each() -> None:
    """Each slot starts one by the deadline: a hundred tasks of ten minutes, two slots a worker."""
    assert 50 == recommend(100, measured(600.0, just_now=100)).workers


def test_short_tasks_share_slots() -> None:
    """In the 25 seconds between boot and deadline a slot starts hundreds of tasks of 50 ms."""
    assert 1 == recommend(600, measured(0.05, just_now=600)).workers


def test_a_queue_that_is_worked_off_in_time_buys_nothing() -> None:
    """Ten workers of two slots start two a second: 100 are begun in 50 s."""
    traffic = measured(10.0, per_s=1.0, busy=20, just_now=100)

    assert 10 >= (recommend(100, traffic, serving=10).workers or 0)


def test_what_is_arriving_counts() -> None:
    """Those that boot since a minute are there in half of one."""
    traffic = measured(600.0, just_now=100)

    assert 50 == recommend(100, traffic, arriving=(60.0,) * 50).workers


def test_a_machine_that_comes_too_late_for_those_that_wait_is_bought_for_the_backlog_alone() -> None:
    """Late is late: they are begun within half a target after the boot, not at any price."""
    late = replace(measured(10.0), arrivals=(Span(seconds=10.0, amount=500), Span(seconds=600.0, amount=0)))

    # 60 s after its boot a slot has begun 1 + 6 − 0.1 tasks.
    assert 37 == recommend(500, late).workers


def test_a_completed_rate_below_the_computed_one_is_believed_in_time() -> None:
    """A few long tasks hold slots that the mean takes for fast ones: the more so, the more completions strayed."""
    traffic = measured(10.0, per_s=0.2, busy=20, just_now=60)
    stuck = replace(traffic, pressed=(Span(seconds=60.0, amount=0),))
    strayed = replace(stuck, spread=Spread(tasks=100.0, squares=1000.0))

    computed, watched, astray = (
        recommend(60, seen, serving=10).workers or 0 for seen in (traffic, stuck, strayed)
    )

    assert computed <= watched < astray


def test_tasks_that_end_together_are_not_counted_on_in_part() -> None:
    """Of a burst of tasks of one length no slot starts a second one before the first has ended."""
    burst = measured(30.0, just_now=100)
    together = replace(burst, spread=Spread(tasks=100.0, squares=1000.0))
    policy, supply = open_policy({"target_wait_s": 120.0}), replace(a_supply(0), quantum_s=60.0)

    spread, alike = (
        policy.recommend(a_demand(100), supply, History(traffic=traffic), at=NOW).workers or 0
        for traffic in (burst, together)
    )

    assert spread < alike == 50


def test_what_is_paid_by_the_hour_is_bought_later_and_kept_longer() -> None:
    """It is the larger bet, and costs nothing more while it is there."""
    busy = measured(30.0, per_s=0.1, busy=4)
    calmer = replace(
        busy, peaks=(Span(seconds=60.0, amount=1.0), *(Span(seconds=60.0, amount=0.1) for _ in range(4)))
    )

    def wishes(quantum_s: float) -> list[int]:
        policy = open_policy({"target_wait_s": 120.0})
        hour = replace(a_supply(2), quantum_s=quantum_s)
        waits = [
            policy.recommend(a_demand(n), hour, History(traffic=busy), at=NOW).workers or 0 for n in range(40)
        ]
        supply = replace(a_supply(30), quantum_s=quantum_s)
        kept = policy.recommend(a_demand(0), supply, History(traffic=calmer), at=NOW).workers or 0
        return [sum(n <= 2 for n in waits), kept]

    (bears, kept), (bears_brief, kept_brief) = wishes(3600.0), wishes(60.0)

    assert bears > bears_brief
    assert kept > kept_brief


@pytest.mark.parametrize(("per_s", "workers"), [(0.0, 0), (0.008, 0), (0.2, 1), (1.0, 4), (10.0, 41)])
def test_a_fleet_is_kept_for_the_load_of_the_last_minutes(per_s: float, workers: int) -> None:
    """Arrivals × task time ÷ slots, a little overloaded: the queue bears it, and one bought again is in time."""
    assert workers == recommend(0, measured(10.0, per_s=per_s, busy=2 * per_s), serving=50).workers


def test_where_a_machine_bought_again_would_be_late_more_are_kept() -> None:
    """A target below the boot time leaves no time to react: slots are kept free."""
    traffic = measured(10.0, per_s=1.0, busy=10)

    slow, fast = (recommend(0, traffic, serving=50, target_s=target_s).workers for target_s in (120.0, 30.0))

    assert (slow or 0) < (fast or 0)
    assert 7 == fast


def test_a_million_at_once_asks_for_many_and_no_more_than_are_countable() -> None:
    """The ceiling is the limits' matter."""
    asked = recommend(10**9, measured(3600.0, just_now=10**9)).workers

    assert 1_000_000 == asked


def test_it_says_what_it_measured() -> None:
    """The task time is where a surprising number comes from."""
    asked = recommend(100, measured(600.0, just_now=100), serving=1)

    assert "not all of what waits start within 2 min" in asked.why
    assert "10 min a task (measured over 1000 tasks)" in asked.why
    assert "assumed" in recommend(1, Traffic()).why


@pytest.mark.parametrize("options", [{}, {"target_wait_s": 0.5}, {"target_wait_s": "2m"}, {"target": 5}])
def test_wrong_options_are_told(options: dict[str, object]) -> None:
    """At least a second; nothing else."""
    with pytest.raises(PolicyOptionsWrong):
        open_policy(options)


@pytest.mark.parametrize("target_s", [120.0, 3600.0, 86_400.0])
def test_one_task_is_no_stream_however_long_it_may_wait(target_s: float) -> None:
    """A rate of one in ten seconds, carried on over a day, would buy a fleet for a task an hour long."""
    seen = replace(measured(3600.0, just_now=1), recent_per_s=0.03)

    assert 1 == recommend(1, seen, target_s=target_s).workers
