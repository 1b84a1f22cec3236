"""Looking: every fact for itself, each missing one with its reason, none of them stale."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core.facts import Hands, Missing, SlowDown
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import PoolName, worker_of
from autoscaler.looks import Pace
from autoscaler.observe import Observer, sound
from providers.contract import (
    Listing,
    ListingUnavailable,
    NodeName,
    ProviderName,
    RateLimit,
    Throttled,
)
from tests.unit.core.builders import CLOUD, POOL, a_demand, a_listing, a_node, an_instance
from tests.unit.stand_ins import (
    FixedClock,
    Gate,
    Scripted,
    ScriptedBroker,
    ScriptedWorkers,
    raising,
)

OTHER = ProviderName("other")
DRAINING = a_node(state=NodeState.DRAINING)


@contextmanager
def observer(timeout_s: float = 10.0, tick_s: float | None = None, **parts: Any) -> Iterator[Observer]:
    usual: dict[str, Any] = {
        "broker": ScriptedBroker(),
        "workers": ScriptedWorkers(),
        "providers": {CLOUD: Scripted()},
        "queues": {POOL: ("images",)},
        "clock": FixedClock(),
        "pool": ThreadPoolExecutor(max_workers=5),
    }
    made = Observer(pace=Pace(timeout_s=timeout_s, tick_s=tick_s), **(usual | parts))
    try:
        yield made
    finally:
        made.close()


def why(fact: object) -> str:
    assert isinstance(fact, Missing), fact
    return fact.why


@pytest.mark.parametrize("error", [ListingUnavailable("502"), Throttled("slow down")])
def test_a_listing_that_failed_is_missing_and_says_why(error: Exception) -> None:
    """One bad account takes nothing from the others."""
    providers = {CLOUD: Scripted(listing=raising(error)), OTHER: Scripted()}
    with observer(providers=providers) as eyes:
        seen = eyes.look(())

    assert (str(error), a_listing()) == (why(seen.listings[CLOUD]), seen.listings[OTHER])


def test_an_account_that_asks_for_peace_says_for_how_long_and_is_then_not_asked() -> None:
    """What it said comes with the missing listing; until then no request goes there, and the reason stands."""
    calls: list[str] = []

    def listing(**_: Any) -> Listing:
        calls.append("list")
        raise Throttled("429", retry_after_s=7.0)

    with observer(providers={CLOUD: Scripted(listing=listing), OTHER: Scripted()}) as eyes:
        told = eyes.look(()).listings[CLOUD]
        seen = eyes.look((), quiet={CLOUD: "it said so"})

    assert (SlowDown(why="429", retry_after_s=7.0), ["list"]) == (told, calls)
    assert (Missing(why="it said so"), a_listing()) == (seen.listings[CLOUD], seen.listings[OTHER])


def test_an_unexpected_error_is_a_missing_fact_named_by_its_type() -> None:
    """A look never ends a tick, and a stranger's message may hold anything."""
    broker = ScriptedBroker(raising(RuntimeError("amqp://user:password@host")))
    with observer(broker=broker, providers={CLOUD: Scripted(listing=raising(KeyError("id")))}) as eyes:
        seen = eyes.look(())

    assert why(seen.demand[POOL]) == "the look failed: RuntimeError"
    assert why(seen.listings[CLOUD]) == "the look failed: KeyError"


def test_a_pool_the_broker_does_not_answer_for_is_missing() -> None:
    """Not answered is not zero."""
    with observer(
        queues={POOL: ("images",), PoolName("mail"): ("mail",)},
        broker=ScriptedBroker(lambda _: {POOL: a_demand()}),
    ) as eyes:
        seen = eyes.look(())

    assert seen.demand[POOL] == a_demand()
    assert isinstance(seen.demand[PoolName("mail")], Missing)


