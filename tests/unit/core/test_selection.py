"""Who leaves first and who is taken back first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder, Node
from autoscaler.core.selection import Pace, leavers, paid_anew, returners
from policies.contract import Hold, Limits
from providers.contract import NodeName
from tests.unit.core.builders import AT, FLEET, OFFER, a_node, a_pool, a_sighting, heard, wanted

S = NodeState
PACE = Pace(at=AT, drain_s=60.0, task_s=10.0)


def names(nodes: tuple[object, ...]) -> list[str]:
    return [node.name for node in nodes]  # type: ignore[attr-defined]


def test_machines_that_boot_are_as_many_fewer_to_send_away() -> None:
    """They may have a worker at work that is not heard: each leaves once it has enrolled and can be drained."""
    nodes = (a_node("first"), a_node("second"), a_node("boots", S.BOOTING))

    found = [len(leavers(nodes, count, heard(), PACE)) for count in range(4)]

    assert [0, 0, 1, 2] == found


def test_serving_ones_leave_by_their_hands_then_by_their_age() -> None:
    """Fewest tasks in hand first; among equals the oldest, so that a fleet renews itself."""
    nodes = (
        a_node("busy"),
        a_node("old idle", ordered_at=AT - 90),
        a_node("young idle", ordered_at=AT - 10),
    )
    seen = heard(*(a_sighting(n.machine, active=2 if n.name == "busy" else 0) for n in nodes))

    assert names(leavers(nodes, 3, seen, PACE)) == ["old idle", "young idle", "busy"]


@pytest.mark.parametrize("state", [S.CREATING, S.BOOTING, S.LOST, S.DRAINING, S.DESTROYING, S.GONE])
def test_only_serving_nodes_can_be_sent_away(state: NodeState) -> None:
    """The others cannot be proven idle yet, or are leaving already."""
    assert leavers((a_node(state=state),), 1, heard(), PACE) == ()


def test_without_sight_of_the_workers_nobody_is_sent_away() -> None:
    """Who has the fewest tasks in hand cannot be told, nor who is still there."""
    assert leavers((a_node(),), 1, Missing(why="deaf"), PACE) == ()


def test_those_told_to_leave_last_are_taken_back_first() -> None:
    """They have given up least."""
    early = a_node("early", S.DRAINING, entered_at=AT - 50, consumer_order=ConsumerOrder.CANCEL)
    late = a_node("late", S.DRAINING, entered_at=AT - 5, consumer_order=ConsumerOrder.CANCEL)

    assert returners((early, late, a_node("ready")), 1) == (late,)


HOURLY = replace(OFFER, quantum_s=3600)


def bought(minutes_ago: float, **fields: Any) -> Node:
    """A machine billed by the hour."""
    return a_node(f"{minutes_ago:g}", offer=HOURLY, ordered_at=AT - minutes_ago * 60, **fields)


def test_a_machine_that_is_paid_leaves_only_near_the_end_of_its_hour() -> None:
    """Nothing is saved before it, and load may return."""
    nodes = tuple(bought(minutes) for minutes in (1, 30, 58, 59.25, 119.25))

    assert ["119.25", "59.25"] == names(leavers(nodes, 5, heard(), PACE))


def test_a_machine_amid_tasks_begins_to_leave_earlier() -> None:
    """It has to finish them before the next hour begins."""
    nodes = (bought(58.5), bought(58.6))
    seen = heard(a_sighting("58.6", active=1))

    assert ["58.6"] == names(leavers(nodes, 2, seen, PACE))


def test_one_whose_drain_could_not_end_in_time_stays() -> None:
    """The next hour is as good as begun: it works until that ends."""
    assert () == leavers((bought(59.8),), 1, heard(), PACE)


def test_a_short_quantum_is_as_none() -> None:
    """By the minute there is nothing to wait for."""
    by_the_minute = replace(bought(1), offer=replace(OFFER, quantum_s=60))

    assert ["1"] == names(leavers((by_the_minute,), 1, heard(), PACE))


def test_a_quantum_shorter_than_it_takes_to_leave_is_as_none() -> None:
    """With ticks of half an hour nobody would ever be told in time."""
    slow = replace(PACE, drain_s=7_211.0)

    assert ["20"] == names(leavers((bought(20),), 1, heard(), slow))


def test_after_a_clock_was_set_back_machines_still_leave_in_their_time() -> None:
    """The phase of a quantum stays, whatever the hour is called."""
    assert ["-600.75"] == names(leavers((bought(-600.75),), 1, heard(), PACE))


def test_many_that_are_too_many_begin_to_leave_earlier() -> None:
    """An account takes so many calls a minute: the last would go after its next hour began."""
    crowd = replace(PACE, many_s=240.0)

    assert [] == names(leavers((bought(56),), 1, heard(), PACE))
    assert ["56"] == names(leavers((bought(56),), 1, heard(), crowd))


@pytest.mark.parametrize(
    ("decided", "ceiling", "expected"),
    [({}, 10, 2), ({}, 2, 1), ({}, 1, 0), ({"hold": Hold(workers=0, until_at=AT + 60)}, 10, 0)],
)
def test_what_is_paid_anew_is_used_below_the_ceiling_and_not_against_a_persons_word(
    decided: dict[str, Any], ceiling: int, expected: int
) -> None:
    """The next hour of a drain that outlasted its own is paid; that is no reason to pass a limit."""
    drains = {"consumer_order": ConsumerOrder.CANCEL, "entered_at": AT - 120}
    nodes = (
        bought(10),
        *(replace(bought(61), name=NodeName(f"d{n}"), state=S.DRAINING, **drains) for n in range(2)),
    )
    pool = a_pool(limits=Limits(max_workers=ceiling))

    assert expected == len(paid_anew(nodes, pool, wanted(1, pool=pool, **decided), AT, FLEET))
