"""An operator's word that something may be asked again: what rests because of a cause that he has mended.

In go the orders to wake and the memory; out come the memory without those rests, and the answers. What is woken is
trusted at once: no machine is tried alone first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from autoscaler.core.facts import Memory
from autoscaler.core.model import OfferName, Order, OrderAnswer, OrderKind, PoolName, PoolRules
from autoscaler.core.offers import for_pool
from providers.contract import ProviderName

EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Woken:
    """Memory without what was woken, and what is told to those who ordered it."""

    memory: Memory
    answers: tuple[OrderAnswer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What one order is about."""

    accounts: frozenset[ProviderName]
    offers: frozenset[OfferName]
    pools: frozenset[PoolName]


def wake(orders: Iterable[Order], memory: Memory, rules: Mapping[PoolName, PoolRules]) -> Woken:
    """Carry out every order to wake."""
    answers = []
    for order in orders:
        if order.kind is not OrderKind.WAKE:
            continue
        scope = _scope(order.target, memory, rules)
        if scope is None:
            says = f"there is no pool, offer or account {order.target!r}"
            answers.append(OrderAnswer(number=order.number, carried_out=False, says=says))
            continue
        after = _without(memory, scope, rules)
        woken = sorted(_resting(memory) - _resting(after))
        says = f"awake again: {', '.join(woken)}" if woken else "nothing was resting there"
        answers.append(OrderAnswer(number=order.number, carried_out=True, says=says))
        memory = after
    return Woken(memory=memory, answers=tuple(answers))


def _scope(target: str, memory: Memory, rules: Mapping[PoolName, PoolRules]) -> _Scope | None:
    """What the target names, None if nothing. A pool stands for all that may keep it from buying."""
    bought = [offer for pool in rules.values() for offer in pool.offers]
    accounts = {offer.provider for offer in bought} | {
        *memory.account_rests,
        *memory.troubles,
        *memory.quotas,
    }
    if target == EVERYTHING:
        offers = {offer.name for offer in bought} | {*memory.offer_rests}
        return _Scope(accounts=frozenset(accounts), offers=frozenset(offers), pools=frozenset(rules))
    pool = rules.get(PoolName(target))
    named = [o for o in bought if target in {o.provider, o.name}] + list(pool.offers if pool else ())
    reached = {a for a in accounts if a == target} | {o.provider for o in (pool.offers if pool else ())}
    if not named and not reached and pool is None:
        return None
    return _Scope(
        accounts=frozenset(reached),
        offers=frozenset(offer.name for offer in named),
        pools=frozenset({pool.name} if pool else ()),
    )


def _without(memory: Memory, scope: _Scope, rules: Mapping[PoolName, PoolRules]) -> Memory:
    keys = scope.offers | {for_pool(offer, pool) for offer in scope.offers for pool in rules}
    trusted = {
        name: tuple(dict.fromkeys((*known, *rules[name].becomes.values()))) if name in scope.pools else known
        for name, known in memory.proven.items()
        if name in rules
    }
    return replace(
        memory,
        offer_rests={name: rest for name, rest in memory.offer_rests.items() if name not in keys},
        account_rests={a: rest for a, rest in memory.account_rests.items() if a not in scope.accounts},
        troubles={a: trouble for a, trouble in memory.troubles.items() if a not in scope.accounts},
        quotas={a: full for a, full in memory.quotas.items() if a not in scope.accounts},
        proven=trusted,
    )


def _resting(memory: Memory) -> set[str]:
    return {*memory.offer_rests, *memory.account_rests, *memory.troubles, *memory.quotas}
