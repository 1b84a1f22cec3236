"""One node that is odd never stops the others: it stays as it was, is paid and counted on, and is told of."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from autoscaler.core import invariants
from autoscaler.core import plan as planning
from autoscaler.core.actions import needed
from autoscaler.core.facts import Hands, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import DestroyNode, DrainNode, Plan
from autoscaler.core.reconcile import Reconciled, reconcile
from autoscaler.core.supply import billable
from tests.unit.core.builders import FLEET, POOL, a_node, a_snapshot, idle, nobody_there, rules, wanted

S = NodeState
ODD = idle(hands=Hands(active=cast("int", None), reserved=0, scheduled=0))
"""A word about a worker's hands that is no number: stands for whatever one node's handling chokes on."""


def planned(snapshot: Snapshot) -> tuple[Reconciled, Plan]:
    reconciled = reconcile(snapshot, rules(), FLEET)
    plan = planning.plan(snapshot, reconciled, {POOL: wanted(0)}, rules(), FLEET)
    invariants.check(snapshot, reconciled, plan, rules(), FLEET)
    return reconciled, plan


def an_odd_one_and_others() -> Snapshot:
    odd = a_node("odd", state=S.DRAINING, confirmed_on=4_500.0, worker_pid=7)
    fine = a_node("fine", state=S.DRAINING, confirmed_on=4_500.0, worker_pid=7)
    ending = a_node("ending", state=S.DESTROYING)
    said = {odd.name: ODD, fine.name: idle(), ending.name: nobody_there()}
    return a_snapshot(odd, fine, ending, idleness=said)


def test_what_is_odd_about_an_end_that_waits_keeps_nothing_from_the_others() -> None:
    """Neither asking for it nor telling why it is not asked for may end the tick."""
    odd, ending = (a_node(name, state=S.DESTROYING) for name in ("odd", "ending"))
    word = replace(ODD, unacknowledged=cast("int", "2"))

    _, plan = planned(a_snapshot(odd, ending, idleness={odd.name: word, ending.name: nobody_there()}))

    assert ["ending"] == [action.node for action in plan.actions]
    assert ["odd"] == [trouble.node for trouble in plan.troubles]


def test_what_is_odd_about_one_node_keeps_nothing_from_the_others() -> None:
    """The others are proven idle and ended on the very tick on which one raises."""
    _, plan = planned(an_odd_one_and_others())

    states = {node.name: node.state for node in plan.nodes}
    assert {"odd": S.DRAINING, "fine": S.DESTROYING, "ending": S.DESTROYING} == states
    assert "ending" in {a.node for a in plan.actions if isinstance(a, DestroyNode)}


def test_an_odd_node_is_paid_and_counted_and_told_of() -> None:
    """Its record is as it was, and the pool's sentence names it with the error."""
    snapshot = an_odd_one_and_others()
    reconciled, plan = planned(snapshot)

    assert snapshot.nodes[0] in plan.nodes
    assert "odd" in {node.name for node in billable(plan.nodes)}
    assert [("odd", POOL)] == [(t.node, t.pool) for t in reconciled.troubles]
    assert "TypeError" in reconciled.troubles[0].error
    assert any(
        "odd could not be dealt with and stays as it was: TypeError" in says for _, says in plan.remarks
    )


def test_a_node_whose_next_call_cannot_be_told_gets_none(monkeypatch: Any) -> None:
    """The others get theirs, and the plan says of whom it could not be told."""

    def choking(node: Any, *rest: Any) -> Any:
        if node.name == "odd":
            raise ValueError("an odd record")
        return needed(node, *rest)

    monkeypatch.setattr("autoscaler.core.actions.needed", choking)
    _, plan = planned(a_snapshot(*(a_node(name, state=S.DRAINING) for name in ("odd", "fine"))))

    assert ["fine"] == [a.node for a in plan.actions if isinstance(a, DrainNode)]
    assert ["ValueError: an odd record"] == [t.error for t in plan.troubles]
