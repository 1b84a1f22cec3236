"""What each tick measures of a pool: its tasks' traffic, and how long its machines take to come and to go.

The snapshot and the moves that the world made go in, the measurements as they are remembered come out. What cannot be
seen measures nothing. What never happens here: a decision.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from autoscaler.core import boots, drains, moves, offers, patience, supply
from autoscaler.core.facts import Missing, Snapshot
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import FleetRules, Node, OfferName, PoolName, PoolRules, Transition
from policies import growth, redelivery, seasons
from policies import traffic as traffics
from policies.contract import Demand, Flow, Span, Supply, Traffic
from policies.prospect import Slice

_MAY_HOLD_A_SLOT = 5.0
"""Messages in a worker's hands for each slot: one that runs, and four prefetched, which is Celery's default."""
_UNEVEN = 2.0
"""Of what the workers of a pool hold on average one may hold so many times as much."""
_AT_ONCE_S = 1.0
_LONGEST_LOOK_S = 86_400.0
"""What was counted over more than a day tells no rate of now; it may be a broken clock's, and no number at all."""


def traffic(
    snapshot: Snapshot, told: Iterable[Transition], rules: Mapping[PoolName, PoolRules], fleet: FleetRules
) -> dict[PoolName, Traffic]:
    """Of each configured pool, this look included; pools no longer configured are forgotten."""
    before, left = snapshot.memory.traffic, drains.ended(snapshot)
    booted: dict[PoolName, list[float]] = {}
    for (of, _), found in _boots(snapshot, told).items():
        booted.setdefault(of, []).extend(found)
    nodes = supply.by_pool(snapshot.nodes)
    measured = {}
    for name, pool in rules.items():
        of_pool = _dated(before.get(name) or Traffic(), snapshot)
        demand = _seen(snapshot, name)
        if demand is None:
            of_pool = replace(
                of_pool,
                growth=growth.unseen(of_pool.growth, snapshot.elapsed_s),
                redeliveries=redelivery.unseen(of_pool.redeliveries, snapshot.elapsed_s),
            )
        else:
            workers = supply.supply(nodes[name], pool.slots, snapshot, pool.counts_as)
            excused = _excused(pool, nodes[name], demand, workers, snapshot)
            of_pool = with_look(of_pool, demand, workers, excused, elapsed_s=snapshot.elapsed_s)
        if name in booted:
            # The wall clock may have been stepped in between: no boot takes longer than it is given.
            longest_s = pool.timeouts.create_s + pool.timeouts.enrol_s
            of_pool = traffics.with_boots(of_pool, (min(s, longest_s) for s in booted[name]))
        if name in left:
            of_pool = drains.with_drains(of_pool, left[name], drains.longest_s(fleet))
        measured[name] = of_pool
    return measured


def slices(snapshot: Snapshot, rules: Mapping[PoolName, PoolRules]) -> dict[PoolName, Slice]:
    """What this look adds to the past of each configured pool: the arrivals that it counted, and over how long."""
    found = {}
    for name in rules:
        demand = _seen(snapshot, name)
        of_pool = seasons.slice_of(snapshot.at, demand.flow) if demand is not None else None
        if of_pool is not None:
            found[name] = of_pool
    return found


def _dated(before: Traffic, snapshot: Snapshot) -> Traffic:
    """What was measured, without what is compared with later looks if nobody knows for how long there was none."""
    if not snapshot.outcomes_may_be_old:
        return before
    return replace(
        before,
        growth=growth.undated(before.growth),
        redeliveries=redelivery.undated(before.redeliveries),
    )


def _seen(snapshot: Snapshot, pool: PoolName) -> Demand | None:
    """The pool's demand, None where it could not be seen."""
    demand = snapshot.demand.get(pool)
    if demand is None or isinstance(demand, Missing):
        return None
    if demand.flow is None and not (demand.backlog or demand.in_progress):
        # A broker forgets counters of queues that are not used, or are gone. Nothing there: nothing flows.
        return replace(demand, flow=Flow(arrived=0, completed=0, over_s=snapshot.elapsed_s))
    return demand


def with_look(
    before: Traffic, demand: Demand, workers: Supply, excused: float = 0.0, *, elapsed_s: float = 0.0
) -> Traffic:
    """The traffic after this look, with what the guards need, `elapsed_s` after the last one (0: as long as was
    counted). `excused` messages come back from those sent away."""
    if demand.flow is not None and not 0.0 < demand.flow.over_s <= _LONGEST_LOOK_S:
        demand = replace(demand, flow=None)
    now = traffics.with_look(before, demand, workers)
    task_s, boot_s = traffics.task_s(now), traffics.boot_s(now)
    return replace(
        now,
        growth=growth.with_look(
            before.growth, demand, workers, task_s=task_s, boot_s=boot_s, elapsed_s=elapsed_s
        ),
        redeliveries=redelivery.with_look(
            before.redeliveries, demand, excused, workers=workers.serving, elapsed_s=elapsed_s
        ),
    )


def boots_by_offer(
    snapshot: Snapshot,
    told: Iterable[Transition],
    rules: Mapping[PoolName, PoolRules],
    renewed: Collection[OfferName] = (),
) -> dict[OfferName, Span]:
    """Of every offer of each configured pool, this tick's boots included, and of what an offer without a boot of its
    own is like. Those `renewed` are offers of whose new kind the first has just become a worker: what the old one took
    is forgotten."""
    found = {
        offers.for_pool(offer, name): [min(s, times.create_s + times.enrol_s) for s in seconds]
        for (name, offer), seconds in _boots(snapshot, told).items()
        if name in rules
        for times in [rules[name].timeouts]
    }
    before = {key: span for key, span in snapshot.memory.boots.items() if key not in renewed}
    after = boots.learn(before, found)
    kept = boots.of_interest(after, rules.values())
    return {key: span for key, span in after.items() if key in kept}


def _excused(
    pool: PoolRules, nodes: Iterable[Node], demand: Demand, workers: Supply, snapshot: Snapshot
) -> float:
    """Messages that the workers which we sent away since the last look may have given back."""
    sent_away = sum(
        pool.counts_as(node)
        for node in nodes
        if node.state is NodeState.DESTROYING
        and (node.stop_due or node.given_up)
        and snapshot.at - node.entered_at <= snapshot.elapsed_s + _AT_ONCE_S
    )
    if not sent_away:
        return 0.0
    each = _UNEVEN * demand.in_progress / max(1, workers.serving + workers.leaving)
    return sent_away * max(_MAY_HOLD_A_SLOT * pool.slots, each)


def _boots(snapshot: Snapshot, told: Iterable[Transition]) -> dict[tuple[PoolName, OfferName], list[float]]:
    """Seconds from order to first word, of the machines that were heard for the first time and watched until then."""
    nodes = {node.name: node for node in snapshot.nodes}
    found: dict[tuple[PoolName, OfferName], list[float]] = {}
    for move in told:
        node = nodes.get(move.node)
        if move.event is not Event.WORKER_SEEN or node is None or node.enrolled_at is not None:
            continue
        unheard_s = snapshot.at - node.entered_at - moves.lasted_s(node, snapshot.memory.clocks)
        if node.state is not NodeState.BOOTING or abs(unheard_s) <= patience.UNWATCHED_S:
            found.setdefault((node.pool, node.offer.name), []).append(snapshot.at - node.ordered_at)
    return found
