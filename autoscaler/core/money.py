"""What ceilings on money leave: of each pool and of the whole fleet, for an hour and for a calendar month.

Records, machines without one and limits go in; out comes how many more may be bought, and how many that are there can
go on being paid. A machine that is bought, or stays, is counted with every quantum that begins before it could have
left again; the floors' money until the month's end is set aside before anybody else gets any. What never happens here:
a machine chosen to leave, or one that is sent away before its worker is idle.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from autoscaler.core import bills, lifecycle, strangers, supply
from autoscaler.core.bills import Month
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    FleetRules,
    Node,
    Offer,
    PoolName,
    PoolRules,
    PoolWish,
    Timeouts,
)
from policies.contract import Allowance

Rules = Mapping[PoolName, PoolRules]


class _ToCome(NamedTuple):
    """What of a machine's quanta begins yet in this month. The cheapest comes first."""

    bound: float
    """Before it could have left."""
    after: float
    """From then on, if it stays."""
    workers: int = 1
    """As how many it counts."""


_ROUNDING = 1e-4
"""Of a node, or of a budget: far above what adding prices up loses, and of no account in money."""
_STAYING = lifecycle.SERVING | lifecycle.ARRIVING


def affordable(budget: float, spent: float, price: float, asked: int) -> int:
    """How many at that price the rest of a budget pays for. Sums of prices must not cost a whole one by rounding."""
    if spent > budget * (1 + _ROUNDING):
        return 0  # overspent, as after the budget was lowered: then not even what is free is bought
    left = budget - spent
    if price == 0 or asked * price <= left:
        return asked  # not divided: by the smallest prices a quotient is beyond all numbers
    return math.floor(left / price + _ROUNDING) if left > 0 else 0


def is_capped(rules: Rules, fleet: FleetRules) -> bool:
    """Whether any month's money is limited."""
    return fleet.max_cost_per_month is not None or any(
        pool.limits.max_cost_per_month is not None for pool in rules.values()
    )


@dataclass(slots=True, kw_only=True)
class Books:
    """The fleet's money on one tick. What a plan orders is written into it at once, so that pools do not both spend
    the last of it."""

    at: float
    month: Month
    rules: Rules
    fleet: FleetRules
    per_h: float
    """What all pools' machines cost an hour."""
    bound: dict[PoolName, float]
    """By pool, of this month: what is spent, and what will be before each machine could have left."""
    workers: Counter[PoolName]
    """Serving or arriving."""
    staying: dict[PoolName, list[_ToCome]] = field(default_factory=dict)
    """What those will cost yet."""
    _aside: dict[PoolName, float] = field(default_factory=dict)

    @property
    def is_shared(self) -> bool:
        """Whether pools draw on one purse."""
        return self.fleet.max_cost_per_hour is not None or self.fleet.max_cost_per_month is not None

    def aside(self, pool: PoolName) -> float:
        """The floor's money until the month's end, without what is bound already."""
        if pool not in self._aside:
            there = self.staying.get(pool, [])
            self._aside[pool] = _floor_cost(self.rules[pool], there, self.month, self.at)
        return self._aside[pool]

    def bounds(self, pool: PoolRules, offer: Offer, asked: int) -> list[tuple[int, str]]:
        """How many of `asked` machines of that offer each ceiling allows, besides the pool's own for an hour."""
        found = []
        hourly = self.fleet.max_cost_per_hour
        if hourly is not None:
            count = affordable(hourly, self.per_h, offer.price_per_h, asked)
            found.append((count, f"the fleet's budget {hourly:g} an hour"))
        own, all_of_it = pool.limits.max_cost_per_month, self.fleet.max_cost_per_month
        if own is not None:
            bound, aside = self.bound.get(pool.name, 0.0), self.aside(pool.name)
            count = self._of_month(own, bound, aside, pool, offer, asked)
            found.append((count, f"budget {_in_words(own, bound, aside)}"))
        if all_of_it is not None:
            # Of pools that are no longer configured, too, what they have cost is the fleet's.
            bound, aside = sum(self.bound.values()), sum(map(self.aside, self.rules))
            count = self._of_month(all_of_it, bound, aside, pool, offer, asked)
            found.append((count, f"the fleet's budget {_in_words(all_of_it, bound, aside)}"))
        return found

    def _of_month(
        self, limit: float, bound: float, aside: float, pool: PoolRules, offer: Offer, asked: int
    ) -> int:
        """The floor's machines are bought of what was set aside for them, all others of what is left beside it."""
        price = self._price(pool, offer)
        lacking = max(0, pool.limits.min_workers - self.workers[pool.name])
        for_floor = min(
            math.ceil(lacking / pool.weight_of(offer.name)), affordable(limit, bound, price, asked)
        )
        return max(0, affordable(limit, bound + aside, price, asked), for_floor)

    def _price(self, pool: PoolRules, offer: Offer) -> float:
        stays_s = _notice_s(pool.timeouts, self.fleet, arriving=True)
        to_come = bills.cost_to_come(offer, self.month, self.at, at=self.at, within_s=stays_s)
        return bills.cost(offer, self.month, self.at, self.at) + to_come

    def ordered(self, pool: PoolRules, offer: Offer, count: int) -> None:
        """So many were ordered."""
        self.per_h += count * offer.price_per_h
        self.bound[pool.name] = self.bound.get(pool.name, 0.0) + count * self._price(pool, offer)
        self.workers[pool.name] += count * pool.weight_of(offer.name)


