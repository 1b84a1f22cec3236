"""The journals of simulated lives: one in memory, so that a life takes no time for it, and the real one beside it.

What one daemon writes with an old epoch is refused here as there; tests hold both to the same rules. What never happens
here: anything on a disk.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Order, OrderKind, PoolName, PoolWish
from autoscaler.journal import Journal as DurableJournal
from autoscaler.journal import JournalUnavailable, TickRecord, open_journal
from autoscaler.journal import orders as durable_orders
from autoscaler.loop import Journal
from policies.contract import Past
from policies.prospect import Slice
from providers.contract import NodeName

_PAST_KEPT = 24
"""Decisions kept of each pool: at ticks of 10 s more than any window of a simulated fleet reaches back."""
_NAMES_KEPT = 20_000
_COPIES_KEPT = 10
DURABLE_EVERY = 32
"""One life in so many is lived with the real journal, in which a tick takes seven times as long."""


class Ledger:
    """What all daemons of one life share."""

    def __init__(self) -> None:
        self.epoch = 0
        self.nodes: dict[NodeName, Node] = {}
        self.used: dict[NodeName, None] = {}
        self.memory = Memory()
        self.orders: dict[int, Order] = {}
        self.wishes: dict[PoolName, PoolWish] = {}
        self.past: dict[PoolName, deque[Past]] = {}
        self.slices: dict[tuple[PoolName, float], Slice] = {}
        self._numbers = 0
        self._copies: deque[Ledger] = deque(maxlen=_COPIES_KEPT)

    def back_up(self) -> None:
        """Keep a copy of what stands now, beside the last few."""
        copy = Ledger()
        copy._take(self)
        self._copies.append(copy)

    def restore(self, dice: random.Random) -> bool:
        """Go back to one of the copies, as who restores a file does; whether there is one.

        Names that were used since are as unknown as in a restored file: only chance keeps them from being used again.
        """
        if not self._copies:
            return False
        self._take(dice.choice(self._copies))
        self._copies.clear()
        return True

    def _take(self, other: Ledger) -> None:
        self.nodes, self.used, self.memory = dict(other.nodes), dict(other.used), other.memory
        self.orders, self.wishes, self._numbers = dict(other.orders), dict(other.wishes), other._numbers
        self.past = {pool: deque(decided, _PAST_KEPT) for pool, decided in other.past.items()}
        self.slices = dict(other.slices)

    def claim(self) -> LedgerOfOne:
        """The lease passes to another daemon; whoever had it writes no more."""
        self.epoch += 1
        return LedgerOfOne(self, self.epoch)

    def give(
        self,
        kind: OrderKind,
        target: str,
        at: float,
        *,
        workers: int | None,
        until_at: float | None,
        force: bool,
    ) -> None:
        """An operator's word."""
        self._numbers += 1
        self.orders[self._numbers] = Order(
            number=self._numbers,
            kind=kind,
            target=target,
            given_at=at,
            given_by="kari",
            workers=workers,
            until_at=until_at,
            force=force,
        )

    def close(self) -> None:
        """Nothing is held open."""


class LedgerOfOne:
    """The ledger as one daemon writes it, with the epoch of its lease."""

    def __init__(self, ledger: Ledger, epoch: int) -> None:
        self._ledger = ledger
        self._epoch = epoch

    def led(self) -> object | None:
        """Its epoch, while nobody took the lease after us."""
        return self._epoch if self._ledger.epoch == self._epoch else None

    def live_nodes(self) -> tuple[Node, ...]:
        """Every record that is not GONE, by name."""
        nodes = self._ledger.nodes
        return tuple(nodes[name] for name in sorted(nodes))

    def memory(self) -> Memory:
        """What the last tick handed to the next."""
        return self._ledger.memory

    def waiting_orders(self) -> tuple[Order, ...]:
        """Orders without an answer, oldest first."""
        return tuple(self._ledger.orders.values())

    def wishes(self) -> Mapping[PoolName, PoolWish]:
        """The operators' standing word."""
        return dict(self._ledger.wishes)

    def past(self, since_at: float) -> Mapping[PoolName, tuple[Past, ...]]:
        """Earlier decisions since then, oldest first, begun by the one that still stood at that time."""
        return {pool: _since(decided, since_at) for pool, decided in self._ledger.past.items() if decided}

    def slices(self, pool: PoolName, since_at: float, before_at: float) -> tuple[Slice, ...]:
        """What came to a pool in each slice that began in that time, oldest first."""
        kept = self._ledger.slices.items()
        found = [of for (name, at), of in kept if name == pool and since_at <= at < before_at]
        return tuple(sorted(found, key=lambda of: of.since_at))

    def holds_lease(self) -> bool:
        """Whether nobody took the lease after us: what a daemon's own clock answers, without its delay."""
        return self._ledger.epoch == self._epoch

    def require_lease(self) -> None:
        """Raises JournalUnavailable when somebody took the lease after us."""
        if not self.holds_lease():
            raise JournalUnavailable(
                f"the lease of epoch {self._epoch} is lost: it is {self._ledger.epoch} now"
            )

    def commit(self, record: TickRecord) -> None:
        """Write one tick, whole or not at all. Raises JournalUnavailable."""
        ledger = self._ledger
        self.require_lease()
        for node in record.new_nodes:
            if node.name in ledger.used:
                raise JournalUnavailable(f"node {node.name} cannot be ordered: its name was used before")
        for node in record.changed_nodes:
            if node.name not in ledger.nodes:
                raise JournalUnavailable(f"node {node.name} has no live record")
        for node in (*record.new_nodes, *record.changed_nodes):
            ledger.used[node.name] = None
            if node.state is NodeState.GONE:
                ledger.nodes.pop(node.name, None)
            else:
                ledger.nodes[node.name] = node
        _remember(ledger, record)
        for answer in record.answers:
            ledger.orders.pop(answer.number, None)
        for wish in record.wishes:
            ledger.wishes[wish.pool] = wish
        ledger.memory = record.memory
        while len(ledger.used) > max(_NAMES_KEPT, 2 * len(ledger.nodes)):
            del ledger.used[next(name for name in ledger.used if name not in ledger.nodes)]


