"""`make bench-decisions [SCENARIOS=FILE]`: ours and the peers' rules on each scenario, under each billing.

Ours runs with its defaults, the peers with each of their settings, once letting machines go at once and once near the
end of their paid quantum. The bound is what no schedule that starts every task in time can undercut. Everything runs in
one go on this machine; only ratios are told. Writes build/decisions.json.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import statistics
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoscaler.study import run, workload
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.optimum import optimum
from autoscaler.study.peers import PEERS, VARIANTS
from autoscaler.study.solver import OptimumUnavailable

OURS = "default"
BOUND_LIMIT_S = 60.0
IN_TIME = 0.995


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One policy on one scenario; an empty policy stands for the bound."""

    scenario: str
    source: str
    """A file, or the maker's table as JSON."""
    terms: Terms
    policy: str
    keeps_paid: bool = False


def _waves(made: Mapping[str, Any]) -> Workload:
    """Each hour by itself: day and night differ by a factor of five, as a cosine."""
    hours = []
    for hour in range(int(made["hours"])):
        share = 0.6 - 0.4 * math.cos(2 * math.pi * hour / 24)
        part = workload.poisson(made["rate_per_s"] * share, 3600.0, made["task_s"], made["cv"], hour)
        hours.append(_later(part, hour * 3600.0))
    return workload.joined(*hours)


def _later(part: Workload, by_s: float) -> Workload:
    shifted = type(part.submit_s)("d", (at_s + by_s for at_s in part.submit_s))
    return Workload(name=part.name, submit_s=shifted, runtime_s=part.runtime_s)


def _bursts(made: Mapping[str, Any]) -> Workload:
    times = range(600, int(made["hours"] * 3600), int(made["every_s"]))
    return workload.joined(*(workload.burst(made["count"], float(at), made["task_s"]) for at in times))


def _poisson(made: Mapping[str, Any]) -> Workload:
    return workload.poisson(made["rate_per_s"], made["hours"] * 3600.0, made["task_s"], made["cv"], 1)


MAKERS: Mapping[str, Callable[[Mapping[str, Any]], Workload]] = {
    "poisson": _poisson,
    "waves": _waves,
    "bursts": _bursts,
}


def _tasks(source: str) -> Workload:
    if source.startswith("{"):
        made = json.loads(source)
        return MAKERS[made["kind"]](made)
    return workload.read(Path(source))


def played(job: Job) -> tuple[Job, Outcome | float | None]:
    """The outcome, or the bound's cost; None where the bound cannot be had."""
    tasks = _tasks(job.source)
    if not job.policy:
        try:
            return job, optimum(tasks, job.terms, time_limit_s=BOUND_LIMIT_S).cost
        except OptimumUnavailable:
            return job, None
    if job.policy == OURS:
        return job, run.run(tasks, job.terms, run.default(job.terms.target_wait_s, job.terms.quantum_s))
    peer = {**PEERS, **VARIANTS}[job.policy](job.terms)
    return job, run.run(tasks, job.terms, run.Other(peer=peer, keeps_paid=job.keeps_paid))


def jobs(path: Path, peers: list[str]) -> list[Job]:
    """Every combination that the file asks for."""
    given = tomllib.loads(path.read_text(encoding="utf-8"))
    found = []
    for scenario in given["scenario"]:
        said = {**given.get("defaults", {}), **scenario}
        source = json.dumps(said["made"]) if "made" in said else str(path.parent / said["file"])
        for quantum_s in said["billing_quanta_s"]:
            terms = Terms(
                slots=said["slots"],
                boot_s=said["boot_s"],
                target_wait_s=said["target_wait_s"],
                min_workers=said["min_workers"],
                max_workers=said["max_workers"],
                price_per_h=said["price_per_hour"],
                quantum_s=quantum_s,
            )
            kinds = [(OURS, False), ("", False), *((peer, False) for peer in peers)]
            # What is billed by the minute is not worth keeping to its end.
            kinds += [(peer, True) for peer in peers if quantum_s >= 600]
            found += [
                Job(scenario=said["name"], source=source, terms=terms, policy=policy, keeps_paid=keeps)
                for policy, keeps in kinds
            ]
    return found


