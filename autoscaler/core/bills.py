"""What machines cost: a quantum of an offer is paid when it begins, in the calendar month (UTC) in which it begins.

In go records, machines without one and instants, out come sums in the fleet's currency. What a machine that is there
has cost is worked out from its record each time; only what is gone is added up, once, with the tick that took it for
gone. So no sum drifts, restarts and the purge of old records change none, and a new month needs no event to begin.
What never happens here: a choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache

from autoscaler.core import strangers
from autoscaler.core.facts import Bills, Memory, Snapshot, Stranger, listing_clock
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Node, Offer, PoolName, PoolRules, Transition

_KEPT_MONTHS = 24
_KEPT_S = (_KEPT_MONTHS - 1) * 31 * 86_400.0
_LAST_AT = 253_370_764_800.0
"""The beginning of the year 9999: a clock beyond it is broken, and the calendar ends soon after."""
_SAME_MONTH_S = 900
"""Instants of so long a span lie in one month: months begin at whole hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A calendar month in UTC, where no hour is skipped or repeated: `start_at` belongs to it, `end_at` to the next."""

    name: str
    """`2026-11`"""
    start_at: float
    end_at: float


def month_of(at: float) -> Month:
    """The month of that instant. Total: what no calendar holds is taken as its nearest month."""
    return _month(int(_known(at) // _SAME_MONTH_S))


def _known(at: float) -> float:
    return 0.0 if math.isnan(at) else min(max(at, 0.0), _LAST_AT)


@lru_cache(maxsize=1024)
def _month(span: int) -> Month:
    day = datetime.fromtimestamp(span * _SAME_MONTH_S, UTC)
    start = datetime(day.year, day.month, 1, tzinfo=UTC)
    end = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
    return Month(name=f"{start:%Y-%m}", start_at=start.timestamp(), end_at=end.timestamp())


def cost(offer: Offer, month: Month, since_at: float, until_at: float) -> float:
    """What a machine of that offer cost in that month from its order until then: the quanta that began."""
    return _of_quanta(offer, _begun(offer, month, since_at, until_at))


def cost_to_come(offer: Offer, month: Month, since_at: float, *, at: float, within_s: float) -> float:
    """What of that month's quanta begins after `at`, if the machine is there for so long."""
    if not math.isfinite(since_at):
        since_at = at
    later_at = max(at, since_at) + within_s
    more = _begun(offer, month, since_at, later_at) - _begun(offer, month, since_at, at)
    return _of_quanta(offer, more)


def of_node(node: Node, month: Month, until_at: float) -> float:
    """What that node's machine cost in that month until then."""
    return cost(node.offer, month, node.ordered_at, until_at)


def in_all(offer: Offer, since_at: float, until_at: float) -> float:
    """What a machine of that offer cost from its order until then, whatever the months."""
    return _of_quanta(offer, max(1, _before(offer, _known(since_at), _known(until_at))))


def within(
    offer: Offer, since_at: float, until_at: float, *, ordered_at: float, gone_at: float | None
) -> float:
    """What a machine cost in that time: the quanta of it that began after `since_at` and by `until_at`."""
    end_at = until_at if gone_at is None else min(gone_at, until_at)
    if end_at < ordered_at or end_at <= since_at < until_at:
        return 0.0
    before = in_all(offer, ordered_at, since_at) if ordered_at < since_at else 0.0
    return in_all(offer, ordered_at, end_at) - before


def in_all_of_node(node: Node, at: float) -> float:
    """What this node cost by now. One that never had a machine cost nothing."""
    is_gone = node.state is NodeState.GONE
    if is_gone and node.instance_id is None:
        return 0.0
    return in_all(node.offer, node.ordered_at, node.entered_at if is_gone else at)


def since(stranger: Stranger, clocks: Mapping[str, float], at: float) -> float:
    """Since when a machine without a record is paid: as the provider says, else as long as we have seen it."""
    if stranger.instance.created_at is not None:
        return stranger.instance.created_at
    return at - max(0.0, clocks.get(listing_clock(stranger.provider), 0.0) - stranger.since_on)


def of_stranger(
    stranger: Stranger, rules: Mapping[PoolName, PoolRules], memory: Memory, month: Month, at: float
) -> float:
    """What that machine cost in that month until now, by the offer it was most likely bought by."""
    offer = strangers.offer_of(stranger, rules.get(pool_of(stranger)))
    return cost(offer, month, since(stranger, memory.clocks, at), at)


def pool_of(stranger: Stranger) -> PoolName:
    """The pool whose mark it bears; empty for one without."""
    return PoolName(stranger.instance.pool or "")


