"""Bars: pieces lie within their bar, one after the other, and the shortest is still seen."""

from __future__ import annotations

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.reports import Boot
from autoscaler.web import bars, charts
from tests.unit.core.builders import AT, a_node
from tests.unit.web import made


def test_a_life_is_drawn_state_by_state() -> None:
    """From the order until now, in proportion; what lies before the time that is shown is cut off."""
    node = a_node(ordered_at=AT - 1000.0)
    pieces = bars.life(node, made.a_life(node), AT - 500.0, AT)
    whole = bars.life(node, made.a_life(node), node.ordered_at, AT)

    assert [("ready", 0, 1000)] == [(each.kind, each.x, each.width) for each in pieces]
    assert [("creating", 0, 20), ("booting", 20, 70), ("ready", 90, 910)] == [
        (each.kind, each.x, each.width) for each in whole
    ]
    assert "booting for 1 min 10 s" == whole[1].says


def test_a_life_whose_moves_were_forgotten_is_drawn_as_it_is_now() -> None:
    """Moves are purged after a month; the machine stands on."""
    node = a_node(state=NodeState.READY, entered_at=AT - 100.0)

    assert ["ready"] == [each.kind for each in bars.life(node, (), AT - 50.0, AT)]


@pytest.mark.parametrize(
    ("spent", "projected", "most"), [(0, 0, None), (1, 2, 4), (5, 9, 4), (0, 3, None), (4, 4, 4)]
)
def test_money_that_is_too_much_looks_otherwise(spent: float, projected: float, most: float | None) -> None:
    """And everything lies within the bar."""
    pieces = bars.money(spent, projected, most)

    assert all(0 <= each.x and each.x + each.width <= bars.WIDTH for each in pieces)
    assert (most is not None and projected > most) == any(each.kind == "spent-over" for each in pieces)


def test_a_boot_is_drawn_from_its_order_to_its_first_task() -> None:
    """Our own phases at both ends, the machine's between them."""
    steps = bars.boot(made.a_portrait().boot, a_node())

    assert ["machine", "booted", "application", "heartbeat", "task"] == [each.phase for each in steps]
    assert (20.0, 0) == (steps[0].took_s, steps[0].piece.x)
    assert () == bars.boot(None, a_node())
    assert () == bars.boot(Boot(), a_node())


@pytest.mark.parametrize(("known_s", "span"), [(None, "10m"), (500.0, "10m"), (4000.0, "3h"), (1e6, "6h")])
def test_a_young_pools_chart_is_as_long_as_its_past(known_s: float | None, span: str) -> None:
    """A pool's own page looks back six hours at most."""
    assert span == charts.fitting(None if known_s is None else (AT - known_s, AT), AT)
