"""What a simulated world's machines cost: by true time, each quantum in the month in which it begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.model import PoolName
from autoscaler.simulate.clock import WorldClock
from autoscaler.simulate.fleet import MONTH_ENDS_AT
from autoscaler.simulate.till import Till
from providers.contract import ProviderName
from tests.unit.core.builders import OFFER

NORTH, SUMS = ProviderName("north"), PoolName("sums")
HOURLY = replace(OFFER, quantum_s=3600)


def a_till(before_month_end_s: float) -> Till:
    """A till, and one machine since so long before a month's end."""
    till = Till(WorldClock(MONTH_ENDS_AT - before_month_end_s))
    till.opens(NORTH, "i-1", SUMS, HOURLY)
    return till


def test_a_machine_is_paid_as_each_quantum_begins() -> None:
    """At its making, and after each hour."""
    till = a_till(86_400)
    paid = []
    for at in (0, 3_599, 3_600, 7_300):
        till.clock.run_to(at)
        paid.append(till.bill()[SUMS])

    assert [0.1, 0.1, 0.2, 0.3] == pytest.approx(paid)


def test_what_is_gone_stays_in_the_months_bill() -> None:
    """It is not paid any more, and is not forgotten."""
    till = a_till(86_400)
    till.clock.run_to(100)
    till.closes(NORTH, "i-1")
    till.closes(NORTH, "never there")
    till.clock.run_to(20_000)

    assert {SUMS: pytest.approx(0.1)} == till.bill()


def test_a_new_month_begins_with_what_is_there() -> None:
    """Its first hour by this count may be the last month's by the daemon's; from the second on it is this month's."""
    till = a_till(1_800)
    paid = []
    for at in (1_799, 1_801, 3_601, 7_201, 10_801):
        till.clock.run_to(at)
        paid.append(till.bill().get(SUMS, 0.0))

    assert [0.1, 0.0, 0.0, 0.1, 0.2] == pytest.approx(paid)


def test_a_life_over_the_months_end_is_in_both_bills() -> None:
    """Ended in the new month, it has cost something in each."""
    till = a_till(7_300)
    till.clock.run_to(7_300 + 7_300)
    till.closes(NORTH, "i-1")

    assert {SUMS: pytest.approx(0.1)} == till.bill()
    assert [0.1, 0.3] == pytest.approx(sorted(sums[SUMS] for sums in till._gone.values()))
