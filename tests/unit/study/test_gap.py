"""The parts of a gap add up to it, and each is what its name says where a hand can compute it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.study import foresight, gap, run
from autoscaler.study.contract import Terms, Workload
from autoscaler.study.workload import burst, joined, poisson

HOURLY, BY_MINUTE = Terms(), Terms(quantum_s=60)


def measured(workload: Workload, terms: Terms, *, allowance: bool = False) -> gap.Gap:
    pytest.importorskip("scipy")
    own = run.run(workload, terms, run.default(terms.target_wait_s, terms.quantum_s))
    return gap.measured(
        workload,
        terms,
        run.default(terms.target_wait_s, terms.quantum_s),
        own,
        time_limit_s=20.0,
        allowance=allowance,
    )


def test_the_parts_are_the_gap() -> None:
    """150 against a bound of 60: 66 for not knowing, 12 for boots beyond the bound's 6, and 12 for the rule."""
    parts = gap.split(cost=150.0, told=84.0, bound=60.0, told_without_boot=66.0, bound_without_boot=54.0)

    assert gap.Parts(boots_of_bound=6.0, future=66.0, boots=12.0, rule=12.0) == parts
    assert 150.0 - 60.0 == parts.future + parts.boots + parts.rule


def test_what_is_cheapest_already_has_no_gap() -> None:
    """One machine for one hour serves one task, whoever decides; so the bound is no mere bound but the optimum."""
    found = measured(burst(1, 5.0, 10.0), HOURLY)

    assert (1.0, 1.0, True) == (found.own.cost, found.bound.cost, found.is_exact)
    assert gap.Parts(boots_of_bound=0.0, future=0.0, boots=0.0, rule=0.0) == found.parts


def test_bursts_billed_by_the_minute_are_dear_because_nobody_knows_of_the_next() -> None:
    """The rule keeps machines after a burst, in case there is more; told that there is not, it lets them go."""
    found = measured(joined(*(burst(60, at_s, 60.0) for at_s in (600.0, 7800.0, 15000.0))), BY_MINUTE)

    assert found.told.cost < found.own.cost
    assert found.parts.future > found.parts.boots_of_bound > 0
    assert not found.is_exact
    assert pytest.approx(found.own.cost - found.bound.cost) == sum(
        (found.parts.future, found.parts.boots, found.parts.rule)
    )


def test_telling_never_costs_more_and_keeps_nearly_as_many_in_time() -> None:
    """Else what is not known would have a negative price, or being late would be sold as foresight."""
    for seed in range(3):
        found = measured(poisson(0.05, 7200.0, 60.0, 1.5, seed), BY_MINUTE)

        assert found.told.cost <= found.own.cost
        assert found.told.within_target >= found.own.within_target - gap.NEARLY


def test_the_bound_of_those_who_may_be_late_is_no_higher() -> None:
    """It is there only where the policy was late."""
    late = replace(HOURLY, target_wait_s=30.0)
    found = measured(joined(burst(2, 10.0, 60.0), burst(2, 9000.0, 60.0)), late, allowance=True)

    assert found.own.within_target < 1.0
    assert found.allowed is not None
    assert found.allowed.cost <= found.bound.cost
    assert measured(burst(1, 5.0, 10.0), HOURLY, allowance=True).allowed is None


def test_steps_are_told_as_they_come() -> None:
    """A search may take minutes; who waits is told of what, each step once."""
    pytest.importorskip("scipy")
    told: list[tuple[str, int, int]] = []
    workload = burst(1, 5.0, 10.0)
    own = run.run(workload, BY_MINUTE, run.default(120.0, 60.0))

    gap.measured(
        workload,
        BY_MINUTE,
        run.default(120.0, 60.0),
        own,
        time_limit_s=5.0,
        news=lambda *step: told.append(step),
    )

    assert ["bound", "bound without boots"] == [what for what, _, _ in told[:2]]
    assert list(range(told[0][2])) == [done for _, done, _ in told]


def test_the_rule_is_told_what_is_true() -> None:
    """The rate and the run times of what comes, and a peak as the rule itself would smooth it; of nothing later."""
    workload = joined(burst(12, 100.0, 40.0), burst(500, 5000.0, 1.0))
    told = foresight.told(run.default(120.0, 3600.0), workload, HOURLY, ahead_s=300.0)
    seen = []

    def watch(at_s: float, _fleet: object, decision: run.Decision) -> None:
        if at_s == 70.0:
            seen.append(decision.input.history.traffic)

    run.run(workload, HOURLY, told, watch=watch)

    (traffic,) = seen
    assert 40.0 == traffic.busy_s / traffic.tasks
    assert (12 / 40.0, 90.0) == (traffic.recent_per_s, traffic.boot_s / traffic.boots)
    (peak,) = traffic.peaks
    assert 12 / 5.0 * 0.0408 == pytest.approx(peak.amount, rel=0.01)
