"""The watch over a cell of the crash matrix: trouble of its own is told, and never taken for a clean life."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.crashes.play import _Watch
from tests.unit.stand_ins import wait_for


class Cloud:
    """Whose n-th look fails where `fails` says so; then two machines of one name stand."""

    def __init__(self, *fails: int) -> None:
        self.asked, self._fails = 0, fails

    def standing(self) -> Counter[str]:
        self.asked += 1
        if not self._fails or self.asked in self._fails:
            raise OSError("connection reset")
        return Counter({"x": 2})

    def live(self) -> dict[str, str]:
        return {"x": "ready"}


@contextmanager
def watching(cloud: Any) -> Iterator[_Watch]:
    watch = _Watch(cloud, cloud)
    try:
        yield watch
    finally:
        watch.stop()


def test_a_look_that_fails_is_told_and_the_watching_goes_on() -> None:
    """A cell that was looked at once and then no more would be called clean."""
    cloud = Cloud(1)
    with watching(cloud) as watch:
        wait_for(lambda: watch.looks, "a look after the one that failed")

    assert ["a look failed: OSError: connection reset", "x stands 2 times"] == watch.problems


def test_a_cell_that_nobody_looked_at_is_not_clean() -> None:
    """However quiet it was."""
    cloud = Cloud()
    with watching(cloud) as watch:
        wait_for(lambda: cloud.asked >= 2, "looks that fail")

    assert 0 == watch.looks
    assert "nobody looked on" in watch.problems
