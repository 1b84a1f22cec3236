"""Accounts that write down each order, and the real loop and the real execution over them, configured anew at will.

What each account answers to its orders, and where it then says that the machine stands, is handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from autoscaler import execute, whereabouts
from autoscaler.core.facts import Memory, Missing, Outcome
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Action, CreateNode, Node, Order, PoolName, PoolWish, WorkerName
from autoscaler.journal.contract import TickRecord
from autoscaler.loop import Loop, Rulebook
from autoscaler.observe import Seen, sound
from policies.contract import Past
from providers.contract import (
    CapacityRefused,
    Finding,
    Instance,
    InstanceId,
    InstanceSpec,
    InstanceState,
    Listing,
    NodeName,
    OutcomeUnknown,
    Provider,
    ProviderName,
    ProviderTraits,
    Purchase,
    RequestRejected,
    Throttled,
)
from tests.unit.core.builders import a_demand, a_sighting, heard
from tests.unit.stand_ins import FixedClock, Heard, ScriptedWorkers

REFUSALS: Mapping[str, Exception] = {
    "full": CapacityRefused("no stock"),
    "wrong": RequestRejected("no such size"),
    "busy": Throttled("slow down", retry_after_s=20.0),
    "mute": OutcomeUnknown("no answer"),
}


@dataclass(slots=True)
class Recording:
    """An account that writes down each order, and answers and lists what was drawn."""

    name: str
    answers: list[tuple[str, str]]
    traits: ProviderTraits = field(default_factory=lambda: ProviderTraits(settle_s=1.0))
    orders: list[InstanceSpec] = field(default_factory=list)
    machines: dict[str, Instance] = field(default_factory=dict)

    def create(self, spec: InstanceSpec, *, timeout_s: float) -> Instance:
        answer, stands = self.answers[len(self.orders) % len(self.answers)]
        self.orders.append(spec)
        if answer != "made":
            raise REFUSALS[answer]
        made = Instance(
            name=spec.name,
            instance_id=InstanceId(f"i-{spec.name}"),
            state=InstanceState.RUNNING,
            pool=spec.pool,
            location=spec.location if stands == "as ordered" else stands,
        )
        self.machines[spec.name] = made
        return made

    def destroy(self, name: str, instance_id: InstanceId | None, *, timeout_s: float) -> None:
        self.machines.pop(name, None)

    def list_instances(self, *, timeout_s: float) -> Listing:
        return Listing(instances=tuple(self.machines.values()), complete=True)

    def check(self, purchase: Purchase, *, timeout_s: float) -> tuple[Finding, ...]:
        return ()

    def close(self) -> None:
        pass


class Ground:
    """A journal in memory, and the loop and the execution over recording accounts; configured anew at will."""

    def __init__(
        self,
        accounts: Mapping[str, Provider],
        *,
        backlog: int = 40,
        hears: bool = False,
        clock: FixedClock | None = None,
    ) -> None:
        """`backlog` waits for each pool; `hears` is whether every machine's worker is heard."""
        self.accounts = {ProviderName(name): account for name, account in accounts.items()}
        self.backlog, self.hears = backlog, hears
        self.clock, self.kept = clock or FixedClock(), Memory()
        self.nodes: tuple[Node, ...] = ()
        self.orders: tuple[Order, ...] = ()
        self.mailbox: tuple[Outcome, ...] = ()
        self.numbers = 0
        self.blind = False
        self.loop: Loop | None = None
        self.pools: Collection[PoolName] = ()

    def configure(self, rulebook: Rulebook) -> None:
        """Begin with this configuration, as a daemon that is started anew: also with one that `run` refuses."""
        self.pools = tuple(rulebook.pools)
        self.ways = execute.Ways(
            providers=self.accounts,
            workers=ScriptedWorkers(),
            render=self._order,
            why_not_there=whereabouts.gate(rulebook.pools, rulebook.fleet),
        )
        self.loop = Loop(
            rulebook=rulebook,
            journal=self,
            observer=self,
            executor=self,
            clock=self.clock,
            log=Heard(),
            name_seed=self._seed,
        )

    def tick(self, later_s: float) -> None:
        self.clock.at += later_s
        self.clock.lasted += later_s
        if self.loop is not None:
            self.loop.tick()

    def _seed(self) -> str:
        self.numbers += 1
        return f"t{self.numbers}x"

    @staticmethod
    def _order(action: CreateNode) -> InstanceSpec:
        offer = action.offer
        return InstanceSpec(
            name=action.node,
            fleet="shop",
            pool=action.pool,
            size=offer.size,
            image=offer.image,
            location=offer.location,
            user_data=b"",
        )

    # The journal.

    def led(self) -> None:
        return None

    def live_nodes(self) -> tuple[Node, ...]:
        return self.nodes

    def memory(self) -> Memory:
        return self.kept

    def waiting_orders(self) -> tuple[Order, ...]:
        return self.orders

    def wishes(self) -> Mapping[PoolName, PoolWish]:
        return {}

    def past(self, since_at: float) -> Mapping[PoolName, tuple[Past, ...]]:
        return {}

    def slices(self, pool: PoolName, since_at: float, before_at: float) -> tuple[()]:
        return ()

    def commit(self, record: TickRecord) -> None:
        changed = {n.name: n for n in (*self.nodes, *record.new_nodes, *record.changed_nodes)}
        self.nodes = tuple(n for n in changed.values() if n.state is not NodeState.GONE)
        self.kept, self.orders = record.memory, ()

    # The looks.

    def look(
        self,
        nodes: tuple[Node, ...],
        strangers: Collection[WorkerName],
        serving: Collection[WorkerName],
        quiet: Mapping[ProviderName, str],
    ) -> Seen:
        return Seen(
            demand=dict.fromkeys(self.pools, a_demand(backlog=self.backlog)),
            listings={name: self._listing(name, quiet) for name in self.accounts},
            sightings=heard(*(a_sighting(node.machine) for node in self.nodes if self.hears)),
            idleness={},
        )

    def _listing(self, name: ProviderName, quiet: Mapping[ProviderName, str]) -> Listing | Missing:
        if self.blind or name in quiet:
            return Missing(why=quiet.get(name, "drawn so"))
        return sound(self.accounts[name].list_instances(timeout_s=1.0))

    # The calls, one after another.

    def dispatch(self, actions: tuple[Action, ...]) -> None:
        self.mailbox += tuple(execute.carry_out(action, self.ways, self.clock) for action in actions)

    def in_flight(self) -> frozenset[NodeName]:
        return frozenset()

    def outcomes(self) -> tuple[Outcome, ...]:
        return self.mailbox

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        self.mailbox = ()
