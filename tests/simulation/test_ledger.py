"""What both journals of simulated lives promise: the one in memory keeps the rules of the real one."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import OrderAnswer, OrderKind, PoolName, PoolWish
from autoscaler.journal import JournalUnavailable
from autoscaler.simulate.ledger import Durable, Ledger, Shared
from policies.prospect import Slice
from tests.unit.journal.records import IMAGES, a_decision, a_node, a_tick


@pytest.fixture(params=[Ledger, Durable])
def shared(request: pytest.FixtureRequest) -> Iterator[Shared]:
    opened: Shared = request.param()
    yield opened
    opened.close()


def test_live_nodes_come_back_by_name_without_those_that_are_gone(shared: Shared) -> None:
    """GONE is nothing; all else is there, in one order."""
    journal = shared.claim()
    journal.commit(a_tick(new_nodes=(a_node("b"), a_node("c"), a_node("a"))))
    journal.commit(a_tick(changed_nodes=(a_node("c", state=NodeState.GONE),)))

    assert (a_node("a"), a_node("b")) == journal.live_nodes()


@pytest.mark.parametrize("state", list(NodeState))
def test_a_name_is_used_once_ever(shared: Shared, state: NodeState) -> None:
    """The name is the key of a creation, and the record that orders it again is refused whole."""
    journal = shared.claim()
    journal.commit(a_tick(new_nodes=(a_node(),)))
    journal.commit(a_tick(changed_nodes=(a_node(state=state),)))
    before = journal.live_nodes()

    with pytest.raises(JournalUnavailable):
        journal.commit(a_tick(new_nodes=(a_node("new"), a_node())))

    assert before == journal.live_nodes()


def test_a_node_without_a_live_record_cannot_change(shared: Shared) -> None:
    """GONE is final, and nothing is known that was not ordered."""
    journal = shared.claim()

    with pytest.raises(JournalUnavailable):
        journal.commit(a_tick(changed_nodes=(a_node(),)))


def test_who_lost_the_lease_writes_nothing(shared: Shared) -> None:
    """A stopped daemon that wakes finds another's epoch."""
    old, new = shared.claim(), shared.claim()

    with pytest.raises(JournalUnavailable):
        old.commit(a_tick(new_nodes=(a_node(),)))

    assert () == new.live_nodes()


def test_the_past_begins_with_the_decision_that_still_stood(shared: Shared) -> None:
    """Windows reach back to what was wanted when they began."""
    journal = shared.claim()
    for at in (1000.0, 1010.0, 1020.0, 1030.0):
        journal.commit(a_tick(at=at, decisions=(a_decision(at=at),)))

    assert [1010.0, 1020.0, 1030.0] == [past.at for past in journal.past(1015.0)[IMAGES]]


def test_the_past_after_the_wall_clock_was_set_back_is_in_order_of_time(shared: Shared) -> None:
    """Each decision is judged by its own time, and the last written of those before stands."""
    journal = shared.claim()
    for at in (2000.0, 2010.0, 1000.0, 1010.0):
        journal.commit(a_tick(at=at, decisions=(a_decision(at=at),)))

    assert [1000.0, 1010.0, 2000.0, 2010.0] == [past.at for past in journal.past(1005.0)[IMAGES]]


def test_orders_wait_for_their_answer_and_wishes_and_memory_stand(shared: Shared) -> None:
    """What a tick hands to the next."""
    journal = shared.claim()
    shared.give(OrderKind.DRAIN, "images-1", 1.0, workers=None, until_at=None, force=False)
    shared.give(OrderKind.HOLD, "images", 2.0, workers=3, until_at=60.0, force=False)
    first, second = journal.waiting_orders()
    wish, memory = PoolWish(pool=IMAGES, paused=True), Memory(clocks={"sightings": 5.0})
    answer = OrderAnswer(number=first.number, carried_out=True, says="drained")
    journal.commit(a_tick(answers=(answer,), wishes=(wish,), memory=memory))

    assert ((second,), {IMAGES: wish}, memory) == (
        journal.waiting_orders(),
        dict(journal.wishes()),
        journal.memory(),
    )


def test_slices_are_added_up_and_read_by_time(shared: Shared) -> None:
    """The past of each pool by itself, the end excluded, oldest first."""
    journal = shared.claim()
    for at in (1200.0, 900.0, 900.0):
        journal.commit(a_tick(slices={IMAGES: Slice(since_at=at, arrived=2.0, looked_s=10.0)}))

    assert [(900.0, 4.0, 20.0)] == [
        (of.since_at, of.arrived, of.looked_s) for of in journal.slices(IMAGES, 0.0, 1200.0)
    ]
    assert () == journal.slices(PoolName("mails"), 0.0, 9e9)


def test_a_restored_ledger_knows_nothing_of_what_was_written_since() -> None:
    """As a file from a backup: neither records nor answers nor used names; the lease goes on."""
    ledger = Ledger()
    journal = ledger.claim()
    ledger.give(OrderKind.DRAIN, "images-1", 1.0, workers=None, until_at=None, force=False)
    journal.commit(a_tick(new_nodes=(a_node("a"),)))
    ledger.back_up()
    answer = OrderAnswer(number=1, carried_out=True, says="drained")
    journal.commit(
        a_tick(new_nodes=(a_node("b"),), answers=(answer,), memory=Memory(clocks={"sightings": 5.0}))
    )

    assert ledger.restore(random.Random(1))
    assert ((a_node("a"),), 1) == (journal.live_nodes(), len(journal.waiting_orders()))
    assert journal.holds_lease()
    journal.commit(a_tick(new_nodes=(a_node("b"),)))
    assert not ledger.restore(random.Random(1)), "a copy is restored once"
