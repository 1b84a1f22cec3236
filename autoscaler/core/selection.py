"""Who leaves first, and who is taken back first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from autoscaler.core import quanta
from autoscaler.core.facts import Missing, Sightings
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What tells when a machine should leave: the instant, and the seconds that an idle drain and a task take."""

    at: float
    drain_s: float
    task_s: float

    def is_due(self, node: Node, in_hand: int) -> bool:
        """Whether its paid time is nearly over."""
        return quanta.is_due(node, self.at, drain_s=self.drain_s, in_hand=in_hand, task_s=self.task_s)


def leavers(
    nodes: Iterable[Node],
    count: int,
    sightings: Sightings | Missing,
    pace: Pace,
) -> tuple[Node, ...]:
    """The `count` nodes whose leaving costs least, of those whose paid time is nearly over.

    Serving ones with the fewest tasks in hand, and among equals the oldest, so that a fleet renews itself. Machines
    that still boot are as many fewer to send away: what cannot be heard may work, so each of them leaves, if it is
    still too many, once it has enrolled and can be drained. Without sight of the workers nobody is chosen at all.
    """
    if isinstance(sightings, Missing):
        return ()
    nodes = tuple(nodes)
    booting = sum(n.state is NodeState.BOOTING for n in nodes)
    serving = sorted(
        (n for n in nodes if n.state is NodeState.READY and pace.is_due(n, _in_hand(n, sightings))),
        key=lambda n: (_in_hand(n, sightings), n.ordered_at, n.name),
    )
    return tuple(serving[: max(0, count - booting)])


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
