"""Out of stock in one place: the next one serves within a tick, and the first is preferred again when stock returns.

The real loop and the real execution over simulated clouds, on virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from autoscaler.core.model import FleetRules, Offer, OfferOrder, PoolRules
from autoscaler.loop import Rulebook
from policies.contract import Limits, PolicySpec
from providers import open_provider
from providers.contract import InstanceSpec, Provider, ProviderName
from providers.simulated import Fault, Habits, SimulatedCloud
from tests.property.recording_accounts import Ground
from tests.unit.core.builders import OFFER, POOL, a_pool
from tests.unit.stand_ins import FixedClock

NORTH, SOUTH = ProviderName("north"), ProviderName("south")
FIRST = replace(OFFER, provider=NORTH, location="osl")
SECOND = replace(OFFER, provider=SOUTH, location="sto")
TICK_S = 10.0


@dataclass
class Stock:
    """Which places have nothing to sell, how many machines an account may have, and all that was asked for."""

    clock: FixedClock
    empty: set[str] = field(default_factory=set)
    most: int = 1_000
    asked: list[tuple[float, str, bool]] = field(default_factory=list)
    """When, where, and whether it was refused."""
    standing: Callable[[], int] = lambda: 0

    def meets(self, fault: Fault, spec: InstanceSpec | None) -> bool:
        if spec is None or fault not in {Fault.CAPACITY, Fault.QUOTA}:
            return False
        if fault is Fault.CAPACITY:
            return self._told(spec, refused=spec.location in self.empty)
        full = self.standing() >= self.most
        if full:
            self.asked[-1] = (*self.asked[-1][:2], True)
        return full

    def uniform(self, least: float, most: float) -> float:
        return least

    def _told(self, spec: InstanceSpec, *, refused: bool) -> bool:
        self.asked.append((self.clock.at, spec.location, refused))
        return refused


class Town:
    """Two accounts with their stock, and a daemon's loop that buys there."""

    def __init__(self, *offers: Offer, **pool: object) -> None:
        self.clock = FixedClock()
        self.began_at = self.clock.at
        self.stocks: dict[ProviderName, Stock] = {}
        accounts: dict[str, Provider] = {}
        for name in (NORTH, SOUTH):
            stock = self.stocks[name] = Stock(self.clock)
            cloud = SimulatedCloud(clock=self.clock, habits=Habits(), luck=stock)
            stock.standing = lambda cloud=cloud: len(cloud.standing())  # type: ignore[misc]
            accounts[name] = open_provider(
                "simulated", name=name, fleet="shop", options={"cloud": cloud}, clock=self.clock
            )
        self.ground = Ground(accounts, backlog=0, hears=True, clock=self.clock)
        self.ground.configure(_book(a_pool(offers=offers, **(_USUAL | pool))))

    def tick(self, *, workers: int = 0) -> list[str]:
        """One tick in which so many workers are needed; where machines were asked for, `!` where that was refused."""
        self.ground.backlog = 10 * workers
        before = {name: len(stock.asked) for name, stock in self.stocks.items()}
        self.ground.tick(TICK_S)
        return [
            f"{where}{'!' if refused else ''}"
            for name, stock in self.stocks.items()
            for _, where, refused in stock.asked[before[name] :]
        ]


_USUAL: Mapping[str, object] = {
    "limits": Limits(max_workers=50),
    "policies": (PolicySpec(kind="backlog", options={"messages_per_worker": 10}),),
    "canary": False,
}


def _book(pool: PoolRules) -> Rulebook:
    return Rulebook(
        fleet=FleetRules(name="shop"), pools={POOL: pool}, settle_s={NORTH: 1.0, SOUTH: 1.0}, tick_s=TICK_S
    )