def _in_words(limit: float, bound: float, aside: float) -> str:
    kept = f", {aside:.2f} set aside for min_workers" if aside else ""
    return f"{limit:g} a month, of which {bound:.2f} is spent or promised{kept}"


def open_books(nodes: Iterable[Node], memory: Memory, rules: Rules, fleet: FleetRules, at: float) -> Books:
    """The money as it stands before anything is bought."""
    live = [node for node in nodes if node.state in lifecycle.BILLABLE]
    month = bills.month_of(at)
    bound: dict[PoolName, float] = {}
    staying: dict[PoolName, list[_ToCome]] = {}
    if is_capped(rules, fleet):
        bound = bills.spent(month, live, memory, rules, at)
        for node in live:
            to_come = _to_come(node, month, rules, fleet, at)
            bound[node.pool] += to_come.bound
            if node.state in _STAYING:
                staying.setdefault(node.pool, []).append(to_come)
        for pool, amount in _strangers_to_come(memory, month, rules, fleet, at).items():
            bound[pool] += amount
    unrecorded = [
        strangers.offer_of(stranger, rules.get(bills.pool_of(stranger))).price_per_h
        for stranger in memory.strangers
    ]
    workers: Counter[PoolName] = Counter()
    for node in live:
        if node.state in _STAYING:
            workers[node.pool] += rules[node.pool].counts_as(node) if node.pool in rules else 1
    return Books(
        at=at,
        month=month,
        rules=rules,
        fleet=fleet,
        per_h=sum(node.offer.price_per_h for node in live) + sum(unrecorded),
        bound=bound,
        workers=workers,
        staying=staying,
    )


class _Whose(StrEnum):
    """Whose money runs out."""

    POOL = "capped by"
    FLEET = "capped by the fleet's"


@dataclass(slots=True, kw_only=True)
class _Staying:
    """The machines of a pool that may stay, the cheapest first, and how many of them can be paid."""

    pool: PoolRules
    to_come: list[_ToCome]
    spent: float
    """What is spent, and what those will cost that cannot stay."""
    aside: float
    paid: int
    """At first those that stay whatever that costs."""

    @property
    def bound(self) -> float:
        return self.spent + sum(one.bound for one in self.to_come[: self.paid])

    @property
    def share(self) -> float:
        return self.paid / len(self.to_come)

    @property
    def workers(self) -> int:
        """As how many those that can be paid count."""
        return sum(one.workers for one in self.to_come[: self.paid])


def allowances(
    nodes: Iterable[Node],
    memory: Memory,
    rules: Rules,
    fleet: FleetRules,
    at: float,
    wishes: Mapping[PoolName, PoolWish] | None = None,
) -> dict[PoolName, Allowance]:
    """How many workers the month's money pays on, for each pool where that is fewer than are there.

    Where the fleet's money binds, pools get it in turns, the one with the smallest share of its machines first.
    """
    if not is_capped(rules, fleet):
        return {}
    month = bills.month_of(at)
    live = [node for node in nodes if node.state in lifecycle.BILLABLE]
    bill = bills.spent(month, live, memory, rules, at)
    spent = dict(bill)
    for pool, amount in _strangers_to_come(memory, month, rules, fleet, at).items():
        spent[pool] += amount
    to_come: dict[PoolName, list[_ToCome]] = {name: [] for name in rules}
    for node in live:
        of_node = _to_come(node, month, rules, fleet, at)
        if node.pool in rules and _may_stay(node):
            to_come[node.pool].append(of_node)
        else:
            spent[node.pool] += of_node.bound
    staying = {
        name: _Staying(
            pool=pool,
            to_come=sorted(to_come[name]),
            spent=spent.get(name, 0.0),
            aside=_floor_cost(pool, to_come[name], month, at),
            paid=_unconditional(pool, (wishes or {}).get(name), sorted(to_come[name]), at),
        )
        for name, pool in rules.items()
    }
    others = sum(amount for name, amount in spent.items() if name not in rules)
    stuck = _share_out(list(staying.values()), others, fleet)
    found = {}
    for name, whose in stuck.items():
        limit, amount = (
            (rules[name].limits.max_cost_per_month, bill.get(name, 0.0))
            if whose is _Whose.POOL
            else (fleet.max_cost_per_month, sum(bill.values()))
        )
        asides = staying[name].aside if whose is _Whose.POOL else sum(one.aside for one in staying.values())
        kept = f", {asides:.2f} is set aside for min_workers" if asides else ""
        pays = f"{amount:.2f} is spent in {month.name}{kept}, the rest pays on for {staying[name].workers}"
        found[name] = Allowance(
            workers=staying[name].workers, why=f"{whose} max_cost_per_month {limit:g}: {pays}"
        )
    return found


