"""What we do to the world: taken back before bought, bought within every limit, ended only with proof."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import invariants
from autoscaler.core.facts import Memory, Missing, Rest, Snapshot, Stranger
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    CreateNode,
    DestroyNode,
    DrainNode,
    Order,
    OrderKind,
    Plan,
    PoolName,
    PoolRules,
    StopWorker,
    UndrainNode,
)
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from policies.contract import Hold, Limits
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_listing,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    an_instance,
    heard,
    rules,
    wanted,
)

BLIND = Missing(why="a test says so")
S = NodeState


def planned(snapshot: Snapshot, workers: int, pool: PoolRules | None = None, **decided: Any) -> Plan:
    """The plan for that many wanted workers, which must pass the invariants."""
    pool = pool or a_pool()
    book = rules(pool)
    reconciled = reconcile(snapshot, book, FLEET)
    made = plan(snapshot, reconciled, {pool.name: wanted(workers, pool=pool, **decided)}, book, FLEET)
    invariants.check(snapshot, reconciled, made, book, FLEET)
    return made


def kinds(made: Plan) -> list[str]:
    return sorted(type(action).__name__ for action in made.actions)


def states(made: Plan) -> dict[str, str]:
    return {n.name: n.state.value for n in made.nodes}


def an_order(kind: OrderKind, target: str = "n1", **fields: Any) -> Order:
    return Order(number=1, kind=kind, target=target, given_at=AT, given_by="kari", **fields)


def test_a_missing_worker_is_bought_by_the_first_offer_under_a_new_name() -> None:
    """The record is CREATING in the same plan that orders the machine."""
    made = planned(a_snapshot(), 1)

    (action,) = made.actions
    assert isinstance(action, CreateNode)
    assert (OFFER, "shop-images-seed0") == (action.offer, action.node)
    assert states(made) == {"shop-images-seed0": "creating"}


def test_what_arrives_is_supply_and_not_bought_again() -> None:
    """Booting machines answer the wish already; else every tick buys more."""
    nodes = (a_node("n1", S.CREATING, entered_on=5_000.0), a_node("n2", S.BOOTING, entered_on=5_000.0))

    assert planned(a_snapshot(*nodes), 2).actions == ()


def test_a_draining_worker_is_taken_back_before_one_is_bought() -> None:
    """Load returned: what is there and paid comes first."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=4_995.0)

    made = planned(a_snapshot(node), 1)

    assert kinds(made) == ["UndrainNode"]
    assert states(made) == {"n1": "ready"}


@pytest.mark.parametrize(("hold", "left"), [(None, 2), (Hold(workers=1, until_at=AT + 60), 1)])
def test_what_an_operator_takes_back_is_no_surplus_while_demand_cannot_be_seen(
    hold: Hold | None, left: int
) -> None:
    """The number that is held counted it as leaving; only one of his own choosing sends somebody away unseen."""
    order = an_order(OrderKind.UNDRAIN, "n2")
    snapshot = a_snapshot(a_node("n1"), a_node("n2", S.DRAINING), orders=(order,))

    made = planned(snapshot, 1, demand=None, hold=hold)

    assert left == sum(node.state is S.READY for node in made.nodes)


def an_hour_old(minutes: float, **fields: Any) -> Snapshot:
    """A world of one machine that is billed by the hour, so many minutes after it was made."""
    made_at = AT - minutes * 60
    node = a_node(
        offer=replace(OFFER, quantum_s=3600), ordered_at=made_at, instance_created_at=made_at, **fields
    )
    listing = replace(a_listing(), instances=(an_instance(created_at=made_at),))
    return a_snapshot(node, listings={CLOUD: listing}, sightings=heard(a_sighting()))


def test_a_surplus_worker_that_is_paid_stays_and_the_sentence_says_so() -> None:
    """Until near the end of its hour; then it drains."""
    early, late = planned(an_hour_old(20), 0), planned(an_hour_old(59.2), 0)

    assert {"n1": "ready"} == states(early)
    assert (
        "1 more than wanted stay, paid already; the first quantum ends in 40 min" in dict(early.remarks)[POOL]
    )
    assert {"n1": "draining"} == states(late)


@pytest.mark.parametrize(
    ("order", "state"), [(ConsumerOrder.CANCEL, "ready"), (ConsumerOrder.LEAVE, "draining")]
)
def test_a_drain_that_outlasts_its_hour_is_taken_back(order: ConsumerOrder, state: str) -> None:
    """The next hour is paid, so it may work; but not one that an operator sends away."""
    world = an_hour_old(61, state=S.DRAINING, consumer_order=order, entered_at=AT - 100)

    assert {"n1": state} == states(planned(world, 0))


