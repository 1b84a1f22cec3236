"""What a tick measures of each pool, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reconcile import reconcile
from policies.contract import Flow, Traffic
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    POOL,
    a_demand,
    a_listing,
    a_node,
    a_sighting,
    a_snapshot,
    heard,
    rules,
)

LOOKED = a_demand(flow=Flow(arrived=30, completed=20, over_s=10.0))
BOOTING = a_node("n1", NodeState.BOOTING, ordered_at=AT - 80.0, entered_at=AT - 70.0, entered_on=4_930.0)


@pytest.mark.parametrize(("ordered_s_ago", "boot_s"), [(80.0, 80.0), (1e9, 720.0)])
def test_a_first_word_tells_how_long_the_machine_took(ordered_s_ago: float, boot_s: float) -> None:
    """From its order on. A step of the wall clock makes no boot longer than it may take."""
    world = a_snapshot(
        replace(BOOTING, ordered_at=AT - ordered_s_ago),
        listings={CLOUD: a_listing("n1")},
        sightings=heard(a_sighting("n1")),
        demand={POOL: LOOKED},
        memory=Memory(clocks=CLOCKS),
    )

    seen = reconcile(world, rules(), FLEET).memory.traffic[POOL]

    assert (1.0, boot_s, 20.0) == (seen.boots, seen.boot_s, seen.tasks)


def test_what_cannot_be_seen_measures_nothing() -> None:
    """Absent is not zero."""
    before = Traffic(arrivals_per_s=3.0, tasks=7.0)
    world = a_snapshot(
        demand={POOL: Missing(why="down")}, memory=Memory(clocks=CLOCKS, traffic={POOL: before})
    )

    assert before == reconcile(world, rules(), FLEET).memory.traffic[POOL]


def test_where_nothing_is_and_nothing_is_counted_nothing_flows() -> None:
    """A broker forgets the counters of a queue that is gone or unused; a peak remembered for ever would be paid for."""
    before = Traffic(arrivals_per_s=3.0, recent_per_s=3.0)
    world = a_snapshot(
        demand={POOL: a_demand()}, memory=Memory(clocks=CLOCKS, traffic={POOL: before}), elapsed_s=10.0
    )
    busy = replace(world, demand={POOL: a_demand(backlog=1)})

    assert reconcile(world, rules(), FLEET).memory.traffic[POOL].arrivals_per_s < 3.0
    assert 3.0 == reconcile(busy, rules(), FLEET).memory.traffic[POOL].arrivals_per_s


def test_a_boot_that_nobody_watched_measures_nothing() -> None:
    """While we were down or deaf the worker may have come up long ago."""
    world = a_snapshot(
        replace(BOOTING, ordered_at=AT - 700.0, entered_at=AT - 690.0, entered_on=5_000.0),
        listings={CLOUD: a_listing("n1")},
        sightings=heard(a_sighting("n1")),
        memory=Memory(clocks=CLOCKS),
    )

    assert 0.0 == reconcile(world, rules(), FLEET).memory.traffic[POOL].boots
