"""How long a machine may take to become a worker, where that follows its offer's last boots; and what teaches it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import offers
from autoscaler.core.facts import SIGHTINGS_CLOCK, Memory, Missing, Sightings, Snapshot, listing_clock
from autoscaler.core.learned import Learned
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import DrainExpiry, Node, Timeouts
from autoscaler.core.reconcile import of_interest, reconcile
from autoscaler.core.reports import Boot, Failure, Phase, PhaseTime
from policies.contract import Span
from providers.contract import NodeName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    POOL,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    heard,
    idle,
    nobody_there,
    rules,
)
from tests.unit.core.test_enrolment import a_report
from tests.unit.core.test_leaving import tick

S = NodeState
N = NodeName("n1")
KEY = offers.for_pool(OFFER.name, POOL)
LEARNS = Timeouts(enrol_s=1_800.0, enrol_first_s=600.0)
QUICK = Learned(took_s=(60.0, 62.0, 64.0) * 4, becomes="new")
PACKAGES = PhaseTime(phase=Phase.PACKAGES, from_s=8.0, to_s=20.0)
CLOCK = 5_000.0


def booting(lasts_s: float, **fields: Any) -> Node:
    """A machine that boots for so long when this tick has come, ten seconds after the one before."""
    usual: dict[str, Any] = {
        "ordered_at": AT - lasts_s - 20.0,
        "entered_at": AT - lasts_s,
        "entered_on": CLOCK + 10.0 - lasts_s,
    }
    return a_node(N, S.BOOTING, **(usual | fields))


def world(node: Node, known: Learned = QUICK, becomes: str = "new", **fields: Any) -> Snapshot:
    """Nobody of its name is heard or connected; `known` is what was learned of its offer."""
    memory: dict[str, Any] = {"clocks": CLOCKS, "learned": {KEY: known}, "becoming": {N: becomes}}
    usual: dict[str, Any] = {
        "sightings": heard(),
        "idleness": {N: nobody_there()},
        "memory": Memory(**(memory | fields.pop("memory", {}))),
    }
    return a_snapshot(node, **(usual | fields))


def state(snapshot: Snapshot, times: Timeouts = LEARNS) -> NodeState:
    return tick(snapshot, 1, timeouts=times, becomes={OFFER.name: "new"}).nodes[0].state


@pytest.mark.parametrize(("lasts_s", "after"), [(179.0, S.BOOTING), (180.0, S.DESTROYING)])
def test_a_machine_of_a_quick_offer_is_late_after_minutes(lasts_s: float, after: NodeState) -> None:
    """Boots of a minute: whoever takes three is not coming."""
    assert after is state(world(booting(lasts_s)))


@pytest.mark.parametrize(("lasts_s", "after"), [(1_079.0, S.BOOTING), (1_080.0, S.DESTROYING)])
def test_a_machine_of_a_slow_offer_is_waited_for(lasts_s: float, after: NodeState) -> None:
    """Nine minutes are usual there, so ten are no reason to end it."""
    assert after is state(world(booting(lasts_s), Learned(took_s=(540.0,) * 9, becomes="new")))


@pytest.mark.parametrize("known", [QUICK, Learned(took_s=(5_000.0,)), Learned(at_least_s=1_800.0)])
def test_a_number_of_the_operators_is_obeyed(known: Learned) -> None:
    """Whatever was learned, and whatever the machine says of itself."""
    fixed = Timeouts(enrol_s=600.0)
    moves = {"booting": {N: Boot(power_at=AT - 500, phases=(PACKAGES,), moved_on=CLOCK - 10.0)}}

    assert [S.BOOTING, S.DESTROYING] == [
        state(world(booting(lasts_s), known, memory=moves), fixed) for lasts_s in (599.0, 600.0)
    ]


def test_the_end_of_a_late_machine_says_what_its_time_rests_on() -> None:
    """An operator must be able to object."""
    said = Boot(power_at=AT - 200, phases=(PACKAGES,), moved_on=CLOCK - 210.0)
    node = booting(240.0)
    made = tick(world(node, memory={"booting": {N: said}}), timeouts=LEARNS)

    assert (
        "booting for 240 s, allowed are 200 s: boots of this offer take 62 s (95 % under 64 s, of 12); "
        "its last word, 220 s ago: phase packages is over"
    ) == made.nodes[0].reason


@pytest.mark.parametrize(("becomes", "after"), [("new", S.DESTROYING), ("newer", S.BOOTING)])
def test_one_that_is_to_become_something_else_has_the_first_time(becomes: str, after: NodeState) -> None:
    """A canary installs what none before it did."""
    assert after is state(world(booting(400.0), becomes=becomes))
    assert S.DESTROYING is state(world(booting(600.0), becomes=becomes))


@pytest.mark.parametrize(
    ("moved_s_ago", "fields", "after"),
    [
        (120.0, {}, S.BOOTING),
        (195.0, {}, S.DESTROYING),
        (
            120.0,
            {"failed": Failure(phase=Phase.APPLICATION, says="no"), "worker_started": True},
            S.DESTROYING,
        ),
    ],
    ids=["it moved lately", "it moved long ago", "it failed"],
)
def test_a_machine_that_says_that_it_gets_on_is_slow_and_not_late(
    moved_s_ago: float, fields: dict[str, Any], after: NodeState
) -> None:
    """From its last word on it has the whole time again."""
    said = Boot(power_at=AT - 400, phases=(PACKAGES,), moved_on=CLOCK + 10.0 - moved_s_ago, **fields)

    assert after is state(world(booting(400.0), memory={"booting": {N: said}}))


def test_no_machine_is_slow_for_ever() -> None:
    """Whatever it says of itself: within what any may take."""
    said = Boot(power_at=AT - 1_800, phases=(PACKAGES,), moved_on=CLOCK)

    assert [S.BOOTING, S.DESTROYING] == [
        state(world(booting(lasts_s), memory={"booting": {N: said}})) for lasts_s in (1_799.0, 1_800.0)
    ]


def test_a_word_that_cannot_be_read_may_say_that_it_gets_on() -> None:
    """Of one that reported before. Who never did is not waited for longer: it would not report now."""
    said = {"booting": {N: Boot(power_at=AT - 400, phases=(PACKAGES,), moved_on=CLOCK - 380.0)}}
    deaf = Missing(why="the broker is away")

    assert S.BOOTING is state(world(booting(400.0), memory=said, reports=deaf))
    assert S.DESTROYING is state(world(booting(400.0), reports=deaf))


def test_one_more_phase_moves_it_and_the_same_ones_do_not() -> None:
    """A machine repeats its report once a while."""
    first = reconcile(world(booting(50.0), reports={N: a_report(phases=(PACKAGES,))}), rules(), FLEET).memory
    later = world(booting(60.0), reports={N: a_report(phases=(PACKAGES,))})
    again = reconcile(replace(later, memory=replace(first, clocks=CLOCKS)), rules(), FLEET).memory

    assert CLOCK == first.booting[N].moved_on == again.booting[N].moved_on


def test_whoever_is_late_by_its_offer_is_asked_about() -> None:
    """Only the broker's word ends it, so the question must come as early."""
    node, memory = booting(200.0), world(booting(200.0)).memory
    pools = {times: rules(a_pool(timeouts=times)) for times in (LEARNS, Timeouts())}

    assert [(node,), ()] == [of_interest((node,), memory, pool) for pool in pools.values()]


