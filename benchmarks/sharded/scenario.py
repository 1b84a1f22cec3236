"""What is played: how many daemons and machines, for how long, how the load goes, and which rule is broken on purpose.

Values and pure functions of them. What never happens here: a clock, a daemon.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from benchmarks import fleet_toml
from benchmarks.sharded.vhost import MESSAGES_PER_WORKER

ROOM = 0.02
"""So much above its highest load a pool's ceiling is: for machines that never boot, until they are given up."""
_LEAST, _DIP = 0.9, 0.95
_BURSTS = 0.03
"""Between the phases each pool's load goes up and down by up to so much."""
_RISE, _FALL, _RISE_AGAIN, _STILL = 0.08, 0.4, 0.55, 0.7
"""Shares of the time at which load goes from 90 % to all, to 95 %, to all again, and changes no more."""
BOOT_S = 60.0
ENROL_S = 180.0
LIST_LAG_S = 5.0
SCALE_IN_S = 60.0
MOST_MOVED = 0.15
"""Of a fleet's machines, bought or ended for one change of its load."""


class Broken(StrEnum):
    """A rule of sharding, broken on purpose: each must be noticed."""

    ONE_NAME = "one name"
    """Two fleets of one name, with a journal each: as two daemons without a common lease are."""
    ONE_JOURNAL = "one journal"
    """The standby of one fleet waits at the journal of another."""
    NO_LEASE = "no lease"
    """A daemon that was stopped goes on as if nothing had happened."""
    UNDIVIDED = "undivided"
    """Each fleet takes the account's whole rate limit for its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One life of all shards."""

    daemons: int = 10
    nodes: int = 100_000
    """At the highest load, all fleets together."""
    pools: int = 100
    """Of each fleet."""
    seconds: float = 1_500.0
    tick_s: float = 20.0
    deaths: float = 4.0
    """How often each shard's leader dies or is stopped, on average."""
    rate_per_node: float = 0.04
    """Requests that the account takes a minute, for each machine."""
    rows_per_page: int = 500
    seed: int = 0
    broken: Broken | None = None

    @property
    def per_minute(self) -> float:
        """The account's rate limit."""
        return max(30.0, self.rate_per_node * self.nodes)

    @property
    def still_from_s(self) -> float:
        """From then on load does not change, and nobody dies."""
        return _STILL * self.seconds

    def marks(self) -> list[str]:
        """The name of each shard's fleet."""
        names = [f"shop-{number}" for number in range(self.daemons)]
        return [*names, names[0]] if self.broken is Broken.ONE_NAME else names

    def most(self, shard: int, pool: int) -> int:
        """Workers of that pool at the highest load."""
        of_shard = self.nodes // self.daemons + (shard < self.nodes % self.daemons)
        return of_shard // self.pools + (pool < of_shard % self.pools)

    def at_first(self, shard: int, pool: int) -> int:
        """Machines that are there from the start."""
        return math.floor(_LEAST * self.most(shard, pool))

    def ceiling(self, shard: int, pool: int) -> int:
        """The most that the pool may have."""
        return self.most(shard, pool) + max(2, math.ceil(ROOM * self.most(shard, pool)))

    @property
    def quota(self) -> int:
        """Machines that the account may hold: what all ceilings together are."""
        return sum(self.ceiling(shard, pool) for shard in range(self.daemons) for pool in range(self.pools))

    def calls_per_minute(self) -> float:
        """A fleet's part of the rate limit: looks first, then an equal share of what is left for orders and ends."""
        if self.broken is Broken.UNDIVIDED:
            return self.per_minute
        pages = math.ceil(self.quota / self.daemons / self.rows_per_page)
        # One look more a minute than ticks bring: a daemon that takes over looks at once.
        looks = pages * (60.0 / self.tick_s + 1.0) * self.daemons
        return max(1.0, math.floor((self.per_minute - looks) / self.daemons))

    def deaths_of(self, shard: int) -> list[float]:
        """When that shard's leader dies or is stopped: while load changes, which it does until it is still."""
        dice = random.Random(f"deaths {self.seed} {shard}")  # noqa: S311 - faults to order, not secrets
        count = max(1, round(self.deaths) + dice.choice((-1, 0, 1)))
        return [dice.uniform(self.tick_s, self.still_from_s) for _ in range(count)]

    def load(self, shard: int, pool: int) -> Callable[[float], int]:
        """How many workers its tasks ask for, by the seconds that have passed."""
        most, dice = self.most(shard, pool), random.Random(f"load {self.seed} {shard} {pool}")  # noqa: S311 - load
        period_s, phase = dice.uniform(200.0, 500.0), dice.uniform(0.0, 2 * math.pi)
        late = dice.uniform(0.0, 0.04)

        def asks(at_s: float) -> int:
            share = at_s / self.seconds - late
            if share < _RISE:
                level = _LEAST
            elif _FALL <= share < _RISE_AGAIN:
                level = _DIP
            else:
                level = 1.0
            if at_s < self.still_from_s:
                level -= _BURSTS * (1.0 + math.sin(at_s * 2 * math.pi / period_s + phase)) / 2
            return max(0, min(most, round(level * most)))

        return asks


def toml(scenario: Scenario, shard: int, mark: str) -> str:
    """The configuration of one shard's daemons."""
    calls = min(60_000.0, scenario.calls_per_minute())
    head = fleet_toml.head(
        "/nowhere/journal.db",
        f'kind = "simulated"\nboot = "{BOOT_S:g}s"\ncalls_per_minute = {calls:g}',
        name=mark,
        tick_s=scenario.tick_s,
        loop="max_calls_in_flight = 256",
    )
    policy = f'kind = "backlog"\nmessages_per_worker = {MESSAGES_PER_WORKER}'
    stabilize = (
        '\n[pools.{name}.stabilize]\nscale_in_window = "{window:g}s"\nscale_in_cooldown = "{window:g}s"\n'
        "tolerance = 0.0\n"
        '\n[pools.{name}.timeouts]\nenrol = "{enrol:g}s"\n'
    )
    return head + "".join(
        fleet_toml.pool(
            f"pool-{pool:03}",
            policy,
            most=scenario.ceiling(shard, pool),
            more=stabilize.format(name=f"pool-{pool:03}", window=SCALE_IN_S, enrol=ENROL_S),
        )
        for pool in range(scenario.pools)
    )
