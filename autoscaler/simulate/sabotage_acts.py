"""Rules about acting, each broken as an honest programmer might break it: what is decided, written, sent and asked.

Each is put in place for one life by `sabotage`. What never happens here: an exception raised to be noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from autoscaler import execute, loop
from autoscaler.clock import Clock
from autoscaler.core import (
    accounts,
    actions,
    canary,
    invariants,
    lifecycle,
    node_facts,
    offers,
    orders,
    selection,
    strangers,
    supply,
)
from autoscaler.core import plan as planning
from autoscaler.core.call_budget import CallBudget
from autoscaler.core.facts import (
    CallKind,
    Memory,
    Outcome,
    OutcomeKind,
    Snapshot,
)
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Action, CreateNode, DestroyNode, Node, OrderKind, Timeouts
from autoscaler.journal import lease
from autoscaler.loop import Loop
from autoscaler.simulate import calls, ledger
from autoscaler.simulate.sabotage_parts import Parts
from autoscaler.telling import Tick
from policies import stabilize
from policies.contract import Decision, DecisionInput, Supply
from providers.contract import Instance, InstanceSpec

_Step = Callable[[Node, Any], tuple[Node, Event | None, str]]
_ANSWERED = 1_000_000
"""As a count of asks: the provider said yes, so none follows."""


def repeats_an_unanswered_create(parts: Parts) -> None:
    """The order went out and nothing came back: order it again, under the same name."""
    needed = actions.needed

    def retrying(
        node: Node, snapshot: Snapshot, memory: Memory, timeouts: Timeouts
    ) -> tuple[Action | None, Node]:
        unanswered = any(
            o.node == node.name and o.call is CallKind.CREATE and o.kind is OutcomeKind.UNKNOWN
            for o in snapshot.outcomes
        )
        if node.state is NodeState.CREATING and unanswered:
            again = CreateNode(node=node.name, pool=node.pool, offer=node.offer, timeout_s=timeouts.call_s)
            return again, node
        return needed(node, snapshot, memory, timeouts)

    parts.put(actions, "needed", retrying)
    parts.put(actions, "may_be_due", lambda _: True)
    parts.put(invariants, "_creates_are_new", lambda *_: None)
    parts.put(invariants, "_limits_hold", lambda *_: None)  # a repeated order buys nothing new, he thinks


def commits_after_dispatch(parts: Parts) -> None:
    """Act first, write it down when it is done."""

    def tick(acting: Loop) -> Tick:
        made = acting.think()
        own = vars(acting)
        own["_executor"].dispatch(made.plan.actions)
        own["_journal"].commit(made.record)
        own["_executor"].forget(made.snapshot.outcomes)
        return made

    parts.put(Loop, "tick", tick)


def leaves_unknown_outcomes_out_of_the_ceiling(parts: Parts) -> None:
    """Only machines that are known to exist are counted as paid."""

    def known(nodes: Iterable[Node]) -> tuple[Node, ...]:
        return tuple(n for n in nodes if n.state in lifecycle.BILLABLE and n.instance_id is not None)

    parts.put(supply, "billable", known)


def stops_asking_after_the_first_yes(parts: Parts) -> None:
    """A destroy that was answered with yes has been done."""
    sound, end = vars(node_facts)["_answered"], vars(actions)["_end"]

    def answered(node: Node, view: Any) -> tuple[Node, Event | None, str]:
        after, event, reason = sound(node, view)
        done = any(o.call is CallKind.DESTROY and o.kind is OutcomeKind.DONE for o in view.outcomes)
        return replace(after, destroy_asks=_ANSWERED) if done else after, event, reason

    def end_once(
        node: Node, snapshot: Snapshot, memory: Memory, timeouts: Timeouts
    ) -> tuple[Action | None, Node]:
        if node.destroy_asks >= _ANSWERED:
            return None, node
        asked: tuple[Action | None, Node] = end(node, snapshot, memory, timeouts)
        return asked

    parts.step("_answered", answered)
    parts.put(actions, "_end", end_once)


def asks_for_an_end_on_an_old_word(parts: Parts) -> None:
    """When the end was chosen nobody was at work there, and nobody looks again before the call goes out."""
    parts.put(actions, "withheld", lambda *_: None)


def obeys_every_destroy(parts: Parts) -> None:
    """An operator says `destroy`, and he will know why: who needs to be forced?"""
    sound: Mapping[OrderKind, Mapping[NodeState, Event]] = vars(orders)["_NODE_EVENTS"]
    everywhere = {
        state: Event.DESTROY_CHOSEN for state in NodeState if (state, Event.DESTROY_CHOSEN) in lifecycle.TABLE
    }
    parts.put(orders, "_NODE_EVENTS", {**sound, OrderKind.DESTROY: everywhere})


def ignores_the_lease(parts: Parts) -> None:
    """Whoever has the journal open may write."""
    parts.put(lease.Lease, "require", lambda *_: None)
    for journal in (ledger.LedgerOfOne, ledger.DurableOfOne):
        parts.put(journal, "require_lease", lambda *_: None)


def sends_without_the_lease(parts: Parts) -> None:
    """The lease was held when the tick was committed, and that is a moment ago."""
    sound = execute.carry_out

    def unguarded(action: Action, ways: execute.Ways, clock: Clock) -> Outcome:
        return sound(action, replace(ways, may_act=lambda: True), clock)

    parts.put(calls, "carry_out", unguarded)


def counts_no_calls(parts: Parts) -> None:
    """Accounts take what they are asked, and say so when it is too much."""
    parts.put(CallBudget, "take", lambda *_: True)
    parts.put(CallBudget, "whole", lambda *_: 1_000_000)


def asks_again_whatever_an_account_says(parts: Parts) -> None:
    """Who is told to come back later comes back on the next tick, which is later."""
    parts.put(offers, "throttle_s", lambda *_: 0.0)


def looks_on_at_an_account_that_wants_peace(parts: Parts) -> None:
    """Orders wait for as long as it said; to look costs nothing."""
    parts.put(offers, "why_quiet", lambda *_: {})


def orders_on_from_an_account_that_is_silent(parts: Parts) -> None:
    """A call that is not answered is bad luck, and the next one may be answered."""
    parts.put(accounts, "CALLS_TO_OPEN", 1_000_000)


def buys_many_of_a_new_kind(parts: Parts) -> None:
    """It was tried on somebody's own machine."""
    parts.put(canary, "probes_left", lambda *_: None)


