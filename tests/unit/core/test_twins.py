"""Two machines of one name, and one machine that is shown twice: whose worker is heard, and who may be ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autoscaler.core.facts import Memory, Rest, Stranger, listing_clock
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reconcile import reconcile
from autoscaler.core.waits import WaitKind
from providers.contract import ProviderName
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    CLOUD,
    FLEET,
    OFFER,
    a_listing,
    a_node,
    a_sighting,
    a_snapshot,
    an_instance,
    heard,
    rules,
)
from tests.unit.core.test_strangers import SEEN, a_world_with_a_twin, found, settled


def test_one_machine_that_two_accounts_show_is_taken_in_once() -> None:
    """They may be one at the provider; with two records it would fill two places, and one would end the other's."""
    again = {CLOUD: a_listing("x"), ProviderName("same"): a_listing("x")}
    world = replace(SEEN, listings=again, sightings=heard(a_sighting("x", active=2)), settle_s={})
    clocks = {**CLOCKS, listing_clock(ProviderName("same")): 5_000.0}
    first = found(replace(world, memory=Memory(clocks=clocks)))
    later = {key: on + 100.0 for key, on in first.memory.clocks.items()}

    after = found(replace(world, memory=replace(first.memory, clocks=later)))

    assert ["i-x"] == [node.instance_id for node in after.nodes]
    assert () == after.memory.strangers


def test_two_machines_of_one_name_are_not_both_taken_for_the_worker_that_is_heard() -> None:
    """Without records it cannot be told which of them works: one is adopted, the other told of and paid."""
    twins = (an_instance("x"), an_instance("x", instance_id="i-twin", created_at=AT - 1_800))
    world = replace(
        SEEN,
        listings={CLOUD: replace(a_listing(), instances=twins)},
        sightings=heard(a_sighting("x", active=2)),
    )

    after = settled(world)

    assert ["i-x"] == [node.instance_id for node in after.nodes]
    assert ["i-twin"] == [s.instance.instance_id for s in after.memory.strangers]
    assert [(WaitKind.TWIN, "x")] == [(w.kind, w.subject) for w in after.waits]


def test_a_twin_whose_account_rests_is_not_ended_later_when_it_may_work() -> None:
    """Once recorded, its end would be asked for whenever the account wakes, and by then its worker may have begun."""
    twins = (an_instance("x"), an_instance("x", instance_id="i-twin", created_at=AT - 1_800))
    rests = {CLOUD: Rest(until_at=AT + 30, refusals=1, why="slow down")}
    world = a_snapshot(
        a_node("x", NodeState.BOOTING, entered_on=5_000.0),
        listings={CLOUD: replace(a_listing(), instances=twins)},
        sightings=heard(),
        memory=Memory(clocks=CLOCKS, account_rests=rests),
    )

    after = found(world)

    assert (["i-x"], ["i-twin"]) == (
        [n.instance_id for n in after.nodes],
        [s.instance.instance_id for s in after.memory.strangers],
    )


def test_a_twin_whose_name_is_heard_is_told_of() -> None:
    """It is paid, and ends by itself when the name falls silent, or on a sweep."""
    assert [(WaitKind.TWIN, "x")] == [(w.kind, w.subject) for w in settled(a_world_with_a_twin()).waits]


@pytest.mark.parametrize(("other_missing_on", "gone"), [(None, ["x"]), (5_000.0, [])])
def test_a_voice_that_may_be_its_namesakes_does_not_keep_a_machine_that_is_absent(
    other_missing_on: float | None, gone: list[str]
) -> None:
    """Of one that was destroyed the record would stand for ever, and the end of it be asked for, every five minutes."""
    absent = a_node("x", NodeState.DESTROYING, missing_on=5_000.0, instance_id="i-gone", given_up=True)
    other = replace(a_node("x~1", machine="x", instance_id="i-x"), missing_on=other_missing_on)
    world = a_snapshot(
        absent,
        other,
        listings={CLOUD: a_listing() if other_missing_on else a_listing("x")},
        sightings=heard(a_sighting("x")),
        memory=Memory(clocks={**CLOCKS, listing_clock(CLOUD): 5_100.0}),
        elapsed_s=0.0,
    )

    after = reconcile(world, rules(), FLEET)

    assert gone == [node.name for node in after.nodes if node.state is NodeState.GONE and node.name == "x"]


def test_a_vanished_stranger_stays_counted_where_another_account_has_a_machine_of_its_id() -> None:
    """Ids of different accounts may be alike; forgotten at once, its place would be bought a second time."""
    other = ProviderName("other")
    namesake = replace(a_node("y", instance_id="i-x"), offer=replace(OFFER, provider=other))
    elsewhere = replace(a_listing(), instances=(an_instance("y", instance_id="i-x"),))
    world = a_snapshot(
        namesake,
        listings={CLOUD: a_listing(), other: elsewhere},
        sightings=heard(a_sighting("y")),
        memory=Memory(
            clocks=CLOCKS, strangers=(Stranger(provider=CLOUD, instance=an_instance("x"), since_on=4_990.0),)
        ),
    )

    assert ["x"] == [stranger.instance.name for stranger in found(world).memory.strangers]
