"""What the daemon remembers from one tick to the next."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from autoscaler.core.facts import Bills, Memory, Rest, Stranger
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import ConsumerOrder, OfferName, OrderAnswer, OrderKind, PoolName, PoolWish
from autoscaler.journal import Journal, JournalUnavailable, LeaseHeld, LeaseLost, open_journal, orders, read
from policies.contract import Past
from providers.contract import Instance, InstanceId, InstanceState, NodeName, ProviderName
from tests.unit.journal.records import (
    IMAGES,
    a_decision,
    a_node,
    a_sample,
    a_tick,
    a_transition,
    a_whole_tick,
)


def test_a_node_comes_back_as_it_was_written(journal: Journal) -> None:
    """Every field of a record survives, in each state of its life."""
    new = a_node()
    changed = replace(
        new,
        state=NodeState.DRAINING,
        instance_id=InstanceId("i-1"),
        instance_created_at=1001.5,
        enrolled_at=1060.25,
        missing_on=7.0,
        worker_pid=4711,
        consumer_order=ConsumerOrder.CANCEL,
        confirmed_on=1100.0,
        stop_due=True,
        stopped_at=1200.0,
        destroy_asks=3,
        next_ask_at=1300.0,
    )
    journal.commit(a_tick(new_nodes=(new,)))

    assert (new,) == journal.live_nodes()

    journal.commit(a_tick(changed_nodes=(changed,)))

    assert (changed,) == journal.live_nodes()


@pytest.mark.parametrize("state", list(NodeState))
def test_a_name_is_used_once_ever(journal: Journal, state: NodeState) -> None:
    """The name is the key of a creation: a second record of that name, even after a GONE one, fails the whole tick."""
    journal.commit(a_tick(new_nodes=(a_node(),)))
    journal.commit(a_tick(changed_nodes=(a_node(state=state),)))

    with pytest.raises(JournalUnavailable, match=f"images-1.*used before.*{state.value}"):
        journal.commit(a_tick(2000.0, new_nodes=(a_node("images-2"), a_node())))
    assert 1000.0 == read.last_tick_at(journal)
    assert () == read.nodes(journal, name=NodeName("images-2"))


def test_two_new_nodes_of_one_name_fail_the_tick(journal: Journal) -> None:
    """Also within one record."""
    with pytest.raises(JournalUnavailable, match="contradicts"):
        journal.commit(a_tick(new_nodes=(a_node(), a_node())))
    assert () == journal.live_nodes()


@pytest.mark.parametrize("known", [True, False])
def test_only_a_live_record_changes(journal: Journal, *, known: bool) -> None:
    """GONE is final, and a change to a node nobody ordered is a programmer's error."""
    if known:
        journal.commit(a_tick(new_nodes=(a_node(state=NodeState.GONE),)))

    with pytest.raises(JournalUnavailable, match="images-1 cannot become ready: it has no live record"):
        journal.commit(a_tick(changed_nodes=(a_node(state=NodeState.READY),), samples=(a_sample(),)))
    assert () == read.samples_between(journal, IMAGES, 0.0, 9e9)


def test_a_failed_commit_writes_nothing(journal: Journal) -> None:
    """What stood before the failing part of a record is taken back with it, and the next commit works."""
    journal.commit(a_whole_tick(1))
    bad = replace(a_whole_tick(2), changed_nodes=(a_node("unheard-of"),))

    with pytest.raises(JournalUnavailable):
        journal.commit(bad)
    assert 1 == len(journal.live_nodes())
    assert {"ticks": 1.0} == journal.memory().clocks

    journal.commit(a_whole_tick(2))

    assert {"ticks": 2.0} == journal.memory().clocks


def test_a_number_too_big_for_the_database_is_refused_whole(journal: Journal) -> None:
    """An odd error of the driver is JournalUnavailable like any other."""
    with pytest.raises(JournalUnavailable):
        journal.commit(a_tick(new_nodes=(a_node(worker_pid=2**70),)))
    with pytest.raises(JournalUnavailable, match="entered_on is not a number"):
        journal.commit(a_tick(new_nodes=(a_node(entered_on=math.nan),)))
    assert () == journal.live_nodes()


