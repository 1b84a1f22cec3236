"""What we do to the world this tick: decisions and records in, one Plan out. The plan is made whole each tick.

There is no queue of old wishes. A node's CREATING row is in the plan that orders it, so it is on disk before the call.
What is undecided after this is a bug: execution makes no choices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from autoscaler.core import (
    actions,
    buying,
    call_budget,
    drift,
    namesakes,
    orders,
    quanta,
    remarks,
    rolling,
    selection,
    stalls,
    supply,
    witness,
)
from autoscaler.core.draft import Draft
from autoscaler.core.facts import Missing, Snapshot
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import (
    Action,
    ConsumerOrder,
    DestroyNode,
    FleetRules,
    Node,
    NodeTrouble,
    OrderAnswer,
    OrderKind,
    Plan,
    PoolName,
    PoolRules,
    Timeouts,
)
from autoscaler.core.reconcile import Reconciled, Rules
from autoscaler.core.waits import Wait, WaitKind
from policies.contract import Decision
from providers.contract import ProviderName


def plan(
    snapshot: Snapshot,
    reconciled: Reconciled,
    decisions: Mapping[PoolName, Decision],
    rules: Rules,
    fleet: FleetRules,
) -> Plan:
    """Choose moves and actions. A pool without a decision (its policies failed) keeps what it has."""
    under_way = actions.under_way(snapshot)
    draft = Draft(
        snapshot=snapshot,
        memory=reconciled.memory,
        fleet=fleet,
        nodes={node.name: node for node in reconciled.nodes},
        troubles=list(reconciled.troubles),
        under_way=under_way,
        calls=call_budget.budget(snapshot, reconciled.memory, fleet, _at_accounts(under_way)),
    )
    _obey(draft)
    draft.answers.extend(rolling.obey(snapshot.orders, draft.nodes, rules, snapshot.at))
    _keep_ordered_drains(draft)
    for name, pool in rules.items():
        if name in decisions and not decisions[name].input.paused:
            _replace_stalled(draft, pool)
            _use_what_is_paid(draft, pool, decisions[name])
    short = {
        name: _scale(draft, pool, decisions[name])
        for name, pool in rules.items()
        if name in decisions and not decisions[name].input.paused
    }
    _give_up_unconfigured(draft, rules)
    chosen = _actions(draft, rules)
    # After everything else: what saves money has the first claim on an account's calls.
    buying.buy(draft, rules, decisions, short)
    troubled = {trouble.node for trouble in draft.troubles}
    sound = [node for node in draft.nodes.values() if node.name not in troubled]
    return Plan(
        # Creates stand already recorded as CREATING, so each of them must go out with this plan.
        actions=(*chosen, *draft.creates),
        nodes=tuple(draft.nodes.values()),
        transitions=tuple(draft.transitions),
        answers=(
            *reconciled.answers,
            *draft.answers,
            *orders.sweeps(snapshot.orders, len(reconciled.memory.strangers), snapshot.at, snapshot.swept),
        ),
        remarks=(
            *draft.remarks,
            *remarks.misplaced(reconciled.memory),
            *remarks.slow_drains(snapshot, sound, rules, reconciled.memory.clocks),
            *remarks.troubles(draft.troubles),
            *remarks.late_enrolments(snapshot, sound, rules, reconciled.memory.clocks),
        ),
        troubles=tuple(draft.troubles),
        waits=tuple(draft.waits),
    )


def _at_accounts(under_way: Mapping[actions.Lane, int]) -> dict[ProviderName, int]:
    return {lane: calls for lane, calls in under_way.items() if lane is not None}


def _obey(draft: Draft) -> None:
    """Operators' orders about nodes come before anything of our own choosing."""
    for order in draft.snapshot.orders:
        if order.kind is OrderKind.SWEEP:
            _sweep_twins(draft)
        # One after another: two orders about one node are judged each by what the one before made of it.
        for wanted in orders.about_nodes((order,), tuple(draft.nodes.values())):
            node, event = wanted.node, wanted.event
            if node is not None and event is not None:
                draft.move(node, event, wanted.says)
            if node is not None and wanted.leaves:
                leaving = replace(draft.nodes[node.name], consumer_order=ConsumerOrder.LEAVE)
                draft.nodes[node.name] = leaving
            if node is not None and wanted.stays:
                draft.nodes[node.name] = replace(draft.nodes[node.name], replace_due=False)
            if node is not None and wanted.gives_up:
                draft.nodes[node.name] = replace(draft.nodes[node.name], given_up=True)
            done = event is not None or wanted.leaves or wanted.gives_up or wanted.stays
            draft.answers.append(OrderAnswer(number=order.number, carried_out=done, says=wanted.says))


def _sweep_twins(draft: Draft) -> None:
    """Twins that were taken into the records, and whose end waits because their name is heard, are swept too."""
    voices = namesakes.voices(draft.nodes.values())
    for node in list(draft.nodes.values()):
        if witness.awaits(node) and namesakes.is_twin(node, voices):
            draft.nodes[node.name] = replace(node, given_up=True)


def _keep_ordered_drains(draft: Draft) -> None:
    """A worker that leaves for good and that came back from silence goes on leaving."""
    deaf = isinstance(draft.snapshot.sightings, Missing)
    for node in list(draft.nodes.values()):
        if node.state is NodeState.READY and node.consumer_order is ConsumerOrder.LEAVE and not deaf:
            draft.move(node, Event.DRAIN_CHOSEN, "it was told to leave for good")


