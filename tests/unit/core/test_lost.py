"""Lost workers: paid and counted until they are settled, and whole again when they come back."""

from __future__ import annotations

from typing import Any

import pytest

from autoscaler.core.facts import Idleness, Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder, Timeouts
from policies.contract import Limits
from tests.unit.core.builders import a_node, a_sighting, a_snapshot, heard, idle, nobody_there
from tests.unit.core.test_leaving import kinds, tick

S = NodeState


def test_a_lost_worker_is_paid_and_counted_and_no_supply_until_it_is_settled() -> None:
    """It takes its place under ceiling and budget, and another is bought for it where there is room."""
    nodes = (a_node("n1", S.LOST, entered_on=5_000.0), a_node("n2"))
    unheard: dict[str, Any] = {"sightings": heard(a_sighting("n2"))}

    full = tick(a_snapshot(*nodes, **unheard), 2, limits=Limits(max_workers=2))
    dear = tick(a_snapshot(*nodes, **unheard), 2, limits=Limits(max_workers=5, max_cost_per_hour=0.25))
    room = tick(a_snapshot(*nodes, **unheard), 2, limits=Limits(max_workers=3, max_cost_per_hour=0.31))

    assert ([], [], ["CreateNode"]) == (kinds(full), kinds(dear), kinds(room))


def test_a_lost_worker_that_comes_back_is_one_of_them_again_and_the_one_too_many_is_drained() -> None:
    """Its place may have been taken: then whoever has the fewest tasks leaves, by the two proofs like any other."""
    nodes = (a_node("back", S.LOST), a_node("bought"))
    seen = heard(a_sighting("back", active=2), a_sighting("bought"))

    made = tick(a_snapshot(*nodes, sightings=seen), 1)

    assert {"back": S.READY, "bought": S.DRAINING} == {n.name: n.state for n in made.nodes}
    assert ["DrainNode"] == kinds(made)


def test_a_worker_lost_while_it_drained_is_told_to_consume_when_it_comes_back_and_is_needed() -> None:
    """It may or may not have been told to stop; the order is repeated until it confirms."""
    node = a_node(state=S.LOST, consumer_order=ConsumerOrder.CANCEL)

    made = tick(a_snapshot(node, sightings=heard(a_sighting())), 1)

    assert (S.READY, ["UndrainNode"]) == (made.nodes[0].state, kinds(made))


def test_a_zombie_that_falls_silent_on_its_way_out_goes_on_leaving_when_it_comes_back() -> None:
    """Silence is no cure."""
    node = a_node(state=S.LOST, consumer_order=ConsumerOrder.LEAVE)

    made = tick(a_snapshot(node, sightings=heard(a_sighting())), 1)

    assert (S.DRAINING, ConsumerOrder.LEAVE) == (made.nodes[0].state, made.nodes[0].consumer_order)


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (idle(unacknowledged=0), S.LOST),
        (nobody_there(), S.DESTROYING),
    ],
)
def test_a_worker_lost_amid_tasks_has_the_time_of_a_drain_unless_it_is_gone(
    seen: Idleness, state: NodeState
) -> None:
    """Acknowledged early, its tasks are no messages at the broker."""
    node = a_node(state=S.LOST, entered_on=4_000.0)  # a little over 1000 s ago
    silent = heard(a_sighting(active=1, silent_s=900.0))

    patient = tick(
        a_snapshot(node, sightings=silent, idleness={node.name: seen}), 1, timeouts=Timeouts(drain_s=2_000.0)
    )
    over = tick(
        a_snapshot(node, sightings=silent, idleness={node.name: seen}), 1, timeouts=Timeouts(drain_s=1_000.0)
    )

    assert (state, S.DESTROYING) == (patient.nodes[0].state, over.nodes[0].state)


@pytest.mark.parametrize("active", [0, 1])
def test_a_lost_worker_is_not_given_up_while_the_broker_does_not_say_what_it_holds(active: int) -> None:
    """It held messages on every look before: one look that fails must not read as "nothing"."""
    node = a_node(state=S.LOST, entered_on=0.0)
    unread = {node.name: idle(unacknowledged=Missing(why="no time left on this tick"))}

    silent = heard(a_sighting(active=active, silent_s=900.0))
    made = tick(a_snapshot(node, sightings=silent, idleness=unread))

    assert (S.LOST, []) == (made.nodes[0].state, kinds(made))
