"""A workload under a rule: what must hold whatever the rule is, and what the daemon's own core makes of it."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from autoscaler.study import run as running
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.fleet import Fleet
from autoscaler.study.peers import PEERS
from autoscaler.study.run import Chooser, Configured, Other, default, run
from policies.contract import Decision, Demand, PolicySpec, Stabilization
from tests.unit.study.made import a_workload

TERMS = Terms()
DAY_S = 86_400.0
BUSY = workloads.joined(
    workloads.poisson(0.1, 3 * 3600.0, 20.0, 1.0, 1),
    workloads.burst(100, 4000.0, 30.0),
    workloads.burst(9, 9000.0, 4000.0),
)
"""Short tasks at random, a flood, and a few long ones."""
BACKLOG = PolicySpec(kind="backlog", options={"messages_per_worker": 4.0})
RESTLESS = Stabilization(scale_in_window_s=0.0, scale_in_cooldown_s=0.0)


def _safe(outcome: Outcome, workload: Workload) -> bool:
    """Every task is done, none is lost, and none was begun twice."""
    return (len(workload), len(workload), 0, 0) == (
        outcome.tasks_arrived,
        outcome.tasks_done,
        outcome.tasks_lost,
        outcome.tasks_redelivered,
    )


def test_every_task_is_done_and_none_is_lost() -> None:
    """And nothing stays behind that costs."""
    outcome = run(BUSY, TERMS, default(120.0, 3600.0))

    assert _safe(outcome, BUSY)
    assert outcome.creates == outcome.destroys > 0


def test_equal_arguments_give_equal_outcomes() -> None:
    """Boots that are left to chance included: chance is the seed's."""
    terms = replace(TERMS, boot_cv=0.5)

    outcomes = [run(BUSY, terms, default(120.0, 3600.0), seed=seed) for seed in (1, 1, 2)]

    assert outcomes[0] == outcomes[1] != outcomes[2]


def test_a_task_a_day_costs_a_machine_hour_each() -> None:
    """A machine billed by the hour is bought for the task, and goes within its hour."""
    workload = workloads.steady(1 / DAY_S, 3 * DAY_S, 30.0)

    outcome = run(workload, TERMS, default(120.0, 3600.0))

    assert (3, 3.0, 1.0) == (outcome.creates, outcome.cost, outcome.within_target)


def test_a_flood_is_worked_off_within_the_ceiling() -> None:
    """Leaving machines count, too: they are billed."""
    workload = workloads.burst(20_000, 60.0, 5.0)

    outcome = run(workload, replace(TERMS, max_workers=10), default(120.0, 3600.0))

    assert _safe(outcome, workload)
    assert 10 == outcome.nodes_peak


def test_a_pool_without_traffic_buys_nothing() -> None:
    """Neither before the first task nor where none comes."""
    billed = []

    def watch(at_s: float, fleet: Fleet, _: Decision) -> None:
        if at_s <= DAY_S:
            billed.append(len(fleet.all_lives()))

    run(a_workload((DAY_S, 30.0)), TERMS, default(120.0, 3600.0), watch=watch)
    silent = run(
        Workload(name="none", submit_s=array("d"), runtime_s=array("d")), TERMS, default(120.0, 3600.0)
    )

    assert {0} == set(billed)
    assert (0, 0.0) == (silent.creates, silent.cost)


@pytest.mark.parametrize(
    "policy", [default(120.0, 3600.0), Configured(policies=(BACKLOG,), stabilization=RESTLESS)]
)
def test_a_task_longer_than_the_quantum_is_not_ended(policy: Configured) -> None:
    """The end of paid time is a reason to drain, never to kill."""
    workload = workloads.joined(
        workloads.burst(7, 60.0, 3 * 3600.0 + 100.0), workloads.burst(20, 3000.0, 40.0)
    )

    assert _safe(run(workload, TERMS, policy), workload)


def test_machines_that_boot_for_ten_minutes_are_waited_for() -> None:
    """None is given up and bought again meanwhile; tasks wait for as long as the boot takes."""
    workload = workloads.burst(20, 60.0, 300.0)

    outcome = run(workload, replace(TERMS, boot_s=600.0), Configured(policies=(BACKLOG,)))

    assert _safe(outcome, workload)
    assert 5 == outcome.creates == outcome.nodes_peak
    assert 600.0 <= outcome.wait_p50_s <= 620.0


@pytest.mark.parametrize(
    "terms",
    [
        TERMS,
        replace(TERMS, boot_s=600.0, boot_cv=0.5, max_workers=7),
        replace(TERMS, quantum_s=60, min_workers=2, slots=1),
    ],
)
@pytest.mark.parametrize("rule", ["wait", "backlog", "restless", "peer", "peer paid-aware"])
def test_a_quiet_tick_decides_as_a_whole_one(
    terms: Terms, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The core may be left out only where it would have done nothing, so every figure is the same with it."""

    def chooser() -> Chooser:
        if rule.startswith("peer"):
            return Other(peer=PEERS["keda"](terms), keeps_paid="paid-aware" in rule)
        if rule == "wait":
            return default(900.0, terms.quantum_s)
        return Configured(
            policies=(BACKLOG,), stabilization=RESTLESS if rule == "restless" else Stabilization()
        )

    quick = run(BUSY, terms, chooser(), seed=3)
    calls = []

    def never(_: object, demand: Demand) -> None:
        calls.append(demand)

    monkeypatch.setattr(running._Run, "_quiet", never)

    assert quick == run(BUSY, terms, chooser(), seed=3)
    assert calls


@pytest.mark.parametrize("name", PEERS)
def test_the_rules_of_others_go_through_the_same_machinery(name: str) -> None:
    """Theirs lose no task either: what is compared is the number, not the care."""
    workload = workloads.joined(
        workloads.poisson(0.05, 3600.0, 20.0, 1.0, 1), workloads.burst(60, 1800.0, 30.0)
    )

    outcome = run(workload, TERMS, Other(peer=PEERS[name](TERMS)))

    assert name == outcome.policy
    assert _safe(outcome, workload)
    assert outcome.nodes_peak > 0


def test_the_watcher_sees_each_tick() -> None:
    """What it is told stands when it is told."""
    told: list[tuple[float, int, int]] = []

    def watch(at_s: float, fleet: Fleet, decision: Decision) -> None:
        told.append((at_s, fleet.creates, decision.wanted))

    run(a_workload((0.0, 30.0)), TERMS, default(120.0, 3600.0), watch=watch)

    assert [(5.0, 1, 1), (10.0, 1, 1), (15.0, 1, 1)] == told[:3]
