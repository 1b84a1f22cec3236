"""Axes in units that people count in."""

from __future__ import annotations

import pytest

from autoscaler.plots import scales
from autoscaler.plots.contract import Panel, Scale, Series, Shape


@pytest.mark.parametrize(
    ("span_s", "labels"),
    [
        (45.0, ["0", "5 s", "10 s"]),
        (1800.0, ["0", "5 min", "10 min"]),
        (86_400.0, ["0", "3 h", "6 h"]),
        (3 * 86_400.0, ["0", "12 h", "1 d", "1 d 12 h"]),
        (7 * 86_400.0, ["0", "1 d", "2 d"]),
        (1000 * 86_400.0, ["0", "364 d", "728 d"]),
        (1e9, ["0", "1287 d", "2574 d"]),
    ],
)
def test_instants_are_round_and_few(span_s: float, labels: list[str]) -> None:
    """Seconds, minutes, hours, days: what a clock or a calendar counts, and no more than fit."""
    ticks = scales.time_ticks(span_s)

    assert labels == [label for _, label in ticks[: len(labels)]]
    assert len(ticks) <= 10
    assert ticks[-1][0] <= span_s


@pytest.mark.parametrize("highest", [1e-3, 0.7, 1.0, 3.18, 95.0, 1234.0, 5e9])
def test_values_have_three_to_five_marks_from_zero(highest: float) -> None:
    """Steps of 1, 2 or 5, and none above the axis."""
    ticks = scales.value_ticks(Scale.LINEAR, highest)

    assert (0.0, "0") == ticks[0]
    assert 2 <= len(ticks) <= 6
    assert ticks[-1][0] <= highest
    assert len({label for _, label in ticks}) == len(ticks)


def test_there_is_no_half_a_machine() -> None:
    """Counts have marks at whole numbers only, however few they are."""
    assert ["0", "1"] == [label for _, label in scales.value_ticks(Scale.COUNT, 1.06)]
    assert ["0", "5", "10"] == [label for _, label in scales.value_ticks(Scale.COUNT, 13.0)]


def test_durations_are_logarithmic_and_begin_at_nothing() -> None:
    """A second, a minute and an hour are all seen; zero is at the ground and the highest at the top."""
    share = scales.height(Scale.DURATION, 3600.0)

    assert (0.0, 1.0) == (share(0.0), share(3600.0))
    assert 0.05 < share(1.0) < share(60.0) - 0.3 < share(3600.0) - 0.6
    assert ["0 s", "1 s", "10 s", "1 min", "10 min", "1 h"] == [
        label for _, label in scales.value_ticks(Scale.DURATION, 3600.0)
    ]


def test_an_axis_has_room_for_its_mark_and_for_nothing_at_all() -> None:
    """A target that nobody reaches is drawn all the same, and an empty panel is no error."""
    flat = Series(name="none", owner=0, shape=Shape.LINE, points=((0.0, 0.0),))

    assert 1.0 == scales.top(Panel(title="", unit="", series=(flat,)))
    assert 120.0 < scales.top(Panel(title="", unit="", series=(flat,), mark=("target", 120.0)))
