"""A pool that buys at several accounts goes on at those that are seen, once each was seen by this daemon."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Missing, listing_clock
from autoscaler.core.lessons import learn
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, Plan
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import Reconciled
from policies.contract import Limits
from providers.contract import ProviderName
from tests.unit.core.builders import (
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    a_listing,
    a_node,
    a_pool,
    a_snapshot,
    rules,
    wanted,
)

SECOND = ProviderName("second")
ELSEWHERE = replace(OFFER, provider=SECOND)
BLIND = Missing(why="no answer within 5 s")
BOTH = (CLOUD, SECOND)


def planned(seen: tuple[ProviderName, ...], *, most: int = 9, nodes: int = 0, **listings: object) -> Plan:
    """Three more are wanted by a pool with an offer at each of two accounts, the first of which is blind."""
    known = tuple(a_node(f"n{i}", NodeState.CREATING, entered_on=5_000.0) for i in range(nodes))
    shown = {CLOUD: BLIND, SECOND: a_listing()} | {ProviderName(k): v for k, v in listings.items()}
    snapshot = a_snapshot(*known, listings=shown)
    memory = Memory(clocks={**CLOCKS, listing_clock(SECOND): 5_000.0}, seen=seen)
    reconciled = Reconciled(nodes=known, transitions=(), memory=memory)
    pool = a_pool(limits=Limits(max_workers=most), offers=(OFFER, ELSEWHERE))
    return plan(snapshot, reconciled, {POOL: wanted(nodes + 3, pool=pool)}, rules(pool), FLEET)


def bought(made: Plan) -> list[ProviderName]:
    return [action.offer.provider for action in made.actions if isinstance(action, CreateNode)]


def test_the_account_that_is_seen_is_bought_at() -> None:
    """That is what a second account is for."""
    assert [SECOND] * 3 == bought(planned(BOTH))


def test_machines_at_the_blind_account_count_on() -> None:
    """The ceiling holds for all: what was ordered there may stand."""
    made = planned(BOTH, most=5, nodes=3)

    assert [SECOND] * 2 == bought(made)
    assert "the machines at cloud cannot be seen" in made.remarks[0][1]


@pytest.mark.parametrize("seen", [(), (SECOND,)])
def test_before_each_was_seen_once_nothing_is_bought(seen: tuple[ProviderName, ...]) -> None:
    """A journal from an old copy does not know what stands where nobody has looked."""
    made = planned(seen)

    assert [] == bought(made)
    assert "not buying while the machines at cloud cannot be seen" in made.remarks[0][1]


def test_where_none_is_seen_nothing_is_bought() -> None:
    """However well they were known."""
    made = planned(BOTH, second=a_listing(complete=False))

    assert [] == bought(made)
    assert "not buying" in made.remarks[0][1]


def test_an_account_is_seen_by_a_complete_listing_alone() -> None:
    """And stays so, whatever it shows later."""
    fleet, pool = FLEET, a_pool()
    first = a_snapshot(listings={CLOUD: a_listing(), SECOND: a_listing(complete=False)})
    learnt = learn(first, (), rules(pool), {}, fleet, {}).memory
    later = a_snapshot(listings={CLOUD: BLIND, SECOND: BLIND}, memory=learnt)

    assert ((CLOUD,), (CLOUD,)) == (learnt.seen, learn(later, (), rules(pool), {}, fleet, {}).memory.seen)
