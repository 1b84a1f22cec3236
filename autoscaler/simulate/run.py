"""One run: the production loop, observer and journal in a world with trouble, checked on every tick.

A scenario goes in, a verdict comes out, and never an exception: what broke a rule is the verdict's `harm`, with the
last ticks' sentences, so that a seed can be read without a debugger.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Action, FleetRules, Offer, OrderKind, PoolName, PoolRules, Timeouts
from autoscaler.journal import JournalUnavailable, TickRecord, open_journal
from autoscaler.journal import orders as journal_orders
from autoscaler.journal.journal import Journal
from autoscaler.loop import Loop, Rulebook
from autoscaler.observe import Observer
from autoscaler.simulate import script
from autoscaler.simulate.calls import WorldExecutor
from autoscaler.simulate.contract import Counts, Fault, Scenario, Verdict
from autoscaler.simulate.gateways import SETTLE_S, WorldBroker, WorldProvider, WorldWorkers
from autoscaler.simulate.world import World
from policies.contract import Limits, PolicySpec, Stabilization
from providers.contract import ProviderName

TICK_S = 5.0
POOL = PoolName("images")
ACCOUNTS = (ProviderName("north"), ProviderName("south"))
CEILING = 5
SILENCE_S = 20.0
CRASHES = {
    "before commit": Fault.CRASH_BEFORE_COMMIT,
    "before dispatch": Fault.CRASH_AFTER_COMMIT,
    "amid dispatch": Fault.CRASH_IN_DISPATCH,
    "after dispatch": Fault.CRASH_IN_DISPATCH,
}


class Harm(Exception):
    """Something that must never happen; `count` names the count of the contract that it belongs to."""

    def __init__(self, count: str, says: str) -> None:
        super().__init__(says)
        self.count = count


class Crash(Exception):
    """The daemon ends here, as by `kill -9`."""


class _Silent:
    def say(self, event: str, /, **fields: object) -> None:
        pass


@dataclass(slots=True)
class _Fragile:
    """The journal and the executor of one daemon, with the places at which it can be killed."""

    journal: Journal
    executor: WorldExecutor
    world: World
    written: Callable[[TickRecord], None]
    dies: str = ""

    def commit(self, record: TickRecord) -> None:
        if self.world.trouble.now("journal", self.world.elapsed):
            raise JournalUnavailable("the disk is full")
        if self.dies == "before commit":
            raise Crash
        self.journal.commit(record)
        self.written(record)
        if self.dies == "before dispatch":
            raise Crash

    def dispatch(self, actions: tuple[Action, ...]) -> None:
        sent = actions[: len(actions) // 2] if self.dies == "amid dispatch" else actions
        self.executor.dispatch(sent)
        if self.dies in {"amid dispatch", "after dispatch"}:
            raise Crash

    def __getattr__(self, name: str) -> object:
        return getattr(self.executor if hasattr(WorldExecutor, name) else self.journal, name)


@dataclass(slots=True)
class Run:
    """One seed's world and its daemons, one after another."""

    scenario: Scenario
    floor: int = field(init=False)
    dice: random.Random = field(init=False)
    world: World = field(init=False)
    journal: Journal = field(init=False)
    said: deque[str] = field(default_factory=lambda: deque(maxlen=30))
    given_up_unheard: dict[str, float] = field(default_factory=dict)
    """Machines whose worker was never heard, and when they were given up."""
    ended_by_order: set[str] = field(default_factory=set)
    ticks: int = 0
    crashes: int = 0

    def __post_init__(self) -> None:
        seed = self.scenario.seed
        self.floor = seed % 3 % 2
        self.dice = random.Random(f"run {seed}")
        drawn = script.draw(seed, self.scenario.trouble_s, self.scenario.faults)
        self.world = World(seed, drawn, slots=2, early_ack=seed % 2 == 0)
        self.journal = open_journal("sqlite://")

    def play(self) -> Verdict:
        harm, count = "", ""
        try:
            self._live()
        except Harm as happened:
            harm, count = f"at {self.world.elapsed:.0f} s: {happened}", happened.count
        finally:
            self.journal.close()
        told = {count: 1} if count else {}
        return Verdict(
            scenario=self.scenario,
            counts=Counts(
                seeds=1,
                ticks=self.ticks,
                nodes=len(self.world.machines),
                faults=len(self.world.trouble.struck),
                fleet_s=self.world.elapsed,
                node_s=sum((m.ended_at or self.world.elapsed) - m.created_at for m in self.world.machines),
                **told,
            ),
            harm=harm,
            story=tuple(self.said),
            struck=frozenset(self.world.trouble.struck),
        )

    def _live(self) -> None:
        while not (self.world.elapsed > self.scenario.trouble_s and self._at_rest()):
            if self.world.elapsed > self.scenario.trouble_s + self.scenario.heals_s:
                raise Harm("unconverged", f"not at rest: {self._unrest()}")
            self._one_daemon()

    def _one_daemon(self) -> None:
        """Until it is killed, or everything is at rest."""
        self.crashes += 1
        world = self.world
        executor, workers = WorldExecutor(world, f"{self.scenario.seed} {self.crashes}"), WorldWorkers(world)
        providers = {name: WorldProvider(world, name) for name in ACCOUNTS}
        observer = Observer(
            broker=WorldBroker(world),
            workers=workers,
            providers=providers,
            queues={POOL: ("images",)},
            clock=world,
            timeout_s=30.0,
            pool=ThreadPoolExecutor(max_workers=len(providers) + 3),
        )
        fragile = _Fragile(self.journal, executor, world, self._note)
        loop = Loop(
            rulebook=rulebook(self.floor),
            journal=fragile,  # type: ignore[arg-type]
            observer=observer,
            executor=fragile,  # type: ignore[arg-type]
            clock=world,
            log=_Silent(),
            name_seed=lambda: f"{self.dice.getrandbits(32):08x}",
        )
        try:
            while not (world.elapsed > self.scenario.trouble_s and self._at_rest()):
                if world.elapsed > self.scenario.trouble_s + self.scenario.heals_s:
                    return
                self._one_tick(loop, fragile)
        except Crash:
            world.run_to(world.elapsed + self.dice.randint(0, 60))
        finally:
            executor.die()
            workers.stop()
            observer.close()

    def _one_tick(self, loop: Loop, fragile: _Fragile) -> None:
        world = self.world
        if world.elapsed < self.scenario.trouble_s:
            self._load()
            self._order()
            place = self.dice.choice(list(CRASHES))
            if world.trouble.strikes(CRASHES[place], world.elapsed, self.dice, 0.06):
                fragile.dies = place
        world.run_to(world.elapsed + TICK_S)
        self.ticks += 1
        try:
            loop.tick()
        except JournalUnavailable:
            self.said.append(f"{world.elapsed:.0f} s: the journal cannot be written")
        self._check()

    def _load(self) -> None:
        if self.dice.random() < 0.15:
            self.world.send(self.dice.randint(1, 30), lambda: self.dice.randint(1, 20))

    def _order(self) -> None:
        """Now and then an operator says something."""
        world = self.world
        nodes = self.journal.live_nodes()
        if not nodes or not world.trouble.strikes(Fault.OPERATOR, world.elapsed, self.dice, 0.08):
            return
        kind = self.dice.choice([OrderKind.DRAIN, OrderKind.UNDRAIN, OrderKind.DESTROY, OrderKind.HOLD])
        node = self.dice.choice(nodes)
        target = POOL if kind is OrderKind.HOLD else node.name
        if kind in {OrderKind.DESTROY, OrderKind.DRAIN}:
            self.ended_by_order.add(node.machine)
        number = journal_orders.give(
            self.journal,
            kind,
            target,
            by="kari",
            at=world.now(),
            workers=self.dice.randint(0, CEILING + 1) if kind is OrderKind.HOLD else None,
            until_at=world.now() + 60 if kind is OrderKind.HOLD else None,
        )
        self.said.append(f"{world.elapsed:.0f} s: order {number}: {kind.value} {target}")

    def _note(self, record: TickRecord) -> None:
        """What was written down happened, even if the daemon was killed right after."""
        at = self.world.elapsed
        for decision in record.decisions:
            self.said.append(f"{at:.0f} s: {decision.sentence}")
        machines = {n.name: n.machine for n in (*record.new_nodes, *record.changed_nodes)}
        for told in record.transitions:
            before = told.before.value if told.before else "none"
            self.said.append(f"{at:.0f} s:   {told.node} {before} → {told.after.value}: {told.reason}")
            if told.before is NodeState.BOOTING and told.after is NodeState.DESTROYING:
                self.given_up_unheard[machines[told.node]] = at

    def _check(self) -> None:
        """What holds at every moment, whatever goes wrong."""
        world = self.world
        self._never(
            "ceiling_breaches",
            len(world.alive()) > CEILING,
            f"{len(world.alive())} machines are paid, allowed are {CEILING}",
        )
        twice = [name for name, count in world.create_requests.items() if count > 1]
        self._never("double_creates", bool(twice), f"ordered twice: {twice}")
        live = [n for n in self.journal.live_nodes() if n.pool == POOL]
        self._never(
            "ceiling_breaches",
            len(live) > CEILING,
            f"{len(live)} records are billable, allowed are {CEILING}",
        )
        for name, up_since in world.destroyed_busy:
            known = name in self.ended_by_order or self._woke_too_late(name, up_since)
            self._never("busy_kills", not known, f"{name} was ended while it worked")

    def _woke_too_late(self, name: str, up_since: float) -> bool:
        """Known and accepted: a machine given up long past its time to enrol, of which the broker knew no connection,
        may wake before the request for its end arrives."""
        return name in self.given_up_unheard and up_since >= self.given_up_unheard[name]

    def _never(self, count: str, happened: bool, says: str) -> None:
        if happened:
            raise Harm(count, says)

    def _at_rest(self) -> bool:
        return not self._unrest()

    def _unrest(self) -> str:
        """Why the world is not at rest; empty when all is done and records and machines agree."""
        world, live = self.world, self.journal.live_nodes()
        past = self.journal.past(world.now() - 4 * TICK_S).get(POOL, ())
        wanted = past[-1].wanted if past else -1
        serving = [n for n in live if n.state is NodeState.READY]
        machines = sorted(m.name for m in world.alive())
        facts = {
            f"{world.done} of {world.sent} tasks done, {world.lost} lost": world.done + world.lost
            < world.sent,
            f"{len(live)} records, {len(serving)} serving": len(live) != len(serving),
            f"{wanted} wanted of {self.floor}": not (wanted == len(serving) == self.floor),
            f"machines {machines}": machines != sorted(n.machine for n in live),
        }
        return "; ".join(says for says, holds in facts.items() if holds)


def play(scenario: Scenario) -> Verdict:
    """Live that life once."""
    return Run(scenario=scenario).play()


def rulebook(floor: int) -> Rulebook:
    """One pool with an offer at each of two accounts, all times short."""
    offers = tuple(
        Offer(provider=p, location="here", size="s", image="debian", price_per_h=0.1, quantum_s=60)
        for p in ACCOUNTS
    )
    pool = PoolRules(
        name=POOL,
        queues=("images",),
        slots=2,
        policies=(PolicySpec(kind="backlog", options={"messages_per_worker": 4}),),
        limits=Limits(min_workers=floor, max_workers=CEILING, on_unknown=1, max_cost_per_hour=0.5),
        stabilization=Stabilization(scale_in_window_s=20.0, scale_in_cooldown_s=5.0, good_looks=2),
        timeouts=Timeouts(create_s=60, enrol_s=60, silence_s=SILENCE_S, lost_s=120, stop_s=10, call_s=15),
        offers=offers,
    )
    return Rulebook(
        fleet=FleetRules(name="shop"),
        pools={POOL: pool},
        settle_s=dict.fromkeys(ACCOUNTS, SETTLE_S),
        tick_s=TICK_S,
    )
