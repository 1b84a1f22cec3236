"""What must hold of every plan, checked before anything is written or done. A broken one is never acted on.

These are asserted against the plan itself, by rules kept apart from the code that made it.
"""

from __future__ import annotations

from collections import Counter

from autoscaler.core import bills, lifecycle, strangers, supply
from autoscaler.core.facts import Missing, Snapshot, Unconnected
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import (
    CreateNode,
    DestroyNode,
    DrainNode,
    FleetRules,
    Node,
    Plan,
    StopWorker,
    UndrainNode,
)
from autoscaler.core.reconcile import Reconciled, Rules
from providers.contract import Listing, NodeName

_STATE_NEEDED = {
    CreateNode: NodeState.CREATING,
    DrainNode: NodeState.DRAINING,
    UndrainNode: NodeState.READY,
    StopWorker: NodeState.DESTROYING,
    DestroyNode: NodeState.DESTROYING,
}


class InvariantViolated(Exception):
    """A plan that must never be made. A programmer's error: nothing was dispatched."""


def check(snapshot: Snapshot, reconciled: Reconciled, plan: Plan, rules: Rules, fleet: FleetRules) -> None:
    """Raise `InvariantViolated` for the first rule that the plan breaks."""
    nodes = {node.name: node for node in plan.nodes}
    _one_action_a_node(snapshot, plan)
    _actions_fit_their_nodes(nodes, plan)
    _creates_are_new(snapshot, reconciled, plan)
    _residency_holds(plan, rules, fleet)
    _limits_hold(reconciled, plan, rules)
    _money_holds(snapshot, reconciled, plan, rules, fleet)
    _nothing_is_forgotten(snapshot, reconciled, plan)
    _own_words_end_nobody_at_work(snapshot, reconciled)
    _moves_are_legal(reconciled, plan)
    _moves_tell_all(snapshot, reconciled, plan)


def _require(holds: bool, says: str) -> None:
    if not holds:
        raise InvariantViolated(says)


def _one_action_a_node(snapshot: Snapshot, plan: Plan) -> None:
    for name, count in Counter(action.node for action in plan.actions).items():
        _require(count == 1, f"{name} would get {count} actions in one tick")
        _require(name not in snapshot.in_flight, f"{name} has a call in flight and would get another")


def _actions_fit_their_nodes(nodes: dict[NodeName, Node], plan: Plan) -> None:
    for action in plan.actions:
        node = nodes.get(action.node)
        _require(node is not None, f"an action names {action.node}, which has no record")
        assert node is not None
        needed = _STATE_NEEDED[type(action)]
        _require(
            node.state is needed,
            f"{type(action).__name__} for {node.name}, which is {node.state.value} and not {needed.value}",
        )


def _creates_are_new(snapshot: Snapshot, reconciled: Reconciled, plan: Plan) -> None:
    known = {n.name for n in snapshot.nodes} | {n.name for n in reconciled.nodes}
    for action in plan.actions:
        if isinstance(action, CreateNode):
            _require(action.node not in known, f"{action.node} would be created a second time")
            listing = snapshot.listings.get(action.offer.provider)
            seen = isinstance(listing, Listing) and listing.complete
            _require(seen, f"{action.node} would be bought at {action.offer.provider} while blind there")
            _require(not isinstance(snapshot.sightings, Missing), f"{action.node} would be bought while deaf")
    ordered = {a.node for a in plan.actions if isinstance(a, CreateNode)}
    fresh = {n.name for n in plan.nodes} - known
    _require(ordered == fresh, f"records without an order, or orders without a record: {ordered ^ fresh}")


def _residency_holds(plan: Plan, rules: Rules, fleet: FleetRules) -> None:
    """Nothing is ordered in a country that the fleet or its pool does not name, nor in one that is not known."""
    for action in plan.actions:
        if isinstance(action, CreateNode):
            country = fleet.places.country(action.offer.provider, action.offer.location)
            for countries in (fleet.residency, rules[action.pool].residency):
                _require(
                    countries is None or country in countries,
                    f"{action.node} would be bought in {country or 'a country that is not known'}",
                )


