"""Which offer is asked first: as listed, or by what work costs there; and the last one while none is clearly better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import preference, remembering
from autoscaler.core.facts import CallKind, Memory, Missing, Outcome, OutcomeKind
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, Offer, OfferOrder, PoolRules
from autoscaler.core.offers import for_pool, remember, stock_left
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.core.remarks import by_pool
from policies.contract import Limits, Span
from tests.unit.core.builders import (
    AT,
    FLEET,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    heard,
    rules,
    wanted,
)

DEAR = replace(OFFER, price_per_h=0.2)
CHEAP = replace(SECOND_OFFER, price_per_h=0.1)
LARGE = replace(OFFER, size="l", price_per_h=0.3)
KEY, SECOND_KEY = for_pool(OFFER.name, POOL), for_pool(SECOND_OFFER.name, POOL)


def by_price(*offers: Offer, **fields: Any) -> PoolRules:
    return a_pool(offers=offers, offer_order=OfferOrder.PRICE, limits=Limits(max_workers=20), **fields)


def ordered(pool: PoolRules, memory: Memory | None = None) -> list[str]:
    return [f"{o.location} {o.size}" for o in preference.in_order(pool.offers, pool, memory or Memory())]


def test_listed_offers_are_asked_as_they_are_listed() -> None:
    """Whatever they cost, and whatever was bought last."""
    pool = a_pool(offers=(DEAR, CHEAP))

    assert ["osl s", "sto s"] == ordered(pool, Memory(bought={POOL: CHEAP.name}))


def test_by_price_the_cheapest_is_asked_first_and_of_equals_the_first_listed() -> None:
    """The order in the file settles what the price does not."""
    assert ["sto s", "osl s"] == ordered(by_price(DEAR, CHEAP))
    assert ["osl s", "sto s"] == ordered(by_price(OFFER, SECOND_OFFER))
    assert ["sto s", "osl s"] == ordered(by_price(SECOND_OFFER, OFFER))


def test_what_is_compared_is_the_price_of_a_slot() -> None:
    """A machine three times as dear with eight slots in place of two is the cheaper one."""
    assert ["osl l", "sto s"] == ordered(by_price(CHEAP, LARGE, own_slots={LARGE.name: 8}))
    assert ["sto s", "osl l"] == ordered(by_price(CHEAP, LARGE))


@pytest.mark.parametrize(("dearer", "stays"), [(0.05, True), (0.1, True), (0.11, False), (1.0, False)])
def test_the_last_one_bought_stays_first_while_it_is_not_dearer_by_more_than_the_margin(
    dearer: float, stays: bool
) -> None:
    """A fleet does not scatter for a tenth of a price; for more it moves."""
    pool = by_price(CHEAP, replace(OFFER, price_per_h=0.1 * (1 + dearer)))

    assert stays == (ordered(pool, Memory(bought={POOL: OFFER.name}))[0] == "osl s")


def delivered(first: float, second: float, amount: float = 1000.0) -> Memory:
    """Tasks begun by a busy slot in a second, of each of the two offers."""
    return Memory(
        delivered={
            KEY: Span(seconds=amount / first, amount=amount),
            SECOND_KEY: Span(seconds=amount / second, amount=amount),
        }
    )


def test_a_slot_that_does_twice_the_work_may_cost_more() -> None:
    """Measured where both are known; by slots alone where one is not, or has begun too few tasks."""
    pool = by_price(replace(OFFER, price_per_h=0.15), CHEAP)

    assert ["osl s", "sto s"] == ordered(pool, delivered(2.0, 1.0))
    assert ["sto s", "osl s"] == ordered(pool, delivered(1.2, 1.0))
    assert ["sto s", "osl s"] == ordered(pool, delivered(2.0, 1.0, amount=50.0))
    assert ["sto s", "osl s"] == ordered(pool, Memory(delivered={KEY: Span(seconds=10.0, amount=1e6)}))


def test_no_offer_is_taken_to_be_more_than_four_times_as_fast() -> None:
    """What was measured may be a strange hour."""
    pool = by_price(OFFER, SECOND_OFFER)
    memory = Memory(delivered={KEY: Span(seconds=1.0, amount=1e5), SECOND_KEY: Span(seconds=1e5, amount=1e3)})

    assert 4.0 == preference.speed(OFFER, pool, memory)
    assert 0.25 == preference.speed(SECOND_OFFER, pool, memory)


def test_speed_is_measured_by_the_workers_own_word_while_they_are_busy() -> None:
    """Seconds of busy slots, and the tasks begun in them; idle, unheard and leaving ones tell nothing."""
    nodes = [
        a_node("n1"),
        a_node("n2"),
        a_node("n3", offer=SECOND_OFFER),
        a_node("n4", state=NodeState.DRAINING),
    ]
    said = heard(
        a_sighting("n1", active=2, processed_per_s=0.5),
        a_sighting("n2", active=0, processed_per_s=0.0),
        a_sighting("n4", active=2, processed_per_s=0.5),
    )
    before = Memory(delivered={KEY: Span(seconds=100.0, amount=20.0)})
    snapshot = a_snapshot(*nodes, sightings=said, memory=before)
    deaf = replace(snapshot, sightings=Missing(why="down"))

    assert {KEY: Span(seconds=120.0, amount=25.0)} == preference.delivered(snapshot, rules())
    assert before.delivered == preference.delivered(deaf, rules())
    assert {} == preference.delivered(snapshot, rules(a_pool(offers=())))


def test_a_speed_fades_so_that_new_hardware_is_seen() -> None:
    """Four hours of busy slots count, whatever there was before."""
    before = Memory(delivered={KEY: Span(seconds=14_400.0, amount=14_400.0)})
    said = heard(a_sighting("n1", active=2, processed_per_s=0.0))

    (span,) = preference.delivered(a_snapshot(a_node(), sightings=said, memory=before), rules()).values()

    assert span.seconds == 14_400.0
    assert 14_350.0 < span.amount < 14_400.0


def test_what_was_bought_last_is_remembered_with_the_tick() -> None:
    """A restart does not scatter a fleet either."""
    pool = by_price(DEAR, CHEAP)
    snapshot = a_snapshot()
    reconciled = reconcile(snapshot, rules(pool), FLEET)
    made = plan(snapshot, reconciled, {POOL: wanted(1, pool=pool)}, rules(pool), FLEET)

    memory = remembering.after(snapshot, reconciled, made, rules(pool), FLEET)

    assert {POOL: CHEAP.name} == memory.bought


def refused(at: float = AT) -> Memory:
    node = a_node("n9", state=NodeState.CREATING, ordered_at=at - 5)
    told = Outcome(node=node.name, call=CallKind.CREATE, kind=OutcomeKind.CAPACITY_REFUSED, at=at, says="no")
    return remember(a_snapshot(node, outcomes=(told,), at=at, memory=Memory()))


def test_stock_that_was_empty_is_tried_with_one_machine_while_another_offer_serves() -> None:
    """The next refusal costs one machine's tick and not that of all."""
    pool = a_pool(limits=Limits(max_workers=9))
    snapshot = a_snapshot(at=AT + 31, memory=replace(refused(), clocks={}))
    reconciled = reconcile(snapshot, rules(pool), FLEET)
    made = plan(snapshot, reconciled, {POOL: wanted(4, pool=pool)}, rules(pool), FLEET)

    places = [a.offer.location for a in made.actions if isinstance(a, CreateNode)]
    assert ["osl", "sto", "sto", "sto"] == places
    assert () == by_pool(made.remarks)[POOL]


def test_the_first_order_that_is_taken_ends_the_trial() -> None:
    """One that was given before the rest was over proves nothing: of a burst the last ones are refused."""
    memory = refused()
    for ordered_at, ends in ((AT + 29, False), (AT + 30, True)):
        node = a_node("n8", state=NodeState.CREATING, ordered_at=ordered_at)
        told = Outcome(node=node.name, call=CallKind.CREATE, kind=OutcomeKind.DONE, at=AT + 31)
        after = remember(a_snapshot(node, outcomes=(told,), at=AT + 31, memory=memory))
        assert (stock_left(OFFER, after, ()) is None) is ends
