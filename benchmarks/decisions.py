"""`make bench-decisions [SCENARIOS=FILE]`: ours and the peers' rules on each scenario, under each billing.

Ours runs with its defaults, the peers with each of their settings, once letting machines go at once and once near the
end of their paid quantum. The bound is what no schedule that starts every task in time can undercut, and what lies
between it and ours is told in parts (`autoscaler.study.gap`). Everything runs in one go on this machine; only ratios
are told. Writes build/decisions.json, and a report with a plot for each scenario and billing beside it
(`benchmarks.report`).
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import re
import statistics
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autoscaler.study import gap, run, workload
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.gap import Gap
from autoscaler.study.peers import PEERS, VARIANTS
from autoscaler.study.solver import OptimumUnavailable
from benchmarks import report

OURS = report.OURS
BOUND_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One policy on one scenario; an empty policy stands for the bound and the gap to it."""

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


def tasks(source: str) -> Workload:
    """The workload of a job."""
    if source.startswith("{"):
        made = json.loads(source)
        return MAKERS[made["kind"]](made)
    return workload.read(Path(source))


def chooser(job: Job) -> run.Chooser:
    """Who decides. Made anew for each run, as peers remember."""
    if job.policy == OURS:
        return run.default(job.terms.target_wait_s, job.terms.quantum_s)
    peer = {**PEERS, **VARIANTS}[job.policy](job.terms)
    return run.Other(peer=peer, keeps_paid=job.keeps_paid)


def played(job: Job) -> tuple[Job, Outcome | Gap | None]:
    """The outcome, or the gap; None where the bound cannot be had."""
    given = tasks(job.source)
    if job.policy:
        return job, run.run(given, job.terms, chooser(job))
    ours = run.default(job.terms.target_wait_s, job.terms.quantum_s)
    own = run.run(given, job.terms, ours)
    try:
        return job, gap.measured(given, job.terms, ours, own, time_limit_s=BOUND_LIMIT_S)
    except OptimumUnavailable:
        return job, None


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


def records(results: Iterable[tuple[Job, Outcome | Gap | None]]) -> list[dict[str, Any]]:
    """As the file has them. Ours holds the gap too."""
    found = list(results)
    gaps = {(job.scenario, job.terms.quantum_s): one for job, one in found if isinstance(one, Gap)}
    told = []
    for job, fared in found:
        if not isinstance(fared, Outcome):
            continue
        between = gaps.get((job.scenario, job.terms.quantum_s))
        bound = between.bound.cost if between else None
        told.append(
            {
                "scenario": job.scenario,
                "billing_quantum_s": job.terms.quantum_s,
                "policy": OURS if job.policy == OURS else fared.policy,
                "cost": round(fared.cost, 3),
                "bound": bound,
                "ratio": round(fared.cost / bound, 3) if bound else None,
                "within_target": round(fared.within_target, 5),
                "wait_p95_s": round(fared.wait_p95_s, 1),
                "wait_p99_s": round(fared.wait_p99_s, 1),
                "creates": fared.creates,
                "nodes_peak": fared.nodes_peak,
                **({"gap": _parts(between)} if between and job.policy == OURS else {}),
            }
        )
    return told


def _parts(between: Gap) -> dict[str, float]:
    parts = between.parts
    return {
        "not_knowing_the_future": round(parts.future, 3),
        "boot_time": round(parts.boots, 3),
        "rule": round(parts.rule, 3),
        "boot_time_in_the_bound": round(parts.boots_of_bound, 3),
    }


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
            best = report.best_peer(ours, told)
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
    parser.add_argument("--only", default="", help="of the file, these: NAME:QUANTUM_S, with commas between")
    parser.add_argument("--output", type=Path, default=Path("build/decisions.json"))
    parser.add_argument(
        "--report", type=Path, help="folder of the report; else the output's name without .json"
    )
    asked = parser.parse_args()
    every = [*PEERS, *(name for name in VARIANTS if name not in PEERS)]
    peers = {"all": every, "none": []}.get(asked.peers, asked.peers.split(","))
    only = set(filter(None, asked.only.split(",")))
    todo = [
        job
        for job in jobs(asked.scenarios, peers)
        if not only or f"{job.scenario}:{job.terms.quantum_s}" in only
    ]
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        order = {job: place for place, job in enumerate(todo)}
        results = _watched(pool.imap_unordered(played, todo), len(todo), "runs")
        told = records(sorted(results, key=lambda result: order[result[0]]))
        asked.output.parent.mkdir(parents=True, exist_ok=True)
        asked.output.write_text(json.dumps(told, indent=1), encoding="utf-8")
        folder = asked.report or asked.output.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        plots = pictures(todo, told, folder)
        drawn = _watched(pool.imap_unordered(_drawn, plots), len(plots), "plots")
    (folder / "report.md").write_text(report.page(told, sorted(drawn)), encoding="utf-8")
    sys.stdout.write(f"The report: {folder / 'report.md'}\n")
    sys.stdout.write("\n".join(lines(told)) + "\n")


Drawing = tuple[Path, Job, Job | None, float | None]
"""Where to, ours, the peer beside it, and the bound."""


def pictures(todo: Iterable[Job], told: list[dict[str, Any]], folder: Path) -> list[Drawing]:
    """For each of ours a plot, with the cheapest peer beside it that keeps as many in time, else the nearest."""
    names = {(job.scenario, job.terms.quantum_s, _name(job)): job for job in todo if job.policy}
    found = []
    for ours in told:
        if ours["policy"] != OURS:
            continue
        key = (ours["scenario"], ours["billing_quantum_s"])
        best = report.best_peer(ours, told) or report.nearest_peer(ours, told)
        place = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', key[0])}-{key[1]}s"
        found.append((place, names[*key, OURS], names[*key, best["policy"]] if best else None, ours["bound"]))
    return found


def _name(job: Job) -> str:
    return OURS if job.policy == OURS else chooser(job).name


def _drawn(drawing: Drawing) -> str:
    """Draw one, and say its name."""
    place, ours, peer, bound = drawing
    given = tasks(ours.source)
    played_ = [(job.terms, chooser(job)) for job in (ours, peer) if job]
    report.draw(place, replace(given, name=ours.scenario), played_, bound)
    return place.name


def _watched(found: Iterable[Any], total: int, what: str) -> list[Any]:
    """All of them, with news on a terminal."""
    kept = []
    for one in found:
        kept.append(one)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{len(kept)} of {total} {what} ")
    return kept


if __name__ == "__main__":
    main()
