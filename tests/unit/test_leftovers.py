"""What machines left behind, beside the ticks: when it is looked for, what is said of it, and what a sweep ends."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

import pytest

from autoscaler import leftovers
from autoscaler.core.facts import Missing
from autoscaler.core.model import Order, OrderKind
from autoscaler.leftovers import EVERY_S, Watch
from providers.contract import (
    InstanceAbsent,
    LeftOver,
    LeftOvers,
    ListingUnavailable,
    NotSent,
    OutcomeUnknown,
    Provider,
    ProviderName,
    RequestRejected,
    Throttled,
)
from tests.unit.stand_ins import FixedClock, Heard, Scripted

CLOUD, OTHER = ProviderName("cloud"), ProviderName("other")


class Leaver(Scripted):
    """A provider with things left over, which it ends."""

    def __init__(self, *things: LeftOver) -> None:
        super().__init__()
        self.things, self.looks, self.asked = [*things], 0, list[str]()
        self.whole = True
        self.trouble: Callable[[], None] = lambda: None
        self.refuse: Callable[[], None] = lambda: None

    def left_overs(self, *, timeout_s: float) -> LeftOvers:
        self.looks += 1
        self.trouble()
        why = "" if self.whole else "a page is missing"
        return LeftOvers(found=tuple(self.things), complete=self.whole, why_incomplete=why)

    def end_left_over(self, left_over: LeftOver, *, timeout_s: float) -> None:
        self.asked.append(left_over.left_over_id)
        self.refuse()
        self.things.remove(left_over)


class AtOnce(Executor):
    """Runs what it is given before it returns; holds it back where told to."""

    def __init__(self) -> None:
        self.held: list[Callable[[], None]] = []
        self.holds = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001 - as an executor does
                future.set_exception(error)

        if self.holds:
            self.held.append(run)
        else:
            run()
        return future


def a_thing(key: str = "vol-1", name: str = "shop-images-1") -> LeftOver:
    return LeftOver(kind="volume", left_over_id=key, name=name, size_gb=20, created_at=1000.0)


def a_sweep(number: int = 7) -> Order:
    return Order(number=number, kind=OrderKind.SWEEP, target="*", given_at=0.0, given_by="ops")


class Desk:
    """A watch over accounts, with a clock and a log."""

    def __init__(self, **providers: Provider) -> None:
        self.clock, self.log, self.pool = FixedClock(), Heard(), AtOnce()
        self.watch = Watch(
            providers=leftovers.sweepable({ProviderName(name): each for name, each in providers.items()}),
            clock=self.clock,
            log=self.log,
            pool=self.pool,
        )

    def tick(self, *orders: Order, live: tuple[str, ...] = (), after_s: float = 10.0, **quiet: str) -> None:
        self.clock.lasted += after_s
        left_in_peace = {ProviderName(name): why for name, why in quiet.items()}
        self.watch.tick(orders, live, left_in_peace)


def test_it_is_looked_for_once_an_hour_and_told_once() -> None:
    """A look costs requests, and what stands still is no news; what is new is."""
    cloud = Leaver(a_thing())
    desk = Desk(cloud=cloud)

    for _ in range(10):
        desk.tick()
    assert (1, ["leftover.seen"]) == (cloud.looks, desk.log.names())
    desk.tick(after_s=EVERY_S)
    desk.tick()
    assert (2, ["leftover.seen"]) == (cloud.looks, desk.log.names())
    cloud.things.append(a_thing("vol-2"))
    desk.tick(after_s=EVERY_S)
    desk.tick()
    assert ["vol-1", "vol-2"] == [fields["id"] for _, fields in desk.log.events]


def test_a_look_that_fails_makes_nothing_new_of_what_was_told() -> None:
    """Nor does half a look: what stands is told once, what goes and comes again is told again."""
    cloud = Leaver(a_thing())
    desk = Desk(cloud=cloud)

    def refuse() -> None:
        raise ListingUnavailable("502")

    for trouble, whole, things in (
        (lambda: None, True, [a_thing()]),
        (refuse, True, [a_thing()]),
        (lambda: None, False, []),
        (lambda: None, True, [a_thing()]),
        (lambda: None, True, []),
        (lambda: None, True, [a_thing()]),
    ):
        cloud.trouble, cloud.whole, cloud.things = trouble, whole, things
        desk.tick(after_s=EVERY_S)
        desk.tick()

    told = ["leftover.seen", "leftover.missed", "leftover.missed", "leftover.seen"]
    assert told == desk.log.names()


def test_nothing_is_ended_that_nobody_ordered() -> None:
    """Looks tell, and that is all."""
    cloud = Leaver(a_thing())
    desk = Desk(cloud=cloud)

    for _ in range(5):
        desk.tick(after_s=EVERY_S)
    assert ([], 1, {}) == (cloud.asked, len(cloud.things), desk.watch.swept())


def test_a_sweep_ends_it_and_answers() -> None:
    """In time for the next tick: what was ended is said in the log and to who ordered it, and forgotten once he was
    told."""
    cloud = Leaver(a_thing(), a_thing("vol-2"))
    desk = Desk(cloud=cloud, plain=Scripted())

    desk.tick(a_sweep())

    assert {7: "2 left over from machines ended"} == desk.watch.swept()
    assert (["vol-1", "vol-2"], []) == (cloud.asked, cloud.things)
    assert ["leftover.ended"] * 2 == desk.log.names()
    desk.tick()
    assert {} == desk.watch.swept()


def test_a_sweep_is_carried_out_once() -> None:
    """While its answer is not written down yet, nothing is asked again; another order is another sweep."""
    cloud = Leaver()
    desk = Desk(cloud=cloud)

    for _ in range(4):
        desk.tick(a_sweep())
    assert (1, {7: ""}) == (cloud.looks, desk.watch.swept())
    for _ in range(2):
        desk.tick(a_sweep(8))
    assert (2, {8: ""}) == (cloud.looks, desk.watch.swept())


def test_what_bears_a_live_node_s_name_is_not_touched() -> None:
    """Its machine is on record: that no listing shows it may be a listing's fault."""
    cloud = Leaver(a_thing(), a_thing("vol-2", "shop-images-2"))
    desk = Desk(cloud=cloud)

    for _ in range(2):
        desk.tick(a_sweep(), live=("shop-images-1",))
    assert ["vol-2"] == cloud.asked