def test_an_undrain_is_repeated_until_the_worker_confirms_it() -> None:
    """One lost message must not leave a paid worker idle."""
    node = a_node(consumer_order=ConsumerOrder.ADD)

    assert isinstance(planned(a_snapshot(node), 1).actions[0], UndrainNode)


def test_a_surplus_worker_is_drained_not_destroyed() -> None:
    """It may hold work; only proof ends it."""
    made = planned(a_snapshot(a_node()), 0)

    assert kinds(made) == ["DrainNode"]
    assert states(made) == {"n1": "draining"}


def test_the_least_busy_leave_first_and_what_boots_stays_until_it_enrolled() -> None:
    """One too many boots, and leaves once it can be drained; so only one of the serving ones goes."""
    nodes = (a_node("busy"), a_node("idle"), a_node("booting", S.BOOTING, entered_on=5_000.0))
    speaking = heard(a_sighting("busy", active=2), a_sighting("idle", active=0))

    made = planned(a_snapshot(*nodes, sightings=speaking), 1)

    assert states(made) == {"busy": "ready", "idle": "draining", "booting": "booting"}


def test_a_confirmed_drain_is_left_to_finish() -> None:
    """Nothing more is ordered of a worker that stopped consuming."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=4_995.0, worker_pid=7)

    assert planned(a_snapshot(node), 0).actions == ()


@pytest.mark.parametrize("state", [S.LOST, S.DRAINING, S.DESTROYING, S.CREATING])
def test_the_ceiling_binds_whatever_may_be_paid(state: NodeState) -> None:
    """A lost answer or a leaving machine costs money like any other."""
    node = a_node(state=state, entered_on=5_000.0)
    made = planned(a_snapshot(node, sightings=heard()), 3, a_pool(limits=Limits(max_workers=2)))

    assert sum(isinstance(a, CreateNode) for a in made.actions) == 1
    assert any("max_workers" in says for _, says in made.remarks) or state is S.DRAINING


def test_a_machine_without_a_record_counts_towards_the_ceiling() -> None:
    """It is paid like any other."""
    stranger = Stranger(provider=CLOUD, instance=an_instance("x"), since_on=5_000.0)
    snapshot = a_snapshot(
        listings={CLOUD: a_listing("x")}, memory=Memory(clocks=CLOCKS, strangers=(stranger,))
    )

    assert planned(snapshot, 1, a_pool(limits=Limits(max_workers=1))).actions == ()


def test_the_budget_binds_by_price() -> None:
    """Money an hour, not only numbers of machines."""
    made = planned(a_snapshot(a_node()), 5, a_pool(limits=Limits(max_workers=9, max_cost_per_hour=0.3)))

    assert kinds(made) == ["CreateNode", "CreateNode"]
    assert "budget" in made.remarks[0][1]


def test_creates_in_flight_are_bounded() -> None:
    """Orders whose answer is out are counted."""
    limits = Limits(max_workers=9, max_creates_in_flight=2)
    node = a_node(state=S.CREATING, entered_on=5_000.0)

    assert len(planned(a_snapshot(node), 9, a_pool(limits=limits)).actions) == 1


@pytest.mark.parametrize(
    "facts",
    [
        {"listings": {CLOUD: BLIND}},
        {"listings": {CLOUD: a_listing(complete=False)}},
        {"sightings": BLIND},
    ],
    ids=["listing failed", "listing incomplete", "deaf"],
)
def test_nothing_is_bought_while_blind_and_it_says_why(facts: dict[str, Any]) -> None:
    """A ceiling that cannot be seen cannot be kept."""
    made = planned(a_snapshot(**facts), 2)

    assert made.actions == ()
    assert "not buying" in made.remarks[0][1]


def test_unseen_demand_buys_only_up_to_on_unknown() -> None:
    """The operator's number for the dark, and no further on a memory."""
    pool = a_pool(limits=Limits(max_workers=5, on_unknown=1))
    snapshot = a_snapshot(demand={POOL: BLIND})

    assert len(planned(snapshot, 1, pool, demand=None, demand_missing="x").actions) == 1
    # More than that stood before the outage: it is not bought on a memory.
    assert len(planned(snapshot, 3, pool, demand=None, demand_missing="x").actions) == 1


def test_while_deaf_nobody_who_serves_is_sent_away() -> None:
    """Without hearing workers nobody knows who is busy."""
    made = planned(a_snapshot(a_node(), sightings=BLIND), 0)

    assert states(made) == {"n1": "ready"}


def test_a_resting_offer_is_passed_over() -> None:
    """The next one is tried on the same tick."""
    rest = Rest(until_at=AT + 60, refusals=1, why="out of stock")
    memory = Memory(clocks=CLOCKS, offer_rests={OFFER.name: rest})

    (action,) = planned(a_snapshot(memory=memory), 1).actions

    assert isinstance(action, CreateNode)
    assert action.offer == SECOND_OFFER


