"""What metrics tell of a fleet: counted from its records, and the same as its standing tells."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import SIGHTINGS_CLOCK, Memory, Stranger, listing_clock
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.waits import Wait, WaitKind
from autoscaler.views import measures
from providers.contract import Instance, InstanceId, InstanceState, ProviderName
from tests.unit.journal.records import IMAGES, OFFER, a_node, a_sample, a_tick
from tests.unit.web.fleets import journal, look, settings

AT = 10_000.0
NORTH = ProviderName("north")
HERE = replace(OFFER, provider=NORTH, location="osl", size="s", image="debian", price_per_h=0.1)


def test_quantiles_are_of_the_last_ten_minutes_of_each_pool() -> None:
    """What was before, and what was not measured, says nothing of now."""
    ticks = (
        a_tick(AT - 601, samples=(a_sample(at=AT - 601, wait_s=9_000.0),)),
        a_tick(AT - 10, samples=(a_sample(at=AT - 10, wait_s=None),)),
        *(
            a_tick(AT - s, samples=(a_sample(at=AT - s, wait_s=float(s)),))
            for s in range(100, 0, -1)
            if s != 10
        ),
    )
    with journal(*ticks) as kept:
        waits = {pool.standing.pool: pool.waits_s for pool in look(kept, AT).pools}

    assert {0.5, 0.9, 0.95, 0.99} == set(waits[IMAGES])
    assert 50.0 == pytest.approx(waits[IMAGES][0.5], abs=1.5)
    assert 99.0 == pytest.approx(waits[IMAGES][0.99], abs=1.5)
    assert {} == waits["mail"]


@pytest.mark.parametrize(
    ("waits", "middle"), [((), None), ((7.0,), 7.0), ((7.0, float("nan")), 7.0), ((float("inf"),), None)]
)
def test_few_waits_are_no_trouble(waits: tuple[float, ...], middle: float | None) -> None:
    """One is its own quantile; what is no length is none."""
    assert middle == measures.quantiles_of(waits).get(0.5)


def test_machines_are_counted_by_state_and_those_overdue_besides() -> None:
    """A machine whose end was asked for five times is paid and should not be."""
    nodes = tuple(
        a_node(f"images-{number}", state=state, destroy_asks=asks, offer=HERE)
        for number, (state, asks) in enumerate(
            [(NodeState.READY, 0), (NodeState.DESTROYING, 4), (NodeState.DESTROYING, 5)]
        )
    )
    with journal(a_tick(AT, new_nodes=nodes)) as kept:
        found = {pool.standing.pool: pool for pool in look(kept, AT).pools}[IMAGES]

    assert {NodeState.READY: 1, NodeState.DESTROYING: 2} == found.machines
    assert 1 == found.overdue
    assert 2 == found.standing.leaving


def test_orphans_are_priced_by_the_offer_that_most_likely_brought_them() -> None:
    """An account without any is told too, with 0: an alert needs to see it end."""
    stranger = Stranger(
        provider=NORTH,
        instance=Instance(
            name="shop-images-0",
            instance_id=InstanceId("i-0"),
            state=InstanceState.RUNNING,
            pool="images",
            size="s",
        ),
        since_on=100.0,
    )
    memory = Memory(clocks={SIGHTINGS_CLOCK: 200.0, listing_clock(NORTH): 220.0}, strangers=(stranger,))
    with journal(a_tick(AT, memory=memory)) as kept:
        found = {orphaned.provider: orphaned for orphaned in look(kept, AT).orphans}

    assert (1, 0.1) == (found[NORTH].machines, found[NORTH].cost_per_h)
    assert 3 * 0.1 / 60 == pytest.approx(
        found[NORTH].spent
    )  # it was seen for 120 s: the third minute has begun
    assert (0, 0.0) == (found[ProviderName("south")].machines, found[ProviderName("south")].cost_per_h)


def test_what_is_held_back_is_counted_by_its_kind() -> None:
    """By nothing else: what waits may be a machine, by name."""
    waits = tuple(
        Wait(kind=WaitKind.WITNESS, subject=f"images-{number}", why="silent", since_at=AT)
        for number in range(2)
    )
    with journal(a_tick(AT, memory=Memory(waits=waits))) as kept:
        holds = look(kept, AT).holds

    assert set(measures.HOLDS) == set(holds)
    assert {"witness": 2} == {str(kind): number for kind, number in holds.items() if number}


def test_the_target_of_a_pool_is_the_shortest_of_its_policies() -> None:
    """A pool without one has none; one that is no longer configured, too."""
    with journal(a_tick(AT, new_nodes=(a_node("old-1", pool="old"),))) as kept:
        targets = {pool.standing.pool: pool.target_wait_s for pool in look(kept, AT).pools}

    assert {"images": 30.0, "mail": None, "old": None} == targets


def test_limits_and_pace_are_as_configured() -> None:
    """What an alert compares with."""
    with journal(a_tick(AT)) as kept:
        found = look(kept, AT)

    assert (settings().loop.tick_s, 0.5) == (found.tick_s, found.most_per_h)
    assert [(1, 5), (0, 10)] == [
        (pool.limits.min_workers, pool.limits.max_workers) for pool in found.pools if pool.limits
    ]
