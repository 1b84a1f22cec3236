"""What is said beside a decision of nodes that leave or enrol late."""

from __future__ import annotations

from typing import cast

from autoscaler.core import remarks
from autoscaler.core.facts import Hands, Idleness
from autoscaler.core.lifecycle import NodeState
from tests.unit.core.builders import CLOCKS, POOL, a_node, a_pool, a_snapshot, rules


def test_a_node_whose_facts_cannot_be_read_is_remarked_upon_all_the_same() -> None:
    """A remark changes nothing: an odd answer of one worker takes neither the tick nor the others' remarks with it."""
    drains_s = a_pool().timeouts.drain_s
    nodes = [
        a_node(name, NodeState.DRAINING, entered_on=CLOCKS["sightings"] - drains_s, confirmed_on=1.0)
        for name in ("odd", "sound")
    ]
    odd = Idleness(
        age_s=0.0, hands=Hands(active=cast("int", None), reserved=0, scheduled=0), unacknowledged=0
    )
    sound = Idleness(age_s=0.0, hands=Hands(active=1, reserved=0, scheduled=0), unacknowledged=1)
    snapshot = a_snapshot(*nodes, idleness={"odd": odd, "sound": sound})

    said = remarks.slow_drains(snapshot, nodes, rules(a_pool()), CLOCKS)

    assert [
        (POOL, f"odd drains longer than {drains_s:.0f} s: what is known of it cannot be read (TypeError)"),
        (
            POOL,
            f"sound drains longer than {drains_s:.0f} s: its worker holds 1 tasks, the broker 1 messages for it",
        ),
    ] == list(said)
