"""An account whose listings take many requests, hour after hour on virtual time: never blind, and never refused."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from autoscaler.core import call_budget, rations
from autoscaler.core.facts import Memory, Missing, SlowDown
from autoscaler.core.lifecycle import Event
from autoscaler.core.model import CreateNode
from autoscaler.core.reconcile import reconcile
from autoscaler.looks import Pace
from autoscaler.observe import Observer, Seen
from providers import rate_limits
from providers.contract import Listing, NodeName, RateLimit, Throttled
from providers.dialects.contract import RateLimit as Names
from tests.unit.core.builders import CLOUD, FLEET, OFFER, POOL, a_listing, a_node, a_pool, a_snapshot, rules
from tests.unit.stand_ins import FixedClock, Scripted, ScriptedBroker, ScriptedWorkers

TICK_S = 5.0
HOUR_S = 3_600.0
NAMES = Names(limit="limit", remaining="remaining", reset="reset")


class Account(Scripted):
    """It takes `limit` requests an hour, of which a listing takes some, and tells of that as its cloud does."""

    def __init__(self, clock: FixedClock, *, limit: int, listing: int, names: Names) -> None:
        super().__init__()
        self._clock, self._limit, self._listing_requests, self._names = clock, limit, listing, names
        self._began_at = clock.now()
        self._made_at: deque[float] = deque()
        self._left, self._left_at = float(limit), clock.now()
        self._told: RateLimit | None = None
        self.looked_at: list[float] = []

    def spend(self, requests: int) -> None:
        """Raises Throttled where it takes no more."""
        self._renew()
        if self._left < requests:
            raise Throttled("429")
        self._left -= requests
        self._made_at.extend([self._clock.now()] * requests)

    def list_instances(self, *, timeout_s: float) -> Listing:
        self.looked_at.append(self._clock.now())
        self.spend(self._listing_requests)
        now, left = self._clock.now(), self._left
        reset_at = self._began_at + HOUR_S * (1 + (now - self._began_at) // HOUR_S)
        if self._names.refills:
            reset_at = now + (self._limit - left) * HOUR_S / self._limit
        if self._names.counts_for_s:
            reset_at = self._made_at[0] + HOUR_S
        told = {"limit": str(self._limit), "remaining": str(int(left)), "reset": str(reset_at - now)}
        heard = rate_limits.read(told, self._names, now)
        assert heard is not None
        self._told = replace(heard, listing_requests=self._listing_requests)
        return a_listing()

    def rate_limit(self) -> RateLimit | None:
        return self._told

    def _renew(self) -> None:
        """A window that is renewed each hour; one that slides; or a bucket that fills."""
        now, before, self._left_at = self._clock.now(), self._left_at, self._clock.now()
        if self._names.counts_for_s:
            while self._made_at and self._made_at[0] + HOUR_S <= now:
                self._made_at.popleft()
                self._left += 1
        elif self._names.refills:
            self._left = min(self._limit, self._left + (now - before) * self._limit / HOUR_S)
        elif (now - self._began_at) // HOUR_S > (before - self._began_at) // HOUR_S:
            self._left = float(self._limit)


KINDS = {
    "renewed at once": NAMES,
    "refilled evenly": replace(NAMES, refills=True),
    "counted one by one": replace(NAMES, counts_for_s=HOUR_S),
}


AN_ORDER = CreateNode(node=NodeName("images-1"), pool=POOL, offer=OFFER, timeout_s=60.0)


class Slow(Executor):
    """An account's answers come so much later, where the clock is by then; all others at once."""

    def __init__(self, clock: FixedClock, takes_s: float) -> None:
        self._clock, self._takes_s = clock, takes_s
        self._due: list[tuple[float, Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if isinstance(fn, partial):
            self._due.append((self._clock.lasted + self._takes_s, future, fn))
        else:
            future.set_result(fn())
        return future

    def hang(self) -> None:
        self._takes_s = float("inf")

    def wait(self, _asked: object, _within_s: float) -> None:
        """Nobody is waited for: what is due comes as the next tick begins."""

    def come(self) -> None:
        due = [each for each in self._due if each[0] <= self._clock.lasted]
        self._due = [each for each in self._due if each not in due]
        for _, future, fn in due:
            future.set_result(fn())


@contextmanager
def observing(
    account: Account, clock: FixedClock, pace: Pace | None = None, pool: Executor | None = None
) -> Iterator[Callable[..., Seen]]:
    eyes = Observer(
        broker=ScriptedBroker(),
        workers=ScriptedWorkers(),
        providers={CLOUD: account},
        queues={POOL: ("images",)},
        clock=clock,
        pace=pace or Pace(timeout_s=8.0, tick_s=TICK_S),
        pool=pool or ThreadPoolExecutor(max_workers=5),
    )
    try:
        yield lambda **fields: eyes.look((), **fields)
    finally:
        eyes.close()


def live(account: Account, clock: FixedClock, hours: float, wish: Callable[[int], int]) -> tuple[int, int]:
    """How many orders went out, and how many ticks saw no machines. Each tick wishes for so many orders."""
    memory, orders, blind = Memory(), 0, 0
    with observing(account, clock) as look:
        for tick in range(int(hours * HOUR_S / TICK_S)):
            seen = look()
            blind += not isinstance(seen.listings[CLOUD], Listing)
            assert not isinstance(seen.listings[CLOUD], SlowDown)
            snapshot = a_snapshot(at=clock.now(), rate_limits=seen.rate_limits, memory=memory)
            memory = Memory(rate_limits=rations.remember(snapshot))
            budget = call_budget.budget(snapshot, memory, replace(FLEET, tick_s=TICK_S))
            made = min(wish(tick), budget.whole(CLOUD))
            account.spend(made)
            orders += made
            memory = Memory(rate_limits=rations.spent(memory, [AN_ORDER] * made))
            clock.at += TICK_S
            clock.lasted += TICK_S
    return orders, blind


@pytest.mark.parametrize("kind", KINDS)
def test_looks_of_many_requests_are_spaced_evenly_and_orders_get_through(kind: str) -> None:
    """5,000 requests an hour and ten a listing: a look each tick of 5 s would take 7,200 and end in being blind."""
    clock = FixedClock()
    account = Account(clock, limit=5_000, listing=10, names=KINDS[kind])

    orders, blind = live(account, clock, 2.5, lambda tick: int(tick % 20 == 0))

    gaps = [b - a for a, b in zip(account.looked_at, account.looked_at[1:], strict=False)]
    assert 0 == blind
    assert max(gaps) <= 15.0
    assert len(range(0, int(2.5 * HOUR_S / TICK_S), 20)) == orders


@pytest.mark.parametrize("kind", KINDS)
def test_a_burst_of_orders_takes_no_look_away(kind: str) -> None:
    """All that orders may have is taken at once, each hour anew: looks go on, and no request is refused."""
    clock = FixedClock()
    account = Account(clock, limit=5_000, listing=10, names=KINDS[kind])

    orders, blind = live(account, clock, 2.0, lambda tick: 9 if tick % 720 < 100 else 0)

    assert 0 == blind
    assert orders >= 500


def test_an_account_with_room_is_looked_at_on_every_tick() -> None:
    """A listing of one request: nothing is spared, and no listing has an age."""
    clock = FixedClock()
    account = Account(clock, limit=5_000, listing=1, names=KINDS["renewed at once"])

    live(account, clock, 0.5, lambda _: 0)

    assert 360 == len(account.looked_at)


def test_between_two_looks_the_last_one_is_taken_with_its_age() -> None:
    """So settle times and deadlines are longer by it, and a moment: no absence is believed on one look taken twice."""
    clock = FixedClock()
    account = Account(clock, limit=1_000, listing=10, names=KINDS["renewed at once"])
    ages = []
    with observing(account, clock) as look:
        for _ in range(12):
            seen = look()
            ages.append(seen.listing_age_s.get(CLOUD, 0.0))
            assert a_listing() == seen.listings[CLOUD]
            clock.at += TICK_S
            clock.lasted += TICK_S

    assert [0.0, 5.5, 10.5, 15.5, 20.5, 25.5, 30.5, 35.5, 40.5, 0.0, 5.5, 10.5] == ages


def test_no_absence_is_believed_on_one_look_taken_twice() -> None:
    """Not even where absence need not last at all: the second look tells."""
    clock, node = FixedClock(), a_node("n9")
    account = Account(clock, limit=1_000, listing=10, names=KINDS["renewed at once"])
    gone_at, nodes, memory = [], (node,), Memory()
    with observing(account, clock) as look:
        for tick in range(12):
            seen = look()
            snapshot = a_snapshot(
                *nodes, at=clock.now(), elapsed_s=TICK_S, listings=seen.listings, memory=memory,
                listing_age_s=seen.listing_age_s, settle_s={CLOUD: 0.0},
            )  # fmt: skip
            after = reconcile(snapshot, rules(a_pool()), FLEET)
            nodes, memory = after.nodes, after.memory
            gone_at += [tick for move in after.transitions if move.event is Event.INSTANCE_GONE]
            clock.at += TICK_S
            clock.lasted += TICK_S

    assert [9] == gone_at
    assert 2 == len(account.looked_at)


@pytest.mark.parametrize("kind", KINDS)
def test_looks_that_come_late_are_as_far_apart(kind: str) -> None:
    """Many pages take their time, too: looks one after the other would use up the hour, and then all of it is blind."""
    clock = FixedClock()
    account = Account(clock, limit=5_000, listing=20, names=KINDS[kind])
    slow = Slow(clock, 4.0)
    pace = Pace(timeout_s=8.0, tick_s=TICK_S, wait=slow.wait)
    seen: list[Seen] = []
    with observing(account, clock, pace, slow) as look:
        for _ in range(int(2 * HOUR_S / TICK_S)):
            slow.come()
            seen.append(look())
            clock.at += TICK_S
            clock.lasted += TICK_S

    blind = [tick for tick, each in enumerate(seen) if not isinstance(each.listings[CLOUD], Listing)]
    assert [0] == blind[:1]
    assert len(blind) <= 3, "the first tick, and where an hour is renewed"
    assert max(each.listing_age_s.get(CLOUD, 0.0) for each in seen) <= rations.LONGEST_APART_S
    assert all(each.listing_age_s[CLOUD] >= 4.0 for tick, each in enumerate(seen) if tick not in blind)


def test_a_spaced_account_that_hangs_is_missed_in_the_end() -> None:
    """What it showed last is taken for as long as a late answer would be, and not for ever."""
    clock = FixedClock()
    account = Account(clock, limit=5_000, listing=20, names=KINDS["renewed at once"])
    slow = Slow(clock, 4.0)
    pace = Pace(timeout_s=8.0, tick_s=TICK_S, wait=slow.wait)
    missed_on = []
    with observing(account, clock, pace, slow) as look:
        for tick in range(20):
            slow.come()
            if not isinstance(look().listings[CLOUD], Listing):
                missed_on.append(tick)
            if tick == 0:
                slow.hang()
            clock.at += TICK_S
            clock.lasted += TICK_S

    assert [0, *range(8, 20)] == missed_on


def test_an_account_that_rests_shows_nothing_of_before() -> None:
    """Its reason is what is told, although a look at it is still under way and another was shown."""
    clock = FixedClock()
    account = Account(clock, limit=5_000, listing=20, names=KINDS["renewed at once"])
    slow = Slow(clock, 4.0)
    with observing(account, clock, Pace(timeout_s=8.0, tick_s=TICK_S, wait=slow.wait), slow) as look:
        for tick in range(5):
            slow.come()
            seen = look()
            if tick == 0:
                slow.hang()
            clock.at += TICK_S
            clock.lasted += TICK_S
        resting = look(quiet={CLOUD: "it rests"})
        after = look()

    assert isinstance(seen.listings[CLOUD], Listing)
    assert Missing(why="it rests") == resting.listings[CLOUD]
    assert isinstance(after.listings[CLOUD], Missing)


def test_a_look_that_failed_is_not_spared() -> None:
    """Nobody goes on with a picture after a look that saw none."""
    clock = FixedClock()
    account = Account(clock, limit=40, listing=10, names=KINDS["renewed at once"])
    with observing(account, clock) as look:
        look()
        account.spend(30)
        clock.at += 60.0
        refused = look().listings[CLOUD]
        clock.at += TICK_S
        again = look().listings[CLOUD]

    assert [SlowDown, SlowDown] == [type(refused), type(again)]


def test_whoever_looks_once_looks() -> None:
    """A command has no next tick to leave it to, and no earlier one to go by."""
    clock = FixedClock()
    account = Account(clock, limit=1_000, listing=10, names=KINDS["renewed at once"])
    eyes = Observer(
        broker=ScriptedBroker(),
        workers=ScriptedWorkers(),
        providers={CLOUD: account},
        queues={POOL: ("images",)},
        clock=clock,
        pace=Pace(timeout_s=8.0),
        pool=ThreadPoolExecutor(max_workers=5),
    )
    eyes.look(())
    eyes.look(())
    eyes.close()

    assert 2 == len(account.looked_at)
