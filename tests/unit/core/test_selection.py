"""Who leaves first and who is taken back first."""

from __future__ import annotations

import pytest

from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder
from autoscaler.core.selection import leavers, returners
from tests.unit.core.builders import AT, a_node, a_sighting, heard

S = NodeState
SILENCE_S = 60.0


def names(nodes: tuple[object, ...]) -> list[str]:
    return [node.name for node in nodes]  # type: ignore[attr-defined]


def test_the_youngest_booting_machine_leaves_first() -> None:
    """It has the longest way to go."""
    nodes = (a_node("old", S.BOOTING, ordered_at=AT - 90), a_node("young", S.BOOTING, ordered_at=AT - 10))

    assert names(leavers(nodes, 1, heard(), silence_s=SILENCE_S)) == ["young"]


def test_serving_ones_leave_by_their_hands_then_by_their_age() -> None:
    """Fewest tasks in hand first; among equals the oldest, so that a fleet renews itself."""
    nodes = (
        a_node("busy"),
        a_node("old idle", ordered_at=AT - 90),
        a_node("young idle", ordered_at=AT - 10),
    )
    seen = heard(*(a_sighting(n.machine, active=2 if n.name == "busy" else 0) for n in nodes))

    assert names(leavers(nodes, 3, seen, silence_s=SILENCE_S)) == ["old idle", "young idle", "busy"]


@pytest.mark.parametrize("state", [S.CREATING, S.LOST, S.DRAINING, S.DESTROYING, S.GONE])
def test_only_booting_and_serving_nodes_can_be_sent_away(state: NodeState) -> None:
    """The others cannot be given back yet, or are leaving already."""
    assert leavers((a_node(state=state),), 1, heard(), silence_s=SILENCE_S) == ()


@pytest.mark.parametrize("state", [S.BOOTING, S.READY])
def test_without_sight_of_the_workers_nobody_is_sent_away(state: NodeState) -> None:
    """Not even one that boots: its worker may have begun while we could not hear it."""
    assert leavers((a_node(state=state),), 1, Missing(why="deaf"), silence_s=SILENCE_S) == ()


def test_a_booting_machine_is_only_given_back_when_its_worker_would_have_been_heard() -> None:
    """Just after a restart of ours its worker may be at work, and its machine must not be ended undrained."""
    node = a_node(state=S.BOOTING)

    assert leavers((node,), 1, heard(listening_s=SILENCE_S), silence_s=SILENCE_S) == ()
    assert leavers((node,), 1, heard(listening_s=SILENCE_S + 1), silence_s=SILENCE_S) == (node,)


def test_those_told_to_leave_last_are_taken_back_first() -> None:
    """They have given up least."""
    early = a_node("early", S.DRAINING, entered_at=AT - 50, consumer_order=ConsumerOrder.CANCEL)
    late = a_node("late", S.DRAINING, entered_at=AT - 5, consumer_order=ConsumerOrder.CANCEL)

    assert returners((early, late, a_node("ready")), 1) == (late,)
