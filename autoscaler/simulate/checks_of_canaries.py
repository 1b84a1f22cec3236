"""What new machines are to become, and which kinds have become workers: a new kind is tried with one machine first.

The daemon's records go in, out comes nothing, or a `Harm`. It is kept apart from what the daemon itself remembers of
this. What never happens here: a choice of what is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from autoscaler.core.lifecycle import ARRIVING, Event
from autoscaler.core.model import Node, OfferName, Order, PoolName, PoolRules
from autoscaler.journal import TickRecord
from autoscaler.simulate.checks import Harm, Known
from providers.contract import NodeName

Becomes = Mapping[PoolName, Mapping[OfferName, str]]
"""What a machine of each offer becomes now."""


class Kinds:
    """The kinds of one life."""

    def __init__(self) -> None:
        self._becoming: dict[NodeName, str] = {}
        self._proven: dict[PoolName, set[str]] = {}
        self._unsure = False

    def restored(self) -> None:
        """The journal is an older one: which kinds it knows as proven is not known here, so nobody is judged by it."""
        self._unsure = True

    def trust(self, order: Order, becomes: Becomes) -> None:
        """An operator's `wake` of a pool: what it buys now is taken as proven."""
        for pool in becomes:
            if order.target in {pool, "*"} and pool in self._proven:
                self._proven[pool] |= {*becomes[pool].values()}

    def learn(self, known: Known, record: TickRecord, becomes: Becomes) -> None:
        """Take a record in; `known` does so after it."""
        for node in record.new_nodes:
            kind = becomes[node.pool].get(node.offer.name)
            if kind and node.name == node.machine:
                self._becoming[node.name] = kind
        for told in record.transitions:
            node_before = known.nodes.get(told.node)
            if told.event is Event.WORKER_SEEN and node_before and node_before.enrolled_at is None:
                kind = self._becoming.get(told.node)
                if kind:
                    self._proven.setdefault(told.pool, set()).add(kind)

    def tried_first(self, known: Known, record: TickRecord) -> None:
        """Raise Harm if more than one machine of an unproven kind is on its way, in a pool that had workers before."""
        for node in () if self._unsure else record.new_nodes:
            kind, proven = self._becoming.get(node.name), self._proven.get(node.pool)
            if not kind or not proven or kind in proven:
                continue
            ways = Counter(self._kind(other) for other in known.nodes.values() if other.pool == node.pool)
            if ways[kind] > 1:
                raise Harm(
                    "wrong_supply",
                    f"{ways[kind]} machines of {node.pool} are to become {kind}, of which none has enrolled",
                )

    def replaced_by_proven(self, record: TickRecord, becomes: Becomes) -> None:
        """Raise Harm for a machine that leaves for a new kind of which none has become a worker."""
        for told in () if self._unsure else record.transitions:
            gone = told.event is Event.REPLACE_CHOSEN and told.reason.startswith("replaced ")
            proven = self._proven.get(told.pool)
            first = told.reason.endswith(
                "no room for one more"
            )  # an operator's word: its successor is the trial
            if gone and proven and not first and proven.isdisjoint(becomes[told.pool].values()):
                raise Harm(
                    "wrong_supply", f"{told.node} was replaced, and nobody knows whether a new one works"
                )

    def unrest(self, nodes: Iterable[Node], becomes: Becomes, rules: Mapping[PoolName, PoolRules]) -> str:
        """Who is of an older kind although its pool's policy is to replace those; empty if nobody."""
        for node in nodes:
            old, new = self._becoming.get(node.name), becomes[node.pool].get(node.offer.name)
            if rules[node.pool].replaces_drifted and old and new and old != new:
                return f"{node.name} is still {old}, new ones become {new}"
        return ""

    def forget(self, known: Known) -> None:
        """Drop what is long over."""
        self._becoming = {name: kind for name, kind in self._becoming.items() if name in known.nodes}

    def _kind(self, node: Node) -> str:
        return self._becoming.get(node.name, "") if node.state in ARRIVING else ""
