"""What is counted and timed: nothing is lost, nothing falls, and no label grows without end."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscaler import meters
from autoscaler.meters import MOST_SERIES, NOBODY, OTHER, Series, Tally
from tests.unit.stand_ins import FixedClock


def series(tally: Tally, meter: meters.Meter) -> dict[tuple[str, ...], Series]:
    return {each.labels: each for each in tally.read()[meter.name]}


def test_what_several_threads_count_is_added_up() -> None:
    """Calls end on threads of their own."""
    tally = Tally(FixedClock())
    with ThreadPoolExecutor(4) as pool:
        for _ in range(1_000):
            pool.submit(tally.count, meters.EVENT, "node.moved")

    assert 1_000 == series(tally, meters.EVENT)["node.moved",].total


def test_what_is_timed_stands_in_the_first_bucket_that_holds_it() -> None:
    """A bound belongs to its own bucket, as Prometheus reads `le`; what is longer than all stands beyond them."""
    clock = FixedClock()
    tally = Tally(clock)
    for lasts_s in (0.25, 0.3, 3_600.0):
        with tally.timed(meters.STAGE, meters.COMMIT):
            clock.lasted += lasts_s

    found = series(tally, meters.STAGE)[meters.COMMIT,]
    assert 3_600.55 == pytest.approx(found.total)
    assert 3 == sum(found.times)
    assert 1 == found.times[meters.STAGE.bounds.index(0.25)]
    assert 1 == found.times[meters.STAGE.bounds.index(0.5)]
    assert 1 == found.times[-1]


def test_a_thing_that_ends_in_an_error_failed() -> None:
    """The error goes on to whom it concerns, and one that said how it ended is believed."""
    tally = Tally(FixedClock())
    with pytest.raises(KeyError), tally.timed(meters.TICK):
        raise KeyError
    with contextlib.suppress(KeyError), tally.timed(meters.BROKER_REQUEST, "GET") as timing:
        timing.outcome = "unreachable"
        raise KeyError

    assert 1 == sum(series(tally, meters.TICK)[meters.FAILED,].times)
    assert 1 == sum(series(tally, meters.BROKER_REQUEST)["GET", "unreachable"].times)


@pytest.mark.parametrize("by", [0.0, -1.0, float("nan")])
def test_a_counter_never_falls(by: float) -> None:
    """Whatever it is given."""
    tally = Tally(FixedClock())
    tally.count(meters.ARRIVED, "images", by=2.0)
    tally.count(meters.ARRIVED, "images", by=by)

    assert 2.0 == series(tally, meters.ARRIVED)["images",].total


def test_a_counter_begins_with_the_first_look_and_not_with_the_first_count() -> None:
    """Prometheus sees a rise only from a number that was there before."""
    tally = Tally(FixedClock())
    tally.count(meters.ARRIVED, "images", by=0.0)

    assert 0.0 == series(tally, meters.ARRIVED)["images",].total


def test_labels_without_end_are_counted_as_one() -> None:
    """They should be few; where they are not, memory is bounded and nothing is lost."""
    tally = Tally(FixedClock())
    for number in range(MOST_SERIES + 10):
        tally.count(meters.ARRIVED, f"pool-{number}")
    found = series(tally, meters.ARRIVED)

    assert MOST_SERIES + 1 == len(found)
    assert 10.0 == found[OTHER,].total


def test_nobody_counts_nothing_and_is_no_trouble() -> None:
    """What is played or asked once is the same without meters."""
    NOBODY.count(meters.EVENT, "node.moved")
    with NOBODY.timed(meters.STAGE, meters.THINK) as timing:
        timing.outcome = "anything"


def test_the_catalogue_has_each_name_once_and_every_known_series_whole() -> None:
    """Counters end in `_total`, and what is timed in its unit."""
    names = [meter.name for meter in meters.METERS]

    assert len(names) == len(set(names))
    for meter in meters.METERS:
        assert meter.name.startswith("autoscaler_")
        assert meter.name.endswith("_seconds" if meter.bounds else "_total")
        assert list(meter.bounds) == sorted(set(meter.bounds))
        assert all(len(labels) == len(meter.labels) for labels in meter.known)
