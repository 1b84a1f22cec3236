"""The last moments of a machine: what must still hold between the proof that it may go and the proof that it went."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import invariants
from autoscaler.core.facts import (
    CallKind,
    Hands,
    Memory,
    Missing,
    Outcome,
    OutcomeKind,
    Snapshot,
    listing_clock,
)
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import (
    ConsumerOrder,
    DrainExpiry,
    Node,
    Order,
    OrderKind,
    Plan,
    PoolName,
    Timeouts,
)
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import of_interest, reconcile
from policies.contract import Limits
from providers.contract import NodeName, ProviderName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    a_listing,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    an_instance,
    heard,
    idle,
    nobody_there,
    rules,
    wanted,
)

S = NodeState


def tick(snapshot: Snapshot, workers: int = 0, **pool: Any) -> Plan:
    """Reconcile and plan, as a tick does, with the invariants checked."""
    book = rules(a_pool(**pool))
    reconciled = reconcile(snapshot, book, FLEET)
    made = plan(snapshot, reconciled, {p: wanted(workers, pool=r) for p, r in book.items()}, book, FLEET)
    invariants.check(snapshot, reconciled, made, book, FLEET)
    return made


def kinds(made: Plan) -> list[str]:
    return [type(action).__name__ for action in made.actions]


def proven_idle(**fields: Any) -> Node:
    """Drained and told to stop, longer ago than it may take."""
    usual: dict[str, Any] = {"stop_due": True, "stopped_at": AT - 31, "worker_pid": 7}
    return a_node(state=S.DESTROYING, **(usual | fields))


@pytest.mark.parametrize("seen", [a_sighting(pid=8), a_sighting(active=1)], ids=["restarted", "busy"])
def test_a_worker_that_works_after_the_proof_drains_again(seen: Any) -> None:
    """A restarted one consumes again, one with a task has work in hand: the proof has fallen, the drain begins anew."""
    made = tick(a_snapshot(proven_idle(), sightings=heard(seen)))

    assert (["DrainNode"], S.DRAINING) == (kinds(made), made.nodes[0].state)


def test_a_goodbye_with_a_task_in_hand_is_not_the_end() -> None:
    """Celery says goodbye when a warm shutdown begins; the task is finished in silence after it."""
    leaving = heard(a_sighting(online=False, active=1))
    long = Timeouts(drain_s=600.0)

    assert [] == kinds(tick(a_snapshot(proven_idle(), sightings=leaving), timeouts=long))
    assert ["DestroyNode"] == kinds(
        tick(a_snapshot(proven_idle(stopped_at=AT - 601), sightings=leaving), timeouts=long)
    )


def test_a_lost_worker_for_which_the_broker_holds_messages_is_waited_for() -> None:
    """A second witness: the connection lives and work is on it. Without messages on it, the deadline stands."""
    node = a_node(state=S.LOST, entered_on=0.0)
    unheard: dict[str, Any] = {"sightings": heard()}

    held = tick(a_snapshot(node, idleness={node.name: idle(unacknowledged=1)}, **unheard), 1)
    free = tick(a_snapshot(node, idleness={node.name: idle(unacknowledged=0)}, **unheard), 1)

    assert (S.LOST, S.DESTROYING) == (held.nodes[0].state, free.nodes[0].state)


def test_a_lost_worker_that_said_goodbye_with_tasks_is_given_the_time_of_a_drain() -> None:
    """Somebody restarts a worker by hand: it finishes its tasks in silence, longer than `timeouts.lost`."""
    node = a_node(state=S.LOST, entered_on=4_000.0)  # a little over 1000 s ago
    goodbye = heard(a_sighting(online=False, active=1, silent_s=900.0))

    patient = tick(a_snapshot(node, sightings=goodbye), 1, timeouts=Timeouts(drain_s=2_000.0))
    over = tick(a_snapshot(node, sightings=goodbye), 1, timeouts=Timeouts(drain_s=1_000.0))

    assert (S.LOST, S.DESTROYING) == (patient.nodes[0].state, over.nodes[0].state)


def test_a_drain_that_an_operator_ordered_outlives_a_silence() -> None:
    """Lost and heard again, the worker goes on leaving: only an operator takes an operator's word back."""
    node = a_node(state=S.LOST, consumer_order=ConsumerOrder.LEAVE)

    found = tick(a_snapshot(node, sightings=heard(a_sighting())), 1).nodes[0]

    assert (S.DRAINING, ConsumerOrder.LEAVE) == (found.state, found.consumer_order)