@pytest.mark.parametrize("held", [Missing(why="the broker is down"), 0, 1])
def test_no_machine_is_late_whose_worker_may_be_at_work(held: Any) -> None:
    """However quick its offer is: who is connected, or may be, is kept."""
    assert S.BOOTING is state(world(booting(1_700.0), idleness={N: idle(unacknowledged=held)}))


def learnt(snapshot: Snapshot, times: Timeouts = LEARNS, becomes: str = "new") -> Learned:
    pool = a_pool(timeouts=times, becomes={OFFER.name: becomes})
    return reconcile(snapshot, rules(pool), FLEET).memory.learned.get(KEY, Learned())


HEARD = {"sightings": heard(a_sighting(N))}


def test_a_worker_that_is_heard_teaches_how_long_it_took() -> None:
    """From the machine's appearance on, as its time was counted."""
    assert 75.0 == learnt(world(booting(75.0), **HEARD)).took_s[-1]


def test_a_boot_that_nobody_watched_teaches_nothing() -> None:
    """While we were deaf its worker may have come up at any time."""
    unwatched = booting(75.0, entered_at=AT - 500.0)

    assert QUICK.took_s == learnt(world(unwatched, **HEARD)).took_s


def test_a_machine_that_was_late_gives_the_next_one_twice_its_time() -> None:
    """Its boot was cut off, so how long it takes nobody knows."""
    found = learnt(world(booting(180.0)))

    assert (QUICK.took_s, 360.0) == (found.took_s, found.at_least_s)
    assert S.BOOTING is state(world(booting(350.0), found))
    assert S.DESTROYING is state(world(booting(360.0), found))


