"""What an operator orders, checked against what is on record before it is written down: for commands and for the page.

In go a wish, the settings and the journal; out comes the same wish with its target's own name. What never happens here:
the order, or the deed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from autoscaler.config import Settings
from autoscaler.core.facts import Memory
from autoscaler.core.model import OrderKind
from autoscaler.journal import Journal, orders
from policies.phrases import count

EVERYTHING = "*"
"""The target of an order that names none."""
OF_POOLS = frozenset({OrderKind.PAUSE, OrderKind.RESUME, OrderKind.HOLD})
OF_NODES = frozenset({OrderKind.DRAIN, OrderKind.UNDRAIN, OrderKind.DESTROY, OrderKind.FORGET})
_SHOWN = 5


class NotOnRecord(Exception):
    """The target is not there, or may not be so; says in words what is."""


class TooMany(NotOnRecord):
    """More workers than the pool may have."""


class NoSuchNode(NotOnRecord):
    """A node's name that is not on record: it may have been a moment ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is ordered, before it has a number. `target` is a node, a pool, EVERYTHING, or a configuration's digest."""

    kind: OrderKind
    target: str
    workers: int | None = None
    until_at: float | None = None
    force: bool = False

    def says(self) -> str:
        whole = self.target == EVERYTHING or self.kind is OrderKind.RELOAD
        return self.kind.value if whole else f"{self.kind.value} {self.target}"

    def give(self, journal: Journal, *, by: str, at: float) -> int:
        """Write it down and return its number. Raises JournalUnavailable."""
        return orders.give(
            journal,
            self.kind,
            self.target,
            by=by,
            at=at,
            workers=self.workers,
            until_at=self.until_at,
            force=self.force,
        )


def checked(wanted: Wanted, settings: Settings, journal: Journal) -> Wanted:
    """The same, with a machine's node in its place. Raises NotOnRecord, JournalUnavailable."""
    kind, target = wanted.kind, wanted.target
    if kind in OF_POOLS:
        _check_pool(wanted, settings)
    elif kind in OF_NODES:
        return replace(wanted, target=_node(target, journal))
    elif kind is OrderKind.REPLACE and target not in settings.pools:
        return replace(wanted, target=_node(target, journal, besides=settings.pools))
    elif kind is OrderKind.WAKE and target not in (known := wakeable(settings, journal.memory())):
        raise NotOnRecord(f"There is no pool, account or offer {target!r}; there are: {', '.join(known)}.")
    return wanted


def wakeable(settings: Settings, memory: Memory) -> tuple[str, ...]:
    """Names that can be woken: what is configured, and what rests though it is configured no more."""
    offers = (
        f"{offer.provider}/{offer.location}/{offer.size}/{offer.image}"
        for pool in settings.pools.values()
        for offer in pool.offers
    )
    resting = (*memory.account_rests, *memory.troubles, *memory.quotas)
    return tuple(dict.fromkeys((*settings.pools, *settings.providers, *offers, *resting, EVERYTHING)))


def _check_pool(wanted: Wanted, settings: Settings) -> None:
    pool = settings.pools.get(wanted.target)
    if pool is None:
        raise NotOnRecord(no_pool(wanted.target, settings.pools))
    most = pool.limits.max_workers
    if wanted.workers is not None and wanted.workers > most:
        raise TooMany(
            f"{wanted.target} may have at most {count(most, 'worker')} (max_workers); it cannot be held at "
            f"{wanted.workers}. Hold it at fewer, or raise pools.{wanted.target}.limits.max_workers first."
        )


def _node(name: str, journal: Journal, *, besides: Iterable[str] | None = None) -> str:
    live = journal.live_nodes()
    for node in live:
        if name in {node.name, node.machine}:
            return node.name
    if besides is None:
        raise NoSuchNode(no_node(name, tuple(n.name for n in live)))
    known = ", ".join((*besides, *(n.name for n in live)))
    raise NotOnRecord(f"There is no pool or live node {name!r}; there are: {known}.")


def no_pool(name: str, pools: Iterable[str]) -> str:
    """That there is no such pool, and which there are."""
    return f"There is no pool {name!r}; the configuration has: {', '.join(pools)}."


def no_node(name: str, known: tuple[str, ...]) -> str:
    """That there is no such node, and some that are there."""
    shown = ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")
    return f"No node {name!r} is on record. " + (
        f"On record are: {shown}."
        if known
        else "There are none now; `autoscaler nodes` shows them once there are."
    )
