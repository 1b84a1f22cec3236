"""Numbers in words."""

import pytest

from policies import phrases


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s"), (0, "0 s"), (0.4, "1 s"), (38.9, "38 s"), (60, "1 min"), (250, "4 min 10 s"), (3600, "1 h"),
     (3605, "1 h"), (6720, "1 h 52 min"), (273_600, "3 d 4 h")],
)  # fmt: skip
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    """Two units are enough to plan by, and a wait that is not over never reads 0 s."""
    assert said == phrases.duration(seconds)


@pytest.mark.parametrize(("number", "said"), [(0, "no workers"), (1, "1 worker"), (2, "2 workers")])
def test_a_count_agrees_with_its_noun(number: int, said: str) -> None:
    """Sentences are read aloud."""
    assert said == phrases.count(number, "worker")