def test_when_every_offer_rests_it_says_why() -> None:
    """An operator reads the reason in the sentence."""
    rest = Rest(until_at=AT + 60, refusals=1, why="slow down")
    made = planned(a_snapshot(memory=Memory(clocks=CLOCKS, account_rests={CLOUD: rest})), 1)

    assert made.actions == ()
    assert "slow down" in made.remarks[0][1]


def test_a_drained_worker_says_goodbye_before_its_machine_goes() -> None:
    """First told to shut down; then, once it left or its time is up, the machine is destroyed."""
    node = a_node(state=S.DESTROYING, stop_due=True)
    first = planned(a_snapshot(node, listings={CLOUD: a_listing("n1")}), 0)
    told = first.nodes[0]
    waiting = planned(a_snapshot(told, sightings=heard(a_sighting())), 0)
    left = planned(a_snapshot(told, sightings=heard(a_sighting(online=False))), 0)
    late = planned(a_snapshot(replace(told, stopped_at=AT - 31), sightings=heard(a_sighting())), 0)

    assert [["StopWorker"], [], ["DestroyNode"], ["DestroyNode"]] == [
        kinds(p) for p in (first, waiting, left, late)
    ]
    assert isinstance(first.actions[0], StopWorker)


def test_a_destroy_is_asked_again_with_growing_pauses() -> None:
    """For ever, but not so often that an account is blocked."""
    node = a_node(state=S.DESTROYING)
    asked = planned(a_snapshot(node), 0).nodes[0]
    too_soon = planned(a_snapshot(asked, at=AT + 4), 0)
    again = planned(a_snapshot(asked, at=AT + 5), 0)

    assert too_soon.actions == ()
    assert isinstance(again.actions[0], DestroyNode)
    assert again.nodes[0].next_ask_at - (AT + 5) == 2 * (asked.next_ask_at - AT)


def test_a_node_with_a_call_in_flight_gets_no_second_one() -> None:
    """One call in flight a node."""
    node = a_node(state=S.DESTROYING)

    assert planned(a_snapshot(node, in_flight=frozenset({node.name})), 0).actions == ()


def test_a_paused_pool_buys_and_drains_nothing() -> None:
    """An operator's word stops scaling both ways."""
    assert planned(a_snapshot(), 2, paused=True).actions == ()
    assert planned(a_snapshot(a_node()), 0, paused=True).actions == ()


def test_nodes_of_a_pool_that_is_no_longer_configured_are_drained() -> None:
    """Nobody else would ever give them back."""
    node = a_node(pool=PoolName("old"))

    assert isinstance(planned(a_snapshot(node), 0).actions[0], DrainNode)


def test_an_operators_destroy_of_a_serving_node_needs_force() -> None:
    """It may hold work; losing it must be said out loud."""
    polite = planned(a_snapshot(a_node(), orders=(an_order(OrderKind.DESTROY),)), 1)
    forced = planned(a_snapshot(a_node(), orders=(an_order(OrderKind.DESTROY, force=True),)), 0)

    assert (False, True) == (polite.answers[0].carried_out, forced.answers[0].carried_out)
    assert "force" in polite.answers[0].says
    assert states(forced) == {"n1": "destroying"}


def test_an_order_about_nobody_is_answered() -> None:
    """No order is left waiting because it was odd."""
    made = planned(a_snapshot(orders=(an_order(OrderKind.DRAIN, "ghost"),)), 0)

    assert (False, True) == (made.answers[0].carried_out, "ghost" in made.answers[0].says)


def test_a_forgotten_node_is_gone_by_an_operators_word() -> None:
    """The way out of every stuck state, without surgery on the journal."""
    made = planned(a_snapshot(a_node(), orders=(an_order(OrderKind.FORGET),)), 0)

    assert states(made) == {"n1": "gone"}


def test_a_fleet_that_works_without_records_is_not_bought_a_second_time() -> None:
    """After a lost journal: its machines are taken in once they are settled; until then they are supply enough."""
    stranger = Stranger(provider=CLOUD, instance=an_instance("x"), since_on=5_000.0)
    seen: dict[str, Any] = {
        "listings": {CLOUD: a_listing("x")},
        "memory": Memory(clocks=CLOCKS, strangers=(stranger,)),
    }

    at_work = planned(a_snapshot(sightings=heard(a_sighting("x")), **seen), 3)
    silent = planned(a_snapshot(sightings=heard(), **seen), 3)

    assert (0, 3) == (len(at_work.actions), len(silent.actions))
    assert "without a record" in at_work.remarks[0][1]