def test_a_hanging_look_is_one_missing_fact_and_one_thread() -> None:
    """However many ticks it lasts, and everything else is seen meanwhile."""
    gate = Gate()

    def listing(**_: Any) -> Listing:
        gate()
        return a_listing("stale")

    providers = {CLOUD: Scripted(listing=listing), OTHER: Scripted()}
    with observer(timeout_s=0.2, providers=providers) as eyes:
        try:
            first = eyes.look(())
            threads = threading.active_count()
            later = [eyes.look(()) for _ in range(5)]
            assert threading.active_count() <= threads + 1
        finally:
            gate.open()

    assert "no answer within 0.2 s" in why(first.listings[CLOUD])
    assert all("the look before has not come back" in why(seen.listings[CLOUD]) for seen in later)
    assert {a_listing()} == {seen.listings[OTHER] for seen in later}


def test_a_late_word_of_the_brokers_is_never_taken_for_a_new_one() -> None:
    """What waited a minute ago must not decide what is bought now."""
    gate = Gate()
    answers = iter([7, 0])

    def demand(_: Any) -> Any:
        backlog = next(answers)
        if backlog:
            gate()
        return {POOL: a_demand(backlog)}

    with observer(timeout_s=0.2, broker=ScriptedBroker(demand)) as eyes:
        first = eyes.look(())
        gate.open()
        seen = eyes.look(())
        while isinstance(seen.demand[POOL], Missing):
            seen = eyes.look(())

    assert isinstance(first.demand[POOL], Missing)
    assert seen.demand[POOL] == a_demand(0)


def test_a_listing_that_came_late_says_how_old_it_is() -> None:
    """The account is slow and not silent: what it lists is taken, for what stood when it was asked."""
    gates, clock = [Gate(), Gate()], FixedClock()
    calls = iter(gates)

    def listing(**_: Any) -> Listing:
        next(calls)()
        return a_listing("n1")

    providers = {CLOUD: Scripted(listing=listing)}
    with observer(timeout_s=8.0, tick_s=0.4, clock=clock, providers=providers) as eyes:
        first = eyes.look(())
        clock.lasted += 5.0
        gates[0].open()
        seen = eyes.look(())
        while isinstance(seen.listings[CLOUD], Missing):
            seen = eyes.look(())
        gates[1].open()

    assert isinstance(first.listings[CLOUD], Missing)
    assert ({CLOUD: a_listing("n1")}, {CLOUD: 5.0}) == (seen.listings, seen.listing_age_s)


def test_only_draining_workers_are_asked_what_they_hold() -> None:
    """Both witnesses, with the age of their word on a clock that never steps."""
    asked: list[list[str]] = []

    def hands(workers: Any, _timeout_s: float) -> Any:
        asked.append(list(workers))
        return {worker: Hands(active=1, reserved=0, scheduled=0) for worker in workers}

    with observer(workers=ScriptedWorkers(hands=hands)) as eyes:
        assert eyes.look((a_node("n2"),)).idleness == {}
        (idle,) = eyes.look((DRAINING, a_node("n2"))).idleness.values()

    assert asked == [["celery@n1"]]
    assert (0.0, Hands(active=1, reserved=0, scheduled=0), 0) == (
        idle.age_s,
        idle.hands,
        idle.unacknowledged,
    )


def test_those_that_serve_are_asked_apart_and_given_no_time_to_answer() -> None:
    """Nothing rests on their answer on this tick, so one that is mute delays it by a second at most."""
    asked: list[tuple[list[str], float]] = []

    def hands(workers: Any, timeout_s: float) -> Any:
        asked.append((list(workers), timeout_s))
        return {worker: Missing(why="mute") for worker in workers}

    serving = a_node("n2")
    with observer(workers=ScriptedWorkers(hands=hands)) as eyes:
        seen = eyes.look((DRAINING, serving), (), (serving.worker,))
        assert {} == eyes.look((serving,)).hands

    assert [(["celery@n1"], 3.0), (["celery@n2"], 1.0)] == sorted(asked)
    assert {serving.worker: Missing(why="mute")} == seen.hands


