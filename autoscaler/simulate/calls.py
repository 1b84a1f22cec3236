"""Calls on virtual time: the four methods of the production executor, and its own way to carry an action out.

A request takes a while to arrive, and its answer as long to come back; one that is not answered is given up when its
time-out is over. What was sent reaches the world even after its daemon died; answers then reach nobody. What waits in
a process that is stopped leaves when it goes on, past the same guard as in production.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from autoscaler import whereabouts
from autoscaler.core import actions
from autoscaler.core.facts import REFUSALS, CallKind, Outcome, OutcomeKind
from autoscaler.core.model import Action, CreateNode, DestroyNode, FleetRules, Node
from autoscaler.execute import Ways, WorkerControl, carry_out, timeout_s
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.lines import CREATE, DESTROY, Control, Line
from autoscaler.simulate.world import World
from providers.contract import InstanceSpec, NodeName, Provider, ProviderName, always

_REFUSED = REFUSALS | {OutcomeKind.NOT_SENT}
"""Nobody was asked, or said no."""
_UNASKED = frozenset({OutcomeKind.NOT_SENT, OutcomeKind.UNPREPARED})
"""Which say nothing about the account."""


class Calls:
    """One daemon's calls under way and its mailbox."""

    def __init__(
        self,
        world: World,
        providers: Mapping[ProviderName, Provider],
        workers: WorkerControl,
        seed: str,
        *,
        may_act: Callable[[], bool],
        failed: Callable[[str], None],
    ) -> None:
        """`may_act` is whether the lease is this daemon's own; `failed` is told of exceptions that are our mistakes."""
        self._world = world
        self._may_act = may_act
        self._failed = failed
        self._ways = Ways(
            providers={
                name: Line(provider, partial(self._calls, name)) for name, provider in providers.items()
            },
            workers=Control(workers, self._sends),
            render=self._render,
            may_act=may_act,
            why_not_there=whereabouts.gate(
                world.fleet.rules,
                FleetRules(name=world.fleet.name, residency=world.fleet.residency, places=world.fleet.places),
            ),
        )
        self._dice = random.Random(f"calls {seed}")
        self._under_way: set[NodeName] = set()
        self._on_record: frozenset[NodeName] = frozenset()
        self._answers: dict[int, tuple[ProviderName, float]] = {}
        """Which account gave each answer that waits, and when by the clock that is never set."""
        self._mailbox: list[Outcome] = []
        self._left: list[Action] = []
        self._ended = self._woken = False
        for manners in world.manners.values():
            manners.begins()

    def end(self) -> None:
        """The process is killed or stopped: half of what waits to be sent stays with it, and no answer is taken."""
        self._ended = True

    def go_on(self) -> None:
        """The process was stopped and goes on: what waited in it leaves now."""
        self._woken = True
        left, self._left = self._left, []
        for action in left:
            self._carry_out(action, self._ways)

    def read(self, nodes: tuple[Node, ...]) -> None:
        """These are on record: whose answer it is when one of another node comes, the daemon cannot know any more."""
        self._on_record = frozenset(node.name for node in nodes)

    def in_flight(self) -> frozenset[NodeName]:
        """Nodes whose call has not ended."""
        return frozenset(self._under_way)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Answers not yet taken in."""
        return tuple(self._mailbox)

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        """These were committed."""
        self._told(outcomes)
        taken = set(map(id, outcomes))
        self._mailbox = [o for o in self._mailbox if id(o) not in taken]

    def dispatch(self, chosen: tuple[Action, ...]) -> None:
        """Send every action."""
        for action in chosen:
            if action.node in self._under_way:
                raise AssertionError(f"{action.node} has a call in flight already")
            self._under_way.add(action.node)
            if (
                not self._ended
            ):  # what one sends that goes on after another has its lease is trespass, or goes nowhere
                self._leaves(action)
            self._world.clock.later(self._dice.uniform(0.2, 2.0), self._arrival(action))

    def _leaves(self, action: Action) -> None:
        match action:
            case CreateNode():
                self._world.manners[action.offer.provider].order_leaves(action.node)
            case DestroyNode():
                self._world.manners[action.provider].end_leaves(action.node)
            case _:
                pass

    def _arrival(self, action: Action) -> Callable[[], None]:
        def arrive() -> None:
            ways = self._ways
            if self._ended and not self._woken:
                if self._dice.random() < 0.5:
                    self._left.append(action)
                    return
                ways = replace(ways, may_act=always)  # it was asked when this left
            outcome = self._carry_out(action, ways)
            if _is_mistake(outcome):
                self._failed(f"the {outcome.call.value} for {outcome.node} raised {outcome.says}")
            unheard = outcome.kind is OutcomeKind.UNKNOWN
            wait_s = timeout_s(action) if unheard else self._dice.uniform(0.2, 2.0)
            self._world.clock.later(wait_s, lambda: self._answer(action, outcome))

        return arrive

    def _carry_out(self, action: Action, ways: Ways) -> Outcome:
        outcome = carry_out(action, ways, self._world.wall)
        if isinstance(action, DestroyNode):
            self._world.destroy_was_sent(action.node)
        return outcome

    def _answer(self, action: Action, outcome: Outcome) -> None:
        if self._ended:
            return
        self._under_way.discard(action.node)
        told = replace(outcome, at=self._world.wall.now())
        self._mailbox.append(told)
        account = actions.lane(action)
        if account is None:
            return
        self._answers[id(told)] = (account, self._world.wall.monotonic())
        if outcome.call is CallKind.DESTROY and outcome.kind in _REFUSED:
            self._world.manners[account].end_refused(action.node)

    def _told(self, outcomes: tuple[Outcome, ...]) -> None:
        """Each account by what it answered to the calls that a tick took in."""
        clear: dict[ProviderName, bool] = {}
        for outcome in outcomes:
            answer = self._answers.pop(id(outcome), None)
            if answer is None:
                continue
            account, answered_on = answer
            if outcome.kind is OutcomeKind.THROTTLED and outcome.retry_after_s:
                self._world.manners[account].told_to_wait(answered_on + outcome.retry_after_s)
            if outcome.kind not in _UNASKED and outcome.node in self._on_record:
                clear[account] = clear.get(account, False) or outcome.kind is not OutcomeKind.UNKNOWN
        for account, clearly in clear.items():
            self._world.manners[account].answered(clearly=clearly)

    def _calls(self, account: ProviderName, what: str, name: str) -> None:
        """Something really goes out to an account."""
        if what in {CREATE, DESTROY}:
            self._world.manners[account].called()
        self._sends(what, name)

    def _sends(self, what: str, name: str) -> None:
        """Something really goes out."""
        if what == CREATE:
            self._world.asked(name)
        if self._woken and not self._may_act():
            self._world.trespass = f"{what} {name}"

    def _render(self, action: CreateNode) -> InstanceSpec:
        world = self._world
        if world.fleet.node_users and world.script.lasts(
            Fault.USER_REFUSED, world.clock.elapsed, action.pool
        ):
            raise FactUnavailable("the broker makes no user now")
        return InstanceSpec(
            name=action.node,
            fleet=world.fleet.name,
            pool=action.pool,
            size=action.offer.size,
            image=action.offer.image,
            location=action.offer.location,
            user_data=b"",
        )


def _is_mistake(outcome: Outcome) -> bool:
    """Whether it stands for an exception that neither a provider nor a gateway may raise: of such a one only the type
    is told. All others say a sentence."""
    unwritten = outcome.says.startswith("the order could not be written")
    return unwritten or (outcome.kind is OutcomeKind.UNKNOWN and outcome.says.isidentifier())
