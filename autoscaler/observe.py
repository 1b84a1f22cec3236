"""Looking at the world once a tick: every fact asked for at the same time, each missing one with its reason.

A look that does not come back in time is a missing fact, not a late tick; until it ends, that one is not asked again,
so a hanging account costs one thread and one sentence. How long each is waited for stands in `looks`. An account whose
rate limit takes no look a tick is asked as often as it lasts, and what it showed last is taken with its age meanwhile,
while it is asked again, too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Protocol, TypeVar, cast

from autoscaler import meters
from autoscaler.clock import Clock
from autoscaler.core import rations
from autoscaler.core.facts import Hands, Idleness, Missing, Sightings, SlowDown
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, PoolName, WorkerName
from autoscaler.looks import Answered, Looks, Pace, Question
from autoscaler.meters import Meters
from policies.contract import Demand
from providers.contract import (
    Instance,
    Listing,
    Metered,
    NodeName,
    Provider,
    ProviderError,
    ProviderName,
    RateLimit,
    Throttled,
)

K = TypeVar("K")
T = TypeVar("T")
_WITNESSED = frozenset({NodeState.DRAINING, NodeState.LOST, NodeState.BOOTING, NodeState.DESTROYING})
"""States whose end rests on what the worker and the broker say is held: of workers unheard only the broker is asked."""
_HANDS_TIMEOUT_S = 3.0
"""A healthy worker answers in milliseconds; one that does not is asked again next tick."""
_SERVING_TIMEOUT_S = 1.0
"""For those that serve: nothing rests on their answer on this tick."""
_LONGEST_NAME = 255
_MOST = 1e12
"""No instant in seconds and no number of requests is as large."""
_NOBODY: Mapping[ProviderName, str] = MappingProxyType({})
_A_MOMENT_S = 0.5
"""On top of the age of a listing that is taken again: an absence counted from its first sight is always younger, and is
never believed on one look taken twice, however short the settle time."""
_SHARE_OF_MANY_CALLS = 0.8
"""Of the deadline, for a look made of many calls: it hands over what it has before it would be thrown away whole."""


class Broker(Protocol):
    """The broker's own numbers. Never raises: what cannot be seen is `Missing`."""

    def demand(self, queues: Mapping[PoolName, tuple[str, ...]]) -> Mapping[PoolName, Demand | Missing]: ...

    def unacknowledged(
        self, workers: Iterable[WorkerName], within_s: float
    ) -> Mapping[WorkerName, int | Missing]: ...


class Workers(Protocol):
    """The workers' own word."""

    def sightings(self) -> Sightings | Missing: ...

    def hands(
        self, workers: Iterable[WorkerName], timeout_s: float
    ) -> Mapping[WorkerName, Hands | Missing]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The facts of one tick."""

    demand: Mapping[PoolName, Demand | Missing]
    listings: Mapping[ProviderName, Listing | Missing]
    sightings: Sightings | Missing
    idleness: Mapping[NodeName, Idleness]
    strangers_hold: Mapping[WorkerName, int | Missing] = field(default_factory=dict)
    """What the broker holds for workers that have no record."""
    hands: Mapping[WorkerName, Hands | Missing] = field(default_factory=dict)
    """What those serving workers hold that were to be asked."""
    listing_age_s: Mapping[ProviderName, float] = field(default_factory=dict)
    """How long ago those listings were asked for that came late."""
    rate_limits: Mapping[ProviderName, RateLimit] = field(default_factory=dict)
    """What accounts said last of how often they may still be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """What an account showed last, and when it was asked, on both clocks: one stands still in a suspended machine, the
    other may be set."""

    listing: Listing
    asked_on: float
    asked_at: float


