"""`python -m benchmarks.sharded`: ten daemons and their standbys, 100,000 machines, one account, on virtual time.

Journals are on a private PostgreSQL, a schema for each fleet, with the production lease; `--journal memory` plays them.
A table goes to the terminal, all of it to build/sharded.json; it fails where a rule was broken. What never happens
here: a real machine, a broker, a wait.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from autoscaler import standby
from autoscaler.simulate.clock import WorldClock
from benchmarks.sharded.journals import PlayedShelf, ServedShelf, Shelf, schemas
from benchmarks.sharded.run import Happened, Life
from benchmarks.sharded.scenario import Broken, Scenario
from testbed.postgresql import PrivatePostgreSQL

OUT = Path("build/sharded.json")
_TOLD_EVERY_S = 60.0
_KINDS = ("list", "create", "destroy")


@contextmanager
def opened(scenario: Scenario, clock: WorldClock, *, served: bool) -> Iterator[list[Shelf]]:
    """A shelf for each fleet's journal."""
    terms, marks = standby.terms_for(scenario.tick_s), scenario.marks()
    guarded = scenario.broken is not Broken.NO_LEASE
    if not (served and guarded):  # a server's lease cannot be done without
        yield [PlayedShelf(clock.monotonic, terms, guarded=guarded) for _ in marks]
        return
    with PrivatePostgreSQL() as server:
        server.make_database("fleets")
        names = [f"fleet_{number}" for number in range(len(marks))]
        urls = schemas(server.whole_url_for("fleets"), names)
        yield [ServedShelf(url, clock.monotonic, terms) for url in urls]


def play(scenario: Scenario, *, served: bool, tell: Callable[[str], object]) -> dict[str, Any]:
    """One life, and its figures."""
    clock = WorldClock()
    with opened(scenario, clock, served=served) as shelves:
        life = Life(scenario, shelves, clock)
        due = 0.0

        def watch(life: Life) -> None:
            nonlocal due
            if clock.elapsed >= due:
                due += _TOLD_EVERY_S
                died = sum(life.happened.fate.died.values())
                tell(f"{clock.elapsed:6.0f} {life.account.standing:9,} {life.serving:9,} {died:6}\n")

        tell("     s  machines   serving   died\n")
        happened = life.play(watch)
    return figures(life, happened) | {"journal": "postgresql" if served else "memory"}


def figures(life: Life, happened: Happened) -> dict[str, Any]:
    """What it came to, as plain values."""
    account, fate = life.account, happened.fate
    shards = [
        {
            "shard": shard.number,
            "ticks": len(fate.cpu_s[shard.number]),
            "cpu_p50_s": _at(fate.cpu_s[shard.number], 0.5),
            "cpu_p99_s": _at(fate.cpu_s[shard.number], 0.99),
            "cpu_most_s": max(fate.cpu_s[shard.number], default=0.0),
            "requests": {kind: account.asked[shard.number, kind] for kind in _KINDS},
        }
        for shard in life.shards
    ]
    return {
        "scenario": asdict(life.scenario),
        "per_minute": account.per_minute,
        "calls_per_minute": life.scenario.calls_per_minute(),
        "quota": account.quota,
        "requests": sum(account.asked.values()),
        "least_left": account.least_left,
        "throttled": sum(account.throttled.values()),
        "shards": shards,
        "takeover_p50_s": _at(fate.takeovers_s, 0.5),
        "takeover_most_s": max(fate.takeovers_s, default=0.0),
        "died": fate.died,
        "woken": fate.woken,
        "seconds": happened.seconds,
        "ticks": happened.ticks,
        "machines_most": happened.machines_most,
        "serving_most": happened.serving_most,
        "serving_last": happened.serving_last,
        "fell": happened.fell,
        "bound_s": happened.bound_s,
        "harm": happened.harm,
    }


def _at(values: Sequence[float], share: float) -> float:
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else math.nan


