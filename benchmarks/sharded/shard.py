"""One shard: a fleet, its journal, the daemon that leads it, the one that stands by, and those that died or stopped.

Time passes from outside, step by step; in each the leader renews its lease and ticks where a tick is due, who stands by
looks at the lease, and what was to befall them befalls. What never happens here: a choice of what a daemon does.
"""

from __future__ import annotations

import random
from collections import deque
from dataclasses import dataclass, field

from autoscaler.core.model import Node
from autoscaler.journal import JournalUnavailable, TickRecord
from autoscaler.loop import Rulebook
from autoscaler.simulate.clock import WorldClock
from benchmarks.sharded.account import Account, Door
from benchmarks.sharded.checks import Ledgers
from benchmarks.sharded.daemon import Crash, Daemon, End, Told
from benchmarks.sharded.journals import Seat, Shelf
from benchmarks.sharded.vhost import Vhost

_DOWN_S = (5.0, 60.0)
"""How long it takes until a daemon that died is started again, and stands by."""
_STOPPED_S = (60.0, 200.0)
_TAKEOVER_TICKS = 2.0
"""As docs/standby.md promises it."""


@dataclass(slots=True, kw_only=True)
class Fate:
    """What befell all daemons of one life, and what it cost."""

    died: dict[str, int] = field(default_factory=dict)
    takeovers_s: list[float] = field(default_factory=list)
    woken: int = 0
    """Daemons that had been stopped and went on: nothing of theirs was sent or written."""
    cpu_s: dict[int, list[float]] = field(default_factory=dict)
    """Of a processor, for each tick of each shard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What all shards share."""

    clock: WorldClock
    account: Account
    ledgers: Ledgers
    fate: Fate
    seed: int


class Shard:
    """One fleet and its daemons."""

    def __init__(
        self,
        number: int,
        world: World,
        rulebook: Rulebook,
        vhost: Vhost,
        shelf: Shelf,
        *,
        dies_at: list[float],
        paired: bool = True,
    ) -> None:
        """One that is not `paired` has one daemon, and when that dies nobody starts another."""
        self.number = number
        self.mark = rulebook.fleet.name
        self.rulebook = rulebook
        self.vhost = vhost
        self._world = world
        self._shelf = shelf
        self._paired = paired
        self._dice = random.Random(f"shard {world.seed} {number}")  # noqa: S311 - faults to order, not secrets
        self._dies_at = deque(sorted(dies_at))
        self._begin_at: deque[float] = deque()
        self._stopped: list[tuple[float, Daemon]] = []
        self._leader: Daemon | None = None
        self._waiting: Seat | None = None
        self._seats = self._epoch = 0
        self._next_tick = 0.0
        self._ended_on: float | None = None
        self._begins = False
        """The leader has not ticked yet."""
        world.fate.cpu_s[number] = []

    def start(self, first_tick: float, *, leads: bool = True) -> None:
        """Its two daemons, or the one that waits."""
        self._stand_by()
        if leads:
            self._look(first_tick)
            if self._paired:
                self._stand_by()

    def step(self) -> bool:
        """What is due at this instant; whether a tick was written down."""
        now = self._world.clock.elapsed
        while self._stopped and self._stopped[0][0] <= now:
            self._wake(self._stopped.pop(0)[1])
        if self._paired and self._begin_at and self._begin_at[0] <= now and self._waiting is None:
            self._begin_at.popleft()
            self._stand_by()
        if self._leader is not None:
            self._leader.seat.renew()
        due = bool(self._dies_at) and self._dies_at[0] <= now
        if due and self._leader is not None and (self._waiting is not None or not self._paired):
            self._dies_at.popleft()
            self._befall(self._leader)
        self._look(now)
        if self._leader is None or now < self._next_tick:
            return False
        self._next_tick = max(self._next_tick + self.rulebook.tick_s, now)
        return self._tick(self._leader)

    def _stand_by(self) -> None:
        self._seats += 1
        self._waiting = self._shelf.sit(f"shard {self.number} daemon {self._seats}")

    def _look(self, tick_at: float) -> None:
        """Who stands by takes the lease, if it is free."""
        if self._waiting is None or not self._waiting.claim():
            return
        seat, self._waiting = self._waiting, None
        self._epoch += 1
        epoch, world = self._epoch, self._world
        door = Door(
            world.account,
            self.number,
            self.mark,
            world.ledgers,
            may_act=seat.may_act,
            leads=lambda: epoch == self._epoch,
        )
        told = Told(read=self._read, committed=self._committed, cpu_s=world.fate.cpu_s[self.number])
        seed = f"{world.seed} {self.number} {self._seats}"
        self._leader = Daemon(seat, self.vhost, door, self.rulebook, world.clock, told, seed=seed)
        self._begins, self._next_tick = self._epoch > 1, tick_at

    def _read(self, nodes: tuple[Node, ...]) -> None:
        if self._begins:
            self._begins = False
            self._world.ledgers.successor_knows(self.number, nodes)

    def _committed(self, record: TickRecord) -> None:
        self._world.ledgers.committed(self.number, record)

    def _befall(self, daemon: Daemon) -> None:
        end = self._dice.choice(list(End))
        self._world.fate.died[end.value] = self._world.fate.died.get(end.value, 0) + 1
        daemon.ends = end
        if end is End.BETWEEN_TICKS:
            self._ended(daemon)

    def _ended(self, daemon: Daemon) -> None:
        now, dice = self._world.clock.elapsed, self._dice
        self._leader, self._ended_on = None, now
        if daemon.ends is End.STOPPED:
            self._stopped.append((now + dice.uniform(*_STOPPED_S), daemon))
        else:
            daemon.seat.leave()
            self._begin_at.append(now + dice.uniform(*_DOWN_S))

    def _tick(self, daemon: Daemon) -> bool:
        world = self._world
        try:
            daemon.tick()
        except Crash:
            self._ended(daemon)
            return False
        finally:
            world.ledgers.answered()
            world.ledgers.require_none()
        if self._ended_on is not None:
            took_s, self._ended_on = world.clock.elapsed - self._ended_on, None
            world.fate.takeovers_s.append(took_s)
            if took_s > _TAKEOVER_TICKS * self.rulebook.tick_s:
                world.ledgers.blame(
                    "late takeover", f"shard {self.number}: {took_s:.0f} s after its leader's end"
                )
        world.ledgers.nothing_is_forgotten(self.number)
        return True

    def _wake(self, daemon: Daemon) -> None:
        """It goes on where it was stopped, and finds its lease lost."""
        world = self._world
        try:
            daemon.go_on()
        except JournalUnavailable:
            world.fate.woken += 1
        else:
            world.ledgers.blame("acted without the lease", f"shard {self.number}: a tick was written down")
        finally:
            world.ledgers.answered()
            world.ledgers.require_none()
        daemon.seat.leave()
        self._begin_at.append(world.clock.elapsed + self._dice.uniform(*_DOWN_S))