def test_odd_text_from_outside_stops_no_tick(journal: Journal) -> None:
    """A provider's message with broken characters is kept, legibly."""
    journal.commit(a_tick(new_nodes=(a_node(reason="no \ud800 quota\0"),)))

    (node,) = journal.live_nodes()
    assert r"no \ud800 quota\x00" == node.reason


def test_memory_survives_whole(journal: Journal) -> None:
    """A restart forgets no clock, no rest, no stranger and no bill."""
    memory = Memory(
        clocks={"sightings": 12.5, "listing:hetzner": 7.0},
        good_looks={IMAGES: 3},
        strangers=(
            Stranger(
                provider=ProviderName("hetzner"),
                instance=Instance(name="old", instance_id=InstanceId("i-9"), state=InstanceState.RUNNING),
                since_on=4.0,
            ),
        ),
        offer_rests={OfferName("a/b/c/d"): Rest(until_at=math.inf, refusals=2, why="no such image")},
        account_rests={ProviderName("hetzner"): Rest(until_at=1100.0, refusals=1, why="throttled")},
        bills=Bills(gone={"2026-11": {IMAGES: 12.25, PoolName("old"): 0.1}}, since_at=900.0),
    )
    assert Memory() == journal.memory()

    journal.commit(a_tick(memory=memory))

    assert memory == journal.memory()


def test_the_past_is_each_pools_decisions_since_then_oldest_first(journal: Journal) -> None:
    """What the stabilization window looks back on, begun by the decision that still stood; none of another pool."""
    for at, wanted in ((5.0, 9), (10.0, 1), (20.0, 2), (30.0, 3)):
        journal.commit(
            a_tick(at, decisions=(a_decision(at=at, wanted=wanted, recommended=None), a_decision("mail", at)))
        )

    past = journal.past(20.0)

    expected = tuple(
        Past(at=at, recommended=None, wanted=wanted, workers=3)
        for at, wanted in ((10.0, 1), (20.0, 2), (30.0, 3))
    )
    assert expected == past[IMAGES]
    assert {"images", "mail"} == set(past)


def test_a_damaged_decision_does_not_hide_the_machines(journal: Journal, url: str) -> None:
    """Each part is read alone: the fleet is known although one document is not legible."""
    journal.commit(a_whole_tick(1))
    for table in ("decisions", "standing"):
        _damage(url, f"UPDATE {table} SET document = '{{\"input\": 3'")

    assert 1 == len(journal.live_nodes())
    assert 1 == len(journal.past(0.0)[IMAGES])
    with pytest.raises(JournalUnavailable, match=r"table decisions for images at 1001\.0"):
        read.last_decisions(journal)


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("UPDATE nodes SET state = 'asleep'", "nodes for images-1"),
        ("UPDATE nodes SET queues = 'images'", "nodes for images-1"),
        ("UPDATE nodes SET slots = -1, ordered_at = 'Infinity', queues = '[3]'", "nodes for images-1"),
    ],
)
def test_a_damaged_node_is_named(journal: Journal, url: str, statement: str, table: str) -> None:
    """Without a whole picture of what is paid for, nothing may be done; the message says which row it is."""
    journal.commit(a_whole_tick(1))
    _damage(url, statement)

    with pytest.raises(JournalUnavailable, match=table):
        journal.live_nodes()


@pytest.mark.parametrize("value", ["ordered_at = 'noon'", "offer_price_per_h = x'00'"])
def test_a_value_of_another_type_in_a_file_is_named(file_url: str, value: str) -> None:
    """SQLite keeps whatever it is given; a server would not."""
    journal = open_journal(file_url)
    journal.commit(a_whole_tick(1))
    _damage(file_url, f"UPDATE nodes SET {value}")

    with pytest.raises(JournalUnavailable, match="nodes for images-1"):
        journal.live_nodes()
    journal.close()