def test_of_a_lost_worker_only_the_broker_is_asked() -> None:
    """It does not answer; and a question to nobody in particular would be answered by everybody."""
    lost = a_node(state=NodeState.LOST)
    with observer(workers=ScriptedWorkers(hands=raising(AssertionError()))) as eyes:
        (witness,) = eyes.look((lost,)).idleness.values()

    assert (0, True) == (witness.unacknowledged, isinstance(witness.hands, Missing))


@pytest.mark.parametrize("hands", [raising(OSError()), lambda *_: {}], ids=["failed", "silent"])
def test_a_witness_that_said_nothing_is_missing(hands: Any) -> None:
    """Silence is no proof of idleness."""
    with observer(workers=ScriptedWorkers(hands=hands)) as eyes:
        (idle,) = eyes.look((DRAINING,)).idleness.values()

    assert isinstance(idle.hands, Missing)


def test_of_strangers_the_broker_alone_is_asked_and_each_worker_once() -> None:
    """A stranger may bear the name of a record; and what was not asked about is not there."""
    asked: list[list[str]] = []

    class Counting(ScriptedBroker):
        def unacknowledged(self, workers: Any, within_s: float) -> Any:
            asked.append(list(workers))
            return super().unacknowledged(workers, within_s)

    with observer(broker=Counting(), workers=ScriptedWorkers(hands=raising(AssertionError()))) as eyes:
        alone = eyes.look((), (worker_of(NodeName("x")),))
        both = eyes.look((a_node(state=NodeState.LOST),), (worker_of(NodeName("n1")),))

    assert ({"celery@x": 0}, {}) == (alone.strangers_hold, alone.idleness)
    assert ({"celery@n1": 0}, ["n1"]) == (both.strangers_hold, list(both.idleness))
    assert [["celery@x"], ["celery@n1"]] == asked


def test_marks_that_cannot_be_written_down_are_left_out() -> None:
    """A tag may hold what no database takes, and one machine's would fail every commit. It is ours and paid all the
    same, so it stays in the list. A place is told in escapes: an empty one may be known to be somewhere."""
    odd = replace(an_instance("x"), pool="\ud800", location="o\0slo", size="s")
    listing = Listing(instances=(odd, an_instance("y")), complete=True)

    seen = sound(listing)

    assert (None, r"'o\x00slo'", "s") == (
        seen.instances[0].pool,
        seen.instances[0].location,
        seen.instances[0].size,
    )
    assert (["x", "y"], True) == ([each.name for each in seen.instances], seen.complete)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        (RateLimit(remaining=7, resets_at=9.0, told_at=1.0), True),
        (RateLimit(remaining=-1, resets_at=9.0, told_at=1.0), False),
        (RateLimit(remaining=7, resets_at=math.nan, told_at=1.0), False),
        (RateLimit(remaining=7, resets_at=9.0, told_at=1.0, per_s=math.inf), False),
        (RateLimit(remaining=7, resets_at=9.0, told_at=1.0, listing_requests=0), False),
    ],
)
def test_what_an_account_says_of_its_limit_comes_with_the_look_if_it_is_a_number(
    told: RateLimit, kept: bool
) -> None:
    """Whoever says nothing binds nothing, and no figure that cannot be written down gets as far as that."""

    class Telling(Scripted):
        def rate_limit(self) -> RateLimit | None:
            return told

    with observer(providers={CLOUD: Telling(), OTHER: Scripted()}) as eyes:
        seen = eyes.look(())

    assert ({CLOUD: told} if kept else {}) == seen.rate_limits


@pytest.mark.parametrize("odd", [{"location": None}, {"size": 7}, {"pool": 5}, {"location": b"osl"}])
def test_a_listing_that_says_other_things_than_text_is_none(odd: dict[str, Any]) -> None:
    """It would be remembered, and the memory could not be read back by the next daemon."""
    with pytest.raises(TypeError):
        sound(Listing(instances=(an_instance("n1", **odd),), complete=True))
