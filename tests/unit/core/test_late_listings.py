"""A listing that came late shows what stood when it was asked for: presence is believed, absence so much later."""

from __future__ import annotations

import pytest

from autoscaler.core.absences import doubt
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reconcile import reconcile
from tests.unit.core.builders import AT, CLOUD, FLEET, a_listing, a_node, a_pool, a_snapshot, rules

SETTLE_S = 30.0


def after(node, lasted_s: float, age_s: float):  # type: ignore[no-untyped-def]
    """The node after a complete listing without it, so long after the first one that lacked it."""
    snapshot = a_snapshot(
        node, elapsed_s=lasted_s, listings={CLOUD: a_listing()}, listing_age_s={CLOUD: age_s}
    )
    (found,) = reconcile(snapshot, rules(a_pool()), FLEET).nodes
    return found


@pytest.mark.parametrize(("age_s", "state"), [(0.0, NodeState.GONE), (10.0, NodeState.DESTROYING)])
def test_absence_lasts_longer_by_the_age_of_the_listing(age_s: float, state: NodeState) -> None:
    """A machine of which a listing was asked before it stood is not gone for that."""
    node = a_node(state=NodeState.DESTROYING, missing_on=5_000.0, destroy_asks=1)

    assert state is after(node, SETTLE_S + 5.0, age_s).state


@pytest.mark.parametrize(("age_s", "doubted"), [(0.0, True), (4.0, True), (9.0, False)])
def test_absence_does_not_begin_with_a_listing_older_than_the_order(age_s: float, doubted: bool) -> None:
    """A minute of one look taken again and again would leave a single later look to end the record of a new machine."""
    node = a_node(state=NodeState.BOOTING, ordered_at=AT - 8.0)

    assert doubted is (after(node, 5.0, age_s).missing_on is not None)


@pytest.mark.parametrize(("age_s", "state"), [(0.0, NodeState.DESTROYING), (10.0, NodeState.CREATING)])
def test_an_order_expires_later_by_the_age_of_the_listing(age_s: float, state: NodeState) -> None:
    """No event fires from the absence of a thing which could not have been seen."""
    create_s = a_pool().timeouts.create_s
    node = a_node(state=NodeState.CREATING, entered_on=5_000.0, ordered_at=AT - create_s)

    assert state is after(node, create_s + 5.0, age_s).state


def test_what_was_ordered_since_it_was_asked_for_is_no_reason_to_doubt_it() -> None:
    """A burst of orders whose listing came late is no account that lost its machines."""
    nodes = [a_node(f"n{i}", NodeState.BOOTING, ordered_at=AT - 3.0) for i in range(4)]
    snapshot = a_snapshot(*nodes, listings={CLOUD: a_listing()}, listing_age_s={CLOUD: 5.0})

    doubts = doubt(snapshot, {CLOUD: ()})

    assert ((), {CLOUD: SETTLE_S + 5.0}) == (doubts.waits, doubts.snapshot.settle_s)


def test_presence_is_believed_however_late_it_is_told() -> None:
    """The machine was made, whatever became of it since."""
    node = a_node(state=NodeState.CREATING)
    snapshot = a_snapshot(node, listings={CLOUD: a_listing("n1")}, listing_age_s={CLOUD: 9.0})

    (found,) = reconcile(snapshot, rules(a_pool()), FLEET).nodes

    assert ("i-n1", NodeState.BOOTING) == (found.instance_id, found.state)
