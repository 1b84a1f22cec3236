"""Machines of different sizes in one pool: one with twice the slots counts as two workers, in every number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import invariants, supply
from autoscaler.core.facts import Memory, Stranger
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, DrainNode, FleetRules, Node, OfferOrder, PoolRules
from autoscaler.core.money import allowances
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from policies.contract import Limits
from tests.unit.core.builders import (
    AT,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_demand,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    an_instance,
    heard,
    rules,
    wanted,
)

LARGE = replace(OFFER, size="l", price_per_h=0.3)


def mixed(*offers: Any, most: int = 20, **fields: Any) -> PoolRules:
    """A pool whose usual machine has two slots, and whose large one has eight: four workers."""
    return a_pool(
        offers=offers or (LARGE, OFFER), own_slots={LARGE.name: 8}, limits=Limits(max_workers=most), **fields
    )


def a_large(name: str, **fields: Any) -> Node:
    return a_node(name, offer=LARGE, slots=8, **fields)


def actions(workers: int, *nodes: Node, pool: PoolRules | None = None, **fields: Any) -> list[Any]:
    """What a plan for so many workers does."""
    pool = pool or mixed()
    snapshot = a_snapshot(*nodes, **fields)
    reconciled = reconcile(snapshot, rules(pool), FLEET)
    decision = wanted(workers, pool=pool, demand=a_demand(5))
    made = plan(snapshot, reconciled, {POOL: decision}, rules(pool), FLEET)
    invariants.check(snapshot, reconciled, made, rules(pool), FLEET)
    return list(made.actions)


def sizes(found: list[Any]) -> list[str]:
    return [action.offer.size for action in found if isinstance(action, CreateNode)]


def test_a_machine_counts_as_the_workers_that_it_could_be() -> None:
    """By its own record: a large machine stays large when its offer is configured no more."""
    pool = mixed()

    assert [4, 1] == [pool.counts_as(a_large("n1")), pool.counts_as(a_node("n2"))]
    assert 4 == mixed(OFFER).counts_as(a_large("n1"))
    assert 4 == a_pool(offers=(OFFER,)).counts_as(a_large("n1"))


def test_where_the_pools_slots_were_changed_each_machine_counts_as_one_as_before() -> None:
    """Halving them must not double the fleet that is counted, and drain half of it."""
    assert 1 == a_pool(slots=1).counts_as(a_node(slots=2))
    assert 1 == a_pool(slots=4).counts_as(a_node(slots=2))


def test_supply_is_told_in_workers_of_the_pools_slots() -> None:
    """So slots are right in all: every policy multiplies workers by slots."""
    pool = mixed()
    nodes = [
        a_large("n1"),
        a_node("n2"),
        a_large("n3", state=NodeState.BOOTING, ordered_at=AT - 60),
        a_large("n4", state=NodeState.DRAINING),
        a_node("n5", state=NodeState.LOST),
    ]

    found = supply.supply(nodes, pool.slots, a_snapshot(*nodes), pool.counts_as)

    assert (5, 4, 4, 1, 2) == (found.serving, found.arriving, found.leaving, found.lost, found.slots)
    assert (60.0,) * 4 == found.arriving_for_s


@pytest.mark.parametrize(
    ("workers", "bought"), [(4, ["l"]), (8, ["l", "l"]), (9, ["l", "l", "l"]), (1, ["l"])]
)
def test_listed_first_a_large_machine_is_bought_for_the_workers_it_is(
    workers: int, bought: list[str]
) -> None:
    """The rest of what is wanted is bought of it too, as the operator listed it first."""
    assert bought == sizes(actions(workers))


@pytest.mark.parametrize(
    ("workers", "bought"),
    [(1, ["s"]), (2, ["s", "s"]), (3, ["l"]), (4, ["l"]), (5, ["l", "s"]), (8, ["l", "l"])],
)
def test_by_price_a_large_machine_is_bought_only_for_what_of_it_is_wanted(
    workers: int, bought: list[str]
) -> None:
    """A large one costs three small ones and is worth four, if four are wanted; three cost the same."""
    pool = mixed(offer_order=OfferOrder.PRICE, offer_margin=0.0)

    assert bought == sizes(actions(workers, pool=pool))


def test_the_record_of_a_large_machine_has_its_slots() -> None:
    """Its worker is started with as many, and stalls and hands are judged by them."""
    pool = mixed()
    snapshot = a_snapshot()
    reconciled = reconcile(snapshot, rules(pool), FLEET)
    made = plan(snapshot, reconciled, {POOL: wanted(4, pool=pool)}, rules(pool), FLEET)

    assert [8] == [node.slots for node in made.nodes]


def test_the_ceiling_is_in_workers_and_leaves_room_for_a_small_one() -> None:
    """A large machine that would pass it is not bought, and the next offer is asked."""
    assert ["l", "s", "s"] == sizes(actions(8, pool=mixed(most=6)))


def test_a_large_machine_without_a_record_takes_the_room_that_it_is_likely_to_take() -> None:
    """By the offer it was most likely bought by."""
    stranger = Stranger(provider=CLOUD, instance=an_instance("n9", size="l"), since_on=0.0)
    memory = replace(a_snapshot().memory, strangers=(stranger,))
    listings = {CLOUD: replace(a_snapshot().listings[CLOUD], instances=(an_instance("n9", size="l"),))}  # type: ignore[type-var]

    found = sizes(actions(8, pool=mixed(most=6), memory=memory, listings=listings))

    assert ["s", "s"] == found


def drained(found: list[Any]) -> list[str]:
    return [action.node for action in found if isinstance(action, DrainNode)]


def test_a_large_machine_leaves_only_when_all_that_it_is_is_too_many() -> None:
    """Else the pool would be short, and buy again."""
    nodes = (a_large("n1", ordered_at=AT - 9_000), a_node("n2"), a_node("n3"))
    after_a_tick = {"sightings": heard(*(a_sighting(n.machine) for n in nodes))}
    told = [
        sorted(n.name for n in _left(workers, nodes, after_a_tick) if n.state is NodeState.DRAINING)
        for workers in (6, 5, 3, 2, 1)
    ]

    assert [[], ["n2"], ["n2", "n3"], ["n1"], ["n1", "n2"]] == told


def _left(workers: int, nodes: tuple[Node, ...], seen: dict[str, Any]) -> tuple[Node, ...]:
    pool = mixed()
    snapshot = a_snapshot(*nodes, **seen)
    reconciled = reconcile(snapshot, rules(pool), FLEET)
    decision = wanted(workers, pool=pool, demand=a_demand(5))
    return plan(snapshot, reconciled, {POOL: decision}, rules(pool), FLEET).nodes


def test_a_large_machine_that_leaves_is_taken_back_for_what_it_is() -> None:
    """One is enough for three workers, and nothing is bought beside it."""
    leaving = (
        a_large("n1", state=NodeState.DRAINING, entered_at=AT - 10),
        a_large("n2", state=NodeState.DRAINING, entered_at=AT - 90),
    )

    nodes = _left(3, leaving, {})

    assert [("n1", NodeState.READY), ("n2", NodeState.DRAINING)] == [(n.name, n.state) for n in nodes]


def test_a_months_money_pays_on_for_the_workers_that_its_machines_are() -> None:
    """Of two large machines and a small one it pays for the small one and a large: five workers, not two."""
    nodes = (a_large("n1"), a_large("n2", ordered_at=AT - 9_000), a_node("n3"))
    fleet = FleetRules(name="shop")

    def paid(most: float) -> int | None:
        pool = replace(mixed(), limits=Limits(max_workers=20, max_cost_per_month=most))
        found = allowances(nodes, Memory(), rules(pool), fleet, AT)
        return found[POOL].workers if found else None

    assert {0, 1, 5, None} == {paid(cents / 100) for cents in range(10, 300, 5)}


def test_offers_alike_in_slots_are_bought_as_before() -> None:
    """No number changes for a pool without large machines."""
    pool = a_pool(offers=(OFFER, SECOND_OFFER), limits=Limits(max_workers=9))

    assert ["s", "s", "s"] == sizes(actions(3, pool=pool))
