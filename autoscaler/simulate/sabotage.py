"""The production code with one of its rules broken, each as an honest programmer might break it.

The soak must catch every one of them: a check that never fails proves nothing. Each is put in place for one life and
taken out after it. Where the rule is also an invariant of plans, the mistake is made there too, as whoever believed the
wrong rule would have. What never happens here: an exception raised to be noticed, or a part that outlives its life.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from autoscaler import execute, loop, observe
from autoscaler.clock import Clock
from autoscaler.core import actions, invariants, lifecycle, offers, orders, reconcile, stalls, supply
from autoscaler.core.call_budget import CallBudget
from autoscaler.core.facts import (
    CallKind,
    Hands,
    Idleness,
    Memory,
    Missing,
    Outcome,
    OutcomeKind,
    Snapshot,
)
from autoscaler.core.lifecycle import Event, NodeState
from autoscaler.core.model import Action, CreateNode, Node, OrderKind, Timeouts
from autoscaler.gateways import rabbitmq_rows
from autoscaler.journal import lease
from autoscaler.loop import Loop, Tick
from autoscaler.simulate import calls, ledger
from policies import stabilize
from policies.contract import Decision, DecisionInput, Demand, Reading, Trust
from providers.contract import Instance, InstanceSpec, Listing

_Step = Callable[[Node, Any], tuple[Node, Event | None, str]]
_ANSWERED = 1_000_000
"""As a count of asks: the provider said yes, so none follows."""


class _Parts:
    """Parts of the production code that were exchanged, and what stood in their places."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def put(self, place: object, name: str, part: object) -> None:
        """Let `part` stand for that function, method or table until the life is over."""
        before = vars(place)[name]
        setattr(place, name, part)
        self._stack.callback(setattr, place, name, before)

    def step(self, name: str, broken: Callable[..., Any]) -> None:
        """Exchange one of the steps by which a node is reconciled."""
        sound = getattr(reconcile, name)
        steps = tuple(broken if step is sound else step for step in vars(reconcile)["_STEPS"])
        self.put(reconcile, "_STEPS", steps)


def _repeats_an_unanswered_create(parts: _Parts) -> None:
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


def _believes_absence_at_once(parts: _Parts) -> None:
    """A machine that a complete listing does not name is gone, whatever the listing's lag."""
    parts.put(reconcile._View, "settle_s", lambda *_: 0.0)  # noqa: SLF001 - breaking private parts is the point


def _believes_absence_while_blind(parts: _Parts) -> None:
    """A listing that failed is taken as one without machines."""
    sound = reconcile.reconcile
    nothing = Listing(instances=(), complete=True)

    def believing(snapshot: Snapshot, *rules: Any) -> reconcile.Reconciled:
        seen = {name: nothing if isinstance(li, Missing) else li for name, li in snapshot.listings.items()}
        return sound(replace(snapshot, listings=seen), *rules)

    parts.put(reconcile, "reconcile", believing)


def _commits_after_dispatch(parts: _Parts) -> None:
    """Act first, write it down when it is done."""

    def tick(acting: Loop) -> Tick:
        made = acting.think()
        own = vars(acting)
        own["_executor"].dispatch(made.plan.actions)
        own["_journal"].commit(made.record)
        own["_executor"].forget(made.snapshot.outcomes)
        return made

    parts.put(Loop, "tick", tick)


def _leaves_unknown_outcomes_out_of_the_ceiling(parts: _Parts) -> None:
    """Only machines that are known to exist are counted as paid."""

    def known(nodes: Iterable[Node]) -> tuple[Node, ...]:
        return tuple(n for n in nodes if n.state in lifecycle.BILLABLE and n.instance_id is not None)

    parts.put(supply, "billable", known)


def _trusts_the_worker_alone(parts: _Parts) -> None:
    """The worker must know what it holds: why ask the broker?"""
    parts.step("_proven_idle", _believing(lambda seen: replace(seen, unacknowledged=0)))


