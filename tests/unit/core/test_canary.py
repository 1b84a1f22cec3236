"""A machine that is to become something new is tried alone first; a pool that never had a worker is not held up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autoscaler.core import remembering
from autoscaler.core.canary import learn
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import CreateNode, Node, OfferName, Plan, Transition
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import Reconciled
from autoscaler.core.waits import WaitKind
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    FLEET,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_node,
    a_pool,
    a_snapshot,
    rules,
    wanted,
)

OLD, NEW = "old", "new"
PROVEN = Memory(clocks=CLOCKS, proven={POOL: (OLD,)})


def bought(
    memory: Memory, becomes: dict[OfferName, str], *nodes: Node, **pool: Any
) -> tuple[Plan, list[OfferName]]:
    """A plan for four workers more than there are, and the offers it orders from."""
    ruled = a_pool(**({"becomes": becomes} | pool))
    snapshot = a_snapshot(*nodes)
    reconciled = Reconciled(nodes=nodes, transitions=(), memory=memory)
    made = plan(snapshot, reconciled, {POOL: wanted(len(nodes) + 4, pool=ruled)}, rules(ruled), FLEET)
    return made, [a.offer.name for a in made.actions if isinstance(a, CreateNode)]


def test_one_machine_of_a_new_kind_is_tried_first() -> None:
    """Ten machines that cannot become workers cost ten times as much as one, and tell no more."""
    made, names = bought(PROVEN, {OFFER.name: NEW}, offers=(OFFER,))

    assert names == [OFFER.name]
    assert "1 of 4 more bought: one machine of cloud/osl/s/debian is tried first" in made.remarks[0][1]
    assert [WaitKind.CANARY] == [wait.kind for wait in made.waits]


def test_while_it_is_on_its_way_there_is_no_second_one() -> None:
    """And the wait lasts since its first tick."""
    memory = replace(PROVEN, becoming={a_node("n1").name: NEW})

    made, names = bought(memory, {OFFER.name: NEW}, a_node("n1", NodeState.BOOTING), offers=(OFFER,))

    assert names == []
    assert "0 of 4 more bought" in made.remarks[0][1]


def test_a_proven_offer_serves_meanwhile() -> None:
    """Load does not wait for a trial where there is something that is known to work."""
    _, names = bought(PROVEN, {OFFER.name: NEW, SECOND_OFFER.name: OLD})

    assert names == [OFFER.name, *[SECOND_OFFER.name] * 3]


def test_offers_that_become_the_same_are_tried_once() -> None:
    """The place where it stands does not change what a machine becomes."""
    _, names = bought(PROVEN, {OFFER.name: NEW, SECOND_OFFER.name: NEW})

    assert names == [OFFER.name]


def test_nothing_is_tried_first_in_a_new_pool_or_where_that_is_not_wanted() -> None:
    """Nothing serves yet that could go on meanwhile, and `max_creates_in_flight` bounds the mistake."""
    for memory, canary in ((replace(PROVEN, proven={}), True), (PROVEN, False)):
        _, names = bought(memory, {OFFER.name: NEW}, offers=(OFFER,), canary=canary)
        assert len(names) == 4


def enrolled(memory: Memory, node: Node) -> Memory:
    told = Transition(
        node=node.name,
        pool=node.pool,
        at=AT,
        event=Event.WORKER_SEEN,
        before=node.state,
        after=NodeState.READY,
        reason="heard",
    )
    return learn(memory, (told,), (node,), rules())


def test_a_worker_proves_what_its_machine_was_ordered_to_become() -> None:
    """Not what the configuration says by now."""
    memory = replace(PROVEN, becoming={a_node("n1").name: NEW})

    assert enrolled(memory, a_node("n1", NodeState.BOOTING)).proven == {POOL: (OLD, NEW)}
    assert enrolled(memory, a_node("n1", NodeState.LOST, enrolled_at=AT - 500)).proven == {POOL: (OLD,)}
    assert enrolled(memory, a_node("n2", NodeState.BOOTING)).proven == {POOL: (OLD,)}


def test_a_pool_can_go_back_to_what_served_before() -> None:
    """The way back from a bad release is the last place to wait for a trial."""
    memory = replace(PROVEN, proven={POOL: (OLD, NEW)})

    assert len(bought(memory, {OFFER.name: OLD})[1]) == 4


def test_what_a_machine_becomes_is_remembered_until_it_arrived() -> None:
    """No longer: memory does not grow with every machine that ever was. What waits is dated from its first tick."""
    ruled = a_pool(becomes={OFFER.name: NEW}, offers=(OFFER,))
    memory = replace(PROVEN, becoming={a_node("served").name: OLD})
    made, _ = bought(memory, {OFFER.name: NEW}, offers=(OFFER,))
    (ordered,) = (a.node for a in made.actions if isinstance(a, CreateNode))
    later = replace(made, waits=tuple(replace(wait, since_at=AT + 10) for wait in made.waits))

    def remembered(before: Memory, plan_made: Plan) -> Memory:
        reconciled = Reconciled(nodes=(), transitions=(), memory=before)
        return remembering.after(a_snapshot(), reconciled, plan_made, rules(ruled), FLEET)

    after = remembered(memory, made)

    assert {ordered: NEW} == after.becoming
    assert [AT] == [wait.since_at for wait in remembered(after, later).waits]
    assert () == remembered(after, replace(made, waits=())).waits
