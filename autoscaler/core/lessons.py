"""What a tick teaches: answers and enrolments taken into the memory, and an operator's word about it obeyed.

In go the snapshot and the moves that the world made, out come the memory and the answers to those who ordered. Records
of nodes are not touched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from autoscaler.core import (
    accounts,
    canary,
    drains,
    enrolment,
    holdings,
    measuring,
    offers,
    patience,
    preference,
    quotas,
    rations,
    residency,
    waking,
)
from autoscaler.core.facts import Missing, Snapshot
from autoscaler.core.model import FleetRules, PoolName, PoolRules, Transition
from autoscaler.core.reports import Boot
from autoscaler.core.waking import Woken
from providers.contract import Listing, NodeName, ProviderName


def learn(
    snapshot: Snapshot,
    told: tuple[Transition, ...],
    rules: Mapping[PoolName, PoolRules],
    clocks: Mapping[str, float],
    fleet: FleetRules,
    booting: Mapping[NodeName, Boot],
) -> Woken:
    """The memory after this tick's facts, but for strangers and what the plan adds. `booting` is what is known of the
    boots under way."""
    memory = accounts.remember(snapshot, offers.remember(snapshot))
    memory = quotas.remember(snapshot, memory)
    memory = enrolment.learn(snapshot, booting, told, rules, memory)
    memory = offers.after_enrolments(memory, told, snapshot.nodes)
    memory = canary.learn(memory, told, snapshot.nodes, rules)
    memory = offers.after_changes(memory, rules, snapshot.at)
    learned = patience.learn(snapshot, told, rules, clocks)
    memory = replace(
        memory,
        at=snapshot.at,
        clocks=clocks,
        good_looks=_good_looks(snapshot),
        traffic=measuring.traffic(snapshot, told, rules, fleet),
        boots=measuring.boots_by_offer(snapshot, told, rules, patience.renewed(snapshot.memory, learned)),
        learned=learned,
        delivered=preference.delivered(snapshot, rules),
        bought={pool: name for pool, name in memory.bought.items() if pool in rules},
        drains=drains.watch(snapshot, told),
        holdings=holdings.learn(snapshot, clocks),
        held_by_broker=holdings.held_by_broker(snapshot),
        rate_limits=rations.remember(snapshot),
        seen=_seen(snapshot),
    )
    woken = waking.wake(snapshot.orders, memory, rules)
    # After everything that lets an offer be asked again: a machine that stands elsewhere outlasts an operator's word.
    return replace(woken, memory=residency.watch(snapshot, woken.memory, rules, fleet))


def _good_looks(snapshot: Snapshot) -> dict[PoolName, int]:
    before = snapshot.memory.good_looks
    return {
        pool: 0 if isinstance(demand, Missing) else before.get(pool, 0) + 1
        for pool, demand in snapshot.demand.items()
    }


def _seen(snapshot: Snapshot) -> tuple[ProviderName, ...]:
    now = [name for name, seen in snapshot.listings.items() if isinstance(seen, Listing) and seen.complete]
    return tuple(dict.fromkeys([*snapshot.memory.seen, *now]))
