"""The search for settings: it finds what is cheapest, spends no more than it may, and repeats itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest

from autoscaler.study.contract import Outcome
from autoscaler.study.knobs import Knob, Point, today
from autoscaler.study.tuning import Search

KNOBS = tuple(Knob(place=(f"k{n}",), values=tuple(range(9)), now=4) for n in range(3))


def _outcome(cost: float, kept: float) -> Outcome:
    return Outcome(
        policy="made", cost=cost, node_hours_billed=cost, node_hours_busy=0.0, wait_p50_s=0.0, wait_p95_s=0.0,
        wait_p99_s=0.0, wait_max_s=0.0, within_target=kept, tasks_arrived=1, tasks_done=1, tasks_lost=0,
        tasks_redelivered=0, creates=0, destroys=0, nodes_peak=0,
    )  # fmt: skip


class Valley:
    """The first knob buys time for money, the others are best in one place; some points are no configuration."""

    def __init__(self) -> None:
        self.whole: list[Point] = []
        self.part: list[Point] = []

    def attempt(self, points: Sequence[Point], on_all: bool) -> Iterator[tuple[Point, Outcome | None]]:
        for point in points:
            (self.whole if on_all else self.part).append(point)
            first, second, third = point
            cost = 100.0 + 10.0 * first + (second - 6) ** 2 + (third - 1) ** 2
            yield point, None if point == (3, 3, 3) else _outcome(cost, 0.98 + first / 400)


def _searched(seed: int = 0, trials: int = 60, in_time: float = 0.995) -> tuple[Search, Valley]:
    search, valley = Search(knobs=KNOBS, in_time=in_time, trials=trials, seed=seed), Valley()
    search.run(valley.attempt)
    return search, valley


@pytest.mark.parametrize("seed", range(5))
def test_the_cheapest_that_keeps_the_promise_is_found(seed: int) -> None:
    """Not the cheapest of all, which keeps less."""
    search, _ = _searched(seed)

    assert (6, 6, 1) == search.best()


def test_no_more_is_tried_than_was_allowed_and_nothing_twice() -> None:
    """Tries on a part count as the part that they are."""
    for trials in (4, 10, 60):
        search, valley = _searched(trials=trials)

        assert len(valley.whole) + len(valley.part) / 4 <= trials + 2
        assert len(valley.whole) == len(set(valley.whole))
        assert today(KNOBS) in search.found


def test_equal_seeds_search_alike() -> None:
    """In the same order, so that the number of cores makes no difference."""
    assert _searched(3)[1].whole == _searched(3)[1].whole
    assert _searched(3)[1].part != _searched(4)[1].part


def test_the_curve_holds_what_nothing_beats() -> None:
    """Each point further on costs more and keeps more."""
    search, _ = _searched()
    curve = [search.found[point] for point in search.curve()]

    assert all(a.cost < b.cost and a.within_target < b.within_target for a, b in pairwise(curve))
    assert not any(
        other.cost < one.cost and other.within_target >= one.within_target
        for one in curve
        for other in search.found.values()
    )


def test_a_knob_that_makes_no_difference_is_left_as_it_is() -> None:
    """What is written differs from today's only where that is worth something."""
    search = Search(knobs=KNOBS, in_time=0.9, trials=60, seed=1)
    search.run(lambda points, _: ((point, _outcome(abs(point[0] - 7.0), 1.0)) for point in points))

    assert (7, 4, 4) == search.best()


def test_where_nothing_keeps_the_promise_the_nearest_is_best() -> None:
    """A promise that no machine can keep is no reason to choose the cheapest."""
    assert 8 == _searched(in_time=1.0)[0].best()[0]


def test_a_pool_without_knobs_is_left_as_it_is() -> None:
    """There is today's point and nothing else."""
    search = Search(knobs=(), in_time=0.99, trials=10)
    search.run(lambda points, _: ((point, _outcome(1.0, 1.0)) for point in points))

    assert ((), 1) == (search.best(), len(search.found))
