"""Calls under way while the parts that send them are replaced: none is forgotten, and none is begun a second time.

It is the executor to the loop and to the daemon. New calls go to the one in charge; those of its predecessors end
where they began, and count as under way until their answers were taken in. What never happens here: a call, or a
choice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from autoscaler.core.facts import Outcome
from autoscaler.core.model import Action
from autoscaler.execute import Executor
from providers.contract import NodeName


@dataclass(frozen=True, slots=True)
class _Leaving:
    executor: Executor
    let_go: Callable[[], None]


class Relay:
    """Several executors as one. The loop's thread alone replaces them; at the end others ask what is under way."""

    def __init__(self, executor: Executor) -> None:
        self._in_charge = executor
        self._leaving: tuple[_Leaving, ...] = ()

    def succeed(self, executor: Executor, let_go: Callable[[], None]) -> None:
        """From now on calls go there. `let_go` is called once nothing of the one before is under way any more."""
        before, self._in_charge = self._in_charge, executor
        before.stop(0.0)  # takes no more; what it was given goes on
        self._leaving = (*self._leaving, _Leaving(before, let_go))

    def dispatch(self, chosen: tuple[Action, ...]) -> None:
        """Start every action. None of their nodes may have a call in flight."""
        self._in_charge.dispatch(chosen)

    def in_flight(self) -> frozenset[NodeName]:
        """Nodes whose call has not ended, whoever sent it."""
        return frozenset().union(*(executor.in_flight() for executor in self._all()))

    def outcomes(self) -> tuple[Outcome, ...]:
        """Answers not yet taken in."""
        return tuple(outcome for executor in self._all() for outcome in executor.outcomes())

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        """These were committed. Predecessors of whom nothing is under way, or untold, any more are let go of."""
        for executor in self._all():
            executor.forget(outcomes)
        done = [
            each for each in self._leaving if not each.executor.in_flight() and not each.executor.outcomes()
        ]
        self._leaving = tuple(each for each in self._leaving if each not in done)
        for each in done:
            each.let_go()

    def stop(self, grace_s: float) -> frozenset[NodeName]:
        """Take no more; wait so long, all together, for calls under way. Returns the nodes whose calls are left."""
        first, *others = self._all()
        return first.stop(grace_s).union(*(executor.stop(0.0) for executor in others))

    def _all(self) -> tuple[Executor, ...]:
        return (self._in_charge, *(each.executor for each in self._leaving))
