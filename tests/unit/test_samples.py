"""What a tick keeps for later: the sample of each pool."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core import supply
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from policies.contract import Flow
from tests.unit.core.builders import POOL, a_demand, a_node, a_sighting, a_snapshot, heard
from tests.unit.test_loop import SEEN, Stage


def test_a_sample_holds_what_was_counted_and_what_was_busy() -> None:
    """A backtest plays again what arrived; what nobody counted is not nought."""
    stage = Stage()
    counted = a_demand(3, 2, flow=Flow(arrived=7, completed=4, over_s=9.5))
    for look in (counted, a_demand(3, 2), Missing(why="the broker is down")):
        stage.seen = replace(SEEN, demand={POOL: look})
        stage.tick()

    samples = [sample for record in stage.journal.records for sample in record.samples]
    assert [(7, 4, 9.5, 0), (None, None, None, 0), (None, None, None, 0)] == [
        (sample.arrived, sample.completed, sample.counted_s, sample.busy) for sample in samples
    ]


def test_the_tasks_of_workers_that_leave_are_busy_slots_too() -> None:
    """How long tasks ran is told by busy slots over completions, and these complete some."""
    serving = a_node("serving", state=NodeState.READY)
    leaving = a_node("leaving", state=NodeState.DRAINING)
    snapshot = a_snapshot(
        serving, leaving, sightings=heard(a_sighting("serving", active=2), a_sighting("leaving", active=1))
    )

    assert 3 == supply.busy((serving, leaving), snapshot)
    assert supply.busy((serving,), replace(snapshot, sightings=Missing(why="deaf"))) is None