def test_where_not_all_was_seen_nothing_is_ended() -> None:
    """An incomplete look, a failed one and a stranger's bug say why, and the other account is swept all the same."""
    cloud, other = Leaver(a_thing()), Leaver(a_thing("vol-2"))
    desk = Desk(cloud=cloud, other=other)
    cloud.whole = False

    for _ in range(2):
        desk.tick(a_sweep())
    assert ([], ["vol-2"]) == (cloud.asked, other.asked)
    assert "at cloud nothing that was left over is ended: a page is missing" in desk.watch.swept()[7]
    assert "leftover.missed" in desk.log.names()

    for number, error in ((8, ListingUnavailable("no answer")), (9, ZeroDivisionError("secret"))):
        cloud.trouble = raising(error)
        for _ in range(2):
            desk.tick(a_sweep(number))
        says = desk.watch.swept()[number]
        assert ("no answer" in says, "secret" in says) == (number == 8, False)
    assert [] == cloud.asked


def raising(error: Exception) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (RequestRejected("in use"), "volume vol-1 at cloud stays: in use"),
        (InstanceAbsent("gone"), "1 left over"),
    ],
)
def test_an_end_that_is_refused_is_said(error: Exception, says: str) -> None:
    """What is there no more was ended by somebody; anything else stays, with the provider's word."""
    cloud = Leaver(a_thing())
    cloud.refuse = raising(error)
    desk = Desk(cloud=cloud)

    for _ in range(2):
        desk.tick(a_sweep())
    assert says in desk.watch.swept()[7]


