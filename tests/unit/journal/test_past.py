"""The past as a database thins it, on each kind of it."""

from __future__ import annotations

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import PoolName
from autoscaler.journal import Journal, TickRecord, past
from tests.unit.journal.records import IMAGES, a_node
from tests.unit.views.test_history import a_sample


def test_every_kind_of_database_thins_alike(journal: Journal) -> None:
    """Whole numbers stay whole, means are numbers, other pools are left out, both ends belong to it."""
    samples = [
        a_sample(1000.0 + tick, backlog=tick, wanted=tick // 10, wait_s=tick / 2) for tick in range(101)
    ]
    other = [a_sample(1000.5, backlog=10_000, pool=PoolName("other"))]
    node = a_node(state=NodeState.READY, ordered_at=900.0, instance_id="7")
    journal.commit(TickRecord(at=1.0, samples=(*samples, *other), new_nodes=(node,), memory=Memory()))

    found = past.read(journal, IMAGES, 1000.0, 1100.0, bins=4, changes=3)

    assert [25, 25, 25, 26] == [each.samples for each in found.bins]
    assert [24, 49, 74, 100] == [each.backlog for each in found.bins]
    assert [12.0, 24.5, 37.0, 50.0] == [each.wait_s for each in found.bins]
    assert 125 == found.bins[0].completed
    assert isinstance(found.bins[0].completed, int)
    assert all(isinstance(each.serving, float) for each in found.bins)
    assert 3 == len(found.changes)
    assert all(change.after == change.before + 1 for change in found.changes)
    assert 101 == sum(samples for _, samples in found.waits)
    assert sorted(found.waits) == list(found.waits)
    assert [(node.offer, 900.0, None)] == [
        (each.offer, each.ordered_at, each.gone_at) for each in found.machines
    ]