def test_wishes_stand_until_they_are_set_again(journal: Journal) -> None:
    """A tick without a wish for a pool leaves that pool's alone."""
    held = PoolWish(pool=IMAGES, hold_workers=3, hold_until_at=5000.0)
    paused = PoolWish(pool=PoolName("mail"), paused=True)
    journal.commit(a_tick(wishes=(held, paused)))
    journal.commit(a_tick(wishes=(PoolWish(pool=PoolName("mail"), paused=False),)))

    assert {IMAGES: held, "mail": PoolWish(pool=PoolName("mail"), paused=False)} == journal.wishes()


def test_an_order_waits_until_it_is_answered_and_the_first_answer_stands(journal: Journal) -> None:
    """Orders are kept with what became of them; a second answer cannot rewrite the first."""
    first = orders.give(journal, OrderKind.HOLD, "images", by="anna", at=5.0, workers=3, until_at=99.0)
    second = orders.give(journal, OrderKind.DESTROY, "images-1", by="bo", at=6.0, force=True)
    done = OrderAnswer(number=first, carried_out=True, says="held at 3")

    assert [first, second] == [order.number for order in journal.waiting_orders()]

    journal.commit(a_tick(answers=(done,)))
    journal.commit(a_tick(answers=(OrderAnswer(number=first, carried_out=False, says="again"),)))

    (waiting,) = journal.waiting_orders()
    assert (second, OrderKind.DESTROY, "images-1", "bo", True) == (
        waiting.number,
        waiting.kind,
        waiting.target,
        waiting.given_by,
        waiting.force,
    )
    assert done == orders.answer_of(journal, first)
    assert orders.answer_of(journal, second) is None
    assert orders.answer_of(journal, 999) is None
    assert [(second, None), (first, 1000.0)] == [
        (r.order.number, r.answered_at) for r in read.orders(journal)
    ]


def test_purge_forgets_what_ended_and_nothing_that_lives(journal: Journal) -> None:
    """Old GONE nodes, their moves, decisions, samples and answered orders go; live nodes keep their whole story."""
    answered = orders.give(journal, OrderKind.DRAIN, "a", by="anna", at=1.0)
    waiting = orders.give(journal, OrderKind.DRAIN, "b", by="anna", at=1.0)
    journal.commit(
        a_tick(
            50.0,
            new_nodes=(
                a_node("live", entered_at=1.0),
                a_node("ended", entered_at=1.0, state=NodeState.GONE),
                a_node("ended-lately", entered_at=200.0, state=NodeState.GONE),
            ),
            transitions=tuple(a_transition(node, at=1.0) for node in ("live", "ended", "ended-lately")),
            decisions=(a_decision(at=40.0), a_decision(at=50.0), a_decision(at=150.0)),
            samples=(a_sample(at=50.0), a_sample(at=150.0)),
            answers=(OrderAnswer(number=answered, carried_out=True, says="done"),),
            wishes=(PoolWish(pool=IMAGES, paused=True),),
        )
    )

    gone = journal.purge(100.0)

    assert 6 == gone  # one node, two moves, and one each of decisions, samples and orders
    assert 0 == journal.purge(100.0)
    assert {"live", "ended-lately"} == {node.name for node in read.nodes(journal, include_gone=True)}
    assert 1 == len(read.transitions_of(journal, NodeName("live")))
    # That of 50 still stood when what is kept begins.
    assert [50.0, 150.0] == [d.at for d in read.decisions_between(journal, IMAGES, 0.0, 9e9)]
    assert [150.0] == [s.at for s in read.samples_between(journal, IMAGES, 0.0, 9e9)]
    assert [waiting] == [record.order.number for record in read.orders(journal)]
    assert IMAGES in journal.wishes()
    assert 3 == orders.give(journal, OrderKind.DRAIN, "c", by="anna", at=200.0)


