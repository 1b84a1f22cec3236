"""`make bench-forecast [SCENARIOS=FILE]`: what `forecast` beside `wait` is worth, on made-up peaks and on scenarios.

Each workload runs twice, under `wait` alone and with `forecast` beside it, billed by the hour and by the minute, with a
target that a new machine can meet and with one that it cannot. What is told are differences: of cost in percent, and of
the share of tasks in time in points. Writes build/forecast.json.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tomllib
from array import array
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from autoscaler.study import run, workload
from autoscaler.study.contract import Outcome, Terms, Workload
from policies.contract import PolicySpec

DAY_S, HOUR_S = 86_400.0, 3_600.0
CASES = ((120.0, 90.0), (30.0, 120.0))
"""Target and boot: one that a machine bought when tasks wait can meet, and one that it cannot."""
QUANTA_S = (3600, 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Days on which the load leaps at nine from `base` to `workers` machines, and back after `hours`."""

    days: int
    workers: float = 40.0
    base: float = 1.0
    hours: float = 1.0
    weekends: bool = True
    """Without them the sixth and seventh day have no peak."""
    varies: float = 0.0
    """Standard deviation of a day's height ÷ mean."""
    strays_s: float = 0.0
    """Standard deviation of its begin."""


MADE = {
    "peak-1h": Peaks(days=7),
    "peak-8h": Peaks(days=7, hours=8.0),
    "peak-weekdays": Peaks(days=21, weekends=False),
    "peak-varies": Peaks(days=10, varies=0.25),
    "peak-strays": Peaks(days=10, strays_s=240.0),
}


def peaks(made: Peaks, *, slots: int = 2, task_s: float = 20.0, seed: int = 1) -> Workload:
    """Tasks that arrive by chance at the rate that keeps so many machines busy."""
    dice = random.Random(f"peaks {seed}")  # noqa: S311 - a workload to repeat, no secret
    submit_s, runtime_s = array("d"), array("d")
    for day in range(made.days):
        begins_s = day * DAY_S + 9 * HOUR_S + dice.gauss(0.0, made.strays_s)
        height = made.workers * max(0.1, dice.gauss(1.0, made.varies))
        if not made.weekends and day % 7 in {5, 6}:
            height = made.base
        ends_s = begins_s + made.hours * HOUR_S
        parts = ((day * DAY_S, begins_s, made.base), (begins_s, ends_s, height))
        for since_s, until_s, machines in (*parts, (ends_s, (day + 1) * DAY_S, made.base)):
            at_s = since_s
            while (at_s := at_s + dice.expovariate(machines * slots / task_s)) < until_s:
                submit_s.append(at_s)
                runtime_s.append(dice.uniform(0.5, 1.5) * task_s)
    return Workload(name="peaks", submit_s=submit_s, runtime_s=runtime_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One workload on given terms; `file` is empty for a made-up one."""

    name: str
    file: str
    terms: Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """As the file has it. Costs and shares are those of `wait` alone and with `forecast`."""

    workload: str
    billing_quantum_s: int
    target_wait_s: float
    boot_s: float
    cost: float
    cost_with: float
    within_target: float
    within_target_with: float


def with_and_without(tasks: Workload, terms: Terms) -> tuple[Outcome, Outcome]:
    """How `wait` fares alone, and with `forecast` beside it."""
    forecast = PolicySpec(kind="forecast", options={"target_wait_s": terms.target_wait_s})
    default = run.default(terms.target_wait_s, terms.quantum_s)
    beside = replace(default, policies=(*default.policies, forecast), name="with forecast")
    return run.run(tasks, terms, default), run.run(tasks, terms, beside)


def played(job: Job) -> Record:
    """Both runs of one job."""
    tasks = workload.read(Path(job.file)) if job.file else peaks(MADE[job.name], slots=job.terms.slots)
    alone, beside = with_and_without(tasks, job.terms)
    return Record(
        workload=job.name,
        billing_quantum_s=job.terms.quantum_s,
        target_wait_s=job.terms.target_wait_s,
        boot_s=job.terms.boot_s,
        cost=round(alone.cost, 3),
        cost_with=round(beside.cost, 3),
        within_target=round(alone.within_target, 5),
        within_target_with=round(beside.within_target, 5),
    )


def jobs(scenarios: Path | None) -> list[Job]:
    """Made-up peaks, and each scenario that is a file."""
    sources = dict.fromkeys(MADE, "")
    if scenarios is not None:
        given = tomllib.loads(scenarios.read_text(encoding="utf-8"))["scenario"]
        sources |= {said["name"]: str(scenarios.parent / said["file"]) for said in given if "file" in said}
    return [
        Job(name=name, file=file, terms=Terms(target_wait_s=target_s, boot_s=boot_s, quantum_s=quantum_s))
        for name, file in sources.items()
        for target_s, boot_s in CASES
        for quantum_s in QUANTA_S
    ]


def line(record: Record) -> str:
    """One comparison as people read it."""
    cost = 100.0 * (record.cost_with / record.cost - 1.0) if record.cost else 0.0
    gain = 100.0 * (record.within_target_with - record.within_target)
    return (
        f"{record.workload:14} {record.billing_quantum_s:>5} s {record.target_wait_s:>5.0f} s "
        f"{100 * record.within_target:>8.2f} % {cost:>+8.2f} % {gain:>+8.2f}"
    )


def main() -> None:
    """Play everything on all cores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="?", type=Path)
    parser.add_argument("--output", type=Path, default=Path("build/forecast.json"))
    asked = parser.parse_args()
    sys.stdout.write(
        f"{'workload':14} {'billed':>7} {'target':>7} {'in time':>10} {'cost':>10} {'points':>8}\n"
    )
    records = []
    with multiprocessing.get_context("spawn").Pool(len(os.sched_getaffinity(0))) as pool:
        for record in pool.imap(played, jobs(asked.scenarios)):
            records.append(record)
            sys.stdout.write(line(record) + "\n")
            sys.stdout.flush()
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps([asdict(record) for record in records], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
