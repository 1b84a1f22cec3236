"""Counting: what is supply, what is merely paid, and what a decision is told."""

from __future__ import annotations

import pytest

from autoscaler.core import supply
from autoscaler.core.facts import Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import PoolName, PoolWish
from policies.contract import Hold
from tests.unit.core.builders import AT, POOL, a_node, a_pool, a_sighting, a_snapshot, heard

S = NodeState
ONE_OF_EACH = tuple(a_node(s.value, s) for s in S)


def test_each_state_is_counted_once_and_only_serving_and_arriving_are_supply() -> None:
    """A lost or leaving one may cost money, and does no work that can be counted on."""
    found = supply.supply(ONE_OF_EACH, 2, a_snapshot())

    assert (1, 2, 2, 1, 3) == (found.serving, found.arriving, found.leaving, found.lost, found.workers)


def test_all_but_gone_are_paid() -> None:
    """Whatever could be wrong by a lost answer counts towards cost."""
    assert [n.state for n in supply.billable(ONE_OF_EACH)] == [s for s in S if s is not S.GONE]
    assert supply.cost_per_h(ONE_OF_EACH) == pytest.approx(0.6)


def test_tasks_in_hand_are_those_of_serving_workers_that_were_heard() -> None:
    """Not heard at all is not zero."""
    nodes = (a_node("n1"), a_node("n2"), a_node("n3", S.DRAINING))
    seen = heard(a_sighting("n1", active=2), a_sighting("n3", active=5))

    assert supply.supply(nodes, 2, a_snapshot(sightings=seen)).tasks_in_hand == 2
    assert supply.supply(nodes, 2, a_snapshot(sightings=Missing(why="deaf"))).tasks_in_hand is None


def test_a_pools_decision_counts_its_own_nodes_alone() -> None:
    """And what could not be seen is told with its reason."""
    nodes = (a_node("n1"), a_node("n2", pool=PoolName("mail")))
    snapshot = a_snapshot(demand={POOL: Missing(why="broker down")}, sightings=Missing(why="deaf"))

    mine = supply.by_pool(nodes)[POOL]
    asked = supply.decision_input(a_pool(), snapshot, mine, snapshot.memory, None)

    assert (1, None, "broker down") == (asked.supply.serving, asked.demand, asked.demand_missing)
    assert (0, "deaf") == (asked.history.good_looks, asked.supply_missing)


@pytest.mark.parametrize(
    ("wish", "paused", "hold"),
    [
        (None, True, None),
        (PoolWish(pool=POOL, paused=False), False, None),
        (
            PoolWish(pool=POOL, hold_workers=3, hold_until_at=AT + 1),
            True,
            Hold(workers=3, until_at=AT + 1),
        ),
        (PoolWish(pool=POOL, hold_workers=3, hold_until_at=AT), True, None),
    ],
)
def test_an_operators_word_wins_over_the_configuration_until_it_ends(
    wish: PoolWish | None, paused: bool, hold: Hold | None
) -> None:
    """A pool configured as paused, and what an operator said of it since."""
    snapshot = a_snapshot()

    asked = supply.decision_input(a_pool(paused=True), snapshot, (), snapshot.memory, wish)

    assert (paused, hold) == (asked.paused, asked.hold)
