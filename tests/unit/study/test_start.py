"""A run that does not begin with nothing: machines that stand, what was measured, the calendar, and an end."""

from __future__ import annotations

import pytest

from autoscaler.study import workload as workloads
from autoscaler.study.contract import Start, Terms
from autoscaler.study.run import Configured, default, run
from autoscaler.study.score import bill_s
from policies.contract import PolicySpec, Traffic

HOUR_S = 3600.0
STEADY = workloads.steady(0.1, 2 * HOUR_S, 10.0)


def test_machines_that_serve_at_the_start_take_the_first_task() -> None:
    """Nothing waits for a boot that was over long ago, and nothing is bought in their place."""
    outcome = run(STEADY, Terms(), default(120.0, 3600.0), start=Start(ages_s=(600.0,)))

    assert (0.0, 0) == (outcome.wait_max_s, outcome.creates)
    assert 1 == outcome.destroys == outcome.nodes_peak


@pytest.mark.parametrize(
    ("ordered_s", "gone_s", "expected_s"),
    [(0.0, 10.0, HOUR_S), (-600.0, 10.0, 0.0), (-600.0, HOUR_S, HOUR_S), (-2 * HOUR_S, 10.0, HOUR_S)],
)
def test_what_was_paid_before_the_start_is_not_billed_again(
    ordered_s: float, gone_s: float, expected_s: float
) -> None:
    """A machine ten minutes into its hour costs nothing more until that hour ends."""
    assert expected_s == bill_s(ordered_s, gone_s, 3600)


def test_a_run_ends_when_it_is_told_to() -> None:
    """What is not done then is left, and what is not over is billed as far as it was begun."""
    outcome = run(STEADY, Terms(), default(120.0, 3600.0), start=Start(ends_s=HOUR_S, ages_s=(0.0,)))

    assert (360, 1.0) == (outcome.tasks_arrived, outcome.cost)
    assert outcome.tasks_done < outcome.tasks_arrived


def test_what_was_measured_before_is_known_from_the_first_tick() -> None:
    """Forty tasks of ten minutes all start in time only where somebody knows that they take so long."""
    burst = workloads.burst(40, 1.0, 600.0)
    known = Start(traffic=Traffic(tasks=1000.0, busy_s=600_000.0, boots=20.0, boot_s=1800.0))

    shares = [
        run(burst, Terms(), default(120.0, 3600.0), start=start).within_target for start in (Start(), known)
    ]

    assert shares[0] < 0.5
    assert 1.0 == shares[1]


def test_calendars_go_by_the_instant_of_the_start() -> None:
    """Only from seven in the morning on is a worker wanted."""
    window = {"cron": "0 7 * * *", "lasts_s": HOUR_S, "min_workers": 1}
    schedule = PolicySpec(kind="schedule", options={"time_zone": "UTC", "windows": [window]})
    chooser = Configured(policies=(schedule,))
    seven_at = 1_700_000_000.0 - 1_700_000_000.0 % 86_400.0 + 7 * HOUR_S

    bought = [
        run(STEADY, Terms(), chooser, start=Start(at=at, ends_s=HOUR_S)).creates
        for at in (seven_at, seven_at - 2 * HOUR_S)
    ]

    assert [1, 0] == bought