def _limits_hold(reconciled: Reconciled, plan: Plan, rules: Rules) -> None:
    """A limit may be found exceeded (it was lowered); then nothing may be bought in that pool."""
    buying = {action.pool for action in plan.actions if isinstance(action, CreateNode)}
    nodes = supply.by_pool(plan.nodes)
    for name in buying:
        paid = supply.billable(nodes[name])
        bound = rules[name].limits
        unrecorded = strangers.prices_per_h(reconciled.memory, rules[name])
        strange = strangers.workers(reconciled.memory, rules[name])
        workers = sum(map(rules[name].counts_as, paid))
        _require(
            workers + strange <= bound.max_workers,
            f"{name} would have {workers} billable workers and {strange} without a record, "
            f"allowed are {bound.max_workers}",
        )
        cost = supply.cost_per_h(paid) + sum(unrecorded)
        _require(
            bound.max_cost_per_hour is None or cost <= bound.max_cost_per_hour * (1 + 1e-3),
            f"{name} would cost {cost:.4f} an hour, allowed are {bound.max_cost_per_hour}",
        )


def _money_holds(
    snapshot: Snapshot, reconciled: Reconciled, plan: Plan, rules: Rules, fleet: FleetRules
) -> None:
    """No ceiling on money is passed by a purchase: with its first quantum, of the month of all pools together, too."""
    buying = {action.pool for action in plan.actions if isinstance(action, CreateNode)}
    if not buying:
        return
    capped = [name for name in buying if rules[name].limits.max_cost_per_month is not None]
    if capped or fleet.max_cost_per_month is not None:
        month = bills.month_of(snapshot.at)
        bill = bills.spent(month, plan.nodes, reconciled.memory, rules, snapshot.at)
        for name in capped:
            _within(bill.get(name, 0.0), rules[name].limits.max_cost_per_month, f"{name} in {month.name}")
        _within(sum(bill.values()), fleet.max_cost_per_month, f"the fleet in {month.name}")
    unrecorded = [
        price for pool in rules.values() for price in strangers.prices_per_h(reconciled.memory, pool)
    ]
    per_h = supply.cost_per_h(plan.nodes) + sum(unrecorded)
    _within(per_h, fleet.max_cost_per_hour, "the fleet in an hour")


def _within(amount: float, most: float | None, whose: str) -> None:
    _require(
        most is None or amount <= most * (1 + 3e-4), f"{whose} would cost {amount:.4f}, allowed are {most}"
    )


def _nothing_is_forgotten(snapshot: Snapshot, reconciled: Reconciled, plan: Plan) -> None:
    """Every record that was there is still there, and only proof, a refusal or an operator's word made one GONE."""
    planned = {n.name: n for n in plan.nodes}
    for node in (*snapshot.nodes, *reconciled.nodes):
        _require(node.name in planned, f"the record of {node.name} would be dropped")
    ends = {Event.INSTANCE_GONE, Event.CREATE_REFUSED, Event.FORGOTTEN}
    ended = {t.node for t in (*reconciled.transitions, *plan.transitions) if t.event in ends}
    for node in plan.nodes:
        _require(
            node.state is not NodeState.GONE or node.name in ended,
            f"{node.name} would be GONE without proof of it",
        )


def _own_words_end_nobody_at_work(snapshot: Snapshot, reconciled: Reconciled) -> None:
    """A machine's report ends that machine alone, and where two others agree that no worker is there: the broker knows
    no connection of one, and we, who would hear it, did not."""
    seen, nodes = snapshot.sightings, {node.name: node for node in snapshot.nodes}
    for told in reconciled.transitions:
        if told.event is not Event.ENROL_FAILED:
            continue
        boot, idleness = reconciled.memory.booting.get(told.node), snapshot.idleness.get(told.node)
        _require(boot is not None and boot.failed is not None, f"{told.node} would end by no word of its own")
        unheard = not isinstance(seen, Missing) and nodes[told.node].worker not in seen.workers
        unconnected = idleness is not None and isinstance(idleness.unacknowledged, Unconnected)
        _require(unheard and unconnected, f"{told.node} would end by its own word while it may be at work")


def _moves_are_legal(reconciled: Reconciled, plan: Plan) -> None:
    for told in (*reconciled.transitions, *plan.transitions):
        if told.before is not None and told.event is not None:
            legal = lifecycle.TABLE.get((told.before, told.event)) is told.after
            _require(
                legal, f"{told.node} would go {told.before.value} → {told.after.value} by {told.event.value}"
            )


def _moves_tell_all(snapshot: Snapshot, reconciled: Reconciled, plan: Plan) -> None:
    """No record changes its state, or begins, but along the moves that are told of it."""
    stands: dict[NodeName, NodeState] = {n.name: n.state for n in snapshot.nodes}
    for told in (*reconciled.transitions, *plan.transitions):
        _require(
            stands.get(told.node) is told.before, f"the moves told of {told.node} do not follow each other"
        )
        stands[told.node] = told.after
    for node in plan.nodes:
        _require(
            stands.get(node.name) is node.state, f"{node.name} would be {node.state.value} without a move"
        )
