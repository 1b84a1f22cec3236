"""Every life that was asked for is told of, however it ended, and no process is left."""

from __future__ import annotations

import os

import psutil
import pytest

from autoscaler.simulate import players
from autoscaler.simulate.contract import Scenario
from autoscaler.simulate.players import Job, Life, Play
from tests.unit.simulate import stand_ins


def play(count: int, life: Play, **options: float) -> list[Life]:
    jobs = (Job(scenario=Scenario(seed=seed)) for seed in range(count))
    told = players.play_all(jobs, life, players=2, **options)  # type: ignore[arg-type]
    return sorted(told, key=lambda life: life.job.scenario.seed)


def test_every_seed_is_played_once() -> None:
    """On two processes at once, in whatever order they end."""
    lives = play(7, stand_ins.good)

    assert list(range(7)) == [life.job.scenario.seed for life in lives]
    assert all(life.verdict is not None and not life.lost for life in lives)


@pytest.mark.parametrize(
    ("life", "says"),
    [(stand_ins.dying, "its process died (exit code 9)"), (stand_ins.raising, "a bug of the world's")],
)
def test_a_life_that_takes_its_process_with_it_is_told_with_its_seed(life: Play, says: str) -> None:
    """The other seeds are played all the same, by another process."""
    lives = play(7, life)

    assert [stand_ins.BAD_SEED] == [life.job.scenario.seed for life in lives if life.verdict is None]
    assert says in lives[stand_ins.BAD_SEED].lost
    assert 7 == len(lives)


def test_a_life_that_does_not_end_is_ended() -> None:
    """It is lost after its time, and the others are played."""
    lives = play(5, stand_ins.hanging, limit_s=2.0)

    assert "did not end within 2 s" in lives[stand_ins.BAD_SEED].lost
    assert 4 == sum(life.verdict is not None for life in lives)


def test_whoever_stops_listening_leaves_no_process() -> None:
    """As after Ctrl-C: players are ended in the middle of their lives."""
    jobs = (Job(scenario=Scenario(seed=seed)) for seed in range(stand_ins.BAD_SEED, 100))
    lives = players.play_all(jobs, stand_ins.hanging, players=2)
    next(lives)
    lives.close()

    assert [] == [
        child
        for child in psutil.Process(os.getpid()).children(recursive=True)
        if "multiprocessing.spawn" in " ".join(child.cmdline())
    ]


def test_memory_is_looked_at_each_simulated_hour() -> None:
    """So that a long life shows whether it grows."""
    life = players.perform(Job(scenario=Scenario(seed=1)), stand_ins.long)

    assert [1.0, 2.0, 3.0] == [resident.hour for resident in life.memory]
    assert all(resident.rss_bytes > 1_000_000 for resident in life.memory)
    assert all(resident.live_blocks > 10_000 for resident in life.memory)
