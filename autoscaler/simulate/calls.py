"""Calls on virtual time: the four methods of the production executor, each call with a fate drawn from the seed.

A request may be lost, late or refused, and its answer lost. What was sent reaches the world even after its daemon died;
the answers of a dead daemon's calls reach nobody.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from autoscaler.core.facts import CallKind, Outcome, OutcomeKind
from autoscaler.core.model import Action, CreateNode, DestroyNode, DrainNode, StopWorker, UndrainNode
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.world import Machine, World
from providers.contract import Instance, InstanceId, InstanceState, NodeName

_CALLS = {
    CreateNode: CallKind.CREATE,
    DrainNode: CallKind.DRAIN,
    UndrainNode: CallKind.UNDRAIN,
    StopWorker: CallKind.STOP,
    DestroyNode: CallKind.DESTROY,
}
_CONTROL_TIMEOUT_S = 5.0
LATEST_S = 20.0
"""How long after its time-out a request may still be carried out by the provider."""


class WorldExecutor:
    """One daemon's calls under way and its mailbox."""

    def __init__(self, world: World, seed: str) -> None:
        self._world = world
        self._dice = random.Random(f"calls {seed}")
        self._under_way: set[NodeName] = set()
        self._mailbox: list[Outcome] = []
        self._dead = False

    def die(self) -> None:
        self._dead = True

    def in_flight(self) -> frozenset[NodeName]:
        return frozenset(self._under_way)

    def outcomes(self) -> tuple[Outcome, ...]:
        return tuple(self._mailbox)

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        self._mailbox = [o for o in self._mailbox if o not in outcomes]

    def dispatch(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            assert action.node not in self._under_way
            self._under_way.add(action.node)
            match action:
                case CreateNode():
                    self._create(action)
                case DestroyNode():
                    self._destroy(action)
                case _:
                    self._control(action)

    def _strikes(self, fault: Fault, chance: float) -> bool:
        return self._world.trouble.strikes(fault, self._world.elapsed, self._dice, chance)

    def _answer(
        self,
        action: Action,
        after_s: float,
        kind: OutcomeKind,
        instance: Callable[[], Instance | None] = lambda: None,
    ) -> None:
        def arrive() -> None:
            if self._dead:
                return
            self._under_way.discard(action.node)
            self._mailbox.append(
                Outcome(
                    node=action.node,
                    call=_CALLS[type(action)],
                    kind=kind,
                    at=self._world.now(),
                    says="as the dice fell",
                    retry_after_s=20.0 if kind is OutcomeKind.THROTTLED else None,
                    instance=instance(),
                )
            )

        self._world.later(after_s, arrive)

    def _create(self, action: CreateNode) -> None:
        world, made = self._world, list[Machine]()
        world.create_requests[action.node] += 1

        def carry_out() -> None:
            made.append(world.make(action.node, action.offer.provider))

        takes_s = self._dice.uniform(0.5, 3)
        if self._strikes(Fault.CAPACITY_REFUSED, 0.06):
            self._answer(action, takes_s, OutcomeKind.CAPACITY_REFUSED)
        elif self._strikes(Fault.THROTTLED, 0.06):
            self._answer(action, takes_s, OutcomeKind.THROTTLED)
        elif self._strikes(Fault.REQUEST_LOST, 0.08):
            self._answer(action, action.timeout_s, OutcomeKind.UNKNOWN)
        elif self._strikes(Fault.ANSWER_LOST, 0.1):
            world.later(takes_s, carry_out)
            self._answer(action, action.timeout_s, OutcomeKind.UNKNOWN)
        elif self._strikes(Fault.CREATED_LATE, 0.1):
            world.later(action.timeout_s + self._dice.uniform(0, LATEST_S), carry_out)
            self._answer(action, action.timeout_s, OutcomeKind.UNKNOWN)
        else:
            world.later(takes_s, carry_out)
            self._answer(action, takes_s + 0.5, OutcomeKind.DONE, lambda: _instance(made[0]))

    def _destroy(self, action: DestroyNode) -> None:
        world = self._world
        takes_s = self._dice.uniform(0.5, 3)
        there = any(m.instance_id == action.instance_id or m.name == action.machine for m in world.alive())
        if not there:
            self._answer(action, takes_s, OutcomeKind.ABSENT)
            return

        def carry_out() -> None:
            for machine in world.alive():
                by_id = action.instance_id is not None
                if machine.instance_id == action.instance_id or (
                    not by_id and machine.name == action.machine
                ):
                    world.end(machine, by_daemon=True)

        if self._strikes(Fault.THROTTLED, 0.1):
            self._answer(action, takes_s, OutcomeKind.THROTTLED)
        elif self._strikes(Fault.DESTROY_HOLLOW, 0.1):
            self._answer(action, takes_s, OutcomeKind.DONE)  # taken, and not done
        elif self._strikes(Fault.DESTROY_IGNORED, 0.1):
            self._answer(action, action.timeout_s, OutcomeKind.UNKNOWN)
        else:
            world.later(takes_s, carry_out)
            lost = self._strikes(Fault.DESTROY_UNANSWERED, 0.1)
            self._answer(
                action,
                action.timeout_s if lost else takes_s,
                OutcomeKind.UNKNOWN if lost else OutcomeKind.DONE,
            )

    def _control(self, action: DrainNode | UndrainNode | StopWorker) -> None:
        world = self._world
        worker = world.worker_of(action.worker.removeprefix("celery@"))
        unheard = (
            worker is None
            or worker.silent_until > world.elapsed
            or world.trouble.now("broker", world.elapsed)
        )
        if unheard or self._strikes(Fault.ORDER_LOST, 0.15):
            self._answer(action, _CONTROL_TIMEOUT_S, OutcomeKind.UNKNOWN)
            return
        assert worker is not None

        def carry_out() -> None:
            if isinstance(action, StopWorker):
                worker.stopping = True
            else:
                worker.consuming = isinstance(action, UndrainNode)

        world.later(0.5, carry_out)
        lost = self._strikes(Fault.ORDER_LOST, 0.15)
        self._answer(
            action, _CONTROL_TIMEOUT_S if lost else 1.0, OutcomeKind.UNKNOWN if lost else OutcomeKind.DONE
        )


def _instance(machine: Machine) -> Instance:
    return Instance(
        name=machine.name, instance_id=InstanceId(machine.instance_id), state=InstanceState.PENDING
    )