def _trusts_the_broker_alone(parts: _Parts) -> None:
    """The broker must know what it handed out: why ask the worker?"""
    nothing = Hands(active=0, reserved=0, scheduled=0)
    parts.step("_proven_idle", _believing(lambda seen: replace(seen, hands=nothing)))


def _believing(told: Callable[[Idleness], Idleness]) -> _Step:
    """The proof of idleness on what is made of both words."""
    sound: _Step = vars(reconcile)["_proven_idle"]

    def proven(node: Node, view: Any) -> tuple[Node, Event | None, str]:
        seen = view.snapshot.idleness.get(node.name)
        if seen is None:
            return sound(node, view)
        snapshot = replace(view.snapshot, idleness={**view.snapshot.idleness, node.name: told(seen)})
        return sound(node, replace(view, snapshot=snapshot))

    return proven


def _stops_asking_after_the_first_yes(parts: _Parts) -> None:
    """A destroy that was answered with yes has been done."""
    sound, end = vars(reconcile)["_answered"], vars(actions)["_end"]

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


def _asks_for_an_end_on_an_old_word(parts: _Parts) -> None:
    """When the end was chosen nobody was at work there, and nobody looks again before the call goes out."""
    parts.put(actions, "withheld", lambda *_: None)


def _obeys_every_destroy(parts: _Parts) -> None:
    """An operator says `destroy`, and he will know why: who needs to be forced?"""
    sound: Mapping[OrderKind, Mapping[NodeState, Event]] = vars(orders)["_NODE_EVENTS"]
    everywhere = {
        state: Event.DESTROY_CHOSEN for state in NodeState if (state, Event.DESTROY_CHOSEN) in lifecycle.TABLE
    }
    parts.put(orders, "_NODE_EVENTS", {**sound, OrderKind.DESTROY: everywhere})


def _sweeps_on_an_incomplete_listing(parts: _Parts) -> None:
    """A listing is a listing: what a page that failed would have named is swept from the records."""
    sound = reconcile.reconcile

    def believing(snapshot: Snapshot, *rules: Any) -> reconcile.Reconciled:
        whole = {
            name: li if isinstance(li, Missing) else replace(li, complete=True)
            for name, li in snapshot.listings.items()
        }
        return sound(replace(snapshot, listings=whole), *rules)

    parts.put(reconcile, "reconcile", believing)


def _reads_missing_statistics_as_zero(parts: _Parts) -> None:
    """A figure that is not there is 0, as `dict.get(key, 0)` reads it."""
    sound = vars(observe)["_each"]
    nothing = Reading(value=None, trust=Trust.ABSENT, why="not measured")

    def zero_if_missing(keys: Any, found: Any) -> dict[Any, Any]:
        seen = sound(keys, found)
        zero = Demand(
            backlog=0,
            in_progress=0,
            arrivals_per_s=nothing,
            completions_per_s=nothing,
            wait_s=nothing,
            measured_at=0.0,
        )
        return {key: zero if isinstance(fact, Missing) else fact for key, fact in seen.items()}

    parts.put(observe, "_each", zero_if_missing)


def _ignores_the_lease(parts: _Parts) -> None:
    """Whoever has the journal open may write."""
    parts.put(lease.Lease, "require", lambda *_: None)
    for journal in (ledger.LedgerOfOne, ledger.DurableOfOne):
        parts.put(journal, "require_lease", lambda *_: None)


def _sends_without_the_lease(parts: _Parts) -> None:
    """The lease was held when the tick was committed, and that is a moment ago."""
    sound = execute.carry_out

    def unguarded(action: Action, ways: execute.Ways, clock: Clock) -> Outcome:
        return sound(action, replace(ways, may_act=execute.always), clock)

    parts.put(calls, "carry_out", unguarded)


def _lets_one_bad_node_stop_the_tick(parts: _Parts) -> None:
    """What the handling of one node raises is nobody's business but the tick's."""
    sound = vars(reconcile)["_reconcile_node"]
    parts.put(reconcile, "_reconcile_isolated", lambda node, view, _: sound(node, view))


