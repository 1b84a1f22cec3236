"""Operators' orders: what each means in each state, and that every one is answered."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.core import invariants
from autoscaler.core.facts import Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Order, OrderKind, Plan, PoolWish, UndrainNode
from autoscaler.core.orders import apply_to_pools, sweeps
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import reconcile
from autoscaler.core.supply import is_paused
from tests.unit.core.builders import AT, FLEET, POOL, a_node, a_pool, a_snapshot, rules, wanted

S, K = NodeState, OrderKind


def an_order(kind: OrderKind, target: str = "n1", *, number: int = 1, **fields: Any) -> Order:
    return Order(number=number, kind=kind, target=target, given_at=AT, given_by="kari", **fields)


def obeyed(snapshot: Snapshot, workers: int) -> Plan:
    reconciled = reconcile(snapshot, rules(), FLEET)
    made = plan(snapshot, reconciled, {POOL: wanted(workers)}, rules(), FLEET)
    invariants.check(snapshot, reconciled, made, rules(), FLEET)
    return made


def following(made: Plan) -> tuple[Any, ...]:
    return tuple(n for n in made.nodes if n.state is not S.GONE)


def test_an_ordered_drain_is_not_undone_by_the_pools_own_wish() -> None:
    """The operator wants this machine out; what the pool still needs is bought instead, now and on later ticks."""
    made = obeyed(a_snapshot(a_node(), orders=(an_order(K.DRAIN),)), 1)
    later = obeyed(a_snapshot(*following(made), name_seed="next"), 2)

    assert [S.DRAINING, S.CREATING] == [n.state for n in made.nodes]
    assert later.nodes[0].state is S.DRAINING


def test_an_ordered_drain_can_be_taken_back_by_an_order() -> None:
    """And its worker is told to consume again."""
    drained = following(obeyed(a_snapshot(a_node(), orders=(an_order(K.DRAIN),)), 0))

    made = obeyed(a_snapshot(*drained, orders=(an_order(K.UNDRAIN),)), 1)

    assert made.nodes[0].state is S.READY
    assert isinstance(made.actions[0], UndrainNode)


def test_two_orders_about_one_node_are_judged_one_after_the_other() -> None:
    """Each by what the one before made of the node, and each answer tells what came of its own."""
    orders = (an_order(K.DRAIN), an_order(K.DRAIN, number=2), an_order(K.UNDRAIN, number=3))

    made = obeyed(a_snapshot(a_node(), orders=orders), 1)

    assert [(1, True), (2, False), (3, True)] == [(a.number, a.carried_out) for a in made.answers]
    assert "does not apply" in made.answers[1].says
    assert made.nodes[0].state is S.READY


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("state", [s for s in S if s is not S.GONE])
@pytest.mark.parametrize("kind", [K.DRAIN, K.UNDRAIN, K.DESTROY, K.FORGET])
def test_every_order_about_a_node_is_answered_in_every_state(
    kind: OrderKind, state: NodeState, force: bool
) -> None:
    """Carried out along the life cycle, or refused with the reason; never left waiting, never an error."""
    node = a_node(state=state, entered_on=5_000.0)

    (answer,) = obeyed(a_snapshot(node, orders=(an_order(kind, force=force),)), 0).answers

    assert answer.says
    assert answer.carried_out or "n1 is " in answer.says


def test_a_hold_of_a_pool_that_its_configuration_pauses_waits_until_that_does_not() -> None:
    """So a pool can be handed over to another fleet without a tick in which its policies decide."""
    hold = an_order(K.HOLD, POOL, workers=4, until_at=AT + 3_600.0)
    wish = apply_to_pools((hold,), {}, {POOL: a_pool(paused=True)}).wishes[POOL]

    assert 4 == wish.hold_workers
    assert is_paused(a_pool(paused=True), wish)
    assert not is_paused(a_pool(), wish)


def test_pause_and_resume_and_hold_become_standing_wishes() -> None:
    """A resume ends a hold too: the pool is its policies' again."""
    pause, hold = an_order(K.PAUSE, POOL), an_order(K.HOLD, POOL, number=2, workers=3, until_at=AT + 60)
    resume = an_order(K.RESUME, POOL, number=3)

    standing = apply_to_pools((pause, hold), {}, rules(a_pool()))
    ended = apply_to_pools((resume,), standing.wishes, rules(a_pool()))

    assert standing.changed == (PoolWish(pool=POOL, paused=True, hold_workers=3, hold_until_at=AT + 60),)
    assert ended.changed == (PoolWish(pool=POOL, paused=False),)


def test_an_order_about_a_pool_that_is_not_there_names_those_that_are() -> None:
    """And sets no wish."""
    found = apply_to_pools((an_order(K.PAUSE, "imgaes"),), {}, rules(a_pool()))

    assert (False, ()) == (found.answers[0].carried_out, found.changed)
    assert POOL in found.answers[0].says


def test_a_sweep_waits_for_strangers_and_not_for_ever() -> None:
    """Answered once none is left, or when its patience ends: an order must not act on machines of another day."""
    sweep = an_order(K.SWEEP, "*")

    assert sweeps((sweep,), 1, AT + 600) == ()
    assert [True, False] == [
        a.carried_out for a in (*sweeps((sweep,), 0, AT), *sweeps((sweep,), 1, AT + 601))
    ]


def test_a_sweep_waits_for_what_machines_left_behind_where_somebody_sees_to_it() -> None:
    """Its answer says what became of it; where it never came to that, the answer says so."""
    sweep = an_order(K.SWEEP, "*")

    assert sweeps((sweep,), 0, AT, {}) == ()
    (done,) = sweeps((sweep,), 0, AT, {sweep.number: "2 left over from machines ended"})
    (late,) = sweeps((sweep,), 0, AT + 601, {})
    (nothing,) = sweeps((sweep,), 0, AT, {sweep.number: ""})

    assert (True, True) == (done.carried_out, done.says.endswith("; 2 left over from machines ended"))
    assert (False, True) == (late.carried_out, "left behind" in late.says)
    assert sweeps((sweep,), 0, AT) == (nothing,)
