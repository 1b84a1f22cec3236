"""The journal of the hours that nobody watches: read from memory, and written in one transaction for many ticks.

Ticks commit to it as to any journal; `flush` leaves on disk what as many single commits would have left, in a fraction
of their time. What never happens here: an order taken, for nobody can give one before people look on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, TickRecord
from autoscaler.journal.contract import BootRecord
from autoscaler.simulate.ledger import Ledger
from policies.prospect import Slice
from providers.contract import NodeName


class Hurrying:
    """One journal in memory, and behind it the real one, which must be empty."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept = Ledger().claim()
        self._batch: TickRecord | None = None
        self.led = self._kept.led
        self.live_nodes = self._kept.live_nodes
        self.memory = self._kept.memory
        self.waiting_orders = self._kept.waiting_orders
        self.wishes = self._kept.wishes
        self.past = self._kept.past
        self.slices = self._kept.slices

    def flush(self) -> None:
        """Write down what is only in memory. Raises JournalUnavailable."""
        batch, self._batch = self._batch, None
        if batch is not None:
            self._journal.commit(batch)

    def commit(self, record: TickRecord) -> None:
        """Keep one tick. Raises JournalUnavailable."""
        self._kept.commit(record)
        if self._batch is not None and not _share_slices(self._batch, record):
            self.flush()
        self._batch = record if self._batch is None else joined(self._batch, record)


def _share_slices(batch: TickRecord, more: TickRecord) -> bool:
    """A record has room for one slice of each pool."""
    return all(
        batch.slices[pool].since_at == of.since_at for pool, of in more.slices.items() if pool in batch.slices
    )


def joined(batch: TickRecord, more: TickRecord) -> TickRecord:
    """Two records in a row as one that leaves the same behind."""
    new = {node.name: node for node in batch.new_nodes}
    changed = {node.name: node for node in batch.changed_nodes}
    for node in more.changed_nodes:
        (new if node.name in new else changed)[node.name] = node
    new |= {node.name: node for node in more.new_nodes}
    return TickRecord(
        at=more.at,
        new_nodes=tuple(new.values()),
        changed_nodes=tuple(changed.values()),
        transitions=batch.transitions + more.transitions,
        decisions=batch.decisions + more.decisions,
        repeats=replace(
            more.repeats,
            said=batch.repeats.said | more.repeats.said,
            whole=batch.repeats.whole | more.repeats.whole,
        ),
        answers=batch.answers + more.answers,
        wishes=tuple({wish.pool: wish for wish in (*batch.wishes, *more.wishes)}.values()),
        memory=more.memory,
        samples=batch.samples + more.samples,
        slices=_added(batch.slices, more.slices),
        boots=_newest(batch.boots, more.boots),
    )


def _added(before: Mapping[PoolName, Slice], more: Mapping[PoolName, Slice]) -> dict[PoolName, Slice]:
    sums = dict(before)
    for pool, of in more.items():
        had = sums.get(pool) or replace(of, arrived=0.0, looked_s=0.0)
        sums[pool] = replace(had, arrived=had.arrived + of.arrived, looked_s=had.looked_s + of.looked_s)
    return sums


def _newest(before: tuple[BootRecord, ...], more: tuple[BootRecord, ...]) -> tuple[BootRecord, ...]:
    """One of each machine; a log stays until another comes."""
    found: dict[NodeName, BootRecord] = {boot.node: boot for boot in before}
    for boot in more:
        had = found.get(boot.node)
        found[boot.node] = replace(boot, log=had.log) if boot.log is None and had is not None else boot
    return tuple(found.values())
