"""The last look at a plan before anything is done: every kind of sabotage must be caught."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from autoscaler.core import invariants
from autoscaler.core.facts import Missing, Snapshot, Stranger
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import CreateNode, DestroyNode, DrainNode, Node, Plan
from autoscaler.core.plan import plan
from autoscaler.core.reconcile import Reconciled, reconcile
from policies.contract import Limits
from providers.contract import NodeName
from tests.unit.core.builders import (
    CLOUD,
    FLEET,
    POOL,
    a_listing,
    a_node,
    a_pool,
    a_snapshot,
    an_instance,
    rules,
    wanted,
)

S = NodeState
BOOK = rules(a_pool(limits=Limits(max_workers=4, max_cost_per_hour=0.4)))
SEEN = a_snapshot(
    a_node("ready"), a_node("ending", S.DESTROYING), a_node("booting", S.BOOTING, entered_on=5_000.0)
)
RECONCILED = reconcile(SEEN, BOOK, FLEET)
GOOD = plan(SEEN, RECONCILED, {POOL: wanted(3)}, BOOK, FLEET)
"""One node bought, one asked to end; `ready` and `booting` left alone."""

Picture = tuple[Snapshot, Reconciled, Plan]


def with_nodes(change: Callable[[Node], Node | None], made: Plan = GOOD) -> Plan:
    changed = [change(node) for node in made.nodes]
    return replace(made, nodes=tuple(n for n in changed if n is not None))


def the(kind: type[CreateNode | DestroyNode]) -> CreateNode | DestroyNode:
    (action,) = [a for a in GOOD.actions if isinstance(a, kind)]
    return action


def destroy_of(name: str) -> DestroyNode:
    node = next(n for n in GOOD.nodes if n.name == name)
    return DestroyNode(
        node=node.name, machine=node.machine, provider=CLOUD, instance_id=node.instance_id, timeout_s=1.0
    )


def creates_twice() -> Picture:
    return SEEN, RECONCILED, replace(GOOD, actions=(*GOOD.actions, the(CreateNode)))


def creates_a_known_name() -> Picture:
    again = replace(the(CreateNode), node=NodeName("booting"))
    state = with_nodes(lambda n: replace(n, state=S.CREATING) if n.name == "booting" else n)
    return SEEN, RECONCILED, replace(state, actions=(*GOOD.actions, again))


def orders_without_a_record() -> Picture:
    return SEEN, RECONCILED, with_nodes(lambda n: None if n.state is S.CREATING else n)


def records_without_an_order() -> Picture:
    return SEEN, RECONCILED, replace(GOOD, actions=(the(DestroyNode),))


def creates_while_the_listing_failed() -> Picture:
    return replace(SEEN, listings={CLOUD: Missing(why="down")}), RECONCILED, GOOD


def creates_while_the_listing_is_incomplete() -> Picture:
    return replace(SEEN, listings={CLOUD: a_listing("ready", complete=False)}), RECONCILED, GOOD


def creates_while_deaf() -> Picture:
    return replace(SEEN, sightings=Missing(why="deaf")), RECONCILED, GOOD


def destroys_a_ready_node() -> Picture:
    return SEEN, RECONCILED, replace(GOOD, actions=(*GOOD.actions, destroy_of("ready")))


def destroys_behind_the_life_cycles_back() -> Picture:
    state = with_nodes(lambda n: replace(n, state=S.DESTROYING) if n.name == "ready" else n)
    return SEEN, RECONCILED, replace(state, actions=(*GOOD.actions, destroy_of("ready")))


def drains_a_booting_node() -> Picture:
    node = next(n for n in GOOD.nodes if n.name == "booting")
    drain = DrainNode(node=node.name, worker=node.worker, queues=node.queues)
    return SEEN, RECONCILED, replace(GOOD, actions=(*GOOD.actions, drain))


def acts_twice_on_a_node() -> Picture:
    return SEEN, RECONCILED, replace(GOOD, actions=(*GOOD.actions, the(DestroyNode)))


def acts_on_a_node_with_a_call_in_flight() -> Picture:
    return replace(SEEN, in_flight=frozenset({NodeName("ending")})), RECONCILED, GOOD


def acts_on_a_node_without_a_record() -> Picture:
    ghost = replace(destroy_of("ending"), node=NodeName("ghost"))
    return SEEN, RECONCILED, replace(GOOD, actions=(*GOOD.actions, ghost))


def drops_a_record() -> Picture:
    return SEEN, RECONCILED, with_nodes(lambda n: None if n.name == "ready" else n)


def drops_an_adopted_record() -> Picture:
    adopted = replace(RECONCILED, nodes=(*RECONCILED.nodes, a_node("x~0", S.DESTROYING)))
    return SEEN, adopted, GOOD


def ends_a_record_without_proof() -> Picture:
    return SEEN, RECONCILED, with_nodes(lambda n: replace(n, state=S.GONE) if n.name == "ending" else n)


def passes_the_ceiling() -> Picture:
    nodes = (a_node("n1"), a_node("n2"))
    return SEEN, RECONCILED, replace(GOOD, nodes=(*GOOD.nodes, *nodes))


def passes_the_ceiling_with_a_stranger() -> Picture:
    stranger = Stranger(provider=CLOUD, instance=an_instance("x"), since_on=0.0)
    memory = replace(RECONCILED.memory, strangers=(stranger,))
    return SEEN, replace(RECONCILED, memory=memory), GOOD


def passes_the_budget() -> Picture:
    dear = with_nodes(lambda n: replace(n, offer=replace(n.offer, price_per_h=0.2)))
    return SEEN, RECONCILED, dear


def moves_along_no_edge() -> Picture:
    told = replace(
        GOOD.transitions[0], node=NodeName("ready"), before=S.READY, event=Event.DRAINED, after=S.DESTROYING
    )
    state = with_nodes(lambda n: replace(n, state=S.DESTROYING) if n.name == "ready" else n)
    return SEEN, RECONCILED, replace(state, transitions=(*GOOD.transitions, told))


def reconciles_along_no_edge() -> Picture:
    told = replace(
        GOOD.transitions[0], node=NodeName("ready"), before=S.READY, event=Event.DRAINED, after=S.DESTROYING
    )
    state = with_nodes(lambda n: replace(n, state=S.DESTROYING) if n.name == "ready" else n)
    return SEEN, replace(RECONCILED, transitions=(told,)), state


def tells_a_move_that_did_not_happen() -> Picture:
    told = replace(
        GOOD.transitions[0],
        node=NodeName("ready"),
        before=S.READY,
        event=Event.DRAIN_CHOSEN,
        after=S.DRAINING,
    )
    return SEEN, RECONCILED, replace(GOOD, transitions=(*GOOD.transitions, told))


SABOTAGES = (
    creates_twice,
    creates_a_known_name,
    orders_without_a_record,
    records_without_an_order,
    creates_while_the_listing_failed,
    creates_while_the_listing_is_incomplete,
    creates_while_deaf,
    destroys_a_ready_node,
    destroys_behind_the_life_cycles_back,
    drains_a_booting_node,
    acts_twice_on_a_node,
    acts_on_a_node_with_a_call_in_flight,
    acts_on_a_node_without_a_record,
    drops_a_record,
    drops_an_adopted_record,
    ends_a_record_without_proof,
    passes_the_ceiling,
    passes_the_ceiling_with_a_stranger,
    passes_the_budget,
    moves_along_no_edge,
    reconciles_along_no_edge,
    tells_a_move_that_did_not_happen,
)


def test_a_good_plan_passes() -> None:
    """Else nothing below would mean anything: the plan buys one and asks for the end of one."""
    invariants.check(SEEN, RECONCILED, GOOD, BOOK, FLEET)

    assert sorted(type(a).__name__ for a in GOOD.actions) == ["CreateNode", "DestroyNode"]


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda s: s.__name__)
def test_a_sabotaged_plan_is_refused(sabotage: Callable[[], Picture]) -> None:
    """A check that cannot fail holds nothing; each of these is a bug that would cost money or work."""
    snapshot, reconciled, made = sabotage()

    with pytest.raises(invariants.InvariantViolated):
        invariants.check(snapshot, reconciled, made, BOOK, FLEET)


def test_a_ceiling_lowered_below_what_stands_is_no_broken_plan() -> None:
    """Nothing is bought, and what is too many leaves in order: what serves now, what boots once it has enrolled."""
    tight = rules(a_pool(limits=Limits(max_workers=1)))
    made = plan(SEEN, RECONCILED, {POOL: wanted(0, pool=tight[POOL])}, tight, FLEET)

    invariants.check(SEEN, RECONCILED, made, tight, FLEET)

    assert not any(isinstance(action, CreateNode) for action in made.actions)
    assert [("ready", Event.DRAIN_CHOSEN)] == [(told.node, told.event) for told in made.transitions]
