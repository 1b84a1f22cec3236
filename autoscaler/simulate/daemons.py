"""One daemon's life: the production loop and observer over the played gateways, and all the ways in which it ends.

It is killed before or after its commit or between two calls of one plan, or stopped and woken when another has its
lease. What never happens here: a decision, or a fault of the world's.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from enum import StrEnum

from autoscaler.core.facts import Memory
from autoscaler.core.model import Action, Node, Order, Plan, PoolName, PoolWish
from autoscaler.journal import JournalUnavailable, TickRecord
from autoscaler.loop import Loop
from autoscaler.prospects import Read
from autoscaler.simulate import clouds, gateways
from autoscaler.simulate.calls import Calls
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.ledger import Leased, Shared
from autoscaler.simulate.looking import Eyes
from autoscaler.simulate.speaking import Mailbox
from autoscaler.simulate.workers import Worker
from autoscaler.simulate.world import World
from policies.contract import Past
from policies.prospect import Slice

Noted = Callable[[TickRecord], None]
Mistaken = Callable[[str], None]
"""Told of exceptions that the daemon took for bad luck and lived on, as it must: here they are our own mistakes."""


class Crash(Exception):
    """The daemon ends here, as by `kill -9`."""


class End(StrEnum):
    """Where in its tick a daemon ends."""

    BEFORE_COMMIT = "before commit"
    BEFORE_DISPATCH = "before dispatch"
    AMID_DISPATCH = "amid dispatch"
    AFTER_DISPATCH = "after dispatch"
    STOPPED_BEFORE_COMMIT = "stopped before commit"
    STOPPED_BEFORE_DISPATCH = "stopped before dispatch"
    STOPPED_AFTER_DISPATCH = "stopped after dispatch"
    """It is stopped there, and goes on when another daemon has long taken over."""


class _Listening:
    """The log, read for what only a mistake of ours can cause."""

    def __init__(self, failed: Mistaken) -> None:
        self._failed = failed

    def say(self, event: str, /, **fields: object) -> None:
        if event == "pool.failed":
            self._failed(f"nothing was decided for {fields['pool']}: {fields['error']}")


class Daemon:
    """One process, from its start to its end."""

    def __init__(self, world: World, shared: Shared, seed: str, *, noted: Noted) -> None:
        """`noted` is told of what was committed."""
        self._world = world
        self._noted = noted
        self._journal: Leased = shared.claim()
        self._ear = gateways.Ear(world)
        self.listened_s = self._ear.listened_s
        self.ticked_at = world.clock.elapsed
        self._left: tuple[Action, ...] = ()
        self._unwritten: TickRecord | None = None
        self.ends: End | None = None
        self.becomes = world.fleet.becomes(world.releases)
        """As its configuration has it, until it ends."""
        self.mistakes: list[str] = []
        """Exceptions of our own that the daemon survived."""
        providers = {
            name: clouds.open_account(cloud, name, world.clock) for name, cloud in world.accounts.items()
        }
        names = random.Random(f"names {seed}")
        self._calls = Calls(
            world, providers, self._ear, seed, may_act=self._journal.holds_lease, failed=self.mistakes.append
        )
        self._eyes = Eyes(world, self._ear, providers, self.mistakes.append)
        self._loop = Loop(
            rulebook=world.fleet.rulebook(
                {name: p.traits.settle_s for name, p in providers.items()}, self.becomes
            ),
            journal=_Writing(self._journal, self._commit, self._calls.read, world.fleet.earlier),
            observer=self._eyes,
            executor=_Sending(self._calls, self._dispatch),
            machines=Mailbox(world.speech, world.wall, world.broker_down),
            clock=world.wall,
            log=_Listening(self.mistakes.append),
            name_seed=lambda: f"{names.getrandbits(32):08x}",
        )

    def tick(self) -> Plan:
        """One tick of the production loop, and its plan. Raises Crash where it ends, or what the loop raises."""
        self.ticked_at = self._world.clock.elapsed
        self._world.tick_begins()
        return self._loop.tick().plan

    def knows_anew(self, worker: Worker) -> bool:
        """Whether it heard before this tick that this process began."""
        return self._ear.knows_anew(worker, self.ticked_at)

    def may_write(self) -> bool:
        """Whether nothing keeps it from its journal now: neither a full disk nor another's lease."""
        full = self._world.script.lasts(Fault.DISK_FULL, self._world.clock.elapsed)
        return not full and self._journal.holds_lease()

    def die(self) -> None:
        """It is killed, or stopped for now; what it sent may still arrive."""
        self._calls.end()
        self._ear.stop()

    def wake(self) -> None:
        """A stopped daemon goes on where it stood: calls that waited leave, or the tick is committed or dispatched.

        Raises JournalUnavailable when it writes, as it should; what it sends is for the guard of its calls to stop.
        """
        self._calls.go_on()
        if self._unwritten is not None:
            self._journal.commit(self._unwritten)
        self._calls.dispatch(self._left)
        self._journal.require_lease()  # its next tick

    def _commit(self, record: TickRecord) -> None:
        if self._world.script.lasts(Fault.DISK_FULL, self._world.clock.elapsed):
            raise JournalUnavailable("the disk is full")
        if self.ends is End.BEFORE_COMMIT:
            raise Crash
        if self.ends is End.STOPPED_BEFORE_COMMIT:
            self._unwritten = record
            raise Crash
        self._journal.commit(record)
        self._eyes.took_in()
        self._noted(record)
        if self.ends is End.BEFORE_DISPATCH:
            raise Crash

    def _dispatch(self, actions: tuple[Action, ...]) -> None:
        if self.ends is End.STOPPED_BEFORE_DISPATCH:
            self._left = actions
            raise Crash
        sent = actions[: len(actions) // 2] if self.ends is End.AMID_DISPATCH else actions
        self._calls.dispatch(sent)
        if self.ends is not None:
            raise Crash


class _Writing:
    """The journal, with this daemon's end in its commit, and with a past before the life began."""

    def __init__(
        self, journal: Leased, commit: Noted, read: Callable[[tuple[Node, ...]], None], earlier: Read
    ) -> None:
        self._journal = journal
        self._earlier = earlier
        self.commit = commit
        self._read = read

    def led(self) -> object | None:
        return self._journal.led()

    def live_nodes(self) -> tuple[Node, ...]:
        return self._journal.live_nodes()

    def memory(self) -> Memory:
        # Each tick begins with it, whether it reads the records or knows what its own commit left.
        self._read(self._journal.live_nodes())
        return self._journal.memory()

    def waiting_orders(self) -> tuple[Order, ...]:
        return self._journal.waiting_orders()

    def wishes(self) -> Mapping[PoolName, PoolWish]:
        return self._journal.wishes()

    def past(self, since_at: float) -> Mapping[PoolName, tuple[Past, ...]]:
        return self._journal.past(since_at)

    def slices(self, pool: PoolName, since_at: float, before_at: float) -> tuple[Slice, ...]:
        return (
            *self._earlier(pool, since_at, before_at),
            *self._journal.slices(pool, since_at, before_at),
        )


class _Sending:
    """The calls, with this daemon's end in their dispatch."""

    def __init__(self, calls: Calls, dispatch: Callable[[tuple[Action, ...]], None]) -> None:
        self.dispatch = dispatch
        self.in_flight = calls.in_flight
        self.outcomes = calls.outcomes
        self.forget = calls.forget
