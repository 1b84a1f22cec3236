"""What serving workers hold besides what they run: who is asked when, what is believed, and what becomes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from autoscaler.core import holdings, supply
from autoscaler.core.facts import SIGHTINGS_CLOCK, Hands, Holding, Memory, Missing, Snapshot
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reconcile import reconcile
from policies.account import explain
from policies.contract import DecisionInput
from policies.decide import decide
from policies.sentence import sentence
from tests.unit.core.builders import (
    CLOCKS,
    FLEET,
    POOL,
    a_demand,
    a_node,
    a_pool,
    a_sighting,
    a_snapshot,
    heard,
    rules,
)

NOW_ON = CLOCKS[SIGHTINGS_CLOCK]
HELD = Memory(clocks=CLOCKS, held_by_broker={POOL: 40})
NODES = tuple(a_node(f"n{n}") for n in range(30))


def asked(ago_s: float, *, answered: bool = True, reserved: int = 0, scheduled: int = 0) -> Holding:
    return Holding(reserved=reserved, scheduled=scheduled, asked_on=NOW_ON - ago_s, answered=answered)


def given(
    holding: Holding | None, *, active: int = 0, backlog: int = 0, in_progress: int = 40
) -> DecisionInput:
    """The input of a decision about one worker of two slots, of whom that is known, beside an idle one."""
    nodes = (a_node("n1"), a_node("n2"))
    snapshot = a_snapshot(
        *nodes,
        demand={POOL: a_demand(backlog, in_progress)},
        sightings=heard(a_sighting("n1", active=active), a_sighting("n2")),
        memory=replace(HELD, holdings={} if holding is None else {nodes[0].name: holding}),
    )
    return supply.decision_input(a_pool(), snapshot, nodes, snapshot.memory, None)


def test_nobody_is_asked_while_the_broker_holds_nothing() -> None:
    """There is nothing to tell apart."""
    assert () == holdings.to_ask(NODES, Memory(clocks=CLOCKS))


def test_a_bounded_number_is_asked_at_a_time_the_longest_unasked_first() -> None:
    """Their answers list whole tasks, so a large pool has its turn within minutes."""
    known = {node.name: asked(61.0 + number) for number, node in enumerate(NODES[:15])}

    found = holdings.to_ask(NODES, replace(HELD, holdings=known))

    assert 20 == len(found)
    assert {node.worker for node in NODES[15:]} == set(found[:15])
    assert [node.worker for node in reversed(NODES[10:15])] == list(found[15:])


@pytest.mark.parametrize(
    ("state", "known", "due"),
    [
        (NodeState.READY, None, True),
        (NodeState.READY, asked(59.0), False),
        (NodeState.READY, asked(60.0), True),
        (NodeState.READY, asked(500.0, answered=False), False),
        (NodeState.READY, asked(600.0, answered=False), True),
        (NodeState.DRAINING, None, False),
        (NodeState.LOST, None, False),
    ],
)
def test_each_is_asked_once_a_minute_and_one_who_is_mute_seldom(
    state: NodeState, known: Holding | None, due: bool
) -> None:
    """A worker without threads for it answers between two tasks only; those who leave are asked every tick anyway."""
    node = a_node("n1", state)

    found = holdings.to_ask((node,), replace(HELD, holdings={node.name: known} if known else {}))

    assert ((node.worker,) if due else ()) == found


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Hands(active=1, reserved=2, scheduled=3), (2, 3, True)),
        (Missing(why="no answer"), (0, 0, False)),
        (Hands(active=1, reserved=cast("int", None), scheduled=3), (0, 0, False)),
    ],
)
def test_an_answer_is_remembered_and_nonsense_is_none(
    answer: Hands | Missing, expected: tuple[int, int, bool]
) -> None:
    """What could not be read back would spoil the whole memory."""
    node = a_node("n1")
    snapshot = a_snapshot(node, hands={node.worker: answer}, memory=HELD, demand={POOL: a_demand(0, 12)})

    after = reconcile(snapshot, rules(), FLEET).memory

    found = after.holdings[node.name]
    assert expected == (found.reserved, found.scheduled, found.answered)
    assert {POOL: 12} == after.held_by_broker


def test_who_serves_no_more_is_forgotten_and_what_is_unseen_stays() -> None:
    """Memory is of those who serve; a broker that is down changes nothing."""
    gone = replace(HELD, holdings={a_node("gone").name: asked(5.0)})
    after = reconcile(
        a_snapshot(a_node("n1"), memory=gone, demand={POOL: Missing(why="down")}), rules(), FLEET
    ).memory

    assert ({}, {POOL: 40}) == (after.holdings, after.held_by_broker)


def test_tasks_that_wait_for_their_time_are_no_work_now() -> None:
    """Forty are delivered, thirty-seven of them for later: the policies see three, and the operator reads why."""
    found = given(asked(5.0, scheduled=37), active=2)
    decision = decide(found)

    assert found.demand is not None
    assert (3, 37) == (found.demand.in_progress, found.supply.scheduled)
    assert 1 == decision.recommended
    assert "37 tasks wait on workers for their time (ETA)" in sentence(decision)


@pytest.mark.parametrize(
    "holding", [None, asked(181.0, scheduled=37), asked(5.0, scheduled=37, answered=False)]
)
def test_what_nobody_said_lately_counts_as_work(holding: Holding | None) -> None:
    """Too many workers for a while are better than too few."""
    found = given(holding)

    assert found.demand is not None
    assert (40, None) == (found.demand.in_progress, found.supply.scheduled)


def test_no_more_waits_for_its_time_than_the_broker_knows_of() -> None:
    """The workers' word may be a minute old, and what was due has begun meanwhile."""
    found = given(asked(50.0, scheduled=37, reserved=9), active=2, in_progress=10)

    assert found.demand is not None
    assert (0, 10, 0) == (found.demand.in_progress, found.supply.scheduled, found.supply.prefetched)


@pytest.mark.parametrize(("active", "backlog", "named"), [(2, 0, True), (1, 0, False), (2, 5, False)])
def test_prefetched_tasks_are_named_while_others_idle(active: int, backlog: int, named: bool) -> None:
    """Of workers whose slots are all busy, and while nothing else waits: else it is no harm."""
    decision = decide(given(asked(5.0, reserved=12), active=active, backlog=backlog))

    says = (
        "12 tasks are prefetched by busy workers while 1 worker idles: "
        "set worker_prefetch_multiplier = 1 (and task_acks_late)"
    )
    assert named is (says in sentence(decision))
    assert "prefetched by workers" in explain(decision)


@pytest.mark.parametrize(
    ("in_progress", "prefetched"),
    [(14, 12), (5, 5), (2, 0), (1, 1)],
    ids=["late acks", "fewer than a minute ago", "late acks, those that run", "early acks"],
)
def test_what_was_prefetched_a_minute_ago_may_run_now(in_progress: int, prefetched: int) -> None:
    """The broker's word is newer: with late acks it holds the two that run, with early ones only what waits."""
    found = given(asked(50.0, reserved=12), active=2, in_progress=in_progress)

    assert prefetched == found.supply.prefetched


def test_without_sight_of_the_workers_nothing_is_subtracted() -> None:
    """Whose word it was cannot be told any more."""
    snapshot: Snapshot = a_snapshot(NODES[0], sightings=Missing(why="deaf"))
    words: dict[str, Any] = {"holdings": {NODES[0].name: asked(5.0, scheduled=3)}}

    found = holdings.held(NODES[:1], snapshot, replace(HELD, **words), a_demand(0, 5))

    assert (None, None, 0) == (found.scheduled, found.prefetched, found.idle)
