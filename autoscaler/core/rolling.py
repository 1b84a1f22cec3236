"""Replacing machines one after the other: outdated ones by the pool's policy, others by an operator's word.

A new machine is bought beyond what is wanted and heard, then an old one is told to leave for good. In go records, rules
and the decision, out comes who leaves and how many more than wanted may be there meanwhile. What never happens here: a
purchase, a worker ended amid its work, a choice while workers or demand cannot be seen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from autoscaler.core import drains, drift, limits, offers, quanta, quotas, residency, strangers
from autoscaler.core.facts import Memory, Missing, Snapshot
from autoscaler.core.lifecycle import ARRIVING, NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    FleetRules,
    Node,
    Offer,
    Order,
    OrderAnswer,
    OrderKind,
    PoolName,
    PoolRules,
)
from policies.contract import Decision
from policies.phrases import count
from providers.contract import NodeName

REPLACED = "replaced"
"""How the reason of a machine that leaves by a replacement begins."""
_STAYS = ARRIVING | {NodeState.READY, NodeState.LOST}
_UNKNOWN_BOOT_S = 300.0
"""How long a new machine may take, as long as none was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What this tick does for a pool's replacements: one machine leaves, or so many workers more than wanted may be."""

    leaves: tuple[tuple[Node, str], ...] = ()
    surge: int = 0
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a step may look at. `all_nodes` are those of every pool: an account's quota is shared."""

    snapshot: Snapshot
    memory: Memory
    fleet: FleetRules
    nodes: tuple[Node, ...]
    all_nodes: Collection[Node]


def obey(
    orders: tuple[Order, ...],
    nodes: dict[NodeName, Node],
    rules: Mapping[PoolName, PoolRules],
    at: float,
) -> tuple[OrderAnswer, ...]:
    """Mark in `nodes` whom operators ordered to be replaced, and answer them. It stands until the machine is gone."""
    answers = []
    for order in orders:
        if order.kind is OrderKind.REPLACE:
            meant, says = _meant(order, nodes, rules, at)
            for node in meant:
                nodes[node.name] = replace(node, replace_due=True)
            answers.append(OrderAnswer(number=order.number, carried_out=bool(meant), says=says))
    return tuple(answers)


def _meant(
    order: Order, nodes: Mapping[NodeName, Node], rules: Mapping[PoolName, PoolRules], at: float
) -> tuple[tuple[Node, ...], str]:
    pool = PoolName(order.target)
    if pool in rules:
        mine = [n for n in nodes.values() if n.pool == pool and n.state in _STAYS]
        old = drift.outdated(mine, rules, at)
        meant = tuple(n for n in mine if order.force or n.name in old)
        if meant:
            return meant, f"{count(len(meant), 'machine')} of {pool} will be replaced, one after the other"
        unknown = sum(not drift.is_known(n) for n in mine)
        not_known = f", as far as is known of all but {unknown}" if unknown else ""
        return (), f"no machine of {pool} is outdated{not_known}; --all replaces those that are not, too"
    named = tuple(n for n in nodes.values() if order.target in {n.name, n.machine})
    meant = tuple(n for n in named if n.state in _STAYS and n.pool in rules)
    if meant:
        return meant, f"{order.target} will be replaced"
    if named:
        return (), f"{named[0].name} is {named[0].state.value}: replace does not apply"
    return (), f"there is no pool or live node {order.target!r}"


def step(pool: PoolRules, given: Given, decision: Decision) -> Step:
    """Who leaves now, or what is waited for. One machine at a time, and none of them while a worker is short."""
    old = drift.outdated(given.nodes, {pool.name: pool}, given.snapshot.at)
    due = tuple(
        n for n in given.nodes if (n.replace_due or n.name in old) and _is_due(n, pool, given.snapshot.at)
    )
    if not old and not due:
        return Step()
    says = _counts(pool, given.nodes, len(old), len(due))
    unseen = decision.input.demand is None and decision.input.hold is None
    if not due or unseen or isinstance(given.snapshot.sightings, Missing):
        return Step(remark=says)
    did, why = _next(pool, given, decision, due)
    return replace(did, remark=f"{says}: {why}" if why else says)


def _is_due(node: Node, pool: PoolRules, at: float) -> bool:
    """Whether it is to be replaced, and was not told to leave yet."""
    if node.state is not NodeState.READY or node.consumer_order is ConsumerOrder.LEAVE:
        return False
    by_policy = pool.replaces_drifted and drift.why_drifted(node, pool)
    return bool(node.replace_due or by_policy or drift.why_too_old(node, pool, at))


