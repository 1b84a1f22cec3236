"""Who leaves first, and who is taken back first."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from autoscaler.core import call_budget, drains, quanta
from autoscaler.core.facts import Missing, Sightings
from autoscaler.core.lifecycle import ARRIVING, SERVING, NodeState
from autoscaler.core.model import ConsumerOrder, FleetRules, Node, PoolRules
from autoscaler.core.supply import one_each
from policies import traffic as traffics
from policies.contract import Decision, Rule
from providers.contract import NodeName

_CEILINGS = frozenset({Rule.CEILING, Rule.SCHEDULED_CEILING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What tells when a machine should leave: the instant, and the seconds that an idle drain and a task take."""

    at: float
    drain_s: float
    task_s: float
    many_s: float = 0.0
    """Until the last of all that are too many may be destroyed: accounts take so many calls a minute."""

    def is_due(self, node: Node, in_hand: int) -> bool:
        """Whether its paid time is nearly over."""
        return quanta.is_due(
            node, self.at, drain_s=self.drain_s, in_hand=in_hand, task_s=self.task_s, many_s=self.many_s
        )


def pace(decision: Decision, pool: PoolRules, fleet: FleetRules, at: float, have: int) -> Pace:
    """When machines of the pool should leave, so many of which are there."""
    surplus = have - decision.wanted
    accounts = {offer.provider for offer in pool.offers}
    return Pace(
        at=at,
        drain_s=drains.drain_s(decision.input.history.traffic, fleet),
        task_s=traffics.task_s(decision.input.history.traffic),
        many_s=max((call_budget.time_for(surplus, fleet, account) for account in accounts), default=0.0),
    )


def paid_anew(
    nodes: Iterable[Node], pool: PoolRules, decision: Decision, at: float, fleet: FleetRules
) -> tuple[Node, ...]:
    """Those whose drain outlasted their quantum: not against a person's word, and never above a ceiling."""
    # What a month's money cannot pay for leaves, whatever number the floor made of that since.
    spent = any(step.rule is Rule.MONTHLY_BUDGET for step in decision.steps)
    if decision.input.hold is not None or spent or decision.binding in _CEILINGS:
        return ()
    nodes, drain_s = tuple(nodes), drains.drain_s(decision.input.history.traffic, fleet)
    room = pool.limits.max_workers - sum(pool.counts_as(n) for n in nodes if n.state in SERVING | ARRIVING)
    all_of_them = returners(nodes, sum(map(pool.counts_as, nodes)), pool.counts_as)
    found = [n for n in all_of_them if quanta.began_while_draining(n, at, drain_s=drain_s)]
    taken = []
    for node in found:
        if pool.counts_as(node) <= room:
            taken.append(node)
            room -= pool.counts_as(node)
    return tuple(taken)


def leavers(
    nodes: Iterable[Node],
    count: int,
    sightings: Sightings | Missing,
    pace: Pace,
    counts_as: Callable[[Node], int] = one_each,
    outdated: Collection[NodeName] = (),
) -> tuple[Node, ...]:
    """The nodes, `count` workers at most, whose leaving costs least, of those whose paid time is nearly over.

    Serving ones that are outdated, then those with the fewest tasks in hand, and among equals the oldest, so that a
    fleet renews itself. Machines
    that still boot are as many fewer to send away: what cannot be heard may work, so each of them leaves, if it is
    still too many, once it has enrolled and can be drained. Without sight of the workers nobody is chosen at all.
    """
    if isinstance(sightings, Missing):
        return ()
    nodes = tuple(nodes)
    left = count - sum(counts_as(n) for n in nodes if n.state is NodeState.BOOTING)
    serving = sorted(
        (n for n in nodes if n.state is NodeState.READY and pace.is_due(n, _in_hand(n, sightings))),
        key=lambda n: (n.name not in outdated, _in_hand(n, sightings), n.ordered_at, n.name),
    )
    chosen = []
    for node in serving:
        # A large machine stays while fewer workers are too many than it counts as.
        if counts_as(node) <= left:
            chosen.append(node)
            left -= counts_as(node)
    return tuple(chosen)


def returners(
    nodes: Iterable[Node], count: int, counts_as: Callable[[Node], int] = one_each
) -> tuple[Node, ...]:
    """Draining nodes to take back until `count` workers are, those told to leave last first: they have given up least.

    One that an operator drains is not taken back: there is a reason why it should go, whatever the load.
    """
    draining = [
        n for n in nodes if n.state is NodeState.DRAINING and n.consumer_order is not ConsumerOrder.LEAVE
    ]
    chosen = []
    for node in sorted(draining, key=lambda n: (-n.entered_at, n.name)):
        if count > 0:
            chosen.append(node)
            count -= counts_as(node)
    return tuple(chosen)


def _in_hand(node: Node, sightings: Sightings) -> int:
    heard = sightings.workers.get(node.worker)
    return 0 if heard is None or heard.active is None else heard.active
