"""An operator who says something now and then, and cleans up when the trouble is over, as the manual tells him to."""

from __future__ import annotations

import random
from collections import Counter

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, OrderKind, PoolName
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.ledger import Shared
from autoscaler.simulate.world import World

_KINDS = (
    OrderKind.DRAIN,
    OrderKind.UNDRAIN,
    OrderKind.DESTROY,
    OrderKind.HOLD,
    OrderKind.PAUSE,
    OrderKind.RESUME,
    OrderKind.WAKE,
    OrderKind.SWEEP,
)
"""No FORGET: who forgets a standing machine takes cost and ceiling upon himself, and there is nothing to check."""
_SWEEPS_EVERY_S = 900.0
_ROUNDS_EVERY_S = 300.0
_REPLACES = 0.3
"""The part of all he says, in lives in which machines are replaced."""


class Operator:
    """The only one who gives orders."""

    def __init__(self, world: World, shared: Shared, seed: int) -> None:
        self._world = world
        self._shared = shared
        self._swept_at = self._round_at = float("-inf")
        self._doubtful: frozenset[str] = frozenset()
        self._replaces = random.Random(f"replaces {seed}")

    def speak(self, nodes: tuple[Node, ...]) -> str:
        """One order, if the dice say so. Returns it in words."""
        script, at = self._world.script, self._world.clock.elapsed
        if not script.strikes(Fault.OPERATOR, at):
            return ""
        dice = script.dice(Fault.OPERATOR)
        kind, force = dice.choice(_KINDS), dice.random() < 0.3
        if self._is_tired() and self._replaces.random() < _REPLACES:
            return self._replace(nodes, force=force)
        if kind in {OrderKind.DRAIN, OrderKind.UNDRAIN, OrderKind.DESTROY}:
            return self._about_node(kind, nodes, dice, force=force)
        if kind is OrderKind.SWEEP:
            self._give(kind, "*")
            return "order: sweep"
        pool = dice.choice(list(self._world.fleet.rules))
        if kind is OrderKind.WAKE:
            return self._wake(pool, dice)
        return self._about_pool(kind, pool, dice)

    def clean_up(self, strangers: int) -> str:
        """After the trouble: pools go on, and what was only reported is swept, again and again until it is gone."""
        at = self._world.clock.elapsed
        if at < self._swept_at + _SWEEPS_EVERY_S:
            return ""
        if self._swept_at < 0:
            for pool in self._world.fleet.rules:
                self._give(OrderKind.RESUME, pool)
        elif not strangers:
            return ""
        self._swept_at = at
        self._give(OrderKind.SWEEP, "*")
        return "order: sweep"

    def look_after(self, nodes: tuple[Node, ...]) -> str:
        """After the trouble: ends what the daemon leaves to him, when he found it so on two rounds in a row.

        That is whose worker makes no progress, and a pair of one name that drains too long, because no proof can tell
        one from the other.
        """
        at = self._world.clock.elapsed
        if at < self._round_at + _ROUNDS_EVERY_S:
            return ""
        self._round_at = at
        names = Counter(node.machine for node in nodes)
        left = [
            node
            for node in nodes
            if self._is_left(node) or (names[node.machine] > 1 and self._drains_s(node) > self._drain_s(node))
        ]
        hopeless = [node for node in left if node.name in self._doubtful]
        self._doubtful = frozenset(node.name for node in left)
        for node in hopeless:
            self._give(OrderKind.DESTROY, node.name, force=True)
        return f"order: destroy {', '.join(node.name for node in hopeless)} by force" if hopeless else ""

    def _is_left(self, node: Node) -> bool:
        """Whether its worker makes no progress, and the daemon does not promise to end that by itself.

        Tasks that hang are drained after `timeouts.task` where that is set, and a drain may take for ever. One that
        takes nothing is only known by others of its pool who do.
        """
        world, times = self._world, self._world.fleet.rules[node.pool].timeouts
        workers = world.workers.get(node.machine, [])
        if any(worker.hangs for worker in workers):
            return self._drains_s(node) > self._drain_s(node) or not times.task_s
        queue = world.queues[node.pool]
        sound = any(worker.zombie is None and worker.queue is queue for worker in world.workers_up())
        return any(worker.starves for worker in workers) and not sound

    def _drains_s(self, node: Node) -> float:
        return self._world.wall.now() - node.entered_at if node.state is NodeState.DRAINING else 0.0

    def _drain_s(self, node: Node) -> float:
        return self._world.fleet.rules[node.pool].timeouts.drain_s

    def _about_node(
        self, kind: OrderKind, nodes: tuple[Node, ...], dice: random.Random, *, force: bool
    ) -> str:
        if not nodes:
            return ""
        node = dice.choice(nodes)
        self._give(kind, node.name, force=force)
        return f"order: {kind.value} {node.name}{' by force' if force else ''}"

    def _is_tired(self) -> bool:
        """Whether he has machines replaced at all; in other lives he says what he would say without."""
        rules = self._world.fleet.rules.values()
        return any(pool.replaces_drifted or pool.max_age_s for pool in rules)

    def _replace(self, nodes: tuple[Node, ...], *, force: bool) -> str:
        """A pool, all of it or what is outdated, or one machine."""
        targets = [*self._world.fleet.rules, *(node.name for node in nodes)]
        target = self._replaces.choice(targets)
        self._give(OrderKind.REPLACE, target, force=force)
        return f"order: replace {target}"

    def _wake(self, pool: PoolName, dice: random.Random) -> str:
        """What may be asked again: all, a pool, or an offer of it, or the account of that."""
        offer = dice.choice(self._world.fleet.rules[pool].offers)
        target = dice.choice(("*", pool, offer.name, offer.provider))
        self._give(OrderKind.WAKE, target)
        return f"order: wake {target}"

    def _about_pool(self, kind: OrderKind, pool: PoolName, dice: random.Random) -> str:
        workers = dice.randint(0, self._world.fleet.rules[pool].limits.max_workers + 1)
        if kind is OrderKind.HOLD:
            until_at = self._world.wall.now() + dice.uniform(30, 300)
            self._give(kind, pool, workers=workers, until_at=until_at)
            return f"order: hold {pool} at {workers}"
        self._give(kind, pool)
        return f"order: {kind.value} {pool}"

    def _give(
        self,
        kind: OrderKind,
        target: str,
        *,
        workers: int | None = None,
        until_at: float | None = None,
        force: bool = False,
    ) -> None:
        at = self._world.wall.now()
        self._shared.give(kind, target, at, workers=workers, until_at=until_at, force=force)