def table(row: dict[str, Any]) -> Iterator[str]:
    """What is read on a terminal."""
    yield "shard  ticks  CPU p50     p99    most   looks  orders    ends  of all requests\n"
    for shard in row["shards"]:
        asked = shard["requests"]
        share = sum(asked.values()) / max(1, row["requests"])
        yield (
            f"{shard['shard']:5} {shard['ticks']:6} {shard['cpu_p50_s']:8.2f} {shard['cpu_p99_s']:7.2f} "
            f"{shard['cpu_most_s']:7.2f} {asked['list']:7,} {asked['create']:7,} {asked['destroy']:7,} {share:8.1%}\n"
        )
    died = ", ".join(f"{count} {where}" for where, count in row["died"].items())
    yield f"{row['ticks']:,} ticks over {row['seconds']:,.0f} s; {row['fell']} machines ended by themselves\n"
    yield (
        f"most at once {row['machines_most']:,} machines, {row['serving_most']:,} serving; "
        f"at the end {row['serving_last']:,}\n"
    )
    yield (
        f"daemons that died: {died}; taken over after {row['takeover_p50_s']:.0f} s (median), "
        f"{row['takeover_most_s']:.0f} s at most; {row['woken']} went on and sent nothing\n"
    )
    yield (
        f"the account takes {row['per_minute']:,.0f} requests a minute, each fleet {row['calls_per_minute']:,.0f} "
        f"orders and ends; least left {row['least_left']:,.0f}, refused {row['throttled']}\n"
    )
    yield f"a pool is off for {row['bound_s']:.0f} s at most\n"
    yield f"BROKEN: {row['harm']}\n" if row["harm"] else "no rule was broken\n"


def _given() -> tuple[Scenario, argparse.Namespace]:
    usual = Scenario()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--daemons", type=int, default=usual.daemons, help="that lead, each with a standby")
    parser.add_argument("--nodes", type=int, default=usual.nodes, help="of all fleets, at the highest load")
    parser.add_argument("--pools", type=int, default=usual.pools, help="of each fleet")
    parser.add_argument("--seconds", type=float, default=usual.seconds, help="of virtual time")
    parser.add_argument("--deaths", type=float, default=usual.deaths, help="of each fleet's leaders, about")
    parser.add_argument("--seed", type=int, default=usual.seed)
    parser.add_argument("--lives", type=int, default=1, help="of this seed and those after it")
    parser.add_argument("--journal", choices=("postgresql", "memory"), default="postgresql")
    parser.add_argument(
        "--broken", choices=[each.value for each in Broken], help="break this rule on purpose"
    )
    given = parser.parse_args()
    scenario = Scenario(
        daemons=given.daemons,
        nodes=given.nodes,
        pools=given.pools,
        seconds=given.seconds,
        deaths=given.deaths,
        seed=given.seed,
        broken=Broken(given.broken) if given.broken else None,
    )
    return scenario, given


def main() -> int:
    """One life, or many; 1 where a rule was broken."""
    scenario, given = _given()
    served = given.journal == "postgresql"

    def tell(line: str) -> None:
        sys.stdout.write(line)
        sys.stdout.flush()

    rows: list[dict[str, Any]] = []
    for seed in range(given.seed, given.seed + given.lives):
        one = replace(scenario, seed=seed)
        rows.append(play(one, served=served, tell=tell if given.lives == 1 else lambda _line: None))
        if given.lives > 1:
            died = sum(rows[-1]["died"].values())
            tell(f"seed {seed}: {rows[-1]['serving_last']:,} serve, {died} died {rows[-1]['harm']}\n")
    sys.stdout.writelines(table(rows[-1]) if given.lives == 1 else together(rows))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 1 if any(row["harm"] for row in rows) else 0


def together(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Many lives in one line."""
    died = sum(count for row in rows for count in row["died"].values())
    broken = sum(bool(row["harm"]) for row in rows)
    yield f"{len(rows)} lives, {died:,} daemons died, a rule was broken in {broken}\n"


if __name__ == "__main__":
    sys.exit(main())