class Observer:
    """Asks everything there is to ask, in parallel, within one deadline."""

    def __init__(
        self,
        *,
        broker: Broker,
        workers: Workers,
        providers: Mapping[ProviderName, Provider],
        queues: Mapping[PoolName, tuple[str, ...]],
        clock: Clock,
        pace: Pace,
        pool: Executor,
        counted: Meters = meters.NOBODY,
    ) -> None:
        """`pool` runs the looks: it needs room for one of each provider and four more, and `close` shuts it down."""
        self._broker = broker
        self._workers = workers
        self._providers = providers
        self._queues = queues
        self._clock = clock
        self._timeout_s = pace.timeout_s
        self._pace = pace
        self._pool = pool
        self._meters = counted
        self._rate_limits: dict[ProviderName, RateLimit] = {}
        self._shown: dict[ProviderName, _Shown] = {}
        """Of accounts whose last look did not fail."""
        self._looks = Looks(pool=pool, clock=clock, pace=pace)

    def look(
        self,
        nodes: tuple[Node, ...],
        strangers: Collection[WorkerName] = (),
        serving: Collection[WorkerName] = (),
        quiet: Mapping[ProviderName, str] = _NOBODY,
    ) -> Seen:
        """Every fact of this tick; `nodes` tells of which workers it must be known what they hold.

        Of `serving` it would be good to know, and whoever does not answer at once is left in peace.

        Of `strangers`, workers without a record, only the broker is asked. Asking costs it two calls a worker, so the
        caller leaves out those whose end is not near. Accounts in `quiet` are left in peace, for that reason.
        """
        leaving = tuple(n for n in nodes if n.state in _WITNESSED)
        workers = tuple(dict.fromkeys([*(n.worker for n in leaving), *strangers]))
        draining = tuple(n.worker for n in leaving if n.state is NodeState.DRAINING)
        asked_at, asked_at_utc = self._clock.monotonic(), self._clock.now()
        spared = {
            name: kept for name in self._providers if name not in quiet and (kept := self._spared(name))
        }
        looks: dict[str, Question] = {"demand": lambda: self._broker.demand(self._queues)}
        listings: dict[str, Question] = {
            _listing(name): partial(self._list, name, provider)
            for name, provider in self._providers.items()
            if name not in quiet and name not in spared
        }
        if draining:
            looks["hands"] = lambda: self._workers.hands(draining, _HANDS_TIMEOUT_S)
        if serving:
            looks["serving hands"] = lambda: self._workers.hands(serving, _SERVING_TIMEOUT_S)
        if workers:
            looks["unacknowledged"] = lambda: self._broker.unacknowledged(
                workers, self._timeout_s * _SHARE_OF_MANY_CALLS
            )
        answered = self._looks.ask(looks, listings)
        answered |= {
            _listing(name): Answered(value=Missing(why=quiet[name]))
            for name in self._providers
            if name in quiet
        }
        spared |= {
            name: kept
            for name in self._providers
            if name not in quiet and name not in spared and (kept := self._meanwhile(name))
        }
        for name in self._providers:
            if name not in spared:
                self._keep(name, answered[_listing(name)], asked_at, asked_at_utc)
        answered |= {_listing(name): kept for name, kept in spared.items()}
        answers = {key: each.value for key, each in answered.items()}
        demand = cast("Mapping[PoolName, Demand | Missing] | Missing", answers["demand"])
        return Seen(
            demand=_each(self._queues, demand),
            listings={name: cast("Listing | Missing", answers[_listing(name)]) for name in self._providers},
            sightings=self._workers.sightings(),
            idleness=_idleness(leaving, answers, self._clock.monotonic() - asked_at) if leaving else {},
            strangers_hold=_each(strangers, _held(answers)) if strangers else {},
            hands=_each(serving, _hands(answers, "serving hands")) if serving else {},
            listing_age_s=_ages(self._providers, answered),
            rate_limits=dict(self._rate_limits),
        )

    def close(self) -> None:
        """Take no more looks. One that still hangs is left to end by its own time-out."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _spared(self, name: ProviderName) -> Answered | None:
        """What is taken in place of a look, where the account's rate limit does not last for one now; None: look."""
        late = self._looks.late(_listing(name))
        if late is not None:
            # Taken before another is asked: else a slow account would have one look begin as the last one ends.
            self._keep(name, late, self._clock.monotonic(), self._clock.now())
        return self._again(name, self._apart_s(name))

    def _meanwhile(self, name: ProviderName) -> Answered | None:
        """What is taken while a slow account whose looks are spaced is asked again; None: nothing is, or it failed."""
        apart_s, tick_s = self._apart_s(name), self._pace.tick_s or 0.0
        if apart_s <= tick_s or not self._looks.is_under_way(_listing(name)):
            return None
        return self._again(name, apart_s + self._pace.oldest_s)

    def _apart_s(self, name: ProviderName) -> float:
        """How far apart looks at that account are to be; 0 where nothing binds, and for who looks once."""
        limit = self._rate_limits.get(name) if self._pace.tick_s is not None else None
        return rations.apart_s(limit, self._clock.now()) if limit is not None else 0.0

    def _again(self, name: ProviderName, younger_s: float) -> Answered | None:
        """What the account showed last, with its age, where that is less."""
        shown = self._shown.get(name)
        if shown is None:
            return None
        age_s = max(self._clock.monotonic() - shown.asked_on, self._clock.now() - shown.asked_at)
        return Answered(value=shown.listing, age_s=age_s + _A_MOMENT_S) if age_s < younger_s else None

    def _keep(self, name: ProviderName, answered: Answered, asked_on: float, asked_at: float) -> None:
        """Remember what was shown; of one that came late its age tells when it was asked for."""
        self._shown.pop(name, None)
        if isinstance(answered.value, Listing):
            age_s = answered.age_s
            self._shown[name] = _Shown(
                listing=answered.value, asked_on=asked_on - age_s, asked_at=asked_at - age_s
            )

    def _list(self, name: ProviderName, provider: Provider) -> Listing | Missing:
        try:
            with self._meters.timed(meters.PROVIDER_CALL, name, "list") as timing:
                timing.outcome = meters.FAILED
                listing = provider.list_instances(timeout_s=self._timeout_s)
                timing.outcome = meters.DONE if listing.complete else "incomplete"
            return sound(listing)
        except Throttled as error:
            return SlowDown(why=str(error), retry_after_s=error.retry_after_s)
        except ProviderError as error:
            return Missing(why=str(error))
        finally:
            told = provider.rate_limit() if isinstance(provider, Metered) else None
            if told is not None and sound_limit(told):
                self._rate_limits[name] = told