@pytest.mark.parametrize("heard_last", [a_sighting(pid=8, online=False), a_sighting(pid=8, silent_s=61.0)])
def test_a_worker_that_left_or_fell_silent_keeps_no_machine(heard_last: Any) -> None:
    """The wait for a restarted worker ends with it."""
    assert kinds(tick(a_snapshot(proven_idle(), sightings=heard(heard_last)))) == ["DestroyNode"]


@pytest.mark.parametrize(
    ("state", "timeouts"), [(S.BOOTING, Timeouts(enrol_s=100.0)), (S.LOST, Timeouts(lost_s=100.0))]
)
def test_nobody_is_given_up_before_a_worker_that_speaks_would_have_been_heard(
    state: NodeState, timeouts: Timeouts
) -> None:
    """Just after a restart of ours the worker may be at work; we merely have not heard it yet."""
    node = a_node(state=state)

    snapshot = a_snapshot(
        node, sightings=heard(listening_s=timeouts.silence_s), idleness={"n1": nobody_there()}
    )
    early = tick(snapshot, 1, timeouts=timeouts)
    later = tick(replace(snapshot, sightings=heard(listening_s=timeouts.silence_s + 1)), 1, timeouts=timeouts)

    assert (state, S.DESTROYING) == (early.nodes[0].state, later.nodes[0].state)


OVERDUE = a_node(state=S.BOOTING, entered_on=0.0)
"""It boots for 5010 s and never was heard."""


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ({}, "the broker was not asked yet"),
        ({"n1": idle(unacknowledged=Missing(why="the broker is down"))}, "the broker is down"),
        ({"n1": idle(unacknowledged=1)}, "connected to the broker but not heard"),
        ({"n1": idle(unacknowledged=0)}, "connected to the broker but not heard"),
    ],
)
def test_a_machine_never_heard_is_not_ended_while_its_worker_may_be_connected(
    seen: dict[NodeName, Any], says: str
) -> None:
    """With its heartbeats switched off a worker works unheard, and early acknowledgement leaves nothing to count. It
    stays paid, and the pool's sentence says so."""
    made = tick(a_snapshot(OVERDUE, sightings=heard(), idleness=seen), 1)

    assert S.BOOTING is made.nodes[0].state
    assert says in made.remarks[0][1]


@pytest.mark.parametrize(("lasts_s", "state"), [(2_400.0, S.DESTROYING), (2_399.0, S.BOOTING)])
def test_an_operator_may_choose_that_a_connected_but_unheard_worker_ends_after_the_time_of_a_drain(
    lasts_s: float, state: NodeState
) -> None:
    """The same choice as for a drain that proves nothing, with its time on top of the time to enrol."""
    node = a_node(state=S.BOOTING, entered_on=5_010.0 - lasts_s)
    snapshot = a_snapshot(node, sightings=heard(), idleness={"n1": idle()})

    made = tick(snapshot, 1, timeouts=Timeouts(drain_expiry=DrainExpiry.DESTROY))

    assert state is made.nodes[0].state


def test_a_machine_that_nobody_connects_from_ends_in_time() -> None:
    """One that never enrols is not paid for ever: the broker's word is enough."""
    made = tick(a_snapshot(OVERDUE, sightings=heard(), idleness={"n1": nobody_there()}), 1)

    assert (S.DESTROYING, ["DestroyNode"]) == (made.nodes[0].state, kinds(made)[:1])


def test_only_booting_machines_past_their_time_are_asked_about() -> None:
    """Asking costs the broker two calls for each."""
    nodes = (OVERDUE, a_node("n2", S.BOOTING, entered_on=4_990.0), a_node("n3", S.LOST))

    asked = of_interest(nodes, Memory(clocks=CLOCKS), rules())

    assert ["n1", "n3"] == [node.name for node in asked]


@pytest.mark.parametrize("pool", [POOL, PoolName("old")])
def test_a_booting_machine_too_many_is_let_enrol_and_then_drained(pool: PoolName) -> None:
    """Its worker may be at work unheard, so nothing ends it but two proofs, in a pool that is configured or not."""
    node = a_node(state=S.BOOTING, pool=pool, entered_on=5_000.0)

    silent = tick(a_snapshot(node, sightings=heard()))
    enrolled = tick(a_snapshot(node, sightings=heard(a_sighting())))

    assert (S.BOOTING, S.DRAINING) == (silent.nodes[0].state, enrolled.nodes[0].state)


