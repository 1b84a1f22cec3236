"""What may never be so, over all shards at once: each is looked at as it happens, and again after every tick.

The world tells what was asked, ordered, made and ended, the daemons' commits what they hold to be theirs; out comes a
Harm for the first rule that is broken. What never happens here: a look at what a daemon thinks, or an excuse.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.journal import TickRecord
from providers.contract import NodeName
from providers.simulated import Machine


class Harm(Exception):
    """A rule was broken; `kind` is its name in `HARMS`."""

    def __init__(self, kind: str, says: str) -> None:
        super().__init__(f"{kind}: {says}")
        self.kind = kind


HARMS: Mapping[str, str] = {
    "owned twice": "two shards have a record of one machine",
    "ordered twice": "a machine was ordered a second time under its name",
    "forgotten": "a machine stands, and the shard that ordered it has no record of it",
    "another's": "a shard asked for the end of a machine that another one ordered, or took it for an orphan",
    "ended busy": "a machine was ended while its worker held a task",
    "above the ceiling": "more machines of a pool stand than it may have",
    "acted without the lease": "a daemon called the account after another had taken its shard over",
    "rate limit": "the account was asked for more than it takes",
    "quota": "the account was asked for more machines than it may hold",
    "late takeover": "nobody led a shard for longer than two ticks",
    "not reached": "a pool had fewer workers than it wanted all the time, or more, for longer than its bound",
    "not at rest": "at the end, records, machines and wishes do not agree",
}


@dataclass(slots=True, kw_only=True)
class Ledgers:
    """Who ordered what, what stands, and what every shard has on record."""

    ceilings: dict[tuple[str, str], int] = field(default_factory=dict)
    """By the mark of the fleet and the name of the pool."""
    busy: Callable[[Machine], bool] = lambda _machine: False
    """Whether its worker holds a task at this instant."""
    orderer: dict[str, int] = field(default_factory=dict)
    standing: dict[str, Machine] = field(default_factory=dict)
    by_shard: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    by_pool: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_mark: Counter[str] = field(default_factory=Counter)
    records: defaultdict[int, dict[NodeName, Node]] = field(default_factory=lambda: defaultdict(dict))
    owners: dict[str, int] = field(default_factory=dict)
    """Which shard has a live record of the machine of that name."""
    asked_now: set[str] = field(default_factory=set)
    """Machines whose end a daemon is asking for at this instant: others end by themselves."""
    first: Harm | None = None

    def blame(self, kind: str, says: str) -> NoReturn:
        """A rule was broken. It is kept, for a daemon lives on whatever one call of its raises."""
        self.first = self.first or Harm(kind, says)
        raise self.first

    def require_none(self) -> None:
        """Raises the first Harm there was."""
        if self.first is not None:
            raise self.first

    def asks(self, shard: int, name: str, leads: bool) -> None:
        """A daemon is about to call the account."""
        if not leads:
            self.blame("acted without the lease", f"shard {shard}, about {name}")

    def ordered(self, shard: int, name: str) -> None:
        """A create goes out."""
        if name in self.orderer:
            self.blame("ordered twice", f"{name}, by shard {self.orderer[name]} and now by {shard}")
        if self.owners.get(name) != shard:
            self.blame("forgotten", f"{name} is ordered by shard {shard} without a record")
        self.orderer[name] = shard

    def ends(self, shard: int, name: str) -> None:
        """An ask for an end goes out."""
        if self.orderer.get(name, shard) != shard:
            self.blame(
                "another's",
                f"shard {shard} asks for the end of {name}, which is shard {self.orderer[name]}'s",
            )
        self.asked_now.add(name)

    def answered(self) -> None:
        """The calls of one daemon's tick are over."""
        self.asked_now.clear()

    def stands(self, machine: Machine) -> None:
        """It was made."""
        self.standing[machine.name] = machine
        self.by_shard[self.orderer[machine.name]].add(machine.name)
        self.by_mark[machine.fleet] += 1
        pool = machine.fleet, machine.pool
        self.by_pool[pool] += 1
        if self.by_pool[pool] > self.ceilings[pool]:
            self.blame(
                "above the ceiling", f"{self.by_pool[pool]} of {pool}, allowed are {self.ceilings[pool]}"
            )

    def stands_no_more(self, machine: Machine) -> None:
        """It was ended, or ended by itself."""
        if machine.name in self.asked_now and self.busy(machine):
            self.blame("ended busy", f"{machine.name} held a task")
        del self.standing[machine.name]
        self.by_shard[self.orderer[machine.name]].discard(machine.name)
        self.by_mark[machine.fleet] -= 1
        self.by_pool[machine.fleet, machine.pool] -= 1

    def standing_of(self, mark: str) -> int:
        """How many machines bear that mark."""
        return self.by_mark[mark]

    def committed(self, shard: int, record: TickRecord) -> None:
        """What a tick wrote down, before anything of it is dispatched."""
        mine = self.records[shard]
        for node in (*record.new_nodes, *record.changed_nodes):
            before = mine.get(node.name)
            self._recorded(shard, node, known=before is not None)
            if node.state is NodeState.GONE:
                mine.pop(node.name, None)
                if self.owners.get(node.machine) == shard:
                    del self.owners[node.machine]
                if before is None or node.machine not in self.standing:
                    self.orderer.pop(node.machine, None)
            else:
                mine[node.name] = node

    def _recorded(self, shard: int, node: Node, *, known: bool) -> None:
        if node.state is NodeState.GONE:
            if node.machine in self.standing and self.owners.get(node.machine) == shard:
                self.blame("forgotten", f"shard {shard} takes {node.machine} for gone, and it stands")
            return
        if self.owners.setdefault(node.machine, shard) != shard:
            self.blame("owned twice", f"{node.machine}: by shard {self.owners[node.machine]} and by {shard}")
        if not known and self.orderer.get(node.machine, shard) != shard:
            self.blame("another's", f"shard {shard} takes {node.machine} for its own")

    def nothing_is_forgotten(self, shard: int) -> None:
        """After a tick of that shard: all that it ordered and that stands is on its record."""
        recorded = {node.machine for node in self.records[shard].values()}
        if lost := self.by_shard[shard] - recorded:
            self.blame("forgotten", f"{len(lost)} machines of shard {shard}, {min(lost)} among them")

    def successor_knows(self, shard: int, read: Iterable[Node]) -> None:
        """What a daemon reads at its first tick is what the one before it wrote."""
        found = {node.name: node for node in read}
        if found != self.records[shard]:
            odd = {
                name
                for name in found.keys() | self.records[shard].keys()
                if found.get(name) != self.records[shard].get(name)
            }
            self.blame(
                "forgotten",
                f"shard {shard}: its successor reads {min(odd)} and {len(odd) - 1} more otherwise",
            )
