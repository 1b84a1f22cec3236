"""What a tick measures of each pool, and what it leaves alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import supply
from autoscaler.core.facts import Memory, Missing, Rest
from autoscaler.core.learned import Learned
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.measuring import slices, with_look
from autoscaler.core.model import Offer, PoolName
from autoscaler.core.offers import for_pool
from autoscaler.core.reconcile import reconcile
from policies import traffic as traffics
from policies.account import explain
from policies.contract import Demand, Flow, Span, Supply, Traffic
from policies.decide import decide
from policies.evidence import Brake, Growth, Level
from policies.prospect import Slice
from providers.contract import NodeName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    SECOND_OFFER,
    a_demand,
    a_listing,
    a_node,
    a_pool,
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


@pytest.mark.parametrize("demand", [Missing(why="down"), a_demand(backlog=5)])
def test_what_guards_keep_grows_old_on_a_tick_without_counts(demand: Demand | Missing) -> None:
    """Else an outage would leave a brake where it was, and levels of another time of the day beside today's."""
    level = Level(most=7, least=7, seconds=60.0, tasks=60.0, squares=60.0, looks=6, ago_s=1_795.0)
    brake = Brake(few=7, few_per_s=4.0, many=12, many_per_s=4.0, left_s=600.0, holds_s=600.0)
    growth = Growth(levels=(level, replace(level, ago_s=0.0)), brake=brake)
    memory = Memory(clocks=CLOCKS, traffic={POOL: Traffic(growth=growth)})
    world = a_snapshot(demand={POOL: demand}, memory=memory)

    after, restarted = (
        reconcile(snapshot, rules(), FLEET).memory.traffic[POOL].growth
        for snapshot in (world, replace(world, elapsed_s=0.0, outcomes_may_be_old=True))
    )

    assert ((replace(level, ago_s=10.0),), replace(brake, left_s=590.0)) == (after.levels, after.brake)
    assert ((), brake) == (restarted.levels, restarted.brake)


@pytest.mark.parametrize("over_s", [0.0, -1.0, 1e5, 1e300, float("inf"), float("nan")])
def test_counts_over_no_time_that_can_be_are_none(over_s: float) -> None:
    """A broken clock's: they change no rate, and fail no tick."""
    before = Traffic(arrivals_per_s=3.0, tasks=7.0)
    looked = a_demand(backlog=5, flow=Flow(arrived=30, completed=20, over_s=over_s))
    workers = Supply(serving=2, arriving=0, leaving=0, lost=0, slots=2)

    after = with_look(with_look(before, looked, workers), looked, workers)

    assert (3.0, 7.0) == (after.arrivals_per_s, after.tasks)


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


def test_each_offer_has_its_own_boot_time_and_the_next_to_be_bought_is_decided_by() -> None:
    """A second cloud that boots slowly is no reason to doubt the first; one that never booted is as all others."""
    world = a_snapshot(
        BOOTING,
        replace(
            BOOTING, name=NodeName("n2"), machine=NodeName("n2"), offer=SECOND_OFFER, ordered_at=AT - 300.0
        ),
        listings={CLOUD: a_listing("n1", "n2")},
        sightings=heard(a_sighting("n1"), a_sighting("n2")),
        demand={POOL: LOOKED},
        memory=Memory(clocks=CLOCKS),
    )
    memory = reconcile(world, rules(), FLEET).memory
    resting = {OFFER.name: Rest(until_at=AT + 60.0, refusals=1, why="no stock")}
    third = replace(OFFER, location="mad")

    def boot(memory: Memory, offers: tuple[Offer, ...] = (OFFER, SECOND_OFFER)) -> tuple[float, str]:
        pool = a_pool(offers=offers)
        found = supply.decision_input(pool, world, (), memory, None).history.traffic
        return traffics.boot_s(found), found.boots_of

    assert (80.0, OFFER.name) == boot(memory)
    assert (300.0, SECOND_OFFER.name) == boot(replace(memory, offer_rests=resting))
    assert (190.0, "") == boot(memory, (third,))
    first_only = rules(a_pool(offers=(OFFER,)))
    kept = reconcile(replace(world, memory=memory, nodes=()), first_only, FLEET).memory.boots
    assert {OFFER.name} == {key.partition(" for ")[0] for key in kept}


