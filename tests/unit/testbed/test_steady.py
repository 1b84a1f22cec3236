"""A run is flat where nothing grows at rest: each way to grow is noticed, and noise is not."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from testbed import steady
from testbed.steady import Bound, Sample, Verdict

HOURS_S = 2 * 3600.0
EVERY_S = 15
MEMORY, COUNT = Bound(share=0.05, more=3.0), Bound()


def judged(
    value: Callable[[float], float | None],
    bound: Bound,
    rest: Callable[[float], bool] = lambda _: True,
    whole_s: float = HOURS_S,
) -> Verdict:
    """Of one figure that is so at each second."""
    samples = [
        Sample(at_s=at, rest=rest(at), figures={} if (figure := value(at)) is None else {"x": figure})
        for at in range(0, int(whole_s), EVERY_S)
    ]
    (verdict,) = steady.judged(samples, {"x": bound}, whole_s)
    return verdict


def test_what_stays_the_same_is_flat_and_its_figures_are_told() -> None:
    """Medians of both quarters, no growth, and how many looks tell so."""
    expected = Verdict(figure="x", flat=True, first=23.0, last=23.0, grows=0.0, allowed=0.0, samples=420)

    assert expected == judged(lambda _: 23.0, COUNT)


def test_one_handle_that_stays_open_is_not_flat() -> None:
    """It is no noise: at rest a count is what it was."""
    assert not judged(lambda at: 23.0 + (at > HOURS_S * 0.7), COUNT).flat


def test_a_slow_leak_of_memory_is_not_flat_and_one_within_the_bound_is() -> None:
    """100 MiB may become 108: a leak of 6 MiB an hour is noticed, one of 3 is not."""
    assert not judged(lambda at: 100 + 6 * at / 3600, MEMORY).flat
    assert judged(lambda at: 100 + 3 * at / 3600, MEMORY).flat


def test_growth_that_the_last_quarter_gives_back_shows_in_the_slope() -> None:
    """Quarters alone would not see it: what falls back as the run ends has grown all the same."""
    last_quarter_s = HOURS_S - (HOURS_S - steady.WARM_S) / 4
    verdict = judged(lambda at: 100 + 30 * at / 3600 if at < last_quarter_s else 115, MEMORY)

    assert verdict.first is not None
    assert verdict.last is not None
    assert verdict.last - verdict.first <= verdict.allowed
    assert not verdict.flat


def test_a_step_between_the_quarters_that_the_slope_misses_shows_in_the_medians() -> None:
    """One handle more from late on: most pairs are level, so the median slope is zero, and the quarters differ."""
    verdict = judged(lambda at: 23.0 + (at > HOURS_S * 0.79), COUNT)

    assert 0.0 == verdict.grows
    assert not verdict.flat


def test_what_grows_in_the_first_quarter_of_an_hour_is_warm_up() -> None:
    """Pools of threads fill, caches too; what a short run leaves out is an eighth of it."""
    assert judged(lambda at: min(at, steady.WARM_S), COUNT).flat
    assert 0.125 * 480 == steady.warm_s(480)


def test_what_is_seen_at_work_or_while_somebody_looks_does_not_count() -> None:
    """Handles that load takes and gives back are no leak."""
    assert judged(lambda at: 23.0 if at % 60 == 0 else at, COUNT, rest=lambda at: at % 60 == 0).flat


def test_noise_and_single_outliers_are_flat() -> None:
    """A broker that restarts drops connections for some looks; memory goes up and down by some MiB."""
    dice = random.Random(1)

    assert judged(lambda at: 0.0 if 3600 < at < 3700 else 2.0, COUNT).flat
    assert judged(lambda _: 120 + dice.uniform(-4, 4), MEMORY).flat


@pytest.mark.parametrize("after_s", [0.0, HOURS_S / 2])
def test_what_was_not_seen_at_rest_is_not_called_flat(after_s: float) -> None:
    """Neither a figure that is never had, nor one that is only had in one half."""
    verdict = judged(lambda at: 1.0 if at < after_s else None, COUNT)

    assert (False, None, None) == (verdict.flat, verdict.first, verdict.last)


def test_what_shrinks_is_flat() -> None:
    """Nobody is woken at night by memory that is given back."""
    assert judged(lambda at: 200 - at / 100, COUNT).flat


def test_the_slope_is_the_median_of_all_pairs() -> None:
    """By hand: slopes of (0, 0), (1, 1), (2, 4) are 1, 2 and 3; one point has none."""
    assert 2.0 == steady.slope([(0, 0), (1, 1), (2, 4)])
    assert 0.0 == steady.slope([(0, 7)])