def records(results: list[tuple[Job, Outcome | float | None]]) -> list[dict[str, Any]]:
    """As the file has them."""
    bounds = {(job.scenario, job.terms.quantum_s): found for job, found in results if not job.policy}
    told = []
    for job, fared in results:
        if not isinstance(fared, Outcome):
            continue
        bound = bounds[job.scenario, job.terms.quantum_s]
        told.append(
            {
                "scenario": job.scenario,
                "billing_quantum_s": job.terms.quantum_s,
                "policy": OURS if job.policy == OURS else fared.policy,
                "cost": round(fared.cost, 3),
                "bound": bound,
                "ratio": round(fared.cost / bound, 3) if isinstance(bound, float) and bound else None,
                "within_target": round(fared.within_target, 5),
                "wait_p95_s": round(fared.wait_p95_s, 1),
                "wait_p99_s": round(fared.wait_p99_s, 1),
                "creates": fared.creates,
                "nodes_peak": fared.nodes_peak,
            }
        )
    return told


def lines(told: list[dict[str, Any]]) -> list[str]:
    """For each scenario and billing: ours, and the cheapest peer that keeps as many in time, whatever its setting."""
    said = [
        f"{'scenario':14} {'billed by':>9} {'cost':>9} {'÷ bound':>8} {'in time':>8}   cheapest peer as good"
    ]
    for quantum_s in sorted({record["billing_quantum_s"] for record in told}, reverse=True):
        ratios, against = [], []
        for ours in told:
            if ours["policy"] != OURS or ours["billing_quantum_s"] != quantum_s:
                continue
            least = min(ours["within_target"], IN_TIME)
            peers = [
                other
                for other in told
                if (other["scenario"], other["billing_quantum_s"]) == (ours["scenario"], quantum_s)
                and other["policy"] != OURS
                and other["within_target"] >= least
            ]
            best = min(peers, key=lambda record: record["cost"], default=None)
            ratio = f"{ours['ratio']:.2f}" if ours["ratio"] else "-"
            ratios += [ours["ratio"]] if ours["ratio"] else []
            against += [ours["cost"] / best["cost"]] if best and best["cost"] else []
            than = f"{best['policy']}: {best['cost']:.1f}" if best else "none is"
            said.append(
                f"{ours['scenario']:14} {quantum_s:>7} s {ours['cost']:>9.1f} {ratio:>8} "
                f"{100 * ours['within_target']:>6.2f} %   {than}"
            )
        if ratios:
            said.append(
                f"cost ÷ bound at {quantum_s} s: median {statistics.median(ratios):.2f}, worst {max(ratios):.2f}"
            )
        if against:
            said.append(
                f"cost ÷ cheapest peer as good, at {quantum_s} s: median {statistics.median(against):.2f}, "
                f"worst {max(against):.2f}"
            )
    return said


def main() -> None:
    """Play everything on all cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="?", type=Path, default=Path(__file__).with_name("scenarios.toml"))
    parser.add_argument("--peers", default="all", help="names, or `all`, or `none`")
    parser.add_argument("--output", type=Path, default=Path("build/decisions.json"))
    asked = parser.parse_args()
    every = [*PEERS, *(name for name in VARIANTS if name not in PEERS)]
    peers = {"all": every, "none": []}.get(asked.peers, asked.peers.split(","))
    todo = jobs(asked.scenarios, peers)
    results = []
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        for number, result in enumerate(pool.imap_unordered(played, todo), 1):
            results.append(result)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{number} of {len(todo)} runs")
    order = {job: place for place, job in enumerate(todo)}
    told = records(sorted(results, key=lambda result: order[result[0]]))
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(told, indent=1), encoding="utf-8")
    sys.stdout.write("\n".join(lines(told)) + "\n")


if __name__ == "__main__":
    main()
