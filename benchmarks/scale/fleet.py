"""A fleet of a chosen size for the production loop: its journal, its accounts and its workers are there from the start.

In go a size and a broker, out come the parts of a daemon and a clock that stands still between ticks. The loop, the
observer, the executor, the journal and the broker's gateway are those of production; machines are of the simulated
provider, and workers are played: they beat, hold one task each, and do as they are told. What never happens here: a
measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from autoscaler import becoming, wiring
from autoscaler.config import Settings, parse
from autoscaler.core.facts import Hands, Memory, Missing, Sightings
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolName, PoolRules, WorkerName, worker_of
from autoscaler.execute import Executor
from autoscaler.gateways.celery_events import Hearing, WorkerEvent
from autoscaler.gateways.rabbitmq import RabbitMQ
from autoscaler.journal import Journal, TickRecord, open_journal
from autoscaler.looks import Pace
from autoscaler.loop import Loop, Rulebook
from autoscaler.meters import Meters
from autoscaler.observe import Observer
from benchmarks import fleet_toml
from policies.contract import Demand
from providers.contract import InstanceSpec, NodeName, ProviderName
from providers.simulated import SimulatedCloud, SimulatedProvider

TICK_S = 10.0
BEGAN_AT = 1_790_000_000.0
MESSAGES_PER_NODE = 10
"""What waits for each node that is there at first; with the task that it holds, as many as its pool says a worker is
worth, so that nothing is bought or ended before the load changes."""
TASK_S = 10.0
"""How long each task takes: a worker takes one up on each tick."""
ROOM = 4
"""So many more workers than at first a pool may have."""
_ACCOUNT = ProviderName("cloud")


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much there is."""

    pools: int
    nodes: int
    queues: int

    def nodes_of(self, pool: int) -> int:
        """As evenly as it goes."""
        return self.nodes // self.pools + (pool < self.nodes % self.pools)

    def queues_of(self, pool: int) -> list[str]:
        """The names of that pool's queues, at least one."""
        share = max(1, self.queues // self.pools)
        return [f"q-{pool:04}-{number:05}" for number in range(share)]

    def messages(self) -> dict[str, int]:
        """What is to wait in each queue for nothing to be bought or ended."""
        found: dict[str, int] = {}
        for pool in range(self.pools):
            names = self.queues_of(pool)
            whole, rest = divmod(self.nodes_of(pool) * MESSAGES_PER_NODE, len(names))
            found |= {name: whole + (place < rest) for place, name in enumerate(names)}
        return found


@dataclass(slots=True)
class StandingClock:
    """Time that passes when it is told to, on every clock at once."""

    elapsed_s: float = 0.0

    def now(self) -> float:
        """Epoch seconds."""
        return BEGAN_AT + self.elapsed_s

    def monotonic(self) -> float:
        """Seconds since a moment of the past."""
        return 1_000.0 + self.elapsed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where the broker's numbers are, and who may look."""

    management_url: str
    user: str
    password: str = field(repr=False)


def settings(size: Size, file: Path, door: Door) -> Settings:
    """The configuration of a fleet of that size."""
    head = fleet_toml.head(
        file,
        'kind = "simulated"\nboot = "60s"',
        tick_s=TICK_S,
        loop=f'observe_timeout = "{TICK_S:g}s"',
        management_url=door.management_url,
        user=door.user,
    )
    pools = (
        fleet_toml.pool(
            f"pool-{pool:04}",
            f'kind = "backlog"\nmessages_per_worker = {MESSAGES_PER_NODE + 1}',
            most=size.nodes_of(pool) + ROOM,
            queues=size.queues_of(pool),
        )
        for pool in range(size.pools)
    )
    return parse(head + "".join(pools), {"PASSWORD": door.password}, source="benchmark")


class PlayedWorkers:
    """The workers of all machines that have booted. What they say is kept by production code."""

    def __init__(self, cloud: SimulatedCloud, clock: StandingClock) -> None:
        self._cloud = cloud
        self._clock = clock
        self._hearing = Hearing()
        self._up: dict[WorkerName, bool] = {}
        """And whether it consumes."""

    def beat(self) -> None:
        """Everybody says that it lives, as within any tick."""
        for machine in self._cloud.newly_booted():
            self._up.setdefault(worker_of(NodeName(machine.name)), True)
        for worker, consumes in list(self._up.items()):  # calls that stop one go on meanwhile
            self._hearing.take(
                WorkerEvent(
                    worker=worker,
                    online=True,
                    pid=7,
                    active=int(consumes),
                    processed=int(self._clock.elapsed_s / TASK_S),
                ),
                self._clock.monotonic(),
            )

    def sightings(self) -> Sightings | Missing:
        """As a daemon that has listened for an hour knows them."""
        return Sightings(listening_s=3_600.0, workers=self._hearing.sightings(self._clock.monotonic()))

    def hands(self, workers: Iterable[WorkerName], timeout_s: float) -> Mapping[WorkerName, Hands | Missing]:
        """What each holds: a task while it consumes."""
        del timeout_s
        return {
            worker: Hands(active=int(self._up[worker]), reserved=0, scheduled=0)
            if worker in self._up
            else Missing(why="no answer")
            for worker in workers
        }

    def cancel_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """Its task is done at once."""
        del queues, timeout_s
        self._up[worker] = False

    def add_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """It takes a task again."""
        del queues, timeout_s
        self._up[worker] = True

    def stop_worker(self, worker: WorkerName, timeout_s: float) -> None:
        """It says goodbye."""
        del timeout_s
        self._up.pop(worker, None)
        goodbye = WorkerEvent(worker=worker, online=False, pid=7, active=0, processed=0)
        self._hearing.take(goodbye, self._clock.monotonic())


class PlayedHands:
    """The broker as it is, but for what it holds for workers: played ones have no connections there."""

    def __init__(self, broker: RabbitMQ) -> None:
        self._broker = broker

    def demand(self, queues: Mapping[PoolName, tuple[str, ...]]) -> Mapping[PoolName, Demand | Missing]:
        """The real numbers."""
        return self._broker.demand(queues)

    def unacknowledged(
        self, workers: Iterable[WorkerName], within_s: float
    ) -> Mapping[WorkerName, int | Missing]:
        """Nothing: whoever is asked about does not consume any more."""
        del within_s
        return dict.fromkeys(workers, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """A daemon's parts over a fleet."""

    settings: Settings
    clock: StandingClock
    journal: Journal
    loop: Loop
    workers: PlayedWorkers
    cloud: SimulatedCloud
    _closing: tuple[object, ...]

    def close(self) -> None:
        """Let go of all."""
        for part in self._closing:
            part.close()  # type: ignore[attr-defined]


def open_fleet(size: Size, file: Path, door: Door, *, counted: Meters) -> Fleet:
    """Make the journal of a fleet of that size, and open a daemon's parts over it."""
    clock, configured = StandingClock(), settings(size, file, door)
    accounts = wiring.open_providers(configured, clock=clock)
    account = accounts[_ACCOUNT]
    assert isinstance(account, SimulatedProvider)
    rules = wiring.rulebook(configured, {_ACCOUNT: account.traits})
    journal = open_journal(f"sqlite:///{file}")
    _fill(journal, account.cloud, rules.pools, size)
    journal.claim("benchmark")
    workers = PlayedWorkers(account.cloud, clock)
    broker = wiring.open_broker(configured, clock=clock, counted=counted)
    observer = Observer(
        broker=PlayedHands(broker),
        workers=workers,
        providers=accounts,
        queues={PoolName(name): pool.queues for name, pool in configured.pools.items()},
        clock=clock,
        pace=Pace(timeout_s=configured.loop.observe_timeout_s, tick_s=TICK_S),
        pool=ThreadPoolExecutor(max_workers=len(accounts) + 4, thread_name_prefix="look"),
        counted=counted,
    )
    executor = Executor(
        providers=accounts,
        workers=workers,
        render=becoming.render_with(configured, rules, accounts, None),
        clock=clock,
        max_calls=configured.loop.max_calls_in_flight,
        counted=counted,
    )
    loop = _loop(rules, journal, observer, executor, clock, counted)
    return Fleet(
        settings=configured,
        clock=clock,
        journal=journal,
        loop=loop,
        workers=workers,
        cloud=account.cloud,
        _closing=(observer, broker, journal),
    )


class _Silent:
    def say(self, event: str, /, **fields: object) -> None:
        """Nobody reads it."""


def _loop(
    rules: Rulebook,
    journal: Journal,
    observer: Observer,
    executor: Executor,
    clock: StandingClock,
    counted: Meters,
) -> Loop:
    return Loop(
        rulebook=rules,
        journal=journal,
        observer=observer,
        executor=executor,
        clock=clock,
        log=_Silent(),
        counted=counted,
    )


def _fill(journal: Journal, cloud: SimulatedCloud, pools: Mapping[PoolName, PoolRules], size: Size) -> None:
    nodes: list[Node] = []
    for place, pool in enumerate(pools.values()):
        nodes += (_node(cloud, pool, number) for number in range(size.nodes_of(place)))
    journal.commit(TickRecord(at=BEGAN_AT - TICK_S, new_nodes=tuple(nodes), memory=Memory()))


def _node(cloud: SimulatedCloud, pool: PoolRules, number: int) -> Node:
    name = NodeName(f"{fleet_toml.FLEET}-{pool.name}-{number:04x}c7765")
    return replace(serving(cloud, fleet_toml.FLEET, pool, name), worker_pid=7)


def serving(cloud: SimulatedCloud, fleet: str, pool: PoolRules, name: NodeName) -> Node:
    """A machine that has served for an hour, at the provider and in the record."""
    offer = pool.offers[0]
    machine = cloud.make(
        InstanceSpec(
            name=name,
            fleet=fleet,
            pool=pool.name,
            size=offer.size,
            image=offer.image,
            location=offer.location,
            user_data=b"",
        ),
        late_s=-3_600.0,
    )
    assert machine is not None
    return Node(
        name=name,
        machine=name,
        pool=pool.name,
        offer=offer,
        slots=pool.slots,
        queues=pool.queues,
        state=NodeState.READY,
        reason=f"celery@{name} is heard",
        ordered_at=machine.created_at,
        entered_at=machine.boots_at,
        entered_on=0.0,
        instance_id=machine.instance_id,
        instance_created_at=machine.created_at,
        enrolled_at=machine.boots_at,
        becomes=pool.becomes.get(offer.name, ""),
    )