def _next(pool: PoolRules, given: Given, decision: Decision, due: tuple[Node, ...]) -> tuple[Step, str]:
    """The step, and what it waits for."""
    nodes, wanted = given.nodes, decision.wanted
    # Those that are not needed, too: nothing is bought while one drains that load would take back.
    leaving = [n for n in nodes if n.state is NodeState.DRAINING]
    if leaving:
        return Step(), f"{leaving[0].machine} finishes what it holds"
    serving = sum(pool.counts_as(n) for n in nodes if n.state is NodeState.READY)
    have = serving + sum(pool.counts_as(n) for n in nodes if n.state in ARRIVING)
    if have < wanted:
        return Step(), f"waits for the {wanted} workers that are wanted"
    ready = [n for n in due if n.replace_due or _is_paid_up(n, given, decision)]
    if not ready:
        return Step(), "waits for the end of what is paid"
    old = min(ready, key=lambda n: (not n.replace_due, quanta.left_s(n, given.snapshot.at), n.name))
    return _of_one(old, pool, given, wanted, serving, have)


def _of_one(
    old: Node, pool: PoolRules, given: Given, wanted: int, serving: int, have: int
) -> tuple[Step, str]:
    """What is done for the one that comes next, where as many are there as are wanted and nobody leaves for good."""
    weight, proven = pool.counts_as(old), is_proven(pool, given.memory)
    if serving - weight >= wanted:
        if proven:
            return Step(leaves=((old, _reason(old, pool, given.snapshot.at)),)), ""
        return Step(), "waits for the first machine of the new definition"
    if have - weight >= wanted:
        return Step(surge=weight), "waits for a new worker to be heard"
    if have == serving and (full := _no_room(pool, given, weight)):
        if old.replace_due:
            return Step(leaves=((old, f"{_reason(old, pool, given.snapshot.at)}; no room for one more"),)), ""
        return Step(), f"no room for one more ({full}); `autoscaler replace {pool.name}` lets one leave first"
    return Step(surge=weight), "one more is bought first"


def is_proven(pool: PoolRules, memory: Memory) -> bool:
    """Whether a machine as it would be ordered now has become a worker, as far as that must be shown first."""
    known = memory.proven.get(pool.name, ())
    return not pool.canary or not pool.becomes or not known or any(b in known for b in pool.becomes.values())


def _is_paid_up(node: Node, given: Given, decision: Decision) -> bool:
    """Whether what is paid of it ends by the time that a new one is there and it has left."""
    if not quanta.is_long(node):
        return True
    traffic = decision.input.history.traffic
    boot_s = traffic.boot_s / traffic.boots if traffic.boots else _UNKNOWN_BOOT_S
    lead_s = boot_s + 2 * drains.drain_s(traffic, given.fleet)
    return quanta.left_s(node, given.snapshot.at) <= lead_s


def _no_room(pool: PoolRules, given: Given, weight: int) -> str:
    """What leaves no room for one more machine of any offer that may be asked now.

    Empty if nothing known does; and where no offer may be asked, because then nobody would come who leaves first.
    """
    why = ""
    for offer in _awake(pool, given):
        room = limits.room(
            pool,
            given.nodes,
            unrecorded=strangers.prices_per_h(given.memory, pool),
            unrecorded_workers=strangers.workers(given.memory, pool),
            weight=weight,
            price_per_h=offer.price_per_h,
            asked=1,
        )
        left = quotas.room(offer.provider, given.memory, given.all_nodes, given.snapshot.at)
        if room.nodes and left != 0:
            return ""
        why = room.bound_by or quotas.why_full(offer.provider, given.memory)
    return why


def _awake(pool: PoolRules, given: Given) -> tuple[Offer, ...]:
    buyable = residency.buyable(pool.offers, pool, given.fleet)
    return offers.awake(buyable, pool.name, given.memory, given.snapshot.at)


def _reason(node: Node, pool: PoolRules, at: float) -> str:
    why = drift.why_outdated(node, pool, at)
    word = "by an operator's word" if node.replace_due else ""
    return f"{REPLACED} {', '.join(filter(None, (word, why)))}"


def _counts(pool: PoolRules, nodes: tuple[Node, ...], old: int, due: int) -> str:
    """How many are outdated, and what will be done about it."""
    of = f"{old} of {count(sum(n.state in _STAYS for n in nodes), 'machine')} {'is' if old == 1 else 'are'} outdated"
    if due:
        return f"{of}, {due} to be replaced" if old else f"{count(due, 'machine')} to be replaced"
    by_word = "" if pool.replaces_drifted else f"; `autoscaler replace {pool.name}` replaces them"
    return of + by_word