def sound(listing: Listing) -> Listing:
    """The listing without machines that no record could hold, and incomplete for their sake.

    They are there and may be paid, so nothing is bought and no absence is believed; but a name that cannot be written
    down would fail every commit, and so would a time that is no number.
    """
    kept = tuple(map(_told, filter(_recordable, listing.instances)))
    if kept == listing.instances:
        return listing
    if len(kept) == len(listing.instances):
        return replace(listing, instances=kept)
    why = f"{len(listing.instances) - len(kept)} machines have a name or an id that cannot be recorded"
    return Listing(instances=kept, complete=False, why_incomplete=listing.why_incomplete or why)


def sound_limit(told: RateLimit) -> bool:
    """Whether its figures can be reckoned with, and be written down."""
    figures = (told.remaining, told.resets_at, told.told_at, told.per_s)
    return all(0.0 <= each < _MOST for each in figures) and 1 <= told.listing_requests < _MOST


def _recordable(instance: Instance) -> bool:
    name, instance_id = instance.name, instance.instance_id
    fits = 0 < len(name) <= _LONGEST_NAME and 0 < len(instance_id) <= _LONGEST_NAME
    return fits and (name + instance_id).isprintable()


def _told(instance: Instance) -> Instance:
    """What is said of it, without what cannot be written down: a birth that is no number, marks that are no text."""
    born = instance.created_at
    if born is not None and not math.isfinite(born):
        instance = replace(instance, created_at=None)
    # Joined, which takes texts alone: of anything else the memory could not be read back.
    if not "".join((instance.pool or "", instance.location, instance.size)).isprintable():
        pool = instance.pool if instance.pool and instance.pool.isprintable() else None
        size = instance.size if instance.size.isprintable() else ""
        # Not empty: an account may be known to be in one country, wherever it does not say where.
        place = instance.location if instance.location.isprintable() else ascii(instance.location)
        instance = replace(instance, pool=pool, location=place, size=size)
    return instance


def _listing(name: ProviderName) -> str:
    return f"machines at {name}"


def _ages(providers: Iterable[ProviderName], answered: Mapping[str, Answered]) -> dict[ProviderName, float]:
    return {name: age_s for name in providers if (age_s := answered[_listing(name)].age_s)}


def _each(keys: Iterable[K], found: Mapping[K, T | Missing] | Missing) -> dict[K, T | Missing]:
    """A fact for each key, where the whole look may be missing."""
    if isinstance(found, Missing):
        return dict.fromkeys(keys, found)
    return {key: found.get(key, Missing(why="not asked for")) for key in keys}


def _held(answers: Mapping[str, object]) -> Mapping[WorkerName, int | Missing] | Missing:
    return cast("Mapping[WorkerName, int | Missing] | Missing", answers["unacknowledged"])


def _hands(answers: Mapping[str, object], look: str) -> Mapping[WorkerName, Hands | Missing] | Missing:
    return cast("Mapping[WorkerName, Hands | Missing] | Missing", answers.get(look, {}))


def _idleness(
    leaving: tuple[Node, ...], answers: Mapping[str, object], age_s: float
) -> dict[NodeName, Idleness]:
    hands = _hands(answers, "hands")
    held = _held(answers)
    unheard = Missing(why="no answer")
    return {
        node.name: Idleness(
            age_s=age_s,
            hands=hands if isinstance(hands, Missing) else hands.get(node.worker, unheard),
            unacknowledged=held if isinstance(held, Missing) else held.get(node.worker, unheard),
        )
        for node in leaving
    }