def test_readers_find_what_was_written(journal: Journal) -> None:
    """What commands ask for: nodes by filter, a node's life, the decision that held at a time, history."""
    late = a_decision(at=30.0, wanted=1, past=(Past(at=10.0, recommended=5, wanted=4, workers=3),))
    journal.commit(
        a_tick(
            10.0,
            new_nodes=(a_node("a"), a_node("b", pool=PoolName("mail"))),
            decisions=(a_decision(at=10.0),),
        )
    )
    moved = a_transition("a", event=Event.WORKER_SEEN, before=NodeState.BOOTING, after=NodeState.READY)
    born = a_transition("a", event=None, before=None, after=NodeState.CREATING)
    journal.commit(
        a_tick(
            30.0,
            changed_nodes=(
                a_node("a", state=NodeState.READY),
                a_node("b", pool=PoolName("mail"), state=NodeState.GONE),
            ),
            transitions=(born, moved),
            decisions=(late, a_decision("mail", 30.0)),
            samples=(a_sample(at=30.0, backlog=None, wait_s=math.nan),),
        )
    )

    assert ["a"] == [node.name for node in read.nodes(journal)]
    assert ["a", "b"] == [node.name for node in read.nodes(journal, include_gone=True)]
    assert ["b"] == [node.name for node in read.nodes(journal, states=[NodeState.GONE])]
    assert [] == [node.name for node in read.nodes(journal, pool=PoolName("mail"))]
    assert (born, moved) == read.transitions_of(journal, NodeName("a"))
    assert (moved,) == read.last_transitions(journal, limit=1, pool=IMAGES)
    assert late == read.last_decisions(journal)[IMAGES]
    assert a_decision(at=10.0) == read.decision_at(journal, IMAGES, 29.9)
    assert read.decision_at(journal, IMAGES, 9.0) is None
    assert (a_sample(at=30.0, backlog=None, wait_s=None),) == read.samples_between(
        journal, IMAGES, 30.0, 30.0
    )
    assert 30.0 == read.last_tick_at(journal)
    assert (30.0, 30.0) == read.sampled(journal, IMAGES)
    assert read.sampled(journal, PoolName("mail")) is None


def test_a_second_daemon_is_refused_and_told_who_holds_the_lease(journal: Journal, url: str) -> None:
    """One daemon a journal; the lease is free again once it is given back, under a higher epoch."""
    held = journal.claim("pid 17 on karl")
    other = open_journal(url)
    with pytest.raises(LeaseHeld, match="pid 17 on karl") as refused:
        other.claim("pid 18 on karl")
    assert ("pid 17 on karl", held.since_at) == (refused.value.owner, refused.value.since_at)
    assert held == read.lease_holder(other)

    journal.release()

    assert read.lease_holder(other) is None
    assert held.epoch + 1 == other.claim("pid 18 on karl").epoch
    other.close()


def test_a_daemon_whose_lock_file_was_deleted_stops_writing(file_url: str, tmp_path: Path) -> None:
    """Without its lock file a second daemon can start; then the first must not write any more."""
    journal, other = open_journal(file_url), open_journal(file_url)
    journal.claim("first")
    (tmp_path / "journal.db.lock").unlink()
    other.claim("second")

    assert not journal.may_act()
    with pytest.raises(LeaseLost, match=r"lease of first .* lost: second took it over"):
        journal.commit(a_whole_tick(1))
    assert not journal.may_act()
    assert other.may_act()
    other.commit(a_whole_tick(1))
    journal.close()
    other.close()


def test_a_daemon_without_its_lock_file_ends_before_another_starts(file_url: str, tmp_path: Path) -> None:
    """Whoever came next would not be kept out, so the lease is gone with the file, also where another lies there."""
    with closing(open_journal(file_url)) as journal:
        journal.claim("first")
        (tmp_path / "journal.db.lock").rename(tmp_path / "aside")
        (tmp_path / "journal.db.lock").touch()

        assert not journal.may_act()
        with pytest.raises(LeaseLost, match=r"lock .*journal\.db\.lock was moved or replaced"):
            journal.commit(a_whole_tick(1))
        (tmp_path / "aside").rename(tmp_path / "journal.db.lock")
        assert not journal.may_act()  # it is on its way out


def test_a_lease_on_a_file_is_sure_without_being_renewed(file_url: str) -> None:
    """The kernel gives the lock to nobody else while we live, however long we were stopped."""
    journal = open_journal(file_url)
    assert not journal.may_act()

    journal.claim("first")
    journal.renew()

    assert journal.may_act()
    journal.release()
    assert not journal.may_act()
    journal.close()


def _damage(url: str, statement: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()
