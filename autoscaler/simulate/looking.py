"""How a daemon of a simulated life looks: the production observer over looks that take their time on the world's clock.

Most come back at once. One at an account may hang until its time-out, or show much later what stood when it was asked.
What never happens here: a thread, a wait in real time, or a look whose answer is older than what the world was like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any

from autoscaler.core.facts import SlowDown
from autoscaler.looks import Pace
from autoscaler.observe import Observer, Seen
from autoscaler.simulate import gateways
from autoscaler.simulate.contract import Fault
from autoscaler.simulate.fleet import TICK_S
from autoscaler.simulate.lines import Line
from autoscaler.simulate.world import World
from providers.contract import Listing, ListingUnavailable, Provider, ProviderName

Mistaken = Callable[[str], None]
_TIMEOUT_S = 30.0


class Eyes:
    """The observer of one daemon, and what accounts told it that it has not taken in yet."""

    def __init__(
        self,
        world: World,
        ear: gateways.Ear,
        providers: Mapping[ProviderName, Provider],
        failed: Mistaken,
    ) -> None:
        """`failed` is told what a look raised: what the world does to us never is an exception of the gateways."""
        self._world = world
        self._pool = _InTheirTime(world, failed)
        self._peace_until: dict[ProviderName, float] = {}
        self._observer = Observer(
            broker=gateways.open_broker(world),
            workers=ear,
            providers={
                name: Line(provider, lambda *_: None, partial(self._looks, name))
                for name, provider in providers.items()
            },
            queues={pool: rules.queues for pool, rules in world.fleet.rules.items()},
            clock=world.wall,
            pace=Pace(timeout_s=_TIMEOUT_S, tick_s=TICK_S, wait=lambda *_: None),
            pool=self._pool,
        )

    def look(self, *asked: Any) -> Seen:
        """As the observer's."""
        seen = self._observer.look(*asked)
        self._peace_until = {}
        for account, listing in seen.listings.items():
            if isinstance(listing, Listing):
                self._world.forgotten.shown(account, listing)
            elif isinstance(listing, SlowDown) and listing.retry_after_s:
                self._peace_until[account] = self._world.wall.monotonic() + listing.retry_after_s
        return seen

    def took_in(self) -> None:
        """The tick was written down: from now on the daemon knows what it was told."""
        for manners in self._world.manners.values():
            manners.written()
        for account, until in self._peace_until.items():
            self._world.manners[account].told_to_wait(until)

    def _looks(self, account: ProviderName) -> None:
        """A look leaves for that account. Raises ListingUnavailable where it will hang until its time-out."""
        world = self._world
        world.manners[account].looked()
        if world.script.lasts(Fault.LISTING_HANGS, world.clock.elapsed, account):
            self._pool.lasts_s = _TIMEOUT_S
            raise ListingUnavailable(f"{account}: no answer within {_TIMEOUT_S:g} s")
        if world.script.lasts(Fault.LISTING_LATE, world.clock.elapsed, account):
            self._pool.lasts_s = world.script.dice(Fault.LISTING_LATE).uniform(1.0, _TIMEOUT_S)


class _InTheirTime(Executor):
    """A pool without threads: each look is carried out when it is asked for, and comes back when it should."""

    def __init__(self, world: World, failed: Mistaken) -> None:
        self._world = world
        self._failed = failed
        self.lasts_s = 0.0
        """How long the look takes that is being carried out."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """The future of this call, most often a finished one."""
        future: Future[Any] = Future()
        try:
            answer = fn(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - as any executor does: the error is the answer
            self._failed(f"a look raised {type(error).__name__}: {error}")
            future.set_exception(error)
            return future
        lasts_s, self.lasts_s = self.lasts_s, 0.0
        if lasts_s:
            self._world.clock.later(lasts_s, partial(future.set_result, answer))
        else:
            future.set_result(answer)
        return future
