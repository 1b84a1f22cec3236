"""One daemon of one shard: the production loop, observer and calls over played parts, and the ways in which it ends.

It is killed between two ticks, before or after its commit or amid its calls, or it is stopped there and goes on when
another has its lease. Calls are carried out at once, by the production function. What never happens here: a decision.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from autoscaler.core.facts import Memory, Outcome
from autoscaler.core.model import Action, CreateNode, Node, Order, PoolName, PoolWish
from autoscaler.execute import Ways, carry_out
from autoscaler.journal import TickRecord
from autoscaler.looks import Pace
from autoscaler.loop import Loop, Rulebook
from autoscaler.observe import Observer
from autoscaler.simulate.clock import WorldClock
from benchmarks.sharded.account import Door
from benchmarks.sharded.journals import Seat
from benchmarks.sharded.vhost import Vhost
from policies.contract import Past
from policies.prospect import Slice
from providers.contract import InstanceSpec, NodeName, Provider, ProviderName

ACCOUNT = ProviderName("cloud")


class Crash(Exception):
    """The daemon ends here, as by `kill -9` or SIGSTOP."""


class End(StrEnum):
    """Where in a tick a daemon ends."""

    BETWEEN_TICKS = "between two ticks"
    BEFORE_COMMIT = "before its commit"
    BEFORE_DISPATCH = "after its commit"
    AMID_DISPATCH = "amid its calls"
    STOPPED = "stopped after its commit"
    """It goes on later, where it stood."""


@dataclass(slots=True, kw_only=True)
class Told:
    """To whom a daemon's tick is told, and what it costs."""

    read: Callable[[tuple[Node, ...]], None]
    committed: Callable[[TickRecord], None]
    cpu_s: list[float] = field(default_factory=list)


class Daemon:
    """One process, from the moment it leads to its end."""

    def __init__(
        self,
        seat: Seat,
        vhost: Vhost,
        door: Door,
        rulebook: Rulebook,
        clock: WorldClock,
        told: Told,
        *,
        seed: str,
    ) -> None:
        self.ends: End | None = None
        self.seat = seat
        self.left: tuple[Action, ...] = ()
        self._told = told
        self._calls = _Calls(
            Ways(
                providers={ACCOUNT: door},
                workers=vhost,
                render=lambda action: _order(action, rulebook.fleet.name),
                may_act=seat.may_act,
            ),
            clock,
        )
        names = random.Random(f"names {seed}")  # noqa: S311 - names, not secrets
        self._loop = Loop(
            rulebook=rulebook,
            journal=_Writing(seat, self._commit, told.read),
            observer=_observer(vhost, door, rulebook, clock),
            executor=_Sending(self._calls, self._dispatch),
            clock=clock,
            log=_Listening(),
            name_seed=lambda: f"{names.getrandbits(40):010x}",
        )

    def tick(self) -> None:
        """One tick. Raises Crash where it ends, or what the loop raises."""
        began = time.process_time()
        self._loop.tick()
        self._told.cpu_s.append(time.process_time() - began)

    def go_on(self) -> None:
        """A daemon that was stopped does what it was about to do, and its next tick. Raises JournalUnavailable."""
        self.ends = None
        self._calls.dispatch(self.left)
        self._loop.tick()

    def _commit(self, record: TickRecord) -> None:
        if self.ends is End.BEFORE_COMMIT:
            raise Crash
        self.seat.journal.commit(record)
        self._told.committed(record)
        if self.ends is End.BEFORE_DISPATCH:
            raise Crash

    def _dispatch(self, actions: tuple[Action, ...]) -> None:
        if self.ends is End.STOPPED:
            self.left = actions
            raise Crash
        half = self.ends is End.AMID_DISPATCH
        self._calls.dispatch(actions[: len(actions) // 2] if half else actions)
        if half:
            raise Crash


def _order(action: CreateNode, fleet: str) -> InstanceSpec:
    """Without user data: what machines are told is no matter here."""
    offer = action.offer
    return InstanceSpec(
        name=action.node,
        fleet=fleet,
        pool=action.pool,
        size=offer.size,
        image=offer.image,
        location=offer.location,
        user_data=b"",
    )


def _observer(vhost: Vhost, door: Provider, rulebook: Rulebook, clock: WorldClock) -> Observer:
    return Observer(
        broker=vhost,
        workers=vhost,
        providers={ACCOUNT: door},
        queues={name: rules.queues for name, rules in rulebook.pools.items()},
        clock=clock,
        pace=Pace(timeout_s=rulebook.tick_s, tick_s=rulebook.tick_s, wait=lambda *_: None),
        pool=_AtOnce(),
    )


class _AtOnce(Executor):
    """A pool without threads."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The future of this call, which has ended. What a look raises is a mistake of ours, and goes through."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class _Listening:
    """The log, read for what only a mistake of ours can cause."""

    def say(self, event: str, /, **fields: object) -> None:
        """Raises where a pool, a node or an account met an exception."""
        if event in {"pool.failed", "node.failed"}:
            raise AssertionError(f"{event}: {fields}")


class _Calls:
    """Calls that are carried out as they are sent."""

    def __init__(self, ways: Ways, clock: WorldClock) -> None:
        self._ways = ways
        self._clock = clock
        self._mailbox: list[Outcome] = []

    def dispatch(self, actions: tuple[Action, ...]) -> None:
        """All of them, in turn."""
        self._mailbox += [carry_out(action, self._ways, self._clock) for action in actions]

    def in_flight(self) -> frozenset[NodeName]:
        """None."""
        return frozenset()

    def outcomes(self) -> tuple[Outcome, ...]:
        """Not yet taken in."""
        return tuple(self._mailbox)

    def forget(self, outcomes: tuple[Outcome, ...]) -> None:
        """These were committed."""
        taken = set(map(id, outcomes))
        self._mailbox = [each for each in self._mailbox if id(each) not in taken]


class _Sending:
    """The calls, with this daemon's end in their dispatch."""

    def __init__(self, calls: _Calls, dispatch: Callable[[tuple[Action, ...]], None]) -> None:
        self.dispatch = dispatch
        self.in_flight = calls.in_flight
        self.outcomes = calls.outcomes
        self.forget = calls.forget


class _Writing:
    """The journal, with this daemon's end in its commit."""

    def __init__(
        self, seat: Seat, commit: Callable[[TickRecord], None], read: Callable[[tuple[Node, ...]], None]
    ) -> None:
        self._seat = seat
        self._read = read
        self.commit = commit

    def led(self) -> None:
        """Of each tick it is told what was read."""

    def live_nodes(self) -> tuple[Node, ...]:
        nodes = self._seat.journal.live_nodes()
        self._read(nodes)
        return nodes

    def memory(self) -> Memory:
        return self._seat.journal.memory()

    def waiting_orders(self) -> tuple[Order, ...]:
        return self._seat.journal.waiting_orders()

    def wishes(self) -> Mapping[PoolName, PoolWish]:
        return self._seat.journal.wishes()

    def past(self, since_at: float) -> Mapping[PoolName, tuple[Past, ...]]:
        return self._seat.journal.past(since_at)

    def slices(self, pool: PoolName, since_at: float, before_at: float) -> tuple[Slice, ...]:
        return self._seat.journal.slices(pool, since_at, before_at)
