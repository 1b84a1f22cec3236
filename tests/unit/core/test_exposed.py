"""A machine that requests may still reach is not proven idle, whatever its worker holds."""

from __future__ import annotations

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.published import Published
from autoscaler.core.reconcile import reconcile
from providers.contract import NodeName
from tests.unit.core.builders import FLEET, POOL, a_node, a_snapshot, idle, rules


def state_of(*exposed: str, published: bool = True) -> NodeState:
    """What becomes of a draining machine whose worker proved that it holds nothing."""
    node = a_node("n1", NodeState.DRAINING, confirmed_on=4_900.0, worker_pid=7)
    upstream = Published(file="/f", exposed=tuple(map(NodeName, exposed)))
    snapshot = a_snapshot(node, idleness={node.name: idle()}, published={POOL: upstream} if published else {})
    (after,) = reconcile(snapshot, rules(), FLEET).nodes
    return after.state


def test_a_machine_that_is_exposed_waits() -> None:
    """Its requests would end with it."""
    assert NodeState.DRAINING is state_of("n1")


def test_one_that_is_not_goes() -> None:
    """Of a pool without a file, and of one whose reader let go of it."""
    assert NodeState.DESTROYING is state_of(published=False)
    assert NodeState.DESTROYING is state_of("n2")
