"""How the fleet stands, by its journal: the facts behind `status` and the overview, as values.

In go the journal and the settings, out comes one `Standing`. A pool's demand is that of its last decision; its nodes
are counted as they are on record now. What never happens here: words for people.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from autoscaler import pool_rules
from autoscaler.config import Settings
from autoscaler.core import held_back, lifecycle, projection, supply
from autoscaler.core.facts import Memory, Misplaced, Stranger
from autoscaler.core.held_back import HeldBack
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Order, PoolDecision, PoolName, PoolRules, PoolWish
from autoscaler.core.projection import Projection
from autoscaler.core.published import Published
from autoscaler.journal import Journal, read
from autoscaler.views import heartbeat
from autoscaler.views.heartbeat import Heartbeat
from providers.contract import ProviderName


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolStanding:
    """One pool. None is "not known": nothing was decided yet, or it could not be seen, and then `unseen` says why."""

    pool: PoolName
    configured: bool
    paused: bool
    hold_workers: int | None
    hold_until_at: float | None
    decided_at: float | None
    waiting: int | None
    oldest_s: float | None
    target_wait_s: float | None
    """Within which a task should start, by the strictest policy `wait`; None where there is none."""
    in_progress: int | None
    serving: int
    arriving: int
    leaving: int
    lost: int
    wanted: int | None
    cost_per_h: float
    bill: Projection
    sentence: str
    unseen: tuple[str, ...]
    outdated: int
    """Machines of an older definition, or too old."""
    published: Published | None
    """Its upstream file, by the last tick; None where it has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStanding:
    """One account. None is "not known"; `trouble` is empty where its machines are seen and it may be asked."""

    account: ProviderName
    configured: bool
    unseen_since_at: float | None
    trouble: str
    requests_left: int | None
    """That it takes until `renewed_at`, by its own word."""
    renewed_at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The whole fleet at one instant."""

    at: float
    fleet: str
    currency: str
    daemon: Heartbeat
    pools: tuple[PoolStanding, ...]
    accounts: tuple[AccountStanding, ...]
    orders: tuple[Order, ...]
    strangers: tuple[Stranger, ...]
    held_back: tuple[HeldBack, ...]
    misplaced: tuple[Misplaced, ...]
    """Machines that stand where residency does not allow them."""
    bill: Projection
    """Of all pools together, those that are no longer configured too."""


def look(
    journal: Journal,
    settings: Settings,
    now: float,
    *,
    nodes: tuple[Node, ...] | None = None,
    memory: Memory | None = None,
) -> Standing:
    """Read it all, as of the last tick while ticks come. Raises JournalUnavailable.

    `nodes` and `memory` for whoever has read them already: the live ones, at the same tick.
    """
    daemon = heartbeat.listen(journal, settings, now)
    at = daemon.instant(now)
    nodes = journal.live_nodes() if nodes is None else nodes
    memory = journal.memory() if memory is None else memory
    decisions = read.last_decisions(journal)
    wishes = journal.wishes()
    names = dict.fromkeys([*map(PoolName, settings.pools), *(node.pool for node in nodes)])
    rules = {PoolName(name): pool_rules.of(name, pool) for name, pool in settings.pools.items()}
    grouped = supply.by_pool(nodes)
    bills = projection.of_pools(nodes, memory, rules, at)
    return Standing(
        at=at,
        fleet=settings.fleet.name,
        currency=settings.fleet.currency,
        daemon=daemon,
        pools=tuple(
            _pool(
                name,
                settings,
                grouped.get(name, ()),
                _Said(decisions.get(name), wishes.get(name), rules.get(name), bills[name]),
                memory,
                at,
            )
            for name in names
        ),
        accounts=_accounts(settings, memory, at),
        orders=journal.waiting_orders(),
        strangers=memory.strangers,
        held_back=held_back.look(memory, at),
        misplaced=memory.misplaced,
        bill=projection.of_fleet(bills.values(), settings.fleet.max_cost_per_month, memory, at),
    )


def _accounts(settings: Settings, memory: Memory, at: float) -> tuple[AccountStanding, ...]:
    known = dict.fromkeys([*map(ProviderName, settings.providers), *memory.troubles, *memory.account_rests])
    return tuple(_account(name, memory, at, configured=name in settings.providers) for name in known)


def _account(name: ProviderName, memory: Memory, at: float, *, configured: bool) -> AccountStanding:
    trouble, rest, told = (
        memory.troubles.get(name),
        memory.account_rests.get(name),
        memory.rate_limits.get(name),
    )
    failing = trouble.rest if trouble else None
    reasons = [trouble.why_unlisted] if trouble else []
    reasons += [each.why for each in (rest, failing) if each is not None and each.until_at > at]
    known = told if told is not None and told.resets_at > at else None
    return AccountStanding(
        account=name,
        configured=configured,
        unseen_since_at=(trouble.unlisted_since_at or None) if trouble else None,
        trouble=next(filter(None, reasons), ""),
        requests_left=known.remaining if known else None,
        renewed_at=known.resets_at if known else None,
    )


class _Said(NamedTuple):
    """What is on record about a pool beside its nodes."""

    last: PoolDecision | None
    wish: PoolWish | None
    rules: PoolRules | None
    bill: Projection


def _pool(
    name: PoolName, settings: Settings, mine: Collection[Node], said: _Said, memory: Memory, at: float
) -> PoolStanding:
    last, wish, rules, bill = said
    counts_as = rules.counts_as if rules else supply.one_each

    def workers(states: Collection[NodeState]) -> int:
        return sum(counts_as(node) for node in mine if node.state in states)

    given = last.decision.input if last else None
    demand = given.demand if given else None
    configured = settings.pools.get(name)
    held = wish if wish and wish.hold_workers is not None and (wish.hold_until_at or 0.0) > at else None
    paused = wish.paused if wish and wish.paused is not None else bool(configured and configured.paused)
    return PoolStanding(
        pool=name,
        configured=configured is not None,
        paused=paused,
        hold_workers=held.hold_workers if held else None,
        hold_until_at=held.hold_until_at if held else None,
        decided_at=last.at if last else None,
        waiting=demand.backlog if demand else None,
        oldest_s=demand.wait_s.value if demand else None,
        target_wait_s=pool_rules.own_target_s(rules) if rules else None,
        in_progress=demand.in_progress if demand else None,
        serving=workers(lifecycle.SERVING),
        arriving=workers(lifecycle.ARRIVING),
        leaving=workers(lifecycle.LEAVING),
        lost=workers({NodeState.LOST}),
        wanted=last.decision.wanted if last else None,
        cost_per_h=supply.cost_per_h(mine),
        bill=bill,
        sentence=last.sentence if last else "",
        unseen=tuple(why for why in (given.demand_missing, given.supply_missing) if why) if given else (),
        outdated=sum(node.name in memory.outdated for node in mine),
        published=memory.published.get(name),
    )
