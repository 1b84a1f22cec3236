"""The decision benchmark about itself: what it plays, and what its last lines claim."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import decisions, report

SCENARIOS = """
[defaults]
slots = 2
boot_s = 90
target_wait_s = 120
min_workers = 0
max_workers = 20
price_per_hour = 1.0
billing_quanta_s = [3600, 60]
[[scenario]]
name = "few"
file = "few.csv"
[[scenario]]
name = "made"
slots = 4
made = { kind = "bursts", count = 3, every_s = 3600, hours = 2, task_s = 5 }
"""


def scenarios(directory: Path) -> Path:
    (directory / "few.csv").write_text("submit_s,runtime_s\n5,10\n6,10\n", encoding="utf-8")
    path = directory / "scenarios.toml"
    path.write_text(SCENARIOS, encoding="utf-8")
    return path


def test_every_scenario_is_played_under_every_billing_by_every_rule(tmp_path: Path) -> None:
    """Ours, the bound, each peer, and by the hour each peer that keeps what is paid."""
    found = decisions.jobs(scenarios(tmp_path), ["keda"])

    assert 2 * ((3 + 1) + 3) == len(found)
    assert {2, 4} == {job.terms.slots for job in found}
    assert {True} == {job.terms.quantum_s == 3600 for job in found if job.keeps_paid}


def test_records_have_the_fields_that_others_read(tmp_path: Path) -> None:
    """One machine for an hour serves both tasks; nothing can be cheaper."""
    wanted = [job for job in decisions.jobs(scenarios(tmp_path), ["keda"]) if job.scenario == "few"]
    told = decisions.records([decisions.played(job) for job in wanted])

    ours = next(record for record in told if record["policy"] == "default")
    assert {
        "scenario", "billing_quantum_s", "policy", "cost", "bound", "ratio", "within_target", "wait_p95_s",
        "wait_p99_s", "creates", "nodes_peak",
    } == set(ours) - {"gap"}  # fmt: skip
    assert {
        "not_knowing_the_future": 0.0,
        "boot_time": 0.0,
        "rule": 0.0,
        "boot_time_in_the_bound": 0.0,
    } == ours["gap"]
    assert {"gap"} == set(ours) - set(next(record for record in told if record["policy"] != "default"))
    assert (1.0, 1.0, 1.0, 1) == (ours["cost"], ours["ratio"], ours["within_target"], ours["creates"])
    assert json.loads(json.dumps(told)) == told


def test_ours_is_compared_with_the_cheapest_peer_that_keeps_as_many_in_time() -> None:
    """A cheaper one that is late does not count, whatever it costs."""
    fared = {"scenario": "s", "billing_quantum_s": 60, "bound": 5.0, "wait_p95_s": 1.0, "wait_p99_s": 1.0}
    rows = [
        {**fared, "policy": "default", "cost": 10.0, "ratio": 2.0, "within_target": 0.996},
        {**fared, "policy": "late", "cost": 1.0, "ratio": 0.2, "within_target": 0.9},
        {**fared, "policy": "dear", "cost": 30.0, "ratio": 6.0, "within_target": 1.0},
        {**fared, "policy": "good", "cost": 20.0, "ratio": 4.0, "within_target": 0.9951},
    ]

    said = "\n".join(decisions.lines(rows))

    assert "good: 20.0" in said
    assert "cost ÷ cheapest peer as good, at 60 s: median 0.50, worst 0.50" in said


def test_the_report_has_a_plot_for_each_scenario_and_billing(tmp_path: Path) -> None:
    """Ours with the cheapest peer as good beside it, under a name that is safe for a file."""
    todo = [job for job in decisions.jobs(scenarios(tmp_path), ["keda"]) if job.terms.quantum_s == 60]
    todo = [replace(job, scenario=f"../{job.scenario} $1") for job in todo if job.scenario == "few"]
    told = decisions.records([decisions.played(job) for job in todo])

    (drawing,) = decisions.pictures(todo, told, tmp_path / "plots")
    place, ours, peer, bound = drawing

    assert (tmp_path / "plots" / ".._few__1-60s", "default") == (place, ours.policy)
    assert (peer and peer.policy, bound) == ("keda", told[0]["bound"])
    place.parent.mkdir()
    report.draw(
        place,
        decisions.tasks(ours.source),
        [(one.terms, decisions.chooser(one)) for one in (ours, peer) if one],
        bound,
    )
    assert "no schedule costs less" in place.with_name(f"{place.name}.html").read_text()
    assert f"]({place.name}.png)" in report.page(told, [place.name])


def test_the_tables_of_a_page_are_renewed_between_their_marks() -> None:
    """What stands around them stays, a second time changes nothing, and a page without marks is refused."""
    shared = {
        "scenario": "s",
        "bound": 5.0,
        "wait_p95_s": 1.0,
        "wait_p99_s": 1.0,
        "creates": 1,
        "nodes_peak": 1,
    }
    gap = {"not_knowing_the_future": 2.5, "boot_time": 1.0, "rule": 1.5, "boot_time_in_the_bound": 0.5}
    ours = {**shared, "policy": "default", "cost": 10.0, "ratio": 2.0, "within_target": 0.996}
    told = [
        {**ours, "billing_quantum_s": 3600, "gap": gap},
        {**ours, "billing_quantum_s": 60, "ratio": None, "bound": None},
        {**ours, "billing_quantum_s": 3600, "policy": "keda", "cost": 20.0},
    ]
    before = f"above\n{report.BEGIN}\nold\n{report.END}\nbelow\n"

    after = report.renewed(before, told)

    assert after.startswith(f"above\n{report.BEGIN}\n| Workload | by the hour: ÷ bound |")
    assert after.endswith(f"{report.END}\nbelow\n")
    assert "| s | 2.00 | 99.60 % | 0.50 | – | 99.60 % | none |" in after
    assert "| s | 0.50 | 0.20 | 0.30 | 0.10 | – | – | – | – |" in after
    assert after == report.renewed(after, told)
    with pytest.raises(ValueError, match="no place for the tables"):
        report.renewed("above\nbelow\n", told)
