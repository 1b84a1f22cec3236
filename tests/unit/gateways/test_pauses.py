"""Between two tries to connect: longer each time, and as short as ever once a connection held."""

from __future__ import annotations

import pytest

from autoscaler.gateways.pauses import Pauses


class Clock:
    """Goes only when it is told to."""

    def __init__(self) -> None:
        self.on = 100.0

    def monotonic(self) -> float:
        return self.on

    def now(self) -> float:
        return self.on


def test_pauses_double_up_to_a_quarter_of_a_minute() -> None:
    """A broker that is away is left in peace more and more, and never for long."""
    pauses = Pauses(Clock(), chance=lambda: 0.5)

    found = []
    for _ in range(7):
        pauses.begin()
        found.append(pauses.after_try_s())

    assert [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0] == found


def test_a_connection_that_held_begins_anew() -> None:
    """One that lasted longer than the longest pause was no failure; one that did not is."""
    clock = Clock()
    pauses = Pauses(clock, chance=lambda: 0.5)
    for _ in range(4):
        pauses.begin()
        pauses.after_try_s()

    pauses.begin()
    clock.on += 14.0
    failed_s = pauses.after_try_s()
    pauses.begin()
    clock.on += 16.0

    assert (8.0, 0.5) == (failed_s, pauses.after_try_s())


def test_who_had_nothing_to_try_tries_soon() -> None:
    """A lease may become ours at any moment."""
    pauses = Pauses(Clock(), chance=lambda: 0.5)
    for _ in range(4):
        pauses.begin()
        pauses.after_try_s()

    assert 0.5 == pauses.idle_s()
    pauses.begin()
    assert 0.5 == pauses.after_try_s()


@pytest.mark.parametrize(("chance", "pause_s"), [(0.0, 0.375), (1.0, 0.625)])
def test_chance_keeps_many_daemons_apart(chance: float, pause_s: float) -> None:
    """By a quarter, shorter or longer."""
    pauses = Pauses(Clock(), chance=lambda: chance)
    pauses.begin()

    assert pytest.approx(pause_s) == pauses.after_try_s()