def asks_for_an_end_on_every_tick(parts: Parts) -> None:
    """A machine that stands costs money, so its end is asked for until it is gone."""
    parts.put(actions, "_LONGEST_ASK_S", 0.0)


def takes_what_arrives_for_nothing(parts: Parts) -> None:
    """Who does not work yet is no supply."""
    sound = supply.supply

    def serving(nodes: Iterable[Node], slots: int, snapshot: Snapshot, *more: Any) -> Supply:
        return replace(sound(nodes, slots, snapshot, *more), arriving=0)

    parts.put(supply, "supply", serving)
    parts.put(supply, "PRESENT", lifecycle.SERVING)


def never_takes_back(parts: Parts) -> None:
    """Who was told to leave leaves, and another is bought."""
    parts.put(selection, "returners", lambda *_: ())


def ignores_a_pause(parts: Parts) -> None:
    """The configuration says whether a pool is paused."""
    parts.put(supply, "is_paused", lambda rules, _: rules.paused)


def leaves_strangers_out_of_the_ceiling(parts: Parts) -> None:
    """Who has no record was not bought by us, and is not paid by us."""
    parts.put(strangers, "prices_per_h", lambda *_: ())
    parts.put(strangers, "workers", lambda *_: 0)


def ends_silent_strangers_without_a_word(parts: Parts) -> None:
    """A machine without a record that says nothing is forsaken, so nobody needs to be asked about it."""
    sound: Callable[..., Node] = vars(strangers)["_adopt"]
    case: Any = vars(strangers)["_Case"]

    def adopt(found: Any, state: NodeState, *more: Any) -> Node:
        adopted = sound(found, state, *more)
        return replace(adopted, given_up=True) if state is NodeState.DESTROYING else adopted

    parts.put(case, "unconnected", True)
    parts.put(strangers, "_adopt", adopt)


def answers_no_order_about_a_node(parts: Parts) -> None:
    """It is done, and seen in the status: what is there to say?"""
    sound: Callable[[Any], None] = vars(planning)["_obey"]

    def obey(draft: Any) -> None:
        sound(draft)
        draft.answers.clear()

    parts.put(planning, "_obey", obey)


def destroys_by_name(parts: Parts) -> None:
    """Names are ours and unique, so the provider's ids are not needed."""
    sound: Callable[..., tuple[Action | None, Node]] = vars(actions)["_end"]

    def end(*given: Any) -> tuple[Action | None, Node]:
        action, node = sound(*given)
        return (replace(action, instance_id=None) if isinstance(action, DestroyNode) else action), node

    parts.put(actions, "_end", end)


def decides_without_asking_whether_demand_was_seen(parts: Parts) -> None:
    """A policy reads the backlog; one pool that fails never stops the others, so nobody notices."""
    sound: Callable[[DecisionInput], Decision] = vars(loop)["decide"]

    def deciding(given: DecisionInput) -> Decision:
        demand: Any = given.demand
        return sound(replace(given, demand=replace(demand, backlog=demand.backlog)))

    parts.put(loop, "decide", deciding)


def orders_with_a_wrong_argument(parts: Parts) -> None:
    """A method's argument was renamed and one caller forgotten; its calls end without an answer, as some do."""
    sound: Callable[..., Instance | None] = vars(execute)["_call"]

    def call(action: Action, order: InstanceSpec | None, ways: execute.Ways) -> Instance | None:
        if not isinstance(action, CreateNode):
            return sound(action, order, ways)
        create: Callable[..., Instance] = ways.providers[action.offer.provider].create
        return create(order, timeout=action.timeout_s)

    parts.put(execute, "_call", call)


def scales_in_on_the_first_good_look(parts: Parts) -> None:
    """Demand is seen again, so it is believed at once."""
    parts.put(stabilize, "good_looks", lambda *_: None)
