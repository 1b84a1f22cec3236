"""Machines with our mark and no record: watched, believed after the settle time, never shot while they work."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Missing, Snapshot, Stranger, listing_clock
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder, Order, OrderKind, OrphanRule, worker_of
from autoscaler.core.reconcile import Reconciled, reconcile
from autoscaler.core.waits import WaitKind
from providers.contract import NodeName, ProviderName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    a_listing,
    a_node,
    a_sighting,
    a_snapshot,
    an_instance,
    heard,
    nobody_named,
    rules,
)

SEEN = a_snapshot(listings={CLOUD: a_listing("x")}, sightings=heard(), strangers_hold=nobody_named("x"))

WORKER = worker_of(NodeName("x"))


def found(snapshot: Snapshot, orphans: OrphanRule = OrphanRule.DESTROY) -> Reconciled:
    return reconcile(snapshot, rules(), replace(FLEET, orphans=orphans))


def settled(snapshot: Snapshot = SEEN, orphans: OrphanRule = OrphanRule.DESTROY) -> Reconciled:
    """The same world, looked at again after the settle time."""
    first = found(snapshot, orphans)
    assert len(first.nodes) == len(snapshot.nodes)
    clocks = {**first.memory.clocks, listing_clock(CLOUD): CLOCKS[listing_clock(CLOUD)] + 40}
    return found(replace(snapshot, memory=replace(first.memory, clocks=clocks)), orphans)


def test_a_silent_orphan_is_recorded_to_be_destroyed_after_the_settle_time() -> None:
    """Under a record of its own: its old name may have one already."""
    (node,) = settled().nodes

    assert (NodeState.DESTROYING, "i-x", "x") == (node.state, node.instance_id, node.machine)
    assert node.name != node.machine


def test_an_orphan_that_works_is_drained_and_not_shot() -> None:
    """After a lost journal the whole fleet is orphans; their tasks are finished, or load takes them back."""
    (node,) = settled(replace(SEEN, sightings=heard(a_sighting("x", active=2)))).nodes

    assert (NodeState.DRAINING, ConsumerOrder.CANCEL) == (node.state, node.consumer_order)


@pytest.mark.parametrize(("silent_s", "recorded"), [(61.0, False), (359.0, False), (361.0, True)])
def test_an_orphan_whose_worker_fell_silent_is_given_as_long_as_a_lost_node(
    silent_s: float, recorded: bool
) -> None:
    """It may work unheard: silence and lost deadline (60 s and 300 s here) must both be over, record or no record."""
    nodes = settled(replace(SEEN, sightings=heard(a_sighting("x", silent_s=silent_s, active=2)))).nodes

    assert recorded == bool(nodes)


def test_while_deaf_no_orphan_is_judged() -> None:
    """One that works and one that does not look alike then."""
    assert settled(replace(SEEN, sightings=Missing(why="deaf"))).nodes == ()


def test_an_incomplete_listing_settles_nothing() -> None:
    """Neither a new stranger nor the end of one."""
    first = found(SEEN)
    later = replace(
        SEEN,
        memory=replace(first.memory, clocks={**CLOCKS, listing_clock(CLOUD): 9_000.0}),
        listings={CLOUD: a_listing("x", complete=False)},
    )

    after = found(later)

    assert after.nodes == ()
    assert after.memory.strangers == first.memory.strangers


def test_orphans_are_only_reported_where_the_operator_wants_it_so() -> None:
    """They stay in sight, and counted."""
    after = settled(orphans=OrphanRule.REPORT)

    assert after.nodes == ()
    assert [s.instance.name for s in after.memory.strangers] == ["x"]


def test_a_sweep_ends_reported_orphans() -> None:
    """By an operator's order."""
    sweep = Order(number=1, kind=OrderKind.SWEEP, target="*", given_at=AT, given_by="kari")

    assert len(settled(replace(SEEN, orders=(sweep,)), OrphanRule.REPORT).nodes) == 1


def test_a_machine_just_ordered_is_no_stranger() -> None:
    """Its record has no id yet; its name is enough."""
    node = a_node("x", NodeState.CREATING, entered_on=5_000.0)

    after = found(replace(SEEN, nodes=(node,)))

    assert after.memory.strangers == ()
    assert [n.state for n in after.nodes] == [NodeState.BOOTING]


def a_world_with_a_twin(**fields: object) -> Snapshot:
    """A provider that made two machines of one name; the record holds one of them by id."""
    twin = an_instance("x", instance_id="i-twin")
    listing = replace(a_listing("x"), instances=(an_instance("x"), twin))
    return a_snapshot(a_node("x"), listings={CLOUD: listing}, **fields)


def test_a_twin_is_not_ended_while_its_name_is_heard() -> None:
    """Both are called the same, so nobody can tell which of them works: it is reported, and ended on an order."""
    sweep = Order(number=1, kind=OrderKind.SWEEP, target="*", given_at=AT, given_by="kari")

    reported = settled(a_world_with_a_twin())
    kept, ended = settled(a_world_with_a_twin(orders=(sweep,))).nodes

    assert ["i-twin"] == [s.instance.instance_id for s in reported.memory.strangers]
    assert len(reported.nodes) == 1
    assert (NodeState.READY, NodeState.DESTROYING) == (kept.state, ended.state)
    assert ended.instance_id == "i-twin"


