"""A full account: what it held is remembered, and it is asked again as soon as there is room, or seldom."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core import quotas
from autoscaler.core.facts import CallKind, Memory, Outcome, OutcomeKind, RestKind, Stranger
from autoscaler.core.held_back import look
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import CreateNode, Node, Order, OrderKind
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.core.waking import wake
from policies.contract import Limits
from providers.contract import ProviderName
from tests.unit.core.builders import (
    AT,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_listing,
    a_node,
    a_pool,
    a_snapshot,
    an_instance,
    rules,
    wanted,
)

OTHER = ProviderName("other")
ELSEWHERE = replace(OFFER, provider=OTHER)
ASKED = a_node("n9", state=NodeState.CREATING, ordered_at=AT - 5)


def answer(node: Node, kind: OutcomeKind, at: float = AT) -> Outcome:
    return Outcome(node=node.name, call=CallKind.CREATE, kind=kind, at=at, says="limit reached")


def full_with(*there: Node, memory: Memory | None = None, at: float = AT, asked: Node = ASKED) -> Memory:
    """The memory after an order was refused for want of quota while these machines were there."""
    told = answer(asked, OutcomeKind.QUOTA_REFUSED, at)
    snapshot = a_snapshot(*there, asked, at=at, outcomes=(told,), memory=memory or Memory())
    return quotas.remember(snapshot, snapshot.memory)


def test_what_an_account_held_when_it_was_full_is_remembered() -> None:
    """Without the order that it refused."""
    memory = full_with(a_node("n1"), a_node("n2"))

    assert 2 == memory.quotas[CLOUD].held
    assert (RestKind.QUOTA, AT + 30) == (memory.quotas[CLOUD].rest.kind, memory.quotas[CLOUD].rest.until_at)


def test_as_many_are_ordered_as_were_given_back_and_no_more() -> None:
    """Of whatever pool and in whatever state: all of them are the account's."""
    memory = full_with(a_node("n1"), a_node("n2"))
    full = (a_node("n1"), a_node("n2", state=NodeState.DESTROYING))

    assert 0 == quotas.room(CLOUD, memory, full, AT + 1)
    assert 1 == quotas.room(CLOUD, memory, full[:1], AT + 1)
    assert 0 == quotas.room(CLOUD, memory, (*full[:1], a_node("n3", state=NodeState.CREATING)), AT + 1)
    assert quotas.room(OTHER, memory, full, AT + 1) is None


def test_after_its_rest_one_machine_more_is_tried() -> None:
    """And no second one while the first is not answered for."""
    memory = full_with(a_node("n1"))

    assert 1 == quotas.room(CLOUD, memory, (a_node("n1"),), AT + 30)
    assert 0 == quotas.room(CLOUD, memory, (a_node("n1"), ASKED), AT + 30)


def test_a_machine_without_a_record_takes_a_place_too() -> None:
    """The account counts what stands."""
    stranger = Stranger(provider=CLOUD, instance=an_instance("n7"), since_on=0.0)
    memory = full_with(a_node("n1"), memory=Memory(strangers=(stranger,)))

    assert 2 == memory.quotas[CLOUD].held
    assert 0 == quotas.room(CLOUD, memory, (a_node("n1"),), AT + 1)


def test_each_refusal_in_a_row_doubles_the_rest_up_to_half_an_hour() -> None:
    """An account is not asked every tick for what it has not."""
    memory, rests, at = full_with(), [], AT
    for _ in range(8):
        rests.append(memory.quotas[CLOUD].rest.until_at - at)
        at = memory.quotas[CLOUD].rest.until_at
        memory = full_with(memory=memory, at=at, asked=replace(ASKED, ordered_at=at))

    assert [30, 60, 120, 240, 480, 960, 1800, 1800] == rests


def test_a_burst_that_meets_a_full_account_is_one_refusal() -> None:
    """What was ordered before the rest began says nothing new."""
    once = full_with()

    assert once == full_with(memory=once, at=AT + 1)


def test_an_account_that_holds_more_than_it_said_is_full_no_more() -> None:
    """The machine that was tried after the rest came; while it rests the number is only corrected."""
    memory = full_with(a_node("n1"))
    two = (a_node("n1"), a_node("n2"))

    resting = quotas.remember(a_snapshot(*two, at=AT + 10, memory=memory), memory)
    over = quotas.remember(a_snapshot(*two, at=AT + 31, memory=memory), memory)

    assert 2 == resting.quotas[CLOUD].held
    assert {} == over.quotas


def test_a_full_account_is_forgotten_a_day_after() -> None:
    """And no step of the wall clock makes a rest longer than half an hour."""
    memory = full_with(a_node("n1"))

    later = quotas.remember(a_snapshot(a_node("n1"), at=AT + 90_000, memory=memory), memory)
    set_back = quotas.remember(a_snapshot(a_node("n1"), at=AT - 90_000, memory=memory), memory)

    assert {} == later.quotas
    assert AT - 90_000 + 1800 == set_back.quotas[CLOUD].rest.until_at


def test_the_next_account_serves_within_the_same_plan() -> None:
    """Other offers of the full one are not asked one after another."""
    memory = replace(full_with(a_node("n1")), clocks={})
    pool = a_pool(offers=(OFFER, SECOND_OFFER, ELSEWHERE), limits=Limits(max_workers=9))
    listings = {CLOUD: a_listing("n1"), OTHER: a_listing()}
    snapshot = a_snapshot(a_node("n1"), at=AT + 1, memory=memory, listings=listings)
    reconciled = reconcile(snapshot, rules(pool), FLEET)
    made = plan(snapshot, reconciled, {POOL: wanted(3, pool=pool)}, rules(pool), FLEET)

    assert [OTHER, OTHER] == [a.offer.provider for a in made.actions if isinstance(a, CreateNode)]


def test_it_is_shown_and_an_operators_word_ends_it() -> None:
    """Whoever had the quota raised need not wait."""
    memory = full_with(a_node("n1"))
    (held,) = look(memory, AT + 1)
    order = Order(number=1, kind=OrderKind.WAKE, target=CLOUD, given_at=AT, given_by="kari")

    assert ("quota", CLOUD, f"autoscaler wake {CLOUD}") == (held.kind, held.subject, held.by_hand)
    assert "cloud is full: limit reached" == held.why
    assert {} == wake((order,), memory, rules()).memory.quotas
