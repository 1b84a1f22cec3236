"""What machines cost so far, as providers bill them: by begun quanta, from the order until they are gone.

What never happens here: a currency; sums are in the fleet's.
"""

from __future__ import annotations

import math

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Offer


def so_far(offer: Offer, since_at: float, until_at: float) -> float:
    """What a machine of this offer cost in that time: every quantum that was begun is paid whole."""
    quanta = max(1, math.ceil((until_at - since_at) / offer.quantum_s))
    return quanta * offer.quantum_s * offer.price_per_h / 3600.0


def of_node(node: Node, now: float) -> float:
    """What this node cost by now. One that never had a machine cost nothing."""
    if node.instance_id is None and node.state is NodeState.GONE:
        return 0.0
    began_at = node.ordered_at if node.instance_created_at is None else node.instance_created_at
    return so_far(node.offer, began_at, node.entered_at if node.state is NodeState.GONE else now)
