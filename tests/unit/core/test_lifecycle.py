"""The life cycle table: what it allows, and that nothing else happens."""

from __future__ import annotations

from itertools import product

import pytest

from autoscaler.core import lifecycle, moves
from autoscaler.core.lifecycle import Event, IllegalTransition, NodeState
from tests.unit.core.builders import AT, CLOCKS, a_node

S = NodeState
ILLEGAL = [pair for pair in product(S, Event) if pair not in lifecycle.TABLE]


@pytest.mark.parametrize(("state", "event"), ILLEGAL)
def test_an_illegal_pair_raises_and_changes_nothing(state: NodeState, event: Event) -> None:
    """The message names the node, its state and what could have happened."""
    node = a_node(state=state)
    before = repr(node)

    with pytest.raises(IllegalTransition, match=rf"n1 is {state.value}: {event.value} cannot"):
        moves.move(node, event, "a test says so", at=AT, clocks=CLOCKS)

    assert before == repr(node)


def test_gone_is_final() -> None:
    """No event leads away from it."""
    assert [pair for pair in lifecycle.TABLE if pair[0] is S.GONE] == []


def test_every_live_state_can_be_reached_and_reaches_its_end() -> None:
    """From CREATING by legal events to everywhere, and from everywhere to GONE without an operator's word."""
    edges = {(s, after) for (s, e), after in lifecycle.TABLE.items() if e is not Event.FORGOTTEN}

    def reach(start: NodeState) -> set[NodeState]:
        found = {start}
        while more := {b for a, b in edges if a in found} - found:
            found |= more
        return found

    assert reach(S.CREATING) == set(S)
    assert all(S.GONE in reach(state) for state in S)


def test_a_serving_or_draining_node_is_ended_by_proof_or_by_an_order_alone() -> None:
    """No time-out but the operator's own choice leads from work to the end of a machine."""
    ways = {
        e for (s, e), after in lifecycle.TABLE.items() if s in {S.READY, S.DRAINING} and after is S.DESTROYING
    }

    assert ways == {Event.DESTROY_CHOSEN, Event.DRAINED, Event.DRAIN_EXPIRED}


def test_every_state_but_gone_is_billable_and_counted_once() -> None:
    """Arriving, serving and leaving never overlap; LOST is paid and nothing else."""
    groups = (lifecycle.ARRIVING, lifecycle.SERVING, lifecycle.LEAVING, {S.LOST})

    assert set().union(*groups) == lifecycle.BILLABLE == set(S) - {S.GONE}
    assert sum(len(g) for g in groups) == len(lifecycle.BILLABLE)


def test_every_state_has_a_meaning() -> None:
    """The generated page has no empty row."""
    assert set(lifecycle.MEANINGS) == set(S)