def _replace_stalled(draft: Draft, pool: PoolRules) -> None:
    """Workers that are heard and make no progress: first told to consume again, then drained for good.

    Until then they count as serving: nothing is bought on a suspicion. Once drained they do not, so the number falls
    short and another is bought.
    """
    judged = stalls.judge(pool, draft.of_pool(pool.name), draft.snapshot, draft.memory)
    for node in judged.cured:
        if node.consumer_order is ConsumerOrder.NONE:
            draft.nodes[node.name] = replace(node, consumer_order=ConsumerOrder.ADD)
    for node, reason in judged.replaced:
        draft.move(draft.nodes[node.name], Event.REPLACE_CHOSEN, reason)
    if judged.remark:
        draft.remark(pool.name, judged.remark)


def _scale(draft: Draft, pool: PoolRules, decision: Decision) -> int:
    """Bring serving plus arriving to the number wanted: take back before buying, let go the cheapest first.

    Returns how many are to be bought.
    """
    surge = _roll(draft, pool, decision)
    nodes = draft.of_pool(pool.name)
    have = supply.workers(nodes, pool.counts_as, supply.PRESENT)
    if decision.wanted > have:
        more = decision.wanted - have
        if not isinstance(draft.snapshot.sightings, Missing):
            for node in selection.returners(nodes, more, pool.counts_as):
                draft.move(node, Event.UNDRAIN_CHOSEN, "load came back")
                more -= pool.counts_as(node)
        return max(0, more)
    # A number that is merely held was made of what was there: what an operator took back since is no surplus.
    may_shrink = decision.input.demand is not None or decision.input.hold is not None
    if decision.wanted + surge < have and may_shrink:
        pace = selection.pace(decision, pool, draft.fleet, draft.snapshot.at, have)
        surplus = have - decision.wanted - surge
        old = drift.outdated(nodes, {pool.name: pool}, draft.snapshot.at)
        seen = draft.snapshot.sightings
        for node in selection.leavers(nodes, surplus, seen, pace, pool.counts_as, old):
            draft.move(node, Event.DRAIN_CHOSEN, f"not needed: {decision.wanted} of {have} workers wanted")
        remark = remarks.paid_surplus(
            draft.of_pool(pool.name), pool, decision.wanted + surge, draft.snapshot.at
        )
        if remark:
            draft.remark(pool.name, remark)
    return max(0, decision.wanted + surge - have)


def _roll(draft: Draft, pool: PoolRules, decision: Decision) -> int:
    """One step of replacing outdated machines. Returns how many workers more than wanted may be there meanwhile."""
    given = rolling.Given(
        snapshot=draft.snapshot,
        memory=draft.memory,
        fleet=draft.fleet,
        nodes=draft.of_pool(pool.name),
        all_nodes=draft.nodes.values(),
    )
    step = rolling.step(pool, given, decision)
    for node, reason in step.leaves:
        draft.move(node, Event.REPLACE_CHOSEN, reason)
    if step.remark:
        draft.remark(pool.name, step.remark)
    return step.surge


def _use_what_is_paid(draft: Draft, pool: PoolRules, decision: Decision) -> None:
    """A drain that took longer than its machine was paid for is taken back, and chosen anew at that quantum's end."""
    if isinstance(draft.snapshot.sightings, Missing):
        return
    nodes, at = draft.of_pool(pool.name), draft.snapshot.at
    for node in selection.paid_anew(nodes, pool, decision, at, draft.fleet):
        draft.move(node, Event.UNDRAIN_CHOSEN, quanta.PAID_ANEW)


def _give_up_unconfigured(draft: Draft, rules: Rules) -> None:
    """Nodes of pools that are no longer configured are drained and given back, those that boot once they enrolled."""
    for node in list(draft.nodes.values()):
        unseen = isinstance(draft.snapshot.sightings, Missing)
        if node.pool not in rules and node.state is NodeState.READY and not unseen:
            draft.move(node, Event.DRAIN_CHOSEN, "its pool is no longer configured")


def _actions(draft: Draft, rules: Rules) -> tuple[Action, ...]:
    """One action at most for each node that has no call in flight, the ones that save money first."""
    chosen: list[Action] = []
    late: Counter[ProviderName] = Counter()
    for node in sorted(filter(actions.may_be_due, draft.nodes.values()), key=actions.urgency):
        if node.name in draft.snapshot.in_flight:
            continue
        action, after = _needed(draft, node, rules)
        if action is None:
            continue
        full = draft.under_way[actions.lane(action)] >= draft.fleet.max_calls
        if isinstance(action, DestroyNode) and (full or not draft.calls.take(action.provider)):
            late[action.provider] += 1
            continue
        if full:
            continue
        chosen.append(action)
        draft.under_way[actions.lane(action)] += 1
        draft.nodes[node.name] = after
    for provider, count in late.items():
        under_way = draft.under_way[provider]
        hanging = under_way >= draft.fleet.max_calls
        by = f"{under_way} calls to {provider} are under way" if hanging else None
        why = f"{count} ends wait: {by or draft.calls.why(provider)}"
        draft.waits.append(Wait(kind=WaitKind.CALLS, subject=provider, why=why, since_at=draft.snapshot.at))
    return tuple(chosen)


def _needed(draft: Draft, node: Node, rules: Rules) -> tuple[Action | None, Node]:
    """The call that this node needs, and its record with that noted; none where that cannot be told."""
    pool, snapshot = rules.get(node.pool), draft.snapshot
    timeouts = pool.timeouts if pool else Timeouts()
    try:
        action, after = actions.needed(node, snapshot, draft.memory, timeouts)
        wait = None if action else actions.withheld(node, snapshot, draft.memory, timeouts)
    except Exception as error:  # noqa: BLE001 - around one node: one that is odd never stops the others
        trouble = NodeTrouble(node=node.name, pool=node.pool, error=f"{type(error).__name__}: {error}")
        draft.troubles.append(trouble)
        return None, node
    draft.waits += [wait] if wait else []
    return action, after
