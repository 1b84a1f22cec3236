"""What a tick keeps for later: the sample of each pool."""

from __future__ import annotations

from dataclasses import replace

from autoscaler.core.facts import Missing
from policies.contract import Flow
from tests.unit.core.builders import POOL, a_demand
from tests.unit.test_loop import SEEN, Stage


def test_a_sample_holds_what_was_counted_and_what_was_busy() -> None:
    """A backtest plays again what arrived; what nobody counted is not nought."""
    stage = Stage()
    counted = a_demand(3, 2, flow=Flow(arrived=7, completed=4, over_s=9.5))
    for look in (counted, a_demand(3, 2), Missing(why="the broker is down")):
        stage.seen = replace(SEEN, demand={POOL: look})
        stage.tick()

    samples = [sample for record in stage.journal.records for sample in record.samples]
    assert [(7, 4, 9.5, 0), (None, None, None, 0), (None, None, None, None)] == [
        (sample.arrived, sample.completed, sample.counted_s, sample.busy) for sample in samples
    ]
