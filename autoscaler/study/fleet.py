"""A fleet on virtual time as the core sees it: facts that are always there, and calls that do what they say.

Actions go in, Snapshots come out. Machines boot as long as the terms say, and are billed from their order on. What
never happens here: a fault (that is `autoscaler.simulate`), a choice, a clock.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable

from autoscaler.core.facts import (
    CallKind,
    Hands,
    Idleness,
    Memory,
    Outcome,
    OutcomeKind,
    Sighting,
    Sightings,
    Snapshot,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    Action,
    CreateNode,
    DestroyNode,
    DrainNode,
    Node,
    Offer,
    PoolName,
    StopWorker,
    UndrainNode,
    WorkerName,
    worker_of,
)
from autoscaler.study.contract import EPOCH, Terms
from autoscaler.study.world import World
from policies.contract import Demand, Flow, Past, Reading, Trust
from providers.contract import Instance, InstanceId, InstanceState, Listing, NodeName, ProviderName

PROVIDER = ProviderName("study")
POOL = PoolName("study")
QUEUE = "study"
_LISTENING_S = 1e6
_UNMEASURED = Reading(value=None, trust=Trust.ABSENT, why="a study counts tasks, not rates")
_LEAVING = frozenset({NodeState.DRAINING, NodeState.LOST, NodeState.BOOTING, NodeState.DESTROYING})
_SHORTEST_BOOT_S = 1.0


class Fleet:
    """The machines of one run, with the queue they serve. Only one run may use it."""

    def __init__(self, world: World, terms: Terms, seed: int = 0, epoch: float = EPOCH) -> None:
        """`epoch` is the instant of the wall clock at second 0."""
        self.world = world
        self.epoch = epoch
        self.lives: list[tuple[float, float]] = []
        """Order and end of each machine that is gone, in seconds."""
        self.creates = self.destroys = 0
        self.peak = 0
        self._terms = terms
        self._dice = random.Random(f"boots {seed}")
        self._instances: dict[NodeName, Instance] = {}
        self._serves_at: dict[NodeName, float] = {}
        self._stopped: set[NodeName] = set()
        self._outcomes: list[Outcome] = []
        self._counted = (0, 0, 0.0)

    def stand(self, ages_s: Iterable[float], offer: Offer) -> tuple[Node, ...]:
        """Machines that serve at this instant, ordered so many seconds ago: their records."""
        return tuple(
            self._stood(NodeName(f"stood-{number}"), age_s, offer) for number, age_s in enumerate(ages_s)
        )

    def _stood(self, name: NodeName, age_s: float, offer: Offer) -> Node:
        ordered_at = self.epoch + self.world.now_s - age_s
        instance = Instance(
            name=name,
            instance_id=InstanceId(name),
            state=InstanceState.RUNNING,
            pool=POOL,
            created_at=ordered_at,
        )
        self._instances[name] = instance
        self._serves_at[name] = self.world.now_s
        self.world.begin(name, self.world.now_s)
        self.peak = max(self.peak, len(self._instances))
        return Node(
            name=name,
            machine=name,
            pool=POOL,
            offer=offer,
            slots=self._terms.slots,
            queues=(QUEUE,),
            state=NodeState.READY,
            reason="it served at the start",
            ordered_at=ordered_at,
            entered_at=ordered_at,
            entered_on=0.0,
            instance_id=instance.instance_id,
            instance_created_at=ordered_at,
            enrolled_at=ordered_at,
            worker_pid=1,
        )

    def demand(self) -> Demand:
        """What the broker would tell now. Call it once an instant: the flow is what was counted since the last call."""
        world = self.world
        arrived, done, at_s = self._counted
        self._counted = (world.arrived, world.done, world.now_s)
        flow = Flow(arrived=world.arrived - arrived, completed=world.done - done, over_s=world.now_s - at_s)
        return Demand(
            backlog=world.backlog,
            in_progress=world.in_progress,
            arrivals_per_s=_UNMEASURED,
            completions_per_s=_UNMEASURED,
            wait_s=_UNMEASURED,
            measured_at=self.epoch + world.now_s,
            flow=flow,
        )

    def snapshot(
        self,
        demand: Demand,
        nodes: tuple[Node, ...],
        memory: Memory,
        past: tuple[Past, ...],
        elapsed_s: float,
    ) -> Snapshot:
        """All facts of this instant, none of them missing."""
        at = self.epoch + self.world.now_s
        outcomes, self._outcomes = tuple(self._outcomes), []
        return Snapshot(
            at=at,
            elapsed_s=elapsed_s,
            demand={POOL: demand},
            listings={PROVIDER: Listing(instances=tuple(self._instances.values()), complete=True)},
            sightings=Sightings(listening_s=_LISTENING_S, workers=dict(self._heard(nodes))),
            idleness={n.name: self._idleness(n.machine) for n in nodes if n.state in _LEAVING},
            nodes=nodes,
            outcomes=outcomes,
            past={POOL: past},
            memory=memory,
            name_seed=f"{self.world.now_s:.0f}x",
            settle_s={PROVIDER: 0.0},
        )

    def has_news(self, arriving: Iterable[Node]) -> bool:
        """Whether an answer waits to be taken in, or one of these machines' workers is there."""
        now_s = self.world.now_s
        return bool(self._outcomes) or any(self._serves_at[node.machine] <= now_s for node in arriving)

    def carry_out(self, actions: Iterable[Action]) -> None:
        """Do it, at once; the answers are in the next snapshot."""
        for action in actions:
            match action:
                case CreateNode():
                    self._create(action)
                case DrainNode():
                    self.world.stop_taking(action.node)
                    self._answer(action.node, CallKind.DRAIN)
                case UndrainNode():
                    self.world.take_again(action.node)
                    self._answer(action.node, CallKind.UNDRAIN)
                case StopWorker():
                    self._stopped.add(action.node)
                    self._answer(action.node, CallKind.STOP)
                case DestroyNode():
                    self._destroy(action.node)
                    self._answer(action.node, CallKind.DESTROY)

    def all_lives(self) -> list[tuple[float, float]]:
        """Order and end of every machine; of those that stand, until now."""
        standing = [(self._ordered_s(name), self.world.now_s) for name in self._instances]
        return [*self.lives, *standing]

    def _create(self, action: CreateNode) -> None:
        now_s, boot_s = self.world.now_s, self._boot_s()
        name = action.node
        self.creates += 1
        self._instances[name] = Instance(
            name=name,
            instance_id=InstanceId(name),
            state=InstanceState.RUNNING,
            pool=POOL,
            created_at=self.epoch + now_s,
        )
        self._serves_at[name] = now_s + boot_s
        self.world.begin(name, now_s + boot_s)
        self.peak = max(self.peak, len(self._instances))
        self._answer(name, CallKind.CREATE, self._instances[name])

    def _boot_s(self) -> float:
        """Lognormal around the mean of the terms; exactly it where they name no spread."""
        mean_s, cv = self._terms.boot_s, self._terms.boot_cv
        if cv == 0.0:
            return mean_s
        sigma = math.sqrt(math.log(1.0 + cv * cv))
        return max(_SHORTEST_BOOT_S, self._dice.lognormvariate(math.log(mean_s) - sigma * sigma / 2, sigma))

    def _destroy(self, name: NodeName) -> None:
        if name not in self._instances:
            return  # asked a second time before its absence was seen
        self.destroys += 1
        self.lives.append((self._ordered_s(name), self.world.now_s))
        self.world.remove(name)
        del self._instances[name], self._serves_at[name]
        self._stopped.discard(name)

    def _ordered_s(self, name: NodeName) -> float:
        created_at = self._instances[name].created_at
        assert created_at is not None
        return created_at - self.epoch

    def _answer(self, name: NodeName, call: CallKind, instance: Instance | None = None) -> None:
        at = self.epoch + self.world.now_s
        self._outcomes.append(Outcome(node=name, call=call, kind=OutcomeKind.DONE, at=at, instance=instance))

    def _heard(self, nodes: Iterable[Node]) -> Iterable[tuple[WorkerName, Sighting]]:
        for node in nodes:
            serves_at = self._serves_at.get(node.machine, math.inf)
            if serves_at > self.world.now_s:
                continue
            worker = worker_of(node.machine)
            yield (
                worker,
                Sighting(
                    worker=worker,
                    silent_s=0.0,
                    online=node.machine not in self._stopped,
                    pid=1,
                    active=self.world.in_hand(node.machine),
                ),
            )

    def _idleness(self, name: NodeName) -> Idleness:
        held = self.world.in_hand(name) if name in self._instances else 0
        return Idleness(age_s=0.0, hands=Hands(active=held, reserved=0, scheduled=0), unacknowledged=held)