def a_world_of_orphans(*names: str, **fields: object) -> Snapshot:
    """Silent machines without a record, in sight since long ago."""
    listing = a_listing(*names)
    known = tuple(Stranger(provider=CLOUD, instance=i, since_on=0.0) for i in listing.instances)
    usual = {
        "memory": Memory(clocks=CLOCKS, strangers=known),
        "sightings": heard(),
        "strangers_hold": nobody_named(*names),
    }
    return a_snapshot(**({"listings": {CLOUD: listing}} | usual | fields))


def ended(after: Reconciled) -> list[str]:
    return [node.machine for node in after.nodes if node.state is NodeState.DESTROYING]


def test_no_more_than_a_share_of_the_machines_is_ended_unasked() -> None:
    """A journal from an old copy makes a whole fleet look like orphans: it must not cost the fleet."""
    world = a_world_of_orphans(*"abcdefghijk")
    after = found(world)

    assert len(ended(after)) == 2
    assert len(after.memory.strangers) == 9
    assert ["9 silent machines without a record wait"] == [w.why.partition(":")[0] for w in after.waits]
    assert len(ended(found(a_world_of_orphans("x", "y")))) == 1


def test_the_others_follow_at_that_pace() -> None:
    """What is forgotten costs money: a share an hour is slow, and is never nothing."""
    world, rest = a_world_of_orphans("x", "y"), a_listing("y")
    once = found(world)

    def again(after_s: float) -> Reconciled:
        clocks = {
            **once.memory.clocks,
            listing_clock(CLOUD): once.memory.clocks[listing_clock(CLOUD)] + after_s,
        }
        memory = replace(once.memory, clocks=clocks)
        return found(replace(world, nodes=(), elapsed_s=0.0, memory=memory, listings={CLOUD: rest}))

    assert ended(again(599)) == []
    assert ended(again(600)) == ["y"]


def test_a_sweep_ends_them_all_at_once() -> None:
    """An operator has looked."""
    sweep = Order(number=1, kind=OrderKind.SWEEP, target="*", given_at=AT, given_by="kari")

    assert len(ended(found(a_world_of_orphans(*"abcdef", orders=(sweep,))))) == 6


def test_working_orphans_are_no_part_of_the_share() -> None:
    """They are drained and lose nothing."""
    names = ("a", "b", "c")
    world = a_world_of_orphans(*names, sightings=heard(*(a_sighting(n, active=1) for n in names)))

    assert [NodeState.DRAINING] * 3 == [node.state for node in found(world).nodes]


@pytest.mark.parametrize(
    ("created_at", "seen_s", "ends"),
    [
        (AT - 599, 100, False),
        (AT - 601, 100, True),
        (None, 599, False),
        (None, 601, True),
        (AT + 1e6, 601, True),
    ],
)
def test_a_machine_that_may_still_boot_is_not_ended(
    created_at: float | None, seen_s: float, ends: bool
) -> None:
    """By the age that its provider tells, or by the time that we have seen it, whichever is more."""
    young = an_instance("x", created_at=created_at)
    known = Stranger(provider=CLOUD, instance=young, since_on=CLOCKS[listing_clock(CLOUD)] + 10 - seen_s)
    world = a_world_of_orphans(
        "x",
        listings={CLOUD: replace(a_listing(), instances=(young,))},
        memory=Memory(clocks=CLOCKS, strangers=(known,)),
    )

    assert bool(ended(found(world))) is ends


@pytest.mark.parametrize("state", [NodeState.CREATING, NodeState.BOOTING])
def test_a_twin_is_ended_at_once_before_its_name_is_heard(state: NodeState) -> None:
    """One of the two is too many, whichever it is; once the name is heard, nobody can tell them apart."""
    twins = (an_instance("x"), an_instance("x", instance_id="i-twin", created_at=AT - 1_800))
    listing = replace(
        a_listing(), instances=(*twins, an_instance("x", instance_id="i-third", created_at=AT - 5))
    )
    node = a_node("x", state, entered_on=5_000.0)

    world = a_snapshot(node, listings={CLOUD: listing}, sightings=heard(), strangers_hold=nobody_named("x"))
    after = found(world)
    just_begun = found(replace(world, sightings=heard(listening_s=1.0)))

    assert [("i-x", "booting"), ("i-twin", "destroying"), ("i-third", "destroying")] == [
        (n.instance_id, n.state) for n in after.nodes
    ]
    assert len(just_begun.nodes) == 1


def test_a_machine_recorded_under_another_name_of_the_same_account_is_no_stranger() -> None:
    """Two accounts of the configuration may be one at the provider, as for two subnets; or one was renamed."""
    node = a_node("x")
    again = {CLOUD: a_listing("x"), ProviderName("same-cloud"): a_listing("x")}
    renamed = {ProviderName("same-cloud"): a_listing("x")}

    for listings in (again, renamed):
        assert found(a_snapshot(node, listings=listings)).memory.strangers == ()