def test_the_second_offer_is_used_on_the_next_tick() -> None:
    """The first tick cannot know; the second one has all that was wanted from the other place."""
    town = Town(FIRST, SECOND)
    town.stocks[NORTH].empty = {"osl"}

    assert ["osl!", "osl!", "osl!"] == town.tick(workers=3)
    assert ["sto", "sto", "sto"] == town.tick(workers=3)
    assert [] == town.tick(workers=3)


def test_while_the_first_rests_growth_is_bought_of_the_second_at_once() -> None:
    """No order goes where there was no stock a moment ago."""
    town = Town(FIRST, SECOND)
    town.stocks[NORTH].empty = {"osl"}
    town.tick(workers=3)
    town.tick(workers=3)

    assert ["sto", "sto"] == town.tick(workers=5)


def test_a_place_that_stays_empty_is_asked_by_one_machine_ever_more_seldom() -> None:
    """An hour of growing: eight orders at most are refused after the first ones, one at a time."""
    town = Town(FIRST, SECOND)
    town.stocks[NORTH].empty = {"osl"}
    town.tick(workers=2)
    refused, most_late = [], 0
    for number in range(360):
        wants = 3 + number % 40
        told = town.tick(workers=wants)
        refused += [number for where in told if where == "osl!"]
        most_late = max(most_late, sum(where == "osl!" for where in told))

    assert most_late <= 1
    assert 3 <= len(refused) <= 8
    assert refused[-1] - refused[-2] > refused[1] - refused[0]


def test_when_stock_returns_the_first_is_preferred_again() -> None:
    """One machine proves it, after the rest that its last refusal began; from the next tick on all are bought there."""
    town = Town(FIRST, SECOND)
    town.stocks[NORTH].empty = {"osl"}
    town.tick(workers=2)
    town.tick(workers=2)
    town.stocks[NORTH].empty = set()
    told = [town.tick(workers=4 + number) for number in range(5)]
    first_again = next(number for number, places in enumerate(told) if "osl" in places)

    assert first_again <= 2
    assert all(places == ["osl"] for places in told[first_again:])
    assert ["osl"] * 4 == town.tick(workers=12)


def test_a_full_account_costs_one_tick_and_its_other_offers_are_not_asked() -> None:
    """The account remembers what it held; what it gives back it is asked for again."""
    beside = replace(FIRST, location="bgo")
    town = Town(FIRST, beside, SECOND)
    town.stocks[NORTH].most = 2

    assert ["osl", "osl", "osl!", "osl!"] == town.tick(workers=4)
    assert ["sto", "sto"] == town.tick(workers=4)
    assert ["sto"] * 3 == town.tick(workers=7)


def test_by_price_the_dearer_one_serves_while_the_cheaper_is_empty_and_no_longer() -> None:
    """The margin keeps a pool where it is only while that costs about the same."""
    dear, cheap = replace(FIRST, price_per_h=0.2), replace(SECOND, price_per_h=0.1)
    town = Town(dear, cheap, offer_order=OfferOrder.PRICE)

    assert ["sto", "sto"] == town.tick(workers=2)
    town.stocks[SOUTH].empty = {"sto"}
    assert ["sto!"] == town.tick(workers=3)
    assert ["osl"] == town.tick(workers=3)
    town.stocks[SOUTH].empty = set()
    told = [town.tick(workers=4 + number) for number in range(4)]
    assert ["sto"] == told[-1]


def test_by_price_a_pool_stays_where_it_is_for_a_difference_within_the_margin() -> None:
    """It went to the second for want of stock, and does not scatter when stock returns."""
    town = Town(
        replace(FIRST, price_per_h=0.100),
        replace(SECOND, price_per_h=0.105),
        offer_order=OfferOrder.PRICE,
        offer_margin=0.1,
    )
    town.stocks[NORTH].empty = {"osl"}
    town.tick(workers=1)
    town.tick(workers=1)
    town.stocks[NORTH].empty = set()

    assert [["sto"]] * 8 == [town.tick(workers=2 + number) for number in range(8)]
