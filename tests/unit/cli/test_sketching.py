"""Charts on a terminal: as wide as told, from zero to a round number, empty where nobody looked."""

from __future__ import annotations

import pytest

from autoscaler.cli import sketching
from autoscaler.cli.sketching import Sketch
from autoscaler.plots.contract import Calendar, Scale


def a_sketch(*values: float | None, mean: bool = False, scale: Scale = Scale.COUNT) -> Sketch:
    points = tuple((float(place), value) for place, value in enumerate(values))
    return Sketch(
        title="waiting", points=points, style="blue", scale=scale, say=lambda v: f"{v:g}", mean=mean
    )


def test_the_highest_value_reaches_as_high_as_its_share_of_the_axis() -> None:
    """The axis ends at a round number, which stands beside its top row."""
    drawn = [line.plain for line in sketching.lines(a_sketch(0, 4, 8), 3.0, 40)]

    assert "waiting" == drawn[0]
    assert drawn[1].startswith("       8 │")
    assert drawn[-1].startswith("       0 │")
    assert "█" in drawn[1]
    assert max(map(len, drawn)) <= 40
    # Half of the axis is half of the rows: 20 of 40 eighths.
    assert "▄" == drawn[3][10 + 12]


def test_a_column_keeps_the_most_of_its_points_or_their_mean() -> None:
    """A burst is not averaged away, and workers are not taken for more than there were."""
    points = tuple((place / 10, float(place % 2 * 6)) for place in range(100))

    assert [6.0] * 10 == sketching.columns(points, 10.0, 10, mean=False)
    assert [3.0] * 10 == sketching.columns(points, 10.0, 10, mean=True)


def test_between_two_looks_the_earlier_stands_and_in_a_gap_nothing() -> None:
    """Nor before the first look, nor after the last."""
    points = ((2.0, 5.0), (4.0, None), (7.0, 3.0))

    assert [None, None, 5.0, 5.0, None, None, None, 3.0, None] == sketching.columns(
        points, 9.0, 9, mean=False
    )


@pytest.mark.parametrize(
    ("scale", "highest", "expected"),
    [
        (Scale.COUNT, 0.0, 1.0),
        (Scale.COUNT, 0.4, 1.0),
        (Scale.COUNT, 7.0, 8.0),
        (Scale.LINEAR, 0.031, 0.04),
        (Scale.COUNT, 1000.0, 1000.0),
        (Scale.DURATION, 0.0, 10.0),
        (Scale.DURATION, 61.0, 120.0),
        (Scale.DURATION, 200_000.0, 259_200.0),
    ],
)
def test_axes_end_at_round_numbers(scale: Scale, highest: float, expected: float) -> None:
    """And never below what is shown."""
    assert expected == pytest.approx(sketching.top(scale, highest))


def test_what_is_more_than_nothing_is_seen() -> None:
    """One task among thousands is a line of its own, and none is none."""
    drawn = [line.plain for line in sketching.lines(a_sketch(0, 1, 10_000), 3.0, 40)]

    assert "▁" in drawn[-1]
    assert " " == drawn[-1][10]


def test_the_clock_stands_below(monkeypatch: pytest.MonkeyPatch) -> None:
    """Round instants, none over another, within the width; and signs of ASCII for a terminal that has no others."""
    calendar = Calendar(begins_at=1_790_000_000.0, ahead_s=0.0, zone="UTC")
    axis = sketching.axis(calendar, 86_400.0, 80).plain

    assert axis.endswith("UTC")
    assert "22 Sep" in axis
    assert 3 <= axis.count(":00")
    monkeypatch.setattr(sketching, "_draws_blocks", lambda: False)
    assert all(line.plain.isascii() for line in sketching.lines(a_sketch(0, 1, 2), 3.0, 40))