def _counts_no_calls(parts: _Parts) -> None:
    """Accounts take what they are asked, and say so when it is too much."""
    parts.put(CallBudget, "take", lambda *_: True)
    parts.put(CallBudget, "whole", lambda *_: 1_000_000)


def _asks_again_whatever_an_account_says(parts: _Parts) -> None:
    """Who is told to come back later comes back on the next tick, which is later."""
    parts.put(offers, "throttle_s", lambda _: 0.0)


def _asks_for_an_end_on_every_tick(parts: _Parts) -> None:
    """A machine that stands costs money, so its end is asked for until it is gone."""
    parts.put(actions, "_LONGEST_ASK_S", 0.0)


def _takes_figures_for_granted(parts: _Parts) -> None:
    """Every row of the broker's has every figure, and where one does not, the look is simply missing."""
    sound = rabbitmq_rows.count

    def count(row: Mapping[str, Any], key: str, where: str, **absent: Any) -> int:
        figure: int = sound(row if absent else {key: row[key]}, key, where, **absent)
        return figure

    parts.put(rabbitmq_rows, "count", count)


def _decides_without_asking_whether_demand_was_seen(parts: _Parts) -> None:
    """A policy reads the backlog; one pool that fails never stops the others, so nobody notices."""
    sound: Callable[[DecisionInput], Decision] = vars(loop)["decide"]

    def deciding(given: DecisionInput) -> Decision:
        demand: Any = given.demand
        return sound(replace(given, demand=replace(demand, backlog=demand.backlog)))

    parts.put(loop, "decide", deciding)


def _orders_with_a_wrong_argument(parts: _Parts) -> None:
    """A method's argument was renamed and one caller forgotten; its calls end without an answer, as some do."""
    sound: Callable[..., Instance | None] = vars(execute)["_call"]

    def call(action: Action, order: InstanceSpec | None, ways: execute.Ways) -> Instance | None:
        if not isinstance(action, CreateNode):
            return sound(action, order, ways)
        create: Callable[..., Instance] = ways.providers[action.offer.provider].create
        return create(order, timeout=action.timeout_s)

    parts.put(execute, "_call", call)


def _lets_zombies_be(parts: _Parts) -> None:
    """Who sends heartbeats works."""
    parts.put(stalls, "judge", lambda *_: stalls.Judged())


def _scales_in_on_the_first_good_look(parts: _Parts) -> None:
    """Demand is seen again, so it is believed at once."""
    rules = tuple(rule for rule in stabilize.RULES if rule is not stabilize.good_looks)
    parts.put(stabilize, "RULES", rules)


SABOTAGES: Mapping[str, Callable[[_Parts], None]] = MappingProxyType(
    {
        breaking.__name__.removeprefix("_"): breaking
        for breaking in (
            _repeats_an_unanswered_create,
            _believes_absence_at_once,
            _believes_absence_while_blind,
            _commits_after_dispatch,
            _leaves_unknown_outcomes_out_of_the_ceiling,
            _trusts_the_worker_alone,
            _trusts_the_broker_alone,
            _stops_asking_after_the_first_yes,
            _asks_for_an_end_on_an_old_word,
            _obeys_every_destroy,
            _sweeps_on_an_incomplete_listing,
            _reads_missing_statistics_as_zero,
            _ignores_the_lease,
            _sends_without_the_lease,
            _lets_one_bad_node_stop_the_tick,
            _scales_in_on_the_first_good_look,
            _counts_no_calls,
            _asks_again_whatever_an_account_says,
            _asks_for_an_end_on_every_tick,
            _takes_figures_for_granted,
            _decides_without_asking_whether_demand_was_seen,
            _orders_with_a_wrong_argument,
            _lets_zombies_be,
        )
    }
)
"""By the name of the rule that is broken. The daemon's own code never knows of them."""


@contextmanager
def applied(name: str) -> Iterator[None]:
    """The production code with that rule broken; `""` breaks none. Raises KeyError for a name that is not known."""
    with ExitStack() as stack:
        if name:
            SABOTAGES[name](_Parts(stack))
        yield
