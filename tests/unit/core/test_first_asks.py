"""Between the choice of an end and the first call that asks for it: what is still looked at, and what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Missing, Unconnected
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import DrainExpiry, Node, Order, OrderKind, Timeouts, WaitKind
from autoscaler.core.reconcile import of_interest
from tests.unit.core.builders import (
    AT,
    CLOCKS,
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
DESTROYS = Timeouts(drain_expiry=DrainExpiry.DESTROY)


@pytest.mark.parametrize(
    ("node", "word", "times", "why"),
    [
        (UNHEARD_END, Unconnected(why="nobody"), Timeouts(), ""),
        (UNHEARD_END, 0, Timeouts(), "its worker is connected to the broker but not heard"),
        (UNHEARD_END, 0, DESTROYS, ""),
        (UNHEARD_END, 2, DESTROYS, "the broker holds 2 messages for its worker"),
        (UNHEARD_END, Missing(why="it is down"), DESTROYS, "it cannot be told whether its worker is at work"),
        (replace(UNHEARD_END, enrolled_at=AT), Missing(why="it is down"), Timeouts(), ""),
        (replace(UNHEARD_END, enrolled_at=AT), 1, Timeouts(), "the broker holds 1 messages for its worker"),
        (replace(UNHEARD_END, given_up=True), 2, Timeouts(), ""),
        (replace(UNHEARD_END, destroy_asks=1), 2, Timeouts(), ""),
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