def _remember(ledger: Ledger, record: TickRecord) -> None:
    """What later ticks look back on: decisions that did not repeat the one before, and what came in each slice."""
    for told in record.decisions:
        if (told.pool, told.at) in record.repeats.said:
            continue
        decision, supply = told.decision, told.decision.input.supply
        past = Past(
            at=told.at, recommended=decision.recommended, wanted=decision.wanted, workers=supply.workers
        )
        ledger.past.setdefault(told.pool, deque(maxlen=_PAST_KEPT)).append(past)
    for pool, more in record.slices.items():
        had = ledger.slices.get((pool, more.since_at)) or replace(more, arrived=0.0, looked_s=0.0)
        ledger.slices[pool, more.since_at] = replace(
            had, arrived=had.arrived + more.arrived, looked_s=had.looked_s + more.looked_s
        )


def _since(decided: deque[Past], since_at: float) -> tuple[Past, ...]:
    """After a step of the wall clock times are not in order; like the real journal, each is judged by its own."""
    found: list[Past] = []
    standing = False
    for past in reversed(decided):
        if past.at >= since_at:
            found.append(past)
        elif not standing:
            standing = True
            found.append(past)
    found.reverse()  # sorting keeps the order of writing among alike, as the journal's query does
    return tuple(sorted(found, key=lambda past: past.at))


class Durable:
    """The real journal, in memory too but with its database, where a life is to be lived with all of it."""

    def __init__(self) -> None:
        self._journal: DurableJournal = open_journal("sqlite://")
        self.epoch = 0

    def back_up(self) -> None:
        """A database in memory is not copied."""

    def restore(self, dice: random.Random) -> bool:
        """There is no copy."""
        return False

    def claim(self) -> DurableOfOne:
        """The lease passes on; a journal in memory is one process's, so its own lease cannot be taken twice."""
        self.epoch += 1
        return DurableOfOne(self, self._journal, self.epoch)

    def give(
        self,
        kind: OrderKind,
        target: str,
        at: float,
        *,
        workers: int | None,
        until_at: float | None,
        force: bool,
    ) -> None:
        """An operator's word."""
        durable_orders.give(
            self._journal, kind, target, by="kari", at=at, workers=workers, until_at=until_at, force=force
        )

    def close(self) -> None:
        """Let go of the database."""
        self._journal.close()


class DurableOfOne:
    """The real journal as one daemon writes it."""

    def __init__(self, shared: Durable, journal: DurableJournal, epoch: int) -> None:
        self._shared = shared
        self._journal = journal
        self._epoch = epoch
        self.live_nodes = journal.live_nodes
        self.memory = journal.memory
        self.waiting_orders = journal.waiting_orders
        self.wishes = journal.wishes
        self.past = journal.past
        self.slices = journal.slices

    def led(self) -> object | None:
        """Its epoch, while nobody took the lease after us."""
        return self._epoch if self.holds_lease() else None

    def holds_lease(self) -> bool:
        """Whether nobody took the lease after us: what a daemon's own clock answers, without its delay."""
        return self._shared.epoch == self._epoch

    def require_lease(self) -> None:
        """Raises JournalUnavailable when somebody took the lease after us."""
        if not self.holds_lease():
            raise JournalUnavailable(
                f"the lease of epoch {self._epoch} is lost: it is {self._shared.epoch} now"
            )

    def commit(self, record: TickRecord) -> None:
        """Write one tick. Raises JournalUnavailable."""
        self.require_lease()
        self._journal.commit(record)


class Leased(Journal, Protocol):
    """A journal with the lease of one daemon."""

    def holds_lease(self) -> bool: ...

    def require_lease(self) -> None: ...


class Shared(Protocol):
    """A journal that daemons take from each other."""

    def claim(self) -> Leased: ...

    def back_up(self) -> None: ...

    def restore(self, dice: random.Random) -> bool: ...

    def give(
        self,
        kind: OrderKind,
        target: str,
        at: float,
        *,
        workers: int | None,
        until_at: float | None,
        force: bool,
    ) -> None: ...

    def close(self) -> None: ...


def open_ledger(seed: int) -> Shared:
    """The journal of that life."""
    return Durable() if seed % DURABLE_EVERY == DURABLE_EVERY - 1 else Ledger()