@pytest.mark.parametrize("error", [Throttled("slow down"), OutcomeUnknown("no answer"), NotSent("no leave")])
def test_a_sweep_stops_at_what_concerns_the_account(error: Exception) -> None:
    """The next end would fare alike: one that asked for peace, hangs or may not be ordered is asked no more."""
    cloud = Leaver(a_thing(), a_thing("vol-2"))
    cloud.refuse = raising(error)
    desk = Desk(cloud=cloud)

    for _ in range(2):
        desk.tick(a_sweep())
    assert ["vol-1"] == cloud.asked
    assert str(error) in desk.watch.swept()[7]


def test_a_sweep_stops_where_the_process_ends() -> None:
    """Nobody waits for twenty ends."""
    cloud = Leaver(a_thing())
    watch = Watch(
        providers={CLOUD: cloud}, clock=FixedClock(), log=Heard(), pool=AtOnce(), stopped=lambda: True
    )

    watch.tick((a_sweep(),), ())
    assert [] == cloud.asked


def test_one_sweep_ends_so_many_and_says_that_there_are_more() -> None:
    """A bound on everything: whoever wants more orders another."""
    cloud = Leaver(*(a_thing(f"vol-{number}") for number in range(leftovers.ENDS_MAX + 3)))
    desk = Desk(cloud=cloud)

    for _ in range(2):
        desk.tick(a_sweep())
    assert leftovers.ENDS_MAX == len(cloud.asked)
    assert "3 more at cloud: sweep again" in desk.watch.swept()[7]


def test_an_account_that_hangs_holds_up_no_tick_and_gets_no_second_question() -> None:
    """The loop goes on; what comes late is taken in late."""
    cloud = Leaver(a_thing())
    desk = Desk(cloud=cloud)
    desk.pool.holds = True

    for _ in range(5):
        desk.tick(a_sweep(), after_s=EVERY_S)
    assert (1, {}) == (len(desk.pool.held), desk.watch.swept())
    desk.pool.held[0]()
    desk.tick(a_sweep())
    assert "1 left over" in desk.watch.swept()[7]


def test_accounts_that_rest_are_left_in_peace() -> None:
    """They asked for it; the sweep says that it did not look there."""
    cloud = Leaver(a_thing())
    desk = Desk(cloud=cloud)

    for _ in range(2):
        desk.tick(a_sweep(), cloud="it asked for peace")
    assert (0, True) == (cloud.looks, "it asked for peace" in desk.watch.swept()[7])


def test_what_cannot_be_shown_makes_a_look_incomplete() -> None:
    """It is there all the same, so nothing of that account is ended."""
    cloud = Leaver(a_thing(), a_thing("vol\x1b[2J"))
    desk = Desk(cloud=cloud)

    for _ in range(2):
        desk.tick(a_sweep())
    assert ([], ["vol-1"]) == (cloud.asked, [f["id"] for n, f in desk.log.events if n == "leftover.seen"])


def test_all_accounts_are_looked_at_for_a_command() -> None:
    """Those that cannot tell are not asked; one that fails is missing, with its reason."""
    cloud, other = Leaver(a_thing()), Leaver()
    other.trouble = raising(ListingUnavailable("no answer"))

    told = leftovers.look({CLOUD: cloud, OTHER: other, ProviderName("plain"): Scripted()}, timeout_s=1.0)

    assert {CLOUD: LeftOvers(found=(a_thing(),)), OTHER: Missing(why="no answer")} == told


def test_where_nobody_can_tell_nobody_is_waited_for() -> None:
    """A sweep of machines is answered as it ever was."""
    clock, log = FixedClock(), Heard()

    assert leftovers.watch({CLOUD: Scripted()}, clock=clock, log=log, stopped=lambda: False) is None
    assert leftovers.watch({CLOUD: Leaver()}, clock=clock, log=log, stopped=lambda: False) is not None
