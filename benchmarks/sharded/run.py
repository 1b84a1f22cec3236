"""One life of many daemons on virtual time: each a fleet with its own journal, all on one account, checked every tick.

A scenario and shelves for journals go in; what happened comes out, with the Harm that ended it if there was one. What
never happens here: a wait, a thread, dice that are not of the scenario's seed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autoscaler import standby, wiring
from autoscaler.config import parse
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolName, PoolRules
from autoscaler.journal import TickRecord
from autoscaler.loop import Rulebook
from autoscaler.simulate.clock import WorldClock
from benchmarks.scale.fleet import serving
from benchmarks.sharded.account import Account, Tenants
from benchmarks.sharded.checks import Harm, Ledgers
from benchmarks.sharded.daemon import ACCOUNT
from benchmarks.sharded.journals import Shelf
from benchmarks.sharded.scenario import (
    BOOT_S,
    ENROL_S,
    LIST_LAG_S,
    MOST_MOVED,
    SCALE_IN_S,
    Broken,
    Scenario,
    toml,
)
from benchmarks.sharded.shard import Fate, Shard, World
from benchmarks.sharded.vhost import TASK_S, Vhost
from providers.contract import InstanceSpec, NodeName
from providers.simulated import Fault, Habits, Machine, SimulatedCloud, SimulatedProvider

FAULTS = {
    Fault.ANSWER_LOST: 0.003,
    Fault.NEVER_BOOTS: 0.001,
    Fault.DESTROY_IGNORED: 0.003,
    Fault.DESTROY_UNANSWERED: 0.003,
    Fault.LISTING_FAILS: 0.01,
}
"""The part of all calls that meets each."""
_FALLS_PER_TICK = 5e-5
"""The part of all machines that end by themselves in a tick."""
_TICKS_BETWEEN = 8.0
"""Two for a takeover, and one for a look before and after each step of a way."""
_AT_ONCE = 1_000
"""Records of machines that are there from the start are written so many at a time."""
Watch = Callable[["Life"], None]


class _Luck:
    """Faults by dice, once the machines of the start are there."""

    def __init__(self, seed: int) -> None:
        self._dice = random.Random(f"luck {seed}")  # noqa: S311 - faults to order, not secrets
        self.uniform = self._dice.uniform
        self.begun = False

    def meets(self, fault: Fault, spec: InstanceSpec | None) -> bool:
        """As the dice fall."""
        del spec
        share = FAULTS.get(fault, 0.0)
        return self.begun and share > 0.0 and self._dice.random() < share


@dataclass(slots=True, kw_only=True)
class Happened:
    """What one life came to."""

    seconds: float = 0.0
    ticks: int = 0
    machines_most: int = 0
    serving_most: int = 0
    serving_last: int = 0
    fell: int = 0
    bound_s: float = 0.0
    harm: str = ""
    kind: str = ""
    fate: Fate = field(default_factory=Fate)


class Life:
    """All shards, and the account that they share."""

    def __init__(self, scenario: Scenario, shelves: Sequence[Shelf], clock: WorldClock) -> None:
        """`shelves`: one for each of the scenario's marks."""
        self.scenario, self.clock = scenario, clock
        self.happened = Happened(bound_s=bound_s(scenario))
        self._dice = random.Random(f"life {scenario.seed}")  # noqa: S311 - faults to order, not secrets
        self._luck = _Luck(scenario.seed)
        self.ledgers = Ledgers(busy=self._busy)
        self._vhosts: dict[str, Vhost] = {}
        tenants = Tenants(
            self.ledgers, self._made, lambda machine: self._vhosts[machine.fleet].ended(machine)
        )
        self.cloud = SimulatedCloud(
            clock=clock, habits=Habits(boot_s=BOOT_S, list_lag_s=LIST_LAG_S), luck=self._luck, tenant=tenants
        )
        self.account = tenants.account = Account(
            cloud=self.cloud,
            monotonic=clock.monotonic,
            per_minute=scenario.per_minute,
            quota=scenario.quota,
            rows_per_page=scenario.rows_per_page,
        )
        self._world = World(
            clock=clock,
            account=self.account,
            ledgers=self.ledgers,
            fate=self.happened.fate,
            seed=scenario.seed,
        )
        self.shards = [
            self._open(number, mark, shelves[number]) for number, mark in enumerate(scenario.marks())
        ]
        if scenario.broken is Broken.ONE_JOURNAL:
            self.shards.append(self._open(len(self.shards), self.shards[1].mark, shelves[0], waits=True))
        self._serving: dict[int, int] = {}
        self._courses: dict[tuple[int, PoolName], deque[tuple[float, int, int]]] = {}
        """Of each pool, for as long as its bound: when, how many were asked for, and how many served."""
        self._luck.begun = True

    def play(self, watch: Watch = lambda _life: None) -> Happened:
        """Until its end, or the first Harm."""
        scenario, happened = self.scenario, self.happened
        pause_s = standby.terms_for(scenario.tick_s).pause_s
        try:
            while self.clock.elapsed < scenario.seconds:
                self.clock.run_to(self.clock.elapsed + pause_s)
                self._pass()
                watch(self)
            self._at_rest()
        except Harm as harm:
            happened.harm, happened.kind = str(harm), harm.kind
        happened.seconds = self.clock.elapsed
        return happened

    @property
    def serving(self) -> int:
        """Machines whose workers serve, by the records of the last tick of each shard."""
        return sum(self._serving.values())

    def _pass(self) -> None:
        """One step of time."""
        for vhost in self._vhosts.values():
            vhost.begin(lambda machine: machine.name in self.ledgers.standing)
        if self.clock.elapsed < self.scenario.still_from_s:
            self._fall()
        for shard in self.shards:
            if shard.step():
                self.happened.ticks += 1
                self._wanted_is_reached(shard)
        if self.account.throttled:
            self.ledgers.blame("rate limit", f"{dict(self.account.throttled)} refused, by shard")
        if self.account.full:
            self.ledgers.blame("quota", f"{self.account.full} orders refused")
        self.happened.machines_most = max(self.happened.machines_most, self.account.standing)

    def _fall(self) -> None:
        """Some machines end by themselves."""
        share = _FALLS_PER_TICK * standby.terms_for(self.scenario.tick_s).pause_s / self.scenario.tick_s
        expected = share * self.account.standing
        count = int(expected) + (self._dice.random() < expected % 1.0)
        for name in self._dice.sample(list(self.ledgers.standing), count) if count else ():
            self.cloud.crash(self.ledgers.standing[name].instance_id)
            self.happened.fell += 1

    def _wanted_is_reached(self, shard: Shard) -> None:
        """No pool had fewer workers all the time of its bound than its load asked for in all that time, or more."""
        now, bound_s = self.clock.elapsed, self.happened.bound_s
        serving = dict.fromkeys(shard.rulebook.pools, 0)
        for node in self.ledgers.records[shard.number].values():
            serving[node.pool] += node.state is NodeState.READY
        self._serving[shard.number] = sum(serving.values())
        self.happened.serving_most = max(self.happened.serving_most, self.serving)
        for pool, count in serving.items():
            course = self._courses.setdefault((shard.number, pool), deque())
            course.append((now, shard.vhost.asked(pool), count))
            if course[0][0] > now - bound_s:
                continue
            while len(course) > 1 and course[1][0] <= now - bound_s:
                course.popleft()
            asked, served = [of for _, of, _ in course], [of for _, _, of in course]
            if max(served) < min(asked) or min(served) > max(asked):
                says = f"{min(served)} to {max(served)} served, {min(asked)} to {max(asked)} were asked for"
                self.ledgers.blame("not reached", f"{shard.mark} {pool}: for {bound_s:.0f} s {says}")

    def _at_rest(self) -> None:
        """At the end every pool has what its load asks for, all of it serves, and nothing else stands."""
        for shard in self.shards:
            records = self.ledgers.records[shard.number].values()
            recorded = {node.machine for node in records}
            if recorded != self.ledgers.by_shard[shard.number]:
                says = f"{len(recorded)} records, {len(self.ledgers.by_shard[shard.number])} machines"
                self.ledgers.blame("not at rest", f"{shard.mark}: {says}")
            for pool in shard.rulebook.pools:
                of_pool = [node for node in records if node.pool == pool]
                serving = sum(node.state is NodeState.READY for node in of_pool)
                if not len(of_pool) == serving == shard.vhost.asked(pool):
                    says = f"{serving} of {len(of_pool)} serve, {shard.vhost.asked(pool)} are asked for"
                    self.ledgers.blame("not at rest", f"{shard.mark} {pool}: {says}")
        self.happened.serving_last = self.serving

    def _busy(self, machine: Machine) -> bool:
        return self._vhosts[machine.fleet].busy(machine)

    def _made(self, machine: Machine) -> None:
        boots_on = machine.boots_at - self.clock.began_at
        self._vhosts[machine.fleet].made(machine, boots_on)

    def _open(self, number: int, mark: str, shelf: Shelf, *, waits: bool = False) -> Shard:
        """A shard with all that it has at first; one that `waits` has nothing but a daemon that stands by."""
        scenario = self.scenario
        settings = parse(toml(scenario, number % scenario.daemons, mark), {"PASSWORD": "x"}, source=mark)
        traits = SimulatedProvider(cloud=self.cloud, fleet=mark).traits
        rulebook = wiring.rulebook(settings, {ACCOUNT: traits})
        for name, rules in rulebook.pools.items():
            self.ledgers.ceilings[mark, name] = rules.limits.max_workers
        if mark not in self._vhosts:
            load: dict[str, Callable[[float], int]] = {
                name: scenario.load(number, place) for place, name in enumerate(rulebook.pools)
            }
            self._vhosts[mark] = Vhost(load, self.clock.monotonic, f"{scenario.seed} {mark}")
            self._fill(number, rulebook, shelf)
        dies_at = [] if waits else scenario.deaths_of(number)
        # Whoever waits at another fleet's journal leads it once that has nobody else.
        paired = not waits and (scenario.broken is not Broken.ONE_JOURNAL or number > 0)
        shard = Shard(
            number, self._world, rulebook, self._vhosts[mark], shelf, dies_at=dies_at, paired=paired
        )
        shard.start(scenario.tick_s * number / len(scenario.marks()), leads=not waits)
        return shard

    def _fill(self, number: int, rulebook: Rulebook, shelf: Shelf) -> None:
        nodes = [
            self._node(number, rulebook.fleet.name, rules, count)
            for place, rules in enumerate(rulebook.pools.values())
            for count in range(self.scenario.at_first(number, place))
        ]
        for place in range(0, len(nodes), _AT_ONCE):
            some = tuple(nodes[place : place + _AT_ONCE])
            record = TickRecord(at=self.clock.now() - 1.0, new_nodes=some, memory=Memory())
            shelf.fill(record)
            self.ledgers.committed(number, record)

    def _node(self, number: int, mark: str, rules: PoolRules, count: int) -> Node:
        """A machine that has served for an hour, at the account and in the record."""
        name = NodeName(f"{mark}-{rules.name}-{count:05x}")
        self.ledgers.orderer[name] = number
        return serving(self.cloud, mark, rules, name)


def bound_s(scenario: Scenario) -> float:
    """How long a pool may have too few workers, or too many: all calls that a fleet may have to make, at its pace, a
    machine that never boots until it is given up and another boots, or a window and a drain, and ticks between."""
    calls = 60.0 * scenario.nodes / scenario.daemons * MOST_MOVED / scenario.calls_per_minute()
    return calls + max(ENROL_S + BOOT_S, 2 * SCALE_IN_S + TASK_S) + _TICKS_BETWEEN * scenario.tick_s
