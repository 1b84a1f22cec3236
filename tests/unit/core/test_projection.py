"""What the month comes to: exact until now, and from there on as it was lately."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoscaler.core import projection
from autoscaler.core.facts import Bills, Memory
from autoscaler.core.model import PoolName
from autoscaler.core.projection import Projection
from policies.contract import Limits
from tests.unit.core.builders import OFFER, POOL, a_node, a_pool, rules

HOURLY = replace(OFFER, quantum_s=3600)
MAIL = PoolName("mail")
DAY_S = 86_400.0
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
LAST = datetime(2026, 10, 1, tzinfo=UTC).timestamp()


def after(
    days: float, *, before: float = 0.0, so_far: float = 0.0, since_at: float = 0.0, most: float | None = None
) -> Projection:
    """Of a pool with one machine at 0.1 an hour, ordered just now, so many days into November."""
    at = NOVEMBER + days * DAY_S
    gone = {"2026-10": {POOL: before}, "2026-11": {POOL: so_far - 0.1}}
    node = a_node(offer=HOURLY, ordered_at=at - 1)
    pool = a_pool(limits=Limits(max_workers=9, max_cost_per_month=most))
    memory = Memory(bills=Bills(gone=gone, since_at=since_at))
    return projection.of_pools((node,), memory, rules(pool), at)[POOL]


def test_what_is_left_of_the_month_costs_as_much_an_hour_as_it_did() -> None:
    """Ten days have cost 24, so thirty come to 72, whatever October was."""
    found = after(10, before=999.0, so_far=24.0)

    assert ("2026-11", 24.0, 0.1, 72.0) == (
        found.month,
        pytest.approx(found.spent),
        pytest.approx(found.per_h),
        pytest.approx(found.projected),
    )


def test_a_months_first_week_is_taken_together_with_the_month_before() -> None:
    """A quiet weekend at its beginning is no month: 31 days at 310 and 2 at 2 are 9.45 a day."""
    found = after(2, before=310.0, so_far=2.0)

    assert pytest.approx(2.0 + 312 / 33 * 28) == found.projected


@pytest.mark.parametrize(("hours", "projected"), [(23.9, 3.0 + 0.1 * 24 * 20), (24.0, 3.0 + 3.0 * 20)])
def test_with_less_than_a_day_on_record_it_costs_what_it_costs_now(hours: float, projected: float) -> None:
    """The first hour of a quantum would be a hundredfold rate in its first minute."""
    found = after(10, so_far=3.0, since_at=NOVEMBER + 10 * DAY_S - hours * 3600)

    assert pytest.approx(projected) == found.projected
    assert NOVEMBER + 10 * DAY_S - hours * 3600 == found.since_at


@pytest.mark.parametrize(("most", "told"), [(None, False), (72.1, False), (71.9, True)])
def test_it_is_too_much_where_it_comes_to_more_than_is_allowed(most: float | None, told: bool) -> None:
    """Long before it is spent."""
    assert told == after(10, so_far=24.0, most=most).is_too_much


def test_since_when_is_counted_is_of_interest_in_that_month_only() -> None:
    """From the next one on its sum is whole."""
    assert after(10, so_far=3.0, since_at=LAST).since_at is None


def test_the_fleet_is_all_pools_those_that_are_no_longer_configured_too() -> None:
    """Whoever takes a pool out of the configuration has paid for it all the same."""
    at = NOVEMBER + 10 * DAY_S
    memory = Memory(bills=Bills(gone={"2026-11": {POOL: 10.0, MAIL: 5.0}}, since_at=0.0))
    pools = projection.of_pools((), memory, rules(a_pool()), at)

    found = projection.of_fleet(pools.values(), 40.0, memory, at)

    assert ({POOL, MAIL}, 15.0, pytest.approx(45.0), True) == (
        pools.keys(),
        found.spent,
        found.projected,
        found.is_too_much,
    )