def test_one_that_was_connected_and_unheard_was_not_late() -> None:
    """Its end after the time of a drain says nothing of boots."""
    impatient = replace(LEARNS, drain_expiry=DrainExpiry.DESTROY, drain_s=10.0)
    snapshot = world(booting(200.0), idleness={N: idle()})

    assert S.DESTROYING is state(snapshot, impatient)
    assert 0.0 == learnt(snapshot, impatient).at_least_s


def test_one_that_is_heard_after_all_teaches_how_long_it_really_took() -> None:
    """Its end was not asked for yet, and is taken back."""
    late = a_node(N, S.DESTROYING, ordered_at=AT - 260.0, enrolled_at=None, entered_at=AT - 20.0)

    assert 260.0 == learnt(world(late, **HEARD)).took_s[-1]


def test_one_ordered_before_the_last_change_teaches_nothing_of_what_comes_after_it() -> None:
    """It was to become what nobody buys any more."""
    found = learnt(world(booting(75.0), **HEARD), becomes="newer")

    assert (QUICK.took_s, True) == (found.took_s, found.changed)


def test_the_first_of_a_new_kind_begins_anew() -> None:
    """For its time, and for the look ahead: a bootstrap that got longer would be averaged away for twenty boots."""
    snapshot = world(booting(75.0), becomes="newer", **HEARD)
    spans = {KEY: Span(seconds=800.0, amount=10.0)}
    snapshot = replace(snapshot, memory=replace(snapshot.memory, boots=spans))
    pool = a_pool(timeouts=LEARNS, becomes={OFFER.name: "newer"})
    memory = reconcile(snapshot, rules(pool), FLEET).memory

    assert ((75.0,), "newer", False) == (
        memory.learned[KEY].took_s,
        memory.learned[KEY].becomes,
        memory.learned[KEY].changed,
    )
    assert Span(seconds=95.0, amount=1.0) == memory.boots[KEY]


def test_what_is_not_bought_any_more_is_forgotten() -> None:
    """An offer by its name is one of a provider, place, size and image."""
    pool = a_pool(offers=(replace(OFFER, image="newer"),))

    assert {} == reconcile(world(booting(75.0)), rules(pool), FLEET).memory.learned


@pytest.mark.parametrize(
    ("times", "known", "adopted"),
    [(LEARNS, {}, True), (LEARNS, {KEY: Learned(took_s=(500.0,) * 9)}, False), (Timeouts(), {}, True)],
    ids=["the first time", "a slow offer", "a number"],
)
def test_a_machine_without_a_record_has_the_time_of_its_offer(
    times: Timeouts, known: dict[Any, Learned], adopted: bool
) -> None:
    """It may be booting as well as any other; what it is to become nobody knows, so it has the first time at least."""
    orphan = a_node(N, S.READY)
    snapshot = a_snapshot(orphan, sightings=Sightings(listening_s=5_000.0, workers={}))
    listing = snapshot.listings[CLOUD]
    assert not isinstance(listing, Missing)
    young = replace(listing.instances[0], created_at=AT - 700.0)
    clocks = {SIGHTINGS_CLOCK: CLOCK, listing_clock(CLOUD): CLOCK}
    first = reconcile(
        replace(
            snapshot,
            nodes=(),
            listings={CLOUD: replace(listing, instances=(young,))},
            memory=Memory(clocks=clocks, learned=known),
        ),
        rules(a_pool(timeouts=times)),
        FLEET,
    )
    later = replace(
        snapshot,
        nodes=(),
        listings={CLOUD: replace(listing, instances=(young,))},
        memory=replace(first.memory, clocks={name: on + 60.0 for name, on in clocks.items()}),
        strangers_hold={orphan.worker: nobody_there().unacknowledged},
    )

    assert adopted is bool(reconcile(later, rules(a_pool(timeouts=times)), FLEET).nodes)