def test_a_working_orphan_of_a_pool_that_is_not_configured_is_drained() -> None:
    """Its worker is heard; that its pool was renamed does not make its tasks worth less."""
    stray = replace(an_instance("x"), pool="renamed")
    snapshot = replace(
        SEEN,
        listings={CLOUD: replace(a_listing(), instances=(stray,))},
        sightings=heard(a_sighting("x", active=2)),
    )

    (node,) = settled(snapshot).nodes

    assert (NodeState.DRAINING, ConsumerOrder.CANCEL, ()) == (node.state, node.consumer_order, node.queues)


def test_a_stranger_that_vanished_is_counted_for_the_settle_time_and_then_forgotten() -> None:
    """One listing without it proves nothing: it is paid, and what it takes of the ceiling may not be bought again."""
    gone = replace(SEEN, listings={CLOUD: a_listing()})

    def later(before: Reconciled, seconds: float, world: Snapshot) -> Reconciled:
        clocks = {**CLOCKS, listing_clock(CLOUD): CLOCKS[listing_clock(CLOUD)] + seconds}
        return found(replace(world, memory=replace(before.memory, clocks=clocks)))

    first = found(SEEN)
    missing = later(first, 10.0, gone)
    back = later(missing, 20.0, SEEN)
    again = later(back, 30.0, gone)

    assert [["x"], ["x"], ["x"], []] == [
        [stranger.instance.name for stranger in each.memory.strangers]
        for each in (missing, later(missing, 39.0, gone), later(again, 59.0, gone), later(again, 61.0, gone))
    ]
    assert [None] == [stranger.missing_on for stranger in back.memory.strangers]


@pytest.mark.parametrize(
    ("word", "why"),
    [
        (0, "its worker is connected to the broker"),
        (2, "its worker is connected to the broker"),
        (Missing(why="the management API is down"), "the broker does not say who is connected"),
        (None, "the broker does not say who is connected"),
    ],
)
def test_a_silent_orphan_ends_only_on_the_brokers_word_that_nobody_is_there(
    word: int | Missing | None, why: str
) -> None:
    """One whose heartbeats are lost is up and takes messages, and looks just like a forsaken one. It is told of."""
    after = found(a_world_of_orphans("x", strangers_hold={} if word is None else {WORKER: word}))

    assert ([], ["x"]) == (ended(after), [s.instance.name for s in after.memory.strangers])
    assert [(WaitKind.UNHEARD, "x", f"a silent machine without a record is kept: {why}")] == [
        (w.kind, w.subject, w.why) for w in after.waits
    ]


def test_an_orphan_kept_for_want_of_a_word_spends_nothing_of_the_share() -> None:
    """It would keep those from going of whom the broker knows that nobody is there."""
    after = found(a_world_of_orphans("x", "y", strangers_hold={WORKER: 0} | nobody_named("y")))

    assert ["y"] == ended(after)


@pytest.mark.parametrize("word", [0, 2])
def test_a_sweep_drains_an_orphan_that_is_connected_and_not_heard(word: int) -> None:
    """The operator wants it gone, and what it may hold is finished all the same."""
    sweep = Order(number=1, kind=OrderKind.SWEEP, target="*", given_at=AT, given_by="kari")

    (node,) = found(a_world_of_orphans("x", orders=(sweep,), strangers_hold={WORKER: word})).nodes

    assert (NodeState.DRAINING, ConsumerOrder.CANCEL) == (node.state, node.consumer_order)


@pytest.mark.parametrize("word", [0, Missing(why="?"), None])
def test_a_twin_ends_only_on_the_brokers_word_that_nobody_of_its_name_is_there(
    word: int | Missing | None,
) -> None:
    """Machines may boot faster than listings show them: the worker of one just found may be up, and not heard yet."""
    node = a_node("x", NodeState.BOOTING, entered_on=5_000.0)
    twins = (an_instance("x"), an_instance("x", instance_id="i-twin", created_at=AT - 5))
    listings = {CLOUD: replace(a_listing(), instances=twins)}
    hold = {} if word is None else {WORKER: word}

    after = found(a_snapshot(node, listings=listings, sightings=heard(), strangers_hold=hold))

    assert [] == ended(after)


def test_a_sweep_waits_for_the_brokers_word_about_a_silent_orphan() -> None:
    """The order stays open, and says in the end that it could not be judged; what is there may be at work."""
    sweep = Order(number=1, kind=OrderKind.SWEEP, target="*", given_at=AT, given_by="kari")
    unread = {WORKER: Missing(why="the management API is down")}

    after = found(a_world_of_orphans("x", orders=(sweep,), strangers_hold=unread))

    assert ((), ["x"]) == (after.nodes, [s.instance.name for s in after.memory.strangers])


def test_a_working_orphan_counts_as_enrolled() -> None:
    """Should it fall silent, it has the deadline of a lost one, and is not waited for as one never heard."""
    (node,) = settled(replace(SEEN, sightings=heard(a_sighting("x", active=2)))).nodes

    assert AT == node.enrolled_at
