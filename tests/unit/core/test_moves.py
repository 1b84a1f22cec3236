"""What a move changes on a record besides its state."""

from __future__ import annotations

import pytest

from autoscaler.core import moves
from autoscaler.core.facts import SIGHTINGS_CLOCK, listing_clock
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import ConsumerOrder, Node
from tests.unit.core.builders import AT, CLOUD, a_node

S, E, C = NodeState, Event, ConsumerOrder
CLOCKS = {SIGHTINGS_CLOCK: 111.0, listing_clock(CLOUD): 222.0}


def moved(node: Node, event: Event) -> Node:
    return moves.move(node, event, "a test says so", at=AT, clocks=CLOCKS)[0]


@pytest.mark.parametrize(
    ("state", "event", "reads"),
    [
        (S.CREATING, E.INSTANCE_SEEN, 111.0),
        (S.READY, E.DRAIN_CHOSEN, 111.0),
        (S.READY, E.WORKER_SILENT, 111.0),
        (S.DRAINING, E.UNDRAIN_CHOSEN, 111.0),
        (S.CREATING, E.CREATE_EXPIRED, 222.0),
        (S.DRAINING, E.DRAINED, 222.0),
    ],
)
def test_a_state_begins_on_the_clock_that_its_deadline_runs_on(
    state: NodeState, event: Event, reads: float
) -> None:
    """Hearing for those that wait for a worker, listing for those that wait for a machine."""
    node = moved(a_node(state=state), event)

    assert (AT, reads) == (node.entered_at, node.entered_on)
    assert moves.lasted_s(node, {key: at + 5 for key, at in CLOCKS.items()}) == 5


@pytest.mark.parametrize(
    ("told", "state", "event", "then"),
    [
        (C.NONE, S.READY, E.DRAIN_CHOSEN, C.CANCEL),
        (C.CANCEL, S.DRAINING, E.UNDRAIN_CHOSEN, C.ADD),
        (C.LEAVE, S.DRAINING, E.UNDRAIN_CHOSEN, C.ADD),
        (C.CANCEL, S.DRAINING, E.WORKER_SILENT, C.CANCEL),
        (C.CANCEL, S.LOST, E.WORKER_SEEN, C.ADD),
        (C.NONE, S.LOST, E.WORKER_SEEN, C.NONE),
        (C.NONE, S.BOOTING, E.WORKER_SEEN, C.NONE),
    ],
)
def test_what_a_worker_is_told_follows_from_what_it_was_told(
    told: ConsumerOrder, state: NodeState, event: Event, then: ConsumerOrder
) -> None:
    """One that was ever told to stop must be told to begin; one that never was needs no order."""
    assert then is moved(a_node(state=state, consumer_order=told), event).consumer_order


def test_only_a_proof_of_idleness_asks_the_worker_to_stop_first() -> None:
    """Any other end has no worker that could be asked, or no time to."""
    assert moved(a_node(state=S.DRAINING), E.DRAINED).stop_due
    assert not moved(a_node(state=S.DRAINING), E.DESTROY_CHOSEN).stop_due


def test_a_confirmation_does_not_outlive_the_state_it_was_given_in() -> None:
    """The next drain needs one of its own."""
    node = a_node(state=S.DRAINING, consumer_order=C.CANCEL, confirmed_on=4_995.0)

    assert moved(moved(node, E.UNDRAIN_CHOSEN), E.DRAIN_CHOSEN).confirmed_on is None
