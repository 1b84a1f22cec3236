"""How long a machine takes to go: what is measured of it, and when it therefore leaves before paid time ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from autoscaler.core import drains, selection
from autoscaler.core.facts import CallKind, Hands, Memory, Outcome, OutcomeKind, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.reconcile import reconcile
from policies.contract import History, Traffic
from tests.unit.core.builders import (
    AT,
    CLOCKS,
    FLEET,
    POOL,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    heard,
    idle,
    rules,
    wanted,
)

S = NodeState
DRAINING = a_node(
    "n1", S.DRAINING, entered_at=AT - 40.0, entered_on=4_960.0, confirmed_on=4_970.0, worker_pid=7
)
ENDING = a_node("n1", S.DESTROYING, entered_at=AT - 25.0, stop_due=True, destroy_asks=1)
DONE = Outcome(node=ENDING.name, call=CallKind.DESTROY, kind=OutcomeKind.DONE, at=AT - 5.0)


def after(node: Node, **fields: Any) -> Memory:
    """The memory after a tick that saw this."""
    usual: dict[str, Any] = {"memory": Memory(clocks=CLOCKS), "idleness": {node.name: idle()}}
    snapshot: Snapshot = a_snapshot(node, **(usual | fields))
    return reconcile(snapshot, rules(), FLEET).memory


def measured(times: int, seconds: float) -> Traffic:
    return drains.with_drains(Traffic(), [seconds] * times, drains.longest_s(FLEET))


def test_an_idle_workers_drain_is_measured_from_the_order_to_the_confirmed_end() -> None:
    """Forty seconds to the proof, twenty more to the cloud's word, and the tick that the choice may come late."""
    assert {DRAINING.name: 40.0} == after(DRAINING).drains

    seen = after(ENDING, memory=Memory(clocks=CLOCKS, drains={ENDING.name: 40.0}), outcomes=(DONE,))

    assert (1.0, 70.0) == (seen.traffic[POOL].drains, seen.traffic[POOL].drain_s)
    again = after(ENDING, memory=replace(seen, clocks=CLOCKS), outcomes=(DONE,))
    assert 1.0 == again.traffic[POOL].drains


@pytest.mark.parametrize(
    "fields",
    [
        {"sightings": heard(a_sighting("n1", active=1))},
        {"idleness": {DRAINING.name: idle(hands=Hands(active=0, reserved=0, scheduled=1))}},
        {"idleness": {DRAINING.name: idle(unacknowledged=2)}},
        {"memory": Memory(clocks=CLOCKS, drains={DRAINING.name: -1.0})},
    ],
    ids=["it works", "it waits for a task's time", "the broker knows more", "it did before"],
)
def test_the_drain_of_a_worker_that_holds_tasks_tells_of_its_tasks(fields: dict[str, Any]) -> None:
    """Those are added elsewhere, and must not be counted twice."""
    seen = after(DRAINING, **fields)
    ended = after(ENDING, memory=replace(seen, clocks=CLOCKS), outcomes=(DONE,))

    assert {DRAINING.name: -1.0} == seen.drains
    assert 0.0 == ended.traffic[POOL].drains


def test_a_drain_that_was_not_watched_is_not_measured() -> None:
    """While we were deaf it may have been idle for long."""
    deaf = replace(DRAINING, entered_at=AT - 400.0)

    assert {DRAINING.name: -1.0} == after(deaf).drains


@pytest.mark.parametrize(
    "change",
    [{"kind": OutcomeKind.UNKNOWN}, {"kind": OutcomeKind.THROTTLED}, {"call": CallKind.STOP}],
)
def test_only_a_confirmed_end_is_an_end(change: dict[str, Any]) -> None:
    """Until then it is paid, and the drain goes on."""
    memory = Memory(clocks=CLOCKS, drains={ENDING.name: 40.0})
    seen = after(ENDING, memory=memory, outcomes=(replace(DONE, **change),))

    assert 0.0 == seen.traffic[POOL].drains
    assert {ENDING.name: 40.0} == seen.drains


def test_before_anything_is_measured_it_is_what_the_proofs_take() -> None:
    """As computed from the broker's interval and the tick."""
    assert FLEET.drain_s == drains.drain_s(Traffic(), FLEET)


@pytest.mark.parametrize(
    ("times", "seconds", "expected"),
    [(20, 60.0, 60.0), (20, 150.0, 150.0), (2, 150.0, 197.3), (20, 1.0, 30.0), (20, 9_999.0, 240.0)],
    ids=["as computed", "longer", "longer, seen twice", "shorter", "never longer than this"],
)
def test_it_is_the_mean_and_twice_the_spread_within_bounds(
    times: int, seconds: float, expected: float
) -> None:
    """The computed time counts as two drains, and fades as more are measured."""
    assert expected == pytest.approx(drains.drain_s(measured(times, seconds), FLEET), abs=0.5)


def test_a_machine_leaves_that_much_before_its_paid_time_ends() -> None:
    """The pace of a pool is that of its own machines."""
    decision = wanted(1, history=History(traffic=measured(20, 150.0)))

    pace = selection.pace(decision, a_pool(), FLEET, AT, 3)

    assert 150.0 == pytest.approx(pace.drain_s, abs=0.5)