def test_a_booting_machine_that_an_operator_drains_leaves_once_it_enrolled() -> None:
    """Until then there is nothing that could be proven idle."""
    node = a_node(state=S.BOOTING, entered_on=5_000.0)
    order = Order(number=1, kind=OrderKind.DRAIN, target="n1", given_at=AT, given_by="kari")

    told = tick(a_snapshot(node, sightings=heard(), orders=(order,)), 1)
    enrolled = tick(a_snapshot(told.nodes[0], sightings=heard(a_sighting())), 1)

    assert (S.BOOTING, True) == (told.nodes[0].state, told.answers[0].carried_out)
    assert (S.DRAINING, ConsumerOrder.LEAVE) == (enrolled.nodes[0].state, enrolled.nodes[0].consumer_order)


def test_a_machine_is_not_gone_while_its_creation_is_under_way() -> None:
    """A record that ended before its create was answered would leave a paid machine that nobody counts."""
    node = a_node(state=S.DESTROYING, instance_id=None, missing_on=4_000.0)
    snapshot = a_snapshot(node, listings={CLOUD: a_listing()}, in_flight=frozenset({node.name}))

    found = tick(snapshot).nodes[0]

    assert (S.DESTROYING, None) == (found.state, found.missing_on)


def test_absence_from_before_its_creation_was_answered_proves_nothing() -> None:
    """The listing may lag behind the answer; the settle time begins anew."""
    node = a_node(state=S.DESTROYING, instance_id=None, missing_on=4_000.0)
    made = Outcome(
        node=node.name, call=CallKind.CREATE, kind=OutcomeKind.DONE, at=AT - 1, instance=an_instance()
    )

    found = tick(a_snapshot(node, listings={CLOUD: a_listing()}, outcomes=(made,))).nodes[0]

    assert (S.DESTROYING, CLOCKS[listing_clock(CLOUD)] + 10) == (found.state, found.missing_on)


def test_a_creation_given_up_early_is_waited_for_as_long_as_any_other() -> None:
    """An operator's destroy of an ordered machine does not make an unanswered create definite."""
    young = a_node(state=S.DESTROYING, instance_id=None, missing_on=4_000.0, ordered_at=AT - 149)
    old = replace(young, ordered_at=AT - 150)
    nowhere = {"listings": {CLOUD: a_listing()}, "sightings": heard()}

    assert tick(a_snapshot(young, **nowhere)).nodes[0].state is S.DESTROYING
    assert tick(a_snapshot(old, **nowhere)).nodes[0].state is S.GONE


def test_a_twin_that_vanished_is_gone_though_the_worker_it_shares_a_name_with_speaks() -> None:
    """Else its record would be paid for in the ceiling, and its destroy repeated, as long as the other lives."""
    kept = a_node("n1")
    twin = a_node("n1~0", S.DESTROYING, machine="n1", instance_id="i-twin", missing_on=4_000.0)
    made = tick(a_snapshot(kept, twin, listings={CLOUD: a_listing("n1")}), 1)

    assert {"n1": S.READY, "n1~0": S.GONE} == {n.name: n.state for n in made.nodes}


YEAR_S = 365 * 86_400.0


def test_a_clock_set_back_does_not_stop_the_asking_for_an_end() -> None:
    """Forgetting a paid machine is what never happens, not even until the clock has caught up."""
    pausing = a_node(state=S.DESTROYING, next_ask_at=AT + YEAR_S)
    stopping = proven_idle(stopped_at=AT + YEAR_S)

    assert kinds(tick(a_snapshot(pausing))) == ["DestroyNode"]
    assert tick(a_snapshot(stopping, sightings=heard())).nodes[0].stopped_at == AT


@pytest.mark.parametrize("step_s", [-YEAR_S, YEAR_S])
@pytest.mark.parametrize(("confirmed_on", "drained"), [(5_009.0, False), (4_990.0, True)])
def test_a_step_of_the_wall_clock_makes_no_proof_older_or_younger(
    step_s: float, confirmed_on: float, drained: bool
) -> None:
    """How long ago a worker stopped consuming is counted in seconds in which we heard."""
    node = a_node(
        state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=confirmed_on, worker_pid=7
    )

    found = tick(a_snapshot(node, at=AT + step_s, idleness={node.name: idle()})).nodes[0]

    assert (S.DESTROYING if drained else S.DRAINING) is found.state


