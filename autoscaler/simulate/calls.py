"""Calls on virtual time: the four methods of the production executor, and its own way to carry an action out.

A request takes a while to arrive, and its answer as long to come back; one that is not answered is given up when its
time-out is over. What was sent reaches the world even after its daemon died; answers then reach nobody.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from autoscaler.core.facts import Outcome, OutcomeKind
from autoscaler.core.model import Action, CreateNode
from autoscaler.execute import Ways, WorkerControl, carry_out, timeout_s
from autoscaler.simulate.clouds import FLEET
from autoscaler.simulate.world import World
from providers.contract import InstanceSpec, NodeName, Provider, ProviderName


class Calls:
    """One daemon's calls under way and its mailbox."""

    def __init__(
        self, world: World, providers: Mapping[ProviderName, Provider], workers: WorkerControl, seed: str
    ) -> None:
        self._world = world
        self._ways = Ways(providers=providers, workers=workers, render=self._render)
        self._dice = random.Random(f"calls {seed}")
        self._under_way: set[NodeName] = set()
        self._mailbox: list[Outcome] = []
        self._dead = False

    def die(self) -> None:
        """The daemon is gone: half of what waits to be sent never leaves, and no answer is taken."""
        self._dead = True

    def in_flight(self) -> frozenset[NodeName]:
        """Nodes whose call has not ended."""
        return frozenset(self._under_way)

    def outcomes(self) -> tuple[Outcome, ...]:
        """Answers not yet taken in."""
        return tuple(self._mailbox)

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        """These were committed."""
        taken = set(map(id, outcomes))
        self._mailbox = [o for o in self._mailbox if id(o) not in taken]

    def dispatch(self, actions: tuple[Action, ...]) -> None:
        """Send every action."""
        for action in actions:
            if action.node in self._under_way:
                raise AssertionError(f"{action.node} has a call in flight already")
            self._under_way.add(action.node)
            self._world.clock.later(self._dice.uniform(0.2, 2.0), self._arrival(action))

    def _arrival(self, action: Action) -> Callable[[], None]:
        def arrive() -> None:
            if self._dead and self._dice.random() < 0.5:
                return
            if isinstance(action, CreateNode):
                self._world.asked(action.node)
            outcome = carry_out(action, self._ways, self._world.wall)
            unheard = outcome.kind is OutcomeKind.UNKNOWN
            wait_s = timeout_s(action) if unheard else self._dice.uniform(0.2, 2.0)
            self._world.clock.later(wait_s, lambda: self._answer(action, outcome))

        return arrive

    def _answer(self, action: Action, outcome: Outcome) -> None:
        if not self._dead:
            self._under_way.discard(action.node)
            self._mailbox.append(replace(outcome, at=self._world.wall.now()))

    @staticmethod
    def _render(action: CreateNode) -> InstanceSpec:
        return InstanceSpec(
            name=action.node,
            fleet=FLEET,
            pool=action.pool,
            size=action.offer.size,
            image=action.offer.image,
            location=action.offer.location,
            user_data=b"",
        )
