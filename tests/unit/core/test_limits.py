"""How many may be bought: every bound by name, and what counts as paid."""

from __future__ import annotations

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.limits import Room, room
from autoscaler.core.model import Node
from policies.contract import Limits
from tests.unit.core.builders import a_node, a_pool

S = NodeState


def allowed(
    limits: Limits, *nodes: Node, unrecorded: tuple[float, ...] = (), price_per_h: float = 0.1, asked: int = 9
) -> Room:
    return room(a_pool(limits=limits), nodes, unrecorded=unrecorded, price_per_h=price_per_h, asked=asked)


def test_what_no_limit_binds_is_bought_and_no_limit_is_named() -> None:
    """A bound that changed nothing is no reason."""
    assert allowed(Limits(max_workers=9), asked=2) == Room(nodes=2)


@pytest.mark.parametrize("state", [s for s in S if s is not S.GONE])
def test_every_state_but_gone_takes_a_place_under_the_ceiling(state: NodeState) -> None:
    """Whatever may be paid counts, useful or not."""
    assert allowed(Limits(max_workers=2), a_node(state=state)).nodes == 1
    assert allowed(Limits(max_workers=2), a_node(state=S.GONE)).nodes == 2


def test_a_ceiling_already_passed_allows_none_and_never_less() -> None:
    """It may have been lowered."""
    nodes = [a_node(f"n{i}") for i in range(4)]

    assert allowed(Limits(max_workers=2), *nodes, unrecorded=(0.1,)).nodes == 0


def test_only_unanswered_creations_count_as_in_flight() -> None:
    """The bound is on what is asked of a provider at once."""
    limits = Limits(max_workers=9, max_creates_in_flight=2)

    found = allowed(limits, a_node("n1", S.CREATING), a_node("n2", S.BOOTING))

    assert (1, True) == (found.nodes, "max_creates_in_flight" in found.bound_by)


@pytest.mark.parametrize(
    ("budget", "price_per_h", "nodes"), [(0.3, 0.1, 3), (0.29, 0.1, 2), (0.0, 0.1, 0), (0.7, 0.07, 9)]
)
def test_a_budget_buys_as_many_as_it_pays_for(budget: float, price_per_h: float, nodes: int) -> None:
    """Adding prices up in binary loses a little, and never a whole node."""
    assert nodes == allowed(Limits(max_workers=99, max_cost_per_hour=budget), price_per_h=price_per_h).nodes


def test_what_costs_nothing_is_bought_within_the_budget_and_not_beyond_it() -> None:
    """An overspent budget buys nothing, else the plan would break its own rule and end the daemon."""
    paid = (a_node("n1"), a_node("n2"))

    assert allowed(Limits(max_workers=9, max_cost_per_hour=0.2), *paid, price_per_h=0.0).nodes == 7
    assert allowed(Limits(max_workers=9, max_cost_per_hour=0.1), *paid, price_per_h=0.0).nodes == 0


def test_machines_without_a_record_are_paid_from_the_budget_too() -> None:
    """Five strangers at 0.1 leave nothing of a budget of 0.5."""
    limits = Limits(max_workers=99, max_cost_per_hour=0.5)

    assert (5, 1, 0) == tuple(allowed(limits, unrecorded=(0.1,) * n).nodes for n in (0, 4, 5))