@pytest.mark.parametrize(
    "heard_now",
    [heard(a_sighting(began_s=25.0)), heard(a_sighting(), listening_s=25.0)],
    ids=["it began anew", "we did not listen all the time"],
)
def test_a_worker_that_may_have_begun_anew_is_told_again_though_its_pid_is_the_same(heard_now: Any) -> None:
    """In a container every process has pid 1, and the new one consumes, whatever its predecessor confirmed."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=4_990.0, worker_pid=7)
    snapshot = a_snapshot(node, idleness={node.name: idle()}, sightings=heard_now)

    assert (["DrainNode"], S.DRAINING) == (kinds(tick(snapshot)), tick(snapshot).nodes[0].state)


def test_a_worker_that_began_before_it_confirmed_is_believed() -> None:
    """Else no drain of a young worker would ever end."""
    node = a_node(state=S.DRAINING, consumer_order=ConsumerOrder.CANCEL, confirmed_on=4_990.0, worker_pid=7)
    young = heard(a_sighting(began_s=40.0), listening_s=40.0)

    found = tick(a_snapshot(node, idleness={node.name: idle()}, sightings=young)).nodes[0]

    assert found.state is S.DESTROYING


def test_deaf_workers_do_not_use_up_every_ticks_calls() -> None:
    """Those asked longest ago come first, whether they are to stop or to begin consuming."""
    nodes = [a_node(f"n{i}", consumer_order=ConsumerOrder.ADD, worker_pid=7) for i in range(20)]
    nodes.append(a_node("n99", S.DRAINING, consumer_order=ConsumerOrder.CANCEL, worker_pid=7))
    book = rules(a_pool(limits=Limits(max_workers=30)))
    asked: set[str] = set()
    for second in range(2):
        snapshot = a_snapshot(*nodes, at=AT + second)
        reconciled = reconcile(snapshot, book, FLEET)
        made = plan(snapshot, reconciled, {POOL: wanted(20)}, book, FLEET)
        asked |= {action.node for action in made.actions}
        nodes = list(made.nodes)

    assert asked == {n.name for n in nodes}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"unacknowledged": Missing(why="one channel only")}, "one channel only"),
        ({"hands": Missing(why="no answer")}, "no answer"),
        ({"hands": Hands(active=0, reserved=0, scheduled=3)}, "3 of them for their time"),
    ],
)
def test_a_drain_that_lasts_too_long_says_what_it_waits_for(fields: dict[str, Any], says: str) -> None:
    """By default it waits for ever, and money runs: an operator must be able to read why."""
    node = a_node(state=S.DRAINING, confirmed_on=4_500.0, worker_pid=7)
    snapshot = a_snapshot(node, idleness={node.name: idle(**fields)})

    late = tick(snapshot, timeouts=Timeouts(drain_s=1_000.0))
    in_time = tick(snapshot, timeouts=Timeouts(drain_s=2_000.0))

    assert says in late.remarks[0][1]
    assert in_time.remarks == ()


def test_calls_under_way_leave_less_room_at_their_own_account_and_nowhere_else() -> None:
    """The bound is on what is in flight: an account that hangs gets nothing more, workers and others are served."""
    elsewhere = replace(OFFER, provider=ProviderName("other"))
    hanging = [a_node(f"n{i}", S.DESTROYING) for i in range(2)]
    nodes = (
        *hanging,
        a_node("n3", S.DESTROYING),
        a_node("n4", S.DESTROYING, offer=elsewhere),
        a_node("n5", consumer_order=ConsumerOrder.ADD),
    )
    snapshot = a_snapshot(*nodes, in_flight=frozenset(n.name for n in hanging))
    book, fleet = rules(), replace(FLEET, max_calls=2)
    reconciled = reconcile(snapshot, book, fleet)

    made = plan(snapshot, reconciled, {POOL: wanted(3)}, book, fleet)

    assert {"n4": "DestroyNode", "n5": "UndrainNode"} == {a.node: type(a).__name__ for a in made.actions}
