"""Every life that was asked for is told of, however it ended, and no process is left."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from autoscaler.simulate import players
from autoscaler.simulate.contract import Scenario
from autoscaler.simulate.players import Job, Life, Play
from testbed.waiting import wait_until
from tests.unit.simulate import stand_ins
from tests.unit.stand_ins import FixedClock


def our_players() -> list[psutil.Process]:
    """Those that run now."""
    children = psutil.Process(os.getpid()).children(recursive=True)
    return [child for child in children if "multiprocessing.spawn" in " ".join(child.cmdline())]


def play(count: int, life: Play) -> list[Life]:
    jobs = (Job(scenario=Scenario(seed=seed)) for seed in range(count))
    told = players.play_all(jobs, life, players=2)
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

    class Hurrying(FixedClock):
        """Stands still until all the others have ended, and then hurries."""

        def monotonic(self) -> float:
            self.lasted += 20.0 if len(told) == 4 else 0.0
            return self.lasted

    told: list[Life] = []
    jobs = (Job(scenario=Scenario(seed=seed)) for seed in range(5))
    for life in players.play_all(jobs, stand_ins.hanging, players=2, limit_s=60.0, clock=Hurrying()):
        told.append(life)  # noqa: PERF402 - the clock reads it meanwhile

    assert [stand_ins.BAD_SEED] == [life.job.scenario.seed for life in told if life.verdict is None]
    assert "did not end within 60 s" in told[-1].lost
    assert 5 == len(told)


def test_ctrl_c_ends_no_player_not_even_one_that_has_just_been_started() -> None:
    """It reaches the whole terminal and is the caller's to answer: a life that it ended would be told as lost."""

    def jobs() -> Iterator[Job]:
        yield Job(scenario=Scenario(seed=0))
        (started,) = wait_until(
            our_players, 10.0, "the player to be itself: at first it looks like its parent"
        )
        started.send_signal(signal.SIGINT)
        yield Job(scenario=Scenario(seed=1))

    assert ["", ""] == [life.lost for life in players.play_all(jobs(), stand_ins.good, players=2)]


def test_whoever_stops_listening_leaves_no_process() -> None:
    """As after Ctrl-C: players are ended in the middle of their lives."""
    jobs = (Job(scenario=Scenario(seed=seed)) for seed in range(stand_ins.BAD_SEED, 100))
    lives = players.play_all(jobs, stand_ins.hanging, players=2)
    next(lives)
    lives.close()

    assert [] == our_players()


def test_memory_is_looked_at_each_simulated_hour() -> None:
    """So that a long life shows whether it grows."""
    life = players.perform(Job(scenario=Scenario(seed=1)), stand_ins.long)

    assert [1.0, 2.0, 3.0] == [resident.hour for resident in life.memory]
    assert all(resident.rss_bytes > 1_000_000 for resident in life.memory)
    assert all(resident.live_blocks > 10_000 for resident in life.memory)
