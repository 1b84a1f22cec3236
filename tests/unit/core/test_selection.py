"""Who leaves first and who is taken back first."""

from __future__ import annotations

import pytest

from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder
from autoscaler.core.selection import leavers, returners
from tests.unit.core.builders import AT, a_node, a_sighting, heard

S = NodeState


def names(nodes: tuple[object, ...]) -> list[str]:
    return [node.name for node in nodes]  # type: ignore[attr-defined]


def test_machines_that_boot_are_as_many_fewer_to_send_away() -> None:
    """They may have a worker at work that is not heard: each leaves once it has enrolled and can be drained."""
    nodes = (a_node("first"), a_node("second"), a_node("boots", S.BOOTING))

    found = [len(leavers(nodes, count, heard())) for count in range(4)]

    assert [0, 0, 1, 2] == found


def test_serving_ones_leave_by_their_hands_then_by_their_age() -> None:
    """Fewest tasks in hand first; among equals the oldest, so that a fleet renews itself."""
    nodes = (
        a_node("busy"),
        a_node("old idle", ordered_at=AT - 90),
        a_node("young idle", ordered_at=AT - 10),
    )
    seen = heard(*(a_sighting(n.machine, active=2 if n.name == "busy" else 0) for n in nodes))

    assert names(leavers(nodes, 3, seen)) == ["old idle", "young idle", "busy"]


@pytest.mark.parametrize("state", [S.CREATING, S.BOOTING, S.LOST, S.DRAINING, S.DESTROYING, S.GONE])
def test_only_serving_nodes_can_be_sent_away(state: NodeState) -> None:
    """The others cannot be proven idle yet, or are leaving already."""
    assert leavers((a_node(state=state),), 1, heard()) == ()


def test_without_sight_of_the_workers_nobody_is_sent_away() -> None:
    """Who has the fewest tasks in hand cannot be told, nor who is still there."""
    assert leavers((a_node(),), 1, Missing(why="deaf")) == ()


def test_those_told_to_leave_last_are_taken_back_first() -> None:
    """They have given up least."""
    early = a_node("early", S.DRAINING, entered_at=AT - 50, consumer_order=ConsumerOrder.CANCEL)
    late = a_node("late", S.DRAINING, entered_at=AT - 5, consumer_order=ConsumerOrder.CANCEL)

    assert returners((early, late, a_node("ready")), 1) == (late,)
