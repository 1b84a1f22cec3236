"""Who leaves first, and who is taken back first."""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.core.facts import Missing, Sightings
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder, Node


def leavers(
    nodes: Iterable[Node], count: int, sightings: Sightings | Missing, *, silence_s: float
) -> tuple[Node, ...]:
    """The `count` nodes whose leaving costs least.

    Machines that still boot go first, the youngest before the others: they hold nothing and have the longest way
    to go. Then serving ones with the fewest tasks in hand, and among equals the oldest, so that a fleet renews
    itself. A node of unknown outcome (CREATING) cannot be given back yet, and without sight of the workers none
    is chosen at all: one that booted for us may be serving by now.
    """
    if isinstance(sightings, Missing):
        return ()
    nodes = tuple(nodes)
    booting = sorted(
        (n for n in nodes if idle_while_booting(n, sightings, silence_s)),
        key=lambda n: (-n.ordered_at, n.name),
    )
    serving = sorted(
        (n for n in nodes if n.state is NodeState.READY),
        key=lambda n: (_in_hand(n, sightings), n.ordered_at, n.name),
    )
    return tuple((booting + serving)[:count])


def idle_while_booting(node: Node, sightings: Sightings | Missing, silence_s: float) -> bool:
    """Whether a machine surely holds no task because its worker has not begun: it would have been heard.

    Just after we began to listen (a restart, a lost connection) a worker may serve that we have not heard yet.
    """
    listened = not isinstance(sightings, Missing) and sightings.would_hear_within(silence_s)
    return node.state is NodeState.BOOTING and listened


def returners(nodes: Iterable[Node], count: int) -> tuple[Node, ...]:
    """Up to `count` draining nodes to take back, those told to leave last first: they have given up least.

    One that an operator drains is not taken back: there is a reason why it should go, whatever the load.
    """
    draining = [
        n for n in nodes if n.state is NodeState.DRAINING and n.consumer_order is not ConsumerOrder.LEAVE
    ]
    return tuple(sorted(draining, key=lambda n: (-n.entered_at, n.name))[:count])


def _in_hand(node: Node, sightings: Sightings) -> int:
    heard = sightings.workers.get(node.worker)
    return 0 if heard is None or heard.active is None else heard.active