def _share_out(pools: list[_Staying], others: float, fleet: FleetRules) -> dict[PoolName, _Whose]:
    """Pay on one machine after another, and say whose money does not pay for all."""
    stuck: dict[PoolName, _Whose] = {}
    asides = sum(one.aside for one in pools)
    total = others + sum(one.bound for one in pools)
    bounds = {one.pool.name: one.bound for one in pools}
    waiting = [one for one in pools if one.paid < len(one.to_come)]
    while waiting:
        one = min(waiting, key=lambda pool: pool.share)  # the first of equals, as they are configured
        amount, name, limits = one.to_come[one.paid].bound, one.pool.name, one.pool.limits
        mine, all_of_them = bounds[name] + amount, total + amount
        # What is paid already may stay, however much was spent: nothing is saved by its leaving.
        if amount and not _fits(limits.max_cost_per_month, mine + one.aside):
            stuck[name] = _Whose.POOL
        elif amount and not _fits(fleet.max_cost_per_month, all_of_them + asides):
            stuck[name] = _Whose.FLEET
        else:
            one.paid += 1
            bounds[name], total = mine, all_of_them
        if name in stuck or one.paid == len(one.to_come):
            waiting.remove(one)
    return stuck


def _unconditional(pool: PoolRules, wish: PoolWish | None, there: list[_ToCome], at: float) -> int:
    """How many of those there stay whatever that costs: the floor's, and those that a person keeps."""
    if supply.is_paused(pool, wish):
        return len(there)
    held = supply.hold(wish, at)
    return len(_first(there, max(pool.limits.min_workers, held.workers if held else 0)))


def _first(there: list[_ToCome], workers: int) -> list[_ToCome]:
    """The first of them that together count as so many workers, or all."""
    found = []
    for one in there:
        if workers <= 0:
            break
        found.append(one)
        workers -= one.workers
    return found


def _fits(limit: float | None, amount: float) -> bool:
    return limit is None or amount <= limit * (1 + _ROUNDING)


def _may_stay(node: Node) -> bool:
    """Whether it serves, or would if it were taken back."""
    taken_back = node.state is NodeState.DRAINING and node.consumer_order is not ConsumerOrder.LEAVE
    return node.state in _STAYING or taken_back


def _to_come(node: Node, month: Month, rules: Rules, fleet: FleetRules, at: float) -> _ToCome:
    """If it were told to leave now, and if it were not."""
    times = rules[node.pool].timeouts if node.pool in rules else Timeouts()
    stays_s = _notice_s(times, fleet, arriving=node.state in lifecycle.ARRIVING)
    bound, all_of_it = (
        bills.cost_to_come(node.offer, month, node.ordered_at, at=at, within_s=within_s)
        for within_s in (stays_s, month.end_at - at)
    )
    workers = rules[node.pool].counts_as(node) if node.pool in rules else 1
    return _ToCome(bound=bound, after=max(0.0, all_of_it - bound), workers=workers)


def _strangers_to_come(
    memory: Memory, month: Month, rules: Rules, fleet: FleetRules, at: float
) -> dict[PoolName, float]:
    sums: dict[PoolName, float] = {}
    for stranger in memory.strangers:
        name = bills.pool_of(stranger)
        pool = rules.get(name)
        offer = strangers.offer_of(stranger, pool)
        stays_s = _notice_s(pool.timeouts if pool else Timeouts(), fleet, arriving=True)
        amount = bills.cost_to_come(
            offer, month, bills.since(stranger, memory.clocks, at), at=at, within_s=stays_s
        )
        sums[name] = sums.get(name, 0.0) + amount
    return sums


def _notice_s(times: Timeouts, fleet: FleetRules, *, arriving: bool) -> float:
    """How long a machine may yet be there once it is too many: its worker enrols, and finishes what it holds."""
    return times.drain_s + fleet.drain_s + (times.create_s + times.enrol_s) * arriving


def _floor_cost(pool: PoolRules, there: list[_ToCome], month: Month, at: float) -> float:
    """What the pool's `min_workers` cost until the month's end: those there what is not bound yet, those that lack
    all their quanta, at the cheapest offer."""
    floor = _first(sorted(there), pool.limits.min_workers)
    lacking = max(0, pool.limits.min_workers - sum(one.workers for one in floor))
    cheapest = min(
        (
            bills.cost(offer, month, at, month.end_at) * math.ceil(lacking / pool.weight_of(offer.name))
            for offer in pool.offers
            if lacking
        ),
        default=0.0,
    )
    return sum(one.after for one in floor) + cheapest
