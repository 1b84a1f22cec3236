"""The demo's daemon and its world: the production loop, rules and journal, over the simulation's gateways and clouds.

It ticks when it is told to, and virtual time passes in between. Only one thread may call it; others read the journal
and give orders into it, as ever. What never happens here: a wait, or a look at a real clock.
"""

from __future__ import annotations

import math
import secrets
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from typing import Any

from autoscaler import meters, wiring
from autoscaler.config import Settings
from autoscaler.demo import configured, workload
from autoscaler.demo.hurrying import Hurrying
from autoscaler.demo.mishaps import Mishaps
from autoscaler.journal import Journal
from autoscaler.looks import Pace
from autoscaler.loop import Journal as Written
from autoscaler.loop import Loop
from autoscaler.metering import Metered
from autoscaler.meters import Meters
from autoscaler.observe import Observer
from autoscaler.simulate import clouds, gateways
from autoscaler.simulate.calls import Calls
from autoscaler.simulate.contract import Scenario
from autoscaler.simulate.speaking import Mailbox
from autoscaler.simulate.world import World
from policies import seasons

_TIDY_S = 3_600.0
_UNWATCHED_TICKS = 3.0
"""So many times as far apart are the ticks of hours that nobody watches: a day of them is to take seconds."""
_NEWS_KEPT = 50
_SEED = "demo"


class Counted:
    """A log that nobody reads: what the demo's daemon has to say stands in its journal. Its events are counted."""

    def __init__(self, counted: Meters) -> None:
        self._meters = counted

    def say(self, event: str, /, **fields: object) -> None:
        """Only that it was said."""
        del fields
        self._meters.count(meters.EVENT, event)


class AtOnce(Executor):
    """A pool without threads: each look is carried out when it is asked for."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The future of this call, which is over."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as any executor does: the error is the answer
            future.set_exception(error)
        return future


class Played:
    """One fleet that lives from `begins_at` on. `history_s` is how much of its life nobody watches."""

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        *,
        begins_at: float,
        history_s: float,
        counted: Meters = meters.NOBODY,
        name_seed: Callable[[], str] = lambda: secrets.token_hex(4),
    ) -> None:
        self.settings = settings
        self.journal = journal
        self.news: deque[tuple[float, str]] = deque(maxlen=_NEWS_KEPT)
        """What befell the fleet, in words, and when."""
        self.tick_s = settings.loop.tick_s * _UNWATCHED_TICKS
        """Between two ticks, at present."""
        self._meters = counted
        self._name_seed = name_seed
        self._log = Counted(counted)
        scenario = Scenario(seed=0, trouble_s=0.0)  # the world's own producers send nothing then
        script = Mishaps(begins_s=history_s, tell=self._tell)
        self.world = World(scenario, script, configured.fleet(settings, begins_at=begins_at))
        world = self.world
        providers = {
            name: clouds.open_account(cloud, name, world.clock, fleet=settings.fleet.name)
            for name, cloud in world.accounts.items()
        }
        ear = gateways.Ear(world)
        self.mistakes: deque[str] = deque(maxlen=_NEWS_KEPT)
        self._calls = Calls(
            world, providers, ear, _SEED, may_act=journal.may_act, failed=self.mistakes.append
        )
        self._observer = Observer(
            broker=gateways.open_broker(world),
            workers=ear,
            providers=providers,
            queues={pool: rules.queues for pool, rules in world.fleet.rules.items()},
            clock=world.wall,
            pace=Pace(timeout_s=settings.loop.observe_timeout_s, tick_s=self.tick_s, wait=lambda *_: None),
            pool=AtOnce(),
            counted=counted,
        )
        self._rules = wiring.rulebook(settings, {name: each.traits for name, each in providers.items()})
        self._unwatched = Hurrying(journal)
        self._loop = self._loop_over(self._unwatched)
        workload.produce(world.clock, world.queues, world.fleet.task_s)
        self._tidy_at_s = _TIDY_S

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.world.clock.elapsed

    def now(self) -> float:
        """The virtual instant."""
        return self.world.clock.now()

    def arrive(self) -> None:
        """People look on from now on: ticks come as often as is configured, each is written down at once, and orders
        are taken. Raises JournalUnavailable."""
        self._unwatched.flush()
        self.tick_s = self.settings.loop.tick_s
        self._loop = self._loop_over(self.journal)

    def tick(self, most_s: float = math.inf) -> None:
        """Let the time between two ticks pass, or less, and tick. Raises JournalUnavailable, and what a loop raises."""
        world = self.world
        world.run_to(self.elapsed + min(self.tick_s, most_s))
        world.tick_begins()
        self._loop.tick()
        if self.elapsed >= self._tidy_at_s:
            self._tidy_at_s += _TIDY_S
            self._tidy()

    def _loop_over(self, journal: Written) -> Metered:
        """The production loop, as a daemon that starts now."""
        fleet = replace(self._rules.fleet, tick_s=self.tick_s, drain_s=self._drain_s())
        loop = Loop(
            rulebook=replace(self._rules, fleet=fleet, tick_s=self.tick_s),
            journal=journal,
            observer=self._observer,
            executor=self._calls,
            machines=Mailbox(self.world.speech, self.world.wall, self.world.broker_down),
            name_seed=self._name_seed,
            clock=self.world.wall,
            log=self._log,
            counted=self._meters,
        )
        return Metered(loop, self._meters)

    def _drain_s(self) -> float:
        """As many more ticks as a drain takes."""
        more_s = self.tick_s - self.settings.loop.tick_s
        return self._rules.fleet.drain_s + wiring.TICKS_OF_A_DRAIN * more_s

    def _tidy(self) -> None:
        """Forget what nobody asks about any more."""
        world, now = self.world, self.now()
        world.tidy()
        for what in (world.kills, world.ended, world.newly_asked):
            what.clear()
        self._unwatched.flush()
        self.journal.purge(now - self.settings.journal.retention_s, slices_before_at=now - seasons.KEPT_S)

    def _tell(self, what: str) -> None:
        self.news.append((self.now(), what))
