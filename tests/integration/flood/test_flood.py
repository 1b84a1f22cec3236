"""What the program is for: a flood in a real queue makes real workers appear, do the work, and go. Nothing is lost."""

from __future__ import annotations

import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import CEILING, Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

TASKS = 600
OLD_CELERY = Path(__file__).parents[3] / ".venv-celery53" / "bin" / "python"


def a_flood(seed: int, count: int = TASKS) -> dict[int, float]:
    """Tasks of 0.2 to 1 s."""
    dice = random.Random(seed)
    return {number: round(dice.uniform(0.2, 1.0), 3) for number in range(count)}


def once_each(count: int = TASKS) -> Counter[int]:
    return Counter(range(count))


@pytest.mark.parametrize(
    "celery",
    [sys.executable, str(OLD_CELERY)],
    ids=["newest Celery", "Celery 5.3"],
)
def test_a_flood_is_done_exactly_once_and_the_pool_drains_to_nothing(
    set_stage: Callable[..., Stage], celery: str
) -> None:
    """From 0 workers to the ceiling and back, with late acks: 600 tasks, each begun once and ended once."""
    stage = set_stage(acks_late=True, worker_python=celery)
    stage.send(a_flood(1))
    stage.start_daemon()

    wait_until(lambda: len(stage.machines()) == CEILING, 60, f"the pool to reach its ceiling\n{stage.tail()}")
    stage.wait_until_ended(TASKS, 240)
    stage.wait_until_empty(90)

    assert (once_each(), once_each()) == (stage.noted("began"), stage.noted("ended"))
    assert stage.stop_daemon() == 0
    assert len(stage.nodes()) == CEILING
    assert stage.processes() == []


def test_with_early_acks_no_task_is_lost(set_stage: Callable[..., Stage]) -> None:
    """Celery's default: the broker forgets a task when it begins, so only the worker's word keeps its machine alive."""
    stage = set_stage(acks_late=False, prefetch=4)
    stage.send(a_flood(2))
    stage.start_daemon()

    stage.wait_until_ended(TASKS, 240)
    stage.wait_until_empty(90)

    assert once_each() == stage.noted("ended")


def test_ten_kills_of_the_daemon_lose_nothing_and_double_nothing(set_stage: Callable[..., Stage]) -> None:
    """`kill -9` at ten random moments, a restart each time: tasks done once, no double machine, accounts that agree."""
    stage = set_stage(acks_late=True)
    dice = random.Random(3)
    stage.send(a_flood(3))
    for _ in range(10):
        stage.start_daemon()
        time.sleep(dice.uniform(0.3, 6.0))  # the moment is the test: nothing is waited for
        stage.kill_daemon()
        machines = stage.machines()
        assert max(machines.values(), default=0) <= 1, machines
        assert len(machines) <= CEILING, machines
    stage.start_daemon()

    stage.wait_until_ended(TASKS, 240)
    stage.wait_until_empty(120)

    assert once_each() == stage.noted("ended")
    assert stage.asked("nodes", "--cloud")["agree"] is True
    assert stage.live() == {}


def test_load_that_returns_takes_draining_workers_back_and_buys_nothing(
    set_stage: Callable[..., Stage],
) -> None:
    """Long tasks keep the workers draining; new work undrains them, and no machine is bought."""
    stage = set_stage(acks_late=True, scale_in_window="1s")
    # Each worker holds one long task and so cannot finish its drain before the second wave comes.
    stage.send(dict.fromkeys(range(CEILING * 4), 25.0) | {100 + n: 0.2 for n in range(60)})
    stage.start_daemon()
    wait_until(lambda: len(stage.noted("began")) >= 12, 60, f"work to begin\n{stage.tail()}")
    before = {each["node"] for each in stage.said("node.moved")}
    stage.run("hold", "flood", "0", "--for", "1h")
    wait_until(lambda: set(stage.told()) == {"draining"}, 30, lambda: f"drains\n{stage.tail()}")

    stage.run("resume", "flood")
    stage.send({200 + number: 0.5 for number in range(100)})

    wait_until(lambda: set(stage.told()) == {"ready"}, 30, lambda: f"workers taken back\n{stage.tail()}")
    stage.wait_until_ended(CEILING * 4 + 160, 120)
    assert before == set(stage.nodes())
    assert max(stage.noted("ended").values()) == 1


def test_a_broker_that_is_away_for_a_minute_costs_no_node(set_stage: Callable[..., Stage]) -> None:
    """In mid-flood it stops and comes back: nobody is sent away or replaced meanwhile, and the work goes on."""
    stage = set_stage(acks_late=True)
    stage.send(a_flood(4))
    stage.start_daemon()
    stage.wait_until_ended(100, 120)
    wait_until(lambda: set(stage.live().values()) == {"ready"}, 60, f"all workers to serve\n{stage.tail()}")
    before = stage.live()

    stage.broker.stop()
    away_until = time.monotonic() + 60
    while time.monotonic() < away_until:
        assert before == stage.live()
        time.sleep(2)
    stage.broker.start()

    # A task whose acknowledgement fell into the outage is delivered again: late acks promise "at least once".
    stage.wait_until_ended(TASKS, 240)
    stage.wait_until_empty(120)
    assert set(before) == set(stage.nodes())


def test_why_tells_in_words_and_the_decision_replays(set_stage: Callable[..., Stage]) -> None:
    """An operator asks why; the stored decision gives the same number when it is made again."""
    stage = set_stage(acks_late=True)
    stage.send(dict.fromkeys(range(30), 0.2))
    stage.start_daemon()
    stage.wait_until_ended(30, 120)

    words = stage.run("why", "flood").stdout
    told = stage.asked("why", "flood")

    assert "flood" in words
    assert "worker" in words
    assert told["replays"] is True
    assert stage.stop_daemon() == 0
