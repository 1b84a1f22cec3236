"""Between the choice of an end and the first call that asks for it: what is still looked at, and what is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.facts import CallKind, Memory, Missing, Outcome, OutcomeKind, Unconnected
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import DrainExpiry, Node, Order, OrderKind, Timeouts
from autoscaler.core.reconcile import of_interest
from autoscaler.core.waits import WaitKind
from providers.contract import InstanceId
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    a_listing,
    a_node,
    a_sighting,
    a_snapshot,
    heard,
    idle,
    nobody_there,
    rules,
)
from tests.unit.core.test_leaving import kinds, tick

S = NodeState


@pytest.mark.parametrize("active", [0, 2])
@pytest.mark.parametrize("asks", [0, 1])
def test_a_worker_that_came_up_late_is_drained_unless_its_end_was_asked_for(asks: int, active: int) -> None:
    """It enrolled after its deadline, while its account rested: nobody was told to end it yet. One that is idle now may
    take up a task before the call arrives."""
    node = a_node(state=S.DESTROYING, destroy_asks=asks, next_ask_at=AT + 100, enrolled_at=None)

    found = tick(a_snapshot(node, sightings=heard(a_sighting(active=active)))).nodes[0]

    assert (S.DESTROYING if asks else S.DRAINING) is found.state
    assert (None if asks else AT) == found.enrolled_at


UNHEARD_END = a_node(state=S.DESTROYING, enrolled_at=None)
LOST_END = a_node(state=S.DESTROYING)
DESTROYS = Timeouts(drain_expiry=DrainExpiry.DESTROY)


@pytest.mark.parametrize(
    ("node", "word", "times", "why"),
    [
        (UNHEARD_END, Unconnected(why="nobody"), Timeouts(), ""),
        (UNHEARD_END, 0, Timeouts(), "its worker is connected to the broker but not heard"),
        (UNHEARD_END, 0, DESTROYS, "its worker is connected to the broker but not heard"),
        (UNHEARD_END, 0, replace(DESTROYS, drain_s=999.0), ""),
        (UNHEARD_END, 2, replace(DESTROYS, drain_s=999.0), "the broker holds 2 messages for its worker"),
        (UNHEARD_END, Missing(why="it is down"), DESTROYS, "it cannot be told whether its worker is at work"),
        (LOST_END, Missing(why="down"), Timeouts(), "it cannot be told whether its worker is at work"),
        (LOST_END, 0, Timeouts(), ""),
        (LOST_END, 1, Timeouts(), "the broker holds 1 messages for its worker"),
        (replace(UNHEARD_END, given_up=True), 2, Timeouts(), ""),
        (replace(UNHEARD_END, destroy_asks=1), 2, Timeouts(), ""),
        (replace(UNHEARD_END, destroy_asks=2, refused_asks=1), 2, Timeouts(), ""),
        (
            replace(UNHEARD_END, destroy_asks=1, refused_asks=1),
            2,
            Timeouts(),
            "the broker holds 2 messages for its worker",
        ),
        (replace(UNHEARD_END, stop_due=True, stopped_at=AT - 31), 2, Timeouts(), ""),
    ],
)
def test_an_end_is_first_asked_for_on_a_word_of_the_same_tick(
    node: Node, word: int | Missing, times: Timeouts, why: str
) -> None:
    """The end was chosen earlier, and waited for its account; meanwhile a worker that we do not hear may have begun."""
    snapshot = a_snapshot(node, idleness={node.name: idle(unacknowledged=word)})

    made = tick(snapshot, timeouts=times)

    assert ([] if why else ["DestroyNode"]) == kinds(made)
    assert [why] * bool(why) == [wait.why.partition(" (")[0] for wait in made.waits]
    assert all(wait.kind is WaitKind.WITNESS for wait in made.waits)


def test_a_creation_that_expired_is_ended_once_the_broker_was_asked_about_its_worker() -> None:
    """Its machine may be up, unlisted and unheard: by name, the broker is asked on the next tick."""
    expired = tick(a_snapshot(a_node(state=S.CREATING)))
    (node,) = expired.nodes

    assert (S.DESTROYING, []) == (node.state, kinds(expired))
    assert (node,) == of_interest((node,), Memory(clocks=CLOCKS), rules())
    assert ["DestroyNode"] == kinds(tick(a_snapshot(node, idleness={node.name: nobody_there()})))


def test_an_operator_ends_what_waits_for_the_brokers_word() -> None:
    """He may know better, or the broker may be gone for good."""
    order = Order(number=1, kind=OrderKind.DESTROY, target=UNHEARD_END.name, given_at=AT, given_by="kari")

    made = tick(a_snapshot(UNHEARD_END, orders=(order,)))

    assert ["DestroyNode"] == kinds(made)
    assert [True] == [answer.carried_out for answer in made.answers]


def test_a_drain_that_an_operator_let_expire_ends_whatever_its_worker_holds() -> None:
    """`on_drain_timeout = "destroy"` was his choice, and a late call does not take it back."""
    node = a_node(state=S.DRAINING, confirmed_on=0.0, entered_on=0.0)
    holds = {node.name: idle(unacknowledged=2)}

    made = tick(a_snapshot(node, sightings=heard(a_sighting(active=2)), idleness=holds), timeouts=DESTROYS)

    assert (["DestroyNode"], True) == (kinds(made), made.nodes[0].given_up)


def test_what_an_operator_gave_up_by_force_stays_given_up() -> None:
    """Even if the call could not go out on the same tick."""
    node = a_node(state=S.DESTROYING, given_up=True, next_ask_at=AT + 100)

    assert tick(a_snapshot(node, sightings=heard(a_sighting(active=2)))).nodes[0].state is S.DESTROYING


@pytest.mark.parametrize("kind", [OutcomeKind.THROTTLED, OutcomeKind.REJECTED, OutcomeKind.NOT_SENT])
@pytest.mark.parametrize("asks", [1, 2])
def test_an_ask_that_nobody_heard_does_not_begin_the_end(kind: OutcomeKind, asks: int) -> None:
    """A worker that came up meanwhile takes it back, unless an ask before may have been heard."""
    node = replace(UNHEARD_END, destroy_asks=asks, next_ask_at=AT + 5)
    no = Outcome(node=node.name, call=CallKind.DESTROY, kind=kind, at=AT)

    made = tick(a_snapshot(node, sightings=heard(a_sighting(active=2)), outcomes=(no,)))

    assert (S.DRAINING if asks == 1 else S.DESTROYING) is made.nodes[0].state
    assert asks == made.nodes[0].destroy_asks


def test_an_account_that_says_no_is_asked_with_growing_pauses() -> None:
    """That nobody heard it is no reason to hammer."""
    node = replace(UNHEARD_END, destroy_asks=4, refused_asks=4)

    (ended,) = tick(a_snapshot(node)).nodes

    assert (5, AT + 80) == (ended.destroy_asks, ended.next_ask_at)


def test_the_end_of_a_worker_that_is_connected_is_not_first_asked_for_while_deaf() -> None:
    """It may speak, and be at work: acknowledged early, its tasks are no messages at the broker."""
    deaf: dict[str, Any] = {"sightings": Missing(why="our own probe is not heard")}

    free = tick(a_snapshot(LOST_END, idleness={LOST_END.name: idle(unacknowledged=0)}, **deaf))
    gone = tick(a_snapshot(LOST_END, **deaf))

    assert ([], ["DestroyNode"]) == (kinds(free), kinds(gone))


@pytest.mark.parametrize("times", [Timeouts(), replace(DESTROYS, drain_s=999.0)])
def test_a_twin_whose_end_had_to_wait_is_kept_once_its_name_is_connected(times: Timeouts) -> None:
    """Whose word it is nobody can tell, and no choice of the operator's is about that; his `destroy` is."""
    kept = a_node("x", state=S.READY)
    twin = a_node(
        "x~1", machine=kept.name, state=S.DESTROYING, enrolled_at=None, instance_id=InstanceId("i-2")
    )
    facts: dict[str, Any] = {
        "listings": {CLOUD: a_listing("x")},
        "idleness": {twin.name: idle(unacknowledged=0)},
    }
    made = tick(a_snapshot(kept, twin, **facts), 1, timeouts=times)

    assert [] == kinds(made)
    assert "nobody can tell which of them works" in made.waits[0].why
    assert WaitKind.TWIN is made.waits[0].kind
    for kind, target in ((OrderKind.DESTROY, twin.name), (OrderKind.SWEEP, "*")):
        order = Order(number=1, kind=kind, target=target, given_at=AT, given_by="kari")
        told = tick(a_snapshot(kept, twin, orders=(order,), **facts), 1, timeouts=times)
        assert ["DestroyNode"] == kinds(told)


def test_an_operator_may_end_a_drained_worker_that_takes_its_time() -> None:
    """It was told goodbye and has a task in hand after all: he need not wait for it."""
    node = a_node(state=S.DESTROYING, stop_due=True, stopped_at=AT - 5, worker_pid=7)
    leaving = heard(a_sighting(online=False, active=1))
    order = Order(number=1, kind=OrderKind.DESTROY, target=node.name, given_at=AT, given_by="kari")

    waiting = tick(a_snapshot(node, sightings=leaving))
    ordered = tick(a_snapshot(node, sightings=leaving, orders=(order,)))

    assert ([], ["DestroyNode"]) == (kinds(waiting), kinds(ordered))
