"""`make bench-backtest`: how long a policy change on a week's own journal takes, at a tick of ten seconds.

A week of daily waves is recorded into a real journal in a file, then the command is run as an operator would. Writes
build/backtest.json; exits with 1 where it takes longer than the twenty seconds that are promised.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from autoscaler.clock import SystemClock
from autoscaler.journal import open_journal
from autoscaler.study.contract import Terms, Workload
from autoscaler.study.run import default
from benchmarks.decisions import MAKERS
from benchmarks.recording import record, write

MOST_S = 20.0
DAYS = 7.0
WEEK = {"kind": "waves", "hours": 24 * DAYS, "rate_per_s": 0.5, "task_s": 20.0, "cv": 1.0}
"""Some 180,000 tasks on two to ten machines."""
TERMS = Terms(boot_s=95.0, price_per_h=0.1, max_workers=100)
CONFIG = """\
[fleet]
name = "bench"

[loop]
tick = "10s"

[broker]
management_url = "http://127.0.0.1:1"
amqp_url = "amqp://127.0.0.1:1"
username = "bench"
password = {{ env = "BENCH_PASSWORD" }}

[journal]
url = "sqlite:///{directory}/journal.db"

[providers.cloud]
kind = "local"
directory = "{directory}/nodes"

[pools.images]
queues = ["images"]
slots = 2

[pools.images.limits]
max_workers = 100

[[pools.images.policies]]
kind = "wait"
target_wait = "2m"

[[pools.images.offers]]
provider = "cloud"
price_per_hour = 0.1
billing_quantum = "1h"

[pools.images.bootstrap]
app = "bench.tasks"
"""
CANDIDATE = """\
[[policies]]
kind = "backlog"
messages_per_worker = 6
"""


def recorded(directory: Path, tasks: Workload, begins_at: float) -> int:
    """A configuration, a candidate and a journal in that directory; how many samples the journal has."""
    (directory / "config.toml").write_text(CONFIG.format(directory=directory))
    (directory / "candidate.toml").write_text(CANDIDATE)
    made = record(
        tasks, TERMS, default(TERMS.target_wait_s, TERMS.quantum_s), pool="images", begins_at=begins_at
    )
    journal = open_journal(f"sqlite:///{directory}/journal.db")
    try:
        write(journal, made)
    finally:
        journal.close()
    return len(made.samples)


def timed(directory: Path, clock: SystemClock) -> tuple[float, float, dict[str, Any]]:
    """Seconds of the wall and of the processors that the command took, and what it said."""
    command = [
        *(str(Path(sys.executable).with_name("autoscaler")), "backtest"),
        *("--config", str(directory / "config.toml"), "--candidate", str(directory / "candidate.toml")),
        *("--since", f"{DAYS:.0f}d", "--json"),
    ]
    before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), clock.monotonic()
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)
    wall_s, after = clock.monotonic() - began_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall_s, cpu_s, json.loads(done.stdout)


def main() -> int:
    """Record, time, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("build/backtest.json"))
    asked = parser.parse_args()
    clock = SystemClock()
    tasks = MAKERS["waves"](WEEK)
    with tempfile.TemporaryDirectory() as place:
        samples = recorded(Path(place), tasks, clock.now() - DAYS * 86_400.0)
        wall_s, cpu_s, facts = timed(Path(place), clock)
    configured, candidate = facts["results"]
    told = {
        "samples": samples,
        "tasks": facts["workload"]["tasks"],
        "cores": len(os.sched_getaffinity(0)),
        "wall_s": round(wall_s, 1),
        "cpu_s": round(cpu_s, 1),
        "cost_recorded": round(facts["recorded"]["cost"], 3),
        "cost_configured": round(configured["cost"], 3),
        "cost_candidate": round(candidate["cost"], 3),
    }
    asked.output.parent.mkdir(parents=True, exist_ok=True)
    asked.output.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write("\n".join(f"{name:16} {value}" for name, value in told.items()) + "\n")
    return 0 if wall_s <= MOST_S else 1


if __name__ == "__main__":
    sys.exit(main())
