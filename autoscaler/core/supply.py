"""Counting nodes, and putting together all that a decision about one pool depends on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from autoscaler.core import boots, holdings, lifecycle, offers, preference
from autoscaler.core.facts import Memory, Missing, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, Offer, PoolRules, PoolWish
from policies.contract import Allowance, DecisionInput, Demand, History, Hold, Supply, Traffic

PRESENT = lifecycle.SERVING | lifecycle.ARRIVING
"""Of these are the workers by which a number wanted is measured: see `Supply.workers`."""


def there(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Those that are not GONE."""
    return tuple(n for n in nodes if n.state is not NodeState.GONE)


def of_pool(nodes: Iterable[Node], pool: str) -> tuple[Node, ...]:
    """One pool's nodes that are not GONE. Who needs those of many pools takes `by_pool`."""
    return there(n for n in nodes if n.pool == pool)


def by_pool(nodes: Iterable[Node]) -> Mapping[str, tuple[Node, ...]]:
    """The same for every pool, in one walk; those without any have none."""
    found: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        found[node.pool].append(node)
    return defaultdict(tuple, {pool: there(of_pool) for pool, of_pool in found.items()})


def billable(nodes: Iterable[Node]) -> tuple[Node, ...]:
    """Nodes that may cost money, those of unknown outcome included."""
    return tuple(n for n in nodes if n.state in lifecycle.BILLABLE)


def cost_per_h(nodes: Iterable[Node]) -> float:
    """What the billable ones cost together, in the fleet's currency per hour."""
    return sum(n.offer.price_per_h for n in billable(nodes))


def one_each(_node: Node) -> int:
    """For pools whose machines are all alike."""
    return 1


def workers(nodes: Iterable[Node], counts_as: Callable[[Node], int], states: Collection[NodeState]) -> int:
    """How many workers of a pool are in one of these states."""
    return sum(counts_as(node) for node in nodes if node.state in states)


def supply(
    nodes: Iterable[Node], slots: int, snapshot: Snapshot, counts_as: Callable[[Node], int] = one_each
) -> Supply:
    """One pool's workers by state, and the tasks they say they run. `counts_as` is how many workers a machine is."""
    nodes, by_state = tuple(nodes), defaultdict[NodeState, int](int)
    for node in nodes:
        by_state[node.state] += counts_as(node)

    def together(states: Collection[NodeState]) -> int:
        return sum(by_state[state] for state in states)

    return Supply(
        serving=together(lifecycle.SERVING),
        arriving=together(lifecycle.ARRIVING),
        leaving=together(lifecycle.LEAVING),
        lost=by_state[NodeState.LOST],
        slots=slots,
        tasks_in_hand=_tasks_in_hand(nodes, snapshot),
        arriving_for_s=tuple(
            sorted(
                (
                    max(0.0, snapshot.at - n.ordered_at)
                    for n in nodes
                    if n.state in lifecycle.ARRIVING
                    for _ in range(counts_as(n))
                ),
                reverse=True,
            )
        ),
    )


def quantum_s(offers: Iterable[Offer]) -> float:
    """What one more machine is paid for at least: the quantum of the first of these. An hour where there is none."""
    return next((float(offer.quantum_s) for offer in offers), 3600.0)


def busy(nodes: Iterable[Node], snapshot: Snapshot) -> int | None:
    """Tasks that these nodes' workers say they run, those included that leave; None while they cannot be heard."""
    if isinstance(snapshot.sightings, Missing):
        return None
    heard, tasks = snapshot.sightings.workers, 0
    for node in nodes:
        said = heard.get(node.worker)
        if said is not None and said.active:
            tasks += said.active
    return tasks


def decision_input(
    rules: PoolRules,
    snapshot: Snapshot,
    nodes: tuple[Node, ...],
    memory: Memory,
    wish: PoolWish | None,
    allowance: Allowance | None = None,
) -> DecisionInput:
    """Everything the decision about this pool may depend on; stored with it, so that it replays. `nodes` are its own
    that are not GONE."""
    demand = snapshot.demand.get(rules.name, Missing(why="demand was not asked for"))
    blind = isinstance(demand, Missing)
    sightings = snapshot.sightings
    seen = None if isinstance(demand, Missing) else demand
    held = holdings.held(nodes, snapshot, memory, seen)
    present = supply(nodes, rules.slots, snapshot, rules.counts_as)
    return DecisionInput(
        pool=rules.name,
        at=snapshot.at,
        demand=_to_do_now(seen, held.scheduled or 0),
        demand_missing=demand.why if isinstance(demand, Missing) else "",
        supply=replace(
            present,
            quantum_s=quantum_s(preference.in_order(rules.offers, rules, memory)),
            scheduled=held.scheduled,
            prefetched=held.prefetched,
            idle=held.idle,
        ),
        supply_missing=sightings.why if isinstance(sightings, Missing) else "",
        history=History(
            past=snapshot.past.get(rules.name, ()),
            good_looks=0 if blind else memory.good_looks.get(rules.name, 0),
            traffic=traffic(rules, memory, snapshot.at),
            prospect=snapshot.prospects.get(rules.name),
        ),
        policies=rules.policies,
        limits=rules.limits,
        stabilization=rules.stabilization,
        paused=is_paused(rules, wish),
        hold=hold(wish, snapshot.at),
        allowance=allowance,
    )


def _to_do_now(demand: Demand | None, scheduled: int) -> Demand | None:
    """Tasks that wait on workers for their time are delivered, and no work now, for whatever policy."""
    if demand is None or not scheduled:
        return demand
    return replace(demand, in_progress=demand.in_progress - scheduled)


def traffic(rules: PoolRules, memory: Memory, at: float) -> Traffic:
    """What was measured, with the boots of the offer that would be bought now, or else of what is most like it."""
    awake = offers.awake(rules.offers, rules.name, memory, at) or rules.offers
    offer = next(iter(preference.in_order(awake, rules, memory)), None)
    measured = memory.traffic.get(rules.name) or Traffic()
    return measured if offer is None else boots.of_offer(measured, offer, rules, memory)


def is_paused(rules: PoolRules, wish: PoolWish | None) -> bool:
    """An operator's word wins over the configuration."""
    return rules.paused if wish is None or wish.paused is None else wish.paused


def hold(wish: PoolWish | None, at: float) -> Hold | None:
    """The number that an operator holds at that instant."""
    if wish is None or wish.hold_workers is None or (wish.hold_until_at or 0.0) <= at:
        return None
    return Hold(workers=wish.hold_workers, until_at=wish.hold_until_at or 0.0)


def _tasks_in_hand(nodes: Iterable[Node], snapshot: Snapshot) -> int | None:
    return busy([n for n in nodes if n.state in lifecycle.SERVING], snapshot)
