"""What the log says of machines that stand elsewhere: when it is found, when it changes, and when it is over."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core.lifecycle import NodeState
from providers.contract import Listing
from tests.unit.core.builders import CLOUD, POOL, a_node, a_sighting, an_instance, heard
from tests.unit.test_loop import SEEN, Stage


def looked(stage: Stage, location: str) -> None:
    """A tick on which the machine of `n1` is listed there."""
    machines = (an_instance(location=location),)
    stage.seen = replace(
        SEEN, listings={CLOUD: Listing(instances=machines, complete=True)}, sightings=heard(a_sighting())
    )
    stage.tick()


def test_a_machine_elsewhere_is_said_once_and_again_when_the_place_is_another() -> None:
    """As an error: somebody promised where data are. The end of it is said, too."""
    stage = Stage(residency=("NO",))
    stage.journal.nodes = (a_node(state=NodeState.READY),)

    for location in ("sto", "sto", "ber"):
        looked(stage, location)
    stage.journal.nodes = ()
    stage.seen = SEEN
    stage.tick()

    told = stage.said("machine.misplaced")
    assert ["sto", "ber"] == [fields["location"] for fields in told]
    assert {
        "machine": "n1",
        "pool": POOL,
        "provider": CLOUD,
        "location": "sto",
        "country": "not known",
        "allowed": ["NO"],
    } == told[0]
    assert [{"machine": "n1", "provider": CLOUD}] == stage.said("misplacement.ended")


def test_the_pools_sentence_says_it_on_every_tick() -> None:
    """`why` reads it there, at whatever time it is asked about."""
    stage = Stage(residency=("NO",))
    stage.journal.nodes = (a_node(state=NodeState.READY),)

    looked(stage, "sto")
    looked(stage, "sto")

    says = "n1 stands where it may not: in which country sto at cloud is, is not known; residency allows NO"
    assert all(says in record.decisions[0].sentence for record in stage.journal.records)
