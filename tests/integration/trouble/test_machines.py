"""Trouble with machines: workers that never come, orders refused, answers lost. Healthy pools beside them work on."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import APP, Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

_POOL = """
[pools.{pool}]
queues = ["{pool}"]
slots = 1

[pools.{pool}.limits]
min_workers = {workers}
max_workers = {workers}

[[pools.{pool}.policies]]
kind = "backlog"
messages_per_worker = 1

[pools.{pool}.timeouts]
create = "5s"
enrol = "5s"
silence = "6s"

[[pools.{pool}.offers]]
provider = "{provider}"

[pools.{pool}.bootstrap]
app = "no_such_module"
directory = "{app}"
"""


def a_pool(pool: str, provider: str, workers: int = 1) -> str:
    """A pool that wants so many workers and no more, whatever waits."""
    return _POOL.format(pool=pool, provider=provider, workers=workers, app=APP)


def a_cloud(name: str, fault: str) -> str:
    """An account at a cloud in memory that always meets this fault."""
    return f'\n[providers.{name}]\nkind = "simulated"\n{fault} = 1.0\n'


def moves(stage: Stage, pool: str) -> list[dict[str, Any]]:
    return [each for each in stage.said("node.moved") if each["pool"] == pool]


def bought(stage: Stage, pool: str) -> list[str]:
    """The names that were ordered for a pool, oldest first."""
    return [each["node"] for each in moves(stage, pool) if each["before"] == "none"]


def gaps_s(stage: Stage, pool: str) -> list[float]:
    """Seconds between the orders of a pool."""
    at = [
        datetime.fromisoformat(each["timestamp"]).timestamp()
        for each in moves(stage, pool)
        if each["before"] == "none"
    ]
    return [later - earlier for earlier, later in itertools.pairwise(at)]


def test_a_worker_that_never_enrols_is_replaced_and_its_neighbours_work_on(
    set_stage: Callable[..., Stage],
) -> None:
    """An application that cannot be imported: each machine gets its time, is ended, and the next has a new name."""
    stage = set_stage(slots=2, ceiling=1, more_pools=a_pool("broken", "here", workers=2))
    most = 0

    def gone() -> list[str]:
        nonlocal most
        machines = stage.machines()
        # None yet: its process bears the mark a moment before it is the keeper.
        assert {0, 1} >= set(machines.values()), machines
        most = max(most, sum("-broken-" in name for name in machines))
        return [each["node"] for each in moves(stage, "broken") if each["after"] == "gone"]

    stage.start_daemon()
    wait_until(lambda: len(gone()) >= 2, 60, f"two machines to be given up\n{stage.tail()}", pause_s=0.3)
    # Both pools buy the same offer; that one's workers do not enrol is no reason to let the other wait.
    stage.send(dict.fromkeys(range(10), 0.1))
    stage.wait_until_ended(10, 25)
    assert Counter(range(10)) == stage.noted("began") == stage.noted("ended")
    assert 1 == len(bought(stage, "flood"))

    # Whatever made a failing offer rest may be mended now: a new daemon tries it at once, with one machine.
    assert 0 == stage.stop_daemon()
    stage.start_daemon()
    wait_until(
        lambda: len(gone()) <= len(bought(stage, "broken")) - 1,
        30,
        f"a replacement\n{stage.tail()}",
        pause_s=0.3,
    )
    names = bought(stage, "broken")
    assert len(set(names)) == len(names) == 3
    assert 2 == most
    assert "allowed are 5 s" in stage.run("nodes", names[0], "--all").stdout


def test_refused_and_unanswered_orders_rest_or_are_settled_by_looking(
    set_stage: Callable[..., Stage],
) -> None:
    """No stock: said, and the offer rests. No answer: never sent twice, found by listing or given up by its time."""
    troubles = {"refused": "refuse_creates", "unanswered": "lose_answers", "unsent": "lose_requests"}
    more_pools = [
        a_cloud(f"at-{pool}", fault) + a_pool(pool, f"at-{pool}") for pool, fault in troubles.items()
    ]
    stage = set_stage(slots=2, ceiling=1, more_pools="".join(more_pools))
    stage.send(dict.fromkeys(range(10), 0.1))
    stage.start_daemon()

    def lives(pool: str) -> list[tuple[str, str]]:
        """What became of the first machine of a pool: each state and why."""
        return [
            (each["after"], each["reason"])
            for each in moves(stage, pool)
            if each["node"] == bought(stage, pool)[0]
        ]

    wait_until(
        lambda: all(moves(stage, pool) and lives(pool)[-1][0] == "gone" for pool in troubles),
        60,
        f"the first order of each pool to be settled\n{stage.tail()}",
        pause_s=0.3,
    )
    status = stage.run("status").stdout
    stage.wait_until_ended(10, 60)

    assert ["creating", "gone"] == [state for state, _ in lives("refused")]
    assert "create refused" in lives("refused")[-1][1]
    assert 30 <= min([*gaps_s(stage, "refused"), 30])
    assert "no offer can be asked now" in status
    assert "resting for" in status
    assert ("booting", "the provider lists it") in lives("unanswered")
    assert ["creating", "destroying", "gone"] == [state for state, _ in lives("unsent")]
    unanswered = [each["node"] for each in stage.said("call.refused") if each["kind"] == "unknown"]
    assert {bought(stage, "unanswered")[0], bought(stage, "unsent")[0]} <= set(unanswered)
    assert len(set(unanswered)) == len(unanswered)
    assert Counter(range(10)) == stage.noted("began") == stage.noted("ended")
    assert [] == stage.said("tick.failed")