def test_an_offer_without_a_boot_of_its_own_goes_by_what_is_most_like_it() -> None:
    """The same size at the same provider with the image before, then elsewhere, then whatever was bought; and the
    account of the decision says whose boots they are and why."""
    newer = replace(OFFER, image="debian-next")
    spans = {
        for_pool(OFFER.name, POOL): Span(seconds=160.0, amount=2.0),
        for_pool(SECOND_OFFER.name, POOL): Span(seconds=300.0, amount=1.0),
        for_pool(newer.name, PoolName("thumbs")): Span(seconds=5.0, amount=1.0),
    }
    memory = Memory(
        clocks=CLOCKS, boots=spans, traffic={POOL: Traffic(boots=5.0, boot_s=1_000.0)}, learned={}
    )

    def boot(*pool: Offer, known: Memory = memory) -> tuple[float, str, str]:
        asked = supply.decision_input(a_pool(offers=pool), a_snapshot(), (), known, None)
        found = asked.history.traffic
        assert [] == [
            says for says in (found.boots_of, found.boots_why) if says not in explain(decide(asked))
        ]
        return traffics.boot_s(found), found.boots_of, found.boots_why

    large = replace(OFFER, size="l")
    changed = {for_pool(OFFER.name, POOL): Learned(took_s=(70.0,), becomes="old", changed=True)}

    assert (80.0, OFFER.name, "") == boot(OFFER)
    assert (80.0, OFFER.name, f"none of {newer.name} has become a worker yet") == boot(newer, SECOND_OFFER)
    elsewhere = replace(newer, location="mad")
    assert (300.0, SECOND_OFFER.name) == boot(elsewhere, SECOND_OFFER)[:2]
    assert (200.0, "", f"none of {large.name} has become a worker yet") == boot(large, OFFER)
    assert (80.0, "none has become a worker since what they become was changed") == (
        boot(OFFER, known=replace(memory, learned=changed))[::2]
    )


def test_boots_of_an_image_are_kept_until_the_next_one_has_its_own() -> None:
    """The first machine of a new image is looked ahead for by those of the one before, and not by a guess."""
    newer = replace(OFFER, image="debian-next")
    booted = replace(BOOTING, offer=newer)
    before = Memory(clocks=CLOCKS, boots={for_pool(OFFER.name, POOL): Span(seconds=160.0, amount=2.0)})
    pool = rules(a_pool(offers=(newer,)))

    waiting = reconcile(a_snapshot(memory=before), pool, FLEET).memory.boots
    world = a_snapshot(
        booted, listings={CLOUD: a_listing("n1")}, sightings=heard(a_sighting("n1")), memory=before
    )
    after = reconcile(world, pool, FLEET).memory.boots

    assert before.boots == waiting
    assert {for_pool(newer.name, POOL): Span(seconds=80.0, amount=1.0)} == after


@pytest.mark.parametrize(
    ("fields", "excused"),
    [
        ({"stop_due": True}, 10.0),
        ({"given_up": True}, 10.0),
        ({}, 0.0),
        ({"stop_due": True, "entered_at": AT - 60.0}, 0.0),
    ],
    ids=["drained", "given up", "lost", "long ago"],
)
def test_what_those_sent_away_may_give_back_is_excused(fields: dict[str, Any], excused: float) -> None:
    """Ten messages of a worker of two slots, once; what was lost with its worker is no such matter."""
    ending = a_node("n1", NodeState.DESTROYING, **({"entered_at": AT - 10.0} | fields))
    world = a_snapshot(ending, demand={POOL: LOOKED}, memory=Memory(clocks=CLOCKS))

    seen = reconcile(world, rules(), FLEET).memory.traffic[POOL].redeliveries

    assert [excused] == [minute.excused for minute in seen.minutes]


def test_what_was_counted_becomes_part_of_its_slice_of_the_past() -> None:
    """An unused queue counts nothing, which is known; what could not be seen is not."""
    looks = {
        LOOKED: 30.0,
        a_demand(): 0.0,
        a_demand(backlog=1): None,
        Missing(why="down"): None,
    }
    for demand, arrived in looks.items():
        seen = slices(a_snapshot(demand={POOL: demand}, elapsed_s=10.0), rules())
        expected = (
            {} if arrived is None else {POOL: Slice(since_at=AT // 300 * 300, arrived=arrived, looked_s=10.0)}
        )

        assert expected == seen