def spent(
    month: Month, nodes: Iterable[Node], memory: Memory, rules: Mapping[PoolName, PoolRules], at: float
) -> dict[PoolName, float]:
    """The month's bill until now, by pool: of what is gone, of every live record, and of machines without one."""
    sums = dict(memory.bills.gone.get(month.name, {}))
    for node in nodes:
        if node.state is not NodeState.GONE:
            sums[node.pool] = sums.get(node.pool, 0.0) + of_node(node, month, at)
    for stranger in memory.strangers:
        pool = pool_of(stranger)
        sums[pool] = sums.get(pool, 0.0) + of_stranger(stranger, rules, memory, month, at)
    return sums


def settled(
    snapshot: Snapshot,
    memory: Memory,
    nodes: Iterable[Node],
    told: Iterable[Transition],
    rules: Mapping[PoolName, PoolRules],
) -> Memory:
    """The memory with what was found gone on this tick added up: ended nodes, and machines without a record that are
    neither there nor recorded any more."""
    ends = [
        (pool_of(stranger), strangers.offer_of(stranger, rules.get(pool_of(stranger))), since_at)
        for stranger in _lost(snapshot, memory, nodes)
        for since_at in [since(stranger, snapshot.memory.clocks, snapshot.at)]
    ]
    bills = closed(memory.bills, snapshot.nodes, told, snapshot.at)
    bills = _with(bills, ends, snapshot.at)
    return replace(
        memory, bills=bills if bills.since_at is not None else replace(bills, since_at=snapshot.at)
    )


def _lost(snapshot: Snapshot, memory: Memory, nodes: Iterable[Node]) -> list[Stranger]:
    """Machines without a record that are not there any more, and have none now either."""
    before = snapshot.memory.strangers
    if not before:
        return []
    live = [node for node in nodes if node.state is not NodeState.GONE]
    # An id is known by its account, or by the machine's name where two accounts of ours are one.
    known = {(key, node.instance_id) for node in live for key in (node.offer.provider, node.machine)}
    known |= {(stranger.provider, stranger.instance.instance_id) for stranger in memory.strangers}
    return [
        stranger
        for stranger in before
        for its_id in [stranger.instance.instance_id]
        if not {(stranger.provider, its_id), (stranger.instance.name, its_id)} & known
    ]


def closed(bills: Bills, nodes: Iterable[Node], told: Iterable[Transition], at: float) -> Bills:
    """The bills with those nodes that became GONE by these moves. A refused order cost nothing; one that was never
    answered may have."""
    gone = {
        move.node for move in told if move.after is NodeState.GONE and move.event is not Event.CREATE_REFUSED
    }
    ends = [(node.pool, node.offer, node.ordered_at) for node in nodes if node.name in gone]
    return _with(bills, ends, at)


def _with(bills: Bills, ends: Iterable[tuple[PoolName, Offer, float]], at: float) -> Bills:
    """The bills with machines of these pools and offers, ordered at these instants and gone now."""
    ends = tuple(ends)
    if not ends:
        return bills
    gone = {name: dict(sums) for name, sums in bills.gone.items()}
    for pool, offer, since_at in ends:
        for month in _months(since_at, at):
            amount = cost(offer, month, since_at, at)
            if amount:
                of_month = gone.setdefault(month.name, {})
                of_month[pool] = of_month.get(pool, 0.0) + amount
    kept = sorted(gone)[-_KEPT_MONTHS:]
    return replace(bills, gone={name: gone[name] for name in kept})


def _months(since_at: float, until_at: float) -> Iterator[Month]:
    """Every month of that time, the one it was ordered in too if the clock was set back since; of old ones the last."""
    until_at = max(until_at, since_at)
    month = month_of(max(since_at, until_at - _KEPT_S))
    yield month
    while month.end_at <= min(until_at, _LAST_AT):
        month = month_of(month.end_at)
        yield month


def _begun(offer: Offer, month: Month, since_at: float, until_at: float) -> int:
    """Quanta that began in that month, from the order until then. The first one begins with the order, even if the
    clock was set back since."""
    until_at = _known(until_at)
    since_at = _known(since_at) if math.isfinite(since_at) else until_at
    until_at = max(until_at, since_at)
    if until_at < month.end_at:
        until = math.floor((until_at - since_at) / offer.quantum_s) + 1
    else:
        until = _before(offer, since_at, month.end_at)
    return max(0, until - _before(offer, since_at, month.start_at))


def _before(offer: Offer, since_at: float, at: float) -> int:
    return max(0, math.ceil((at - since_at) / offer.quantum_s))


def _of_quanta(offer: Offer, quanta: int) -> float:
    return quanta * offer.price_per_h * offer.quantum_s / 3600.0
