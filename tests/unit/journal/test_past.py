"""The past as a database thins it, on each kind of it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

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


def test_a_past_is_asked_by_few_statements_however_often_its_number_moved(journal: Journal) -> None:
    """Each statement is kept compiled, and prepared by each connection: one for each number of changes is a leak."""
    moves = [a_sample(1000.0 + tick, wanted=tick // 2) for tick in range(120)]
    journal.commit(TickRecord(at=1.0, samples=tuple(moves), memory=Memory()))
    with journal.reading("find the engine") as connection:
        engine = connection.engine
    said: set[str] = set()

    def hear(_: Any, __: Any, statement: str, *___: Any) -> None:
        said.add(statement)

    sa.event.listen(engine, "before_cursor_execute", hear)
    try:
        found = [
            past.read(journal, IMAGES, 1000.0, 1002.0 + 2 * moved, bins=1 + moved, changes=60)
            for moved in range(1, 56)
        ]
    finally:
        sa.event.remove(engine, "before_cursor_execute", hear)

    assert list(range(1, 56)) == [len(each.changes) for each in found]
    assert 3 >= sum("greatest_0" in each for each in said)
    assert 3 >= sum("fewest_wanted" in each for each in said)
