"""Two real daemons on one PostgreSQL: one leads, one stands by, and never both act. Under floods, kills and stops."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable

import pytest

from testbed.postgresql import PrivatePostgreSQL
from testbed.waiting import wait_until
from tests.integration.stage import CEILING, Stage
from tests.integration.standby.pair import (
    FIRST,
    SECOND,
    TICK_S,
    made,
    ordered_again,
    said_at,
    start_both,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


DRAIN_ENDS_S = 30.0
"""From a successor's first tick to the end of a machine whose worker drains: what it still holds (6 s), the broker's
word on it (7 s: its statistics' interval and margin), the worker's own end (10 s), and a tick between each."""


def a_flood(count: int, seed: int) -> dict[int, float]:
    """Tasks of 0.2 to 1 s."""
    dice = random.Random(seed)
    return {number: round(dice.uniform(0.2, 1.0), 3) for number in range(count)}


def test_a_standby_takes_over_within_two_ticks_under_flood_and_nothing_is_doubled(
    set_pair: Callable[..., Stage], record_property: Callable[[str, object], None]
) -> None:
    """`kill -9` while the pool grows: within two ticks the successor has written down a tick of its own.

    Of these the lease takes at most 1.9, so a tick is long here beside what a first tick takes on a busy machine. The
    ceiling holds, no machine is ordered twice, each task is done once.
    """
    tick_s = 8.0
    stage = set_pair(tick_s=tick_s)
    leader, _ = start_both(stage)
    stage.send(a_flood(200, seed=11))
    wait_until(stage.machines, 30, f"the first machines\n{stage.tail()}", pause_s=0.05)
    assert [] == stage.said("daemon.started", SECOND)
    leader.kill()
    leader.wait()
    killed_at = time.time()

    stage.wait_until_said("pool.decided", log=SECOND)
    took_s = said_at(stage, "pool.decided", SECOND) - killed_at
    record_property("takeover_s", round(took_s, 2))
    most: Counter[str] = Counter()

    def done() -> bool:
        nonlocal most
        most |= stage.machines()
        assert len(stage.machines()) <= CEILING
        return len(stage.noted("ended")) == 200

    wait_until(done, 90, f"all tasks to end\n{stage.tail(SECOND)}", pause_s=0.5)
    stage.wait_until_empty(90)

    assert 0.0 < said_at(stage, "daemon.started", SECOND) - killed_at
    assert took_s <= 2 * tick_s
    assert {1} == set(most.values())
    assert ([], set()) == (ordered_again(stage), made(stage) - stage.nodes().keys())
    assert Counter(range(200)) == stage.noted("began") == stage.noted("ended")
    assert [SECOND] == [log for log in (FIRST, SECOND) if stage.said("lease.awaited", log)]


def test_a_drain_under_way_under_flood_is_ended_by_the_successor_without_a_gap(
    set_pair: Callable[..., Stage], record_property: Callable[[str, object], None]
) -> None:
    """`kill -9` while a worker drains and the queue is full: the machine ends in time, and no task is lost."""
    task_s = 6.0
    stage = set_pair(slots=2, ceiling=2)
    leader, _ = start_both(stage)
    assert 0 == stage.run("hold", "flood", "2", "--for", "1h").returncode
    stage.wait_until_serving(2)
    stage.send({**dict.fromkeys(range(4), task_s), **{4 + n: 0.5 for n in range(120)}})
    wait_until(lambda: len(stage.noted("began")) >= 4, 30, "all slots to be at work")
    assert 0 == stage.run("hold", "flood", "1", "--for", "1h").returncode
    (draining,) = wait_until(
        lambda: [each["node"] for each in stage.said("node.moved") if each["after"] == "draining"],
        30,
        lambda: f"a drain\n{stage.tail()}",
    )
    assert ([], 2) == (stage.said("daemon.started", SECOND), len(stage.machines()))
    leader.kill()
    leader.wait()
    killed_at = time.time()

    wait_until(
        lambda: draining not in stage.machines(), 90, f"the drained machine to end\n{stage.tail(SECOND)}"
    )
    took_s = time.time() - killed_at
    record_property("drained_s", round(took_s, 2))
    record_property("still_flooded", len(stage.noted("ended")) < 124)
    stage.wait_until_ended(124, 90)

    assert took_s <= 2 * TICK_S + DRAIN_ENDS_S
    assert 1 == len(stage.machines())
    assert ([], 2) == (ordered_again(stage), len(made(stage)))
    assert Counter(range(124)) == stage.noted("began") == stage.noted("ended")


def test_a_stopped_leader_is_succeeded_and_acts_no_more_when_it_goes_on(
    set_pair: Callable[..., Stage], record_property: Callable[[str, object], None]
) -> None:
    """SIGSTOP amid drains: the successor ends them. After SIGCONT the old one does nothing and leaves with 75."""
    stage = set_pair(scale_in_window="1s", slots=2, ceiling=2)
    leader, _ = start_both(stage)
    assert 0 == stage.run("hold", "flood", "2", "--for", "1h").returncode
    stage.wait_until_serving(2)
    stage.send(dict.fromkeys(range(4), 12.0))
    wait_until(lambda: len(stage.noted("began")) == 4, 30, "all work to begin")
    assert 0 == stage.run("hold", "flood", "0", "--for", "1h").returncode
    wait_until(lambda: set(stage.told()) == {"draining"}, 30, lambda: f"drains\n{stage.tail()}")
    leader.send_signal(signal.SIGSTOP)
    stopped_at = time.time()

    stage.wait_until_said("daemon.started", log=SECOND)
    took_s = said_at(stage, "daemon.started", SECOND) - stopped_at
    record_property("takeover_s", round(took_s, 2))
    stage.wait_until_empty(60)
    stage.send({9: 0.1})
    assert 0 == stage.run("resume", "flood").returncode
    before = len(stage.said("node.moved")), len(stage.said("call.finished"))
    leader.send_signal(signal.SIGCONT)

    assert 75 == leader.wait(timeout=30)
    assert took_s <= 2 * TICK_S
    assert before == (len(stage.said("node.moved")), len(stage.said("call.finished")))
    assert 1 == len(stage.said("lease.lost"))
    stage.wait_until_ended(5, 60)
    assert Counter([*range(4), 9]) == stage.noted("began") == stage.noted("ended")


def test_a_restart_of_the_server_changes_no_leader(
    set_pair: Callable[..., Stage], postgresql: PrivatePostgreSQL
) -> None:
    """Longer away than a lease lasts: both say so once, nothing is done meanwhile, and the leader goes on."""
    stage = set_pair()
    leader, standby = start_both(stage)
    stage.wait_until_said("pool.decided")
    postgresql.kill()
    stage.wait_until_said("journal.failed", log=FIRST)
    stage.wait_until_said("journal.failed", log=SECOND)
    stage.send({0: 0.1})
    away_until = time.monotonic() + 2 * TICK_S
    while time.monotonic() < away_until:
        assert [] == stage.processes()
        time.sleep(0.5)
    postgresql.start()

    stage.wait_until_said("journal.recovered", log=FIRST)
    stage.wait_until_said("journal.recovered", log=SECOND)
    stage.wait_until_ended(1, 60)
    assert [None, None] == [leader.poll(), standby.poll()]
    assert [] == stage.said("daemon.started", SECOND)
    assert [1, 1] == [len(stage.said("journal.failed", log)) for log in (FIRST, SECOND)]


def test_of_two_that_start_at_once_one_leads_and_an_orderly_end_hands_over_at_once(
    set_pair: Callable[..., Stage],
) -> None:
    """On a database without tables. Standing by ends in order, too."""
    stage = set_pair()
    daemons = {log: stage.start_daemon(log=log) for log in (FIRST, SECOND)}

    def leaders() -> list[str]:
        return [log for log in daemons if stage.said("daemon.started", log)]

    wait_until(leaders, 30, f"one to lead\n{stage.tail()}\n{stage.tail(SECOND)}")
    (leads,) = leaders()
    (waits,) = set(daemons) - {leads}
    stage.wait_until_said("lease.awaited", log=waits)
    assert f"pid {daemons[leads].pid}" in stage.said("lease.awaited", waits)[0]["holder"]
    stage.wait_until_said("pool.decided", log=leads)

    daemons[leads].send_signal(signal.SIGTERM)
    assert 0 == daemons[leads].wait(timeout=30)
    stopped_at = said_at(stage, "daemon.stopped", leads)
    stage.wait_until_said("daemon.started", log=waits)
    assert said_at(stage, "daemon.started", waits) - stopped_at < TICK_S

    third = stage.start_daemon(log="third.log")
    stage.wait_until_said("lease.awaited", log="third.log")
    third.send_signal(signal.SIGTERM)
    assert 0 == third.wait(timeout=30)
    assert ["SIGTERM"] == [each["signal"] for each in stage.said("daemon.stopping", "third.log")]
    assert [] == stage.said("daemon.started", "third.log")
