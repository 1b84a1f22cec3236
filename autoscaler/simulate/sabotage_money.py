"""Rules about money, each broken as an honest programmer might break it: what is counted, for whom, and what follows.

Each is put in place for one life by `sabotage`. What never happens here: an exception raised to be noticed.
"""

from __future__ import annotations

from collections.abc import Callable

from autoscaler.core import bills, invariants, money
from autoscaler.core.bills import Month
from autoscaler.core.model import Offer
from autoscaler.simulate.sabotage_parts import Parts

_Cost = Callable[[Offer, Month, float, float], float]


def forgets_what_is_gone(parts: Parts) -> None:
    """A month costs what its machines cost, and the records hold them all."""
    parts.put(bills, "closed", lambda known, *_: known)


def lets_each_pool_spend_the_last_of_it(parts: Parts) -> None:
    """The books are opened once a tick, and every pool looks into them."""
    parts.put(money.Books, "ordered", lambda *_: None)
    parts.put(invariants, "_money_holds", lambda *_: None)


def leaves_the_fleets_money_to_the_pools(parts: Parts) -> None:
    """Each pool has its ceilings, so the fleet has them, too."""
    sound: Callable[..., list[tuple[int, str]]] = vars(money.Books)["bounds"]

    def bounds(*given: object) -> list[tuple[int, str]]:
        return [bound for bound in sound(*given) if "fleet" not in bound[1]]

    parts.put(money.Books, "bounds", bounds)
    parts.put(invariants, "_money_holds", lambda *_: None)


def stops_buying_and_lets_them_run(parts: Parts) -> None:
    """A ceiling is on what is bought; what is there has work to do."""
    parts.put(money, "allowances", lambda *_: {})


def bills_a_machine_in_the_month_of_its_order(parts: Parts) -> None:
    """A new month begins with nothing spent."""
    sound: _Cost = vars(bills)["cost"]

    def cost(offer: Offer, month: Month, since_at: float, until_at: float) -> float:
        return sound(offer, month, since_at, until_at) if since_at >= month.start_at else 0.0

    parts.put(bills, "cost", cost)


def pays_by_the_second(parts: Parts) -> None:
    """A machine costs its price times the hours that it was there."""

    def cost(offer: Offer, month: Month, since_at: float, until_at: float) -> float:
        lasted_s = min(until_at, month.end_at) - max(since_at, month.start_at)
        return max(0.0, lasted_s) * offer.price_per_h / 3600

    parts.put(bills, "cost", cost)
