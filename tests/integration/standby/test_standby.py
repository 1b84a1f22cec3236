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
from tests.integration.standby.pair import FIRST, SECOND, TICK_S, said_at, start_both

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def a_flood(count: int, seed: int) -> dict[int, float]:
    """Tasks of 0.2 to 1 s."""
    dice = random.Random(seed)
    return {number: round(dice.uniform(0.2, 1.0), 3) for number in range(count)}


def test_a_standby_takes_over_within_two_ticks_under_flood_and_nothing_is_doubled(
    set_pair: Callable[..., Stage], record_property: Callable[[str, object], None]
) -> None:
    """`kill -9` while the pool grows: the ceiling holds, no machine is made twice, each task is done once."""
    stage = set_pair()
    stage.send(a_flood(200, seed=11))
    leader, _ = start_both(stage)
    wait_until(stage.machines, 30, f"the first machines\n{stage.tail()}", pause_s=0.05)
    leader.kill()
    leader.wait()
    killed_at = time.time()

    stage.wait_until_said("daemon.started", log=SECOND)
    took_s = said_at(stage, "daemon.started", SECOND) - killed_at
    record_property("takeover_s", round(took_s, 2))
    most: Counter[str] = Counter()

    def done() -> bool:
        nonlocal most
        most |= stage.machines()
        assert len(stage.machines()) <= CEILING
        return len(stage.noted("ended")) == 200

    wait_until(done, 90, f"all tasks to end\n{stage.tail(SECOND)}", pause_s=0.5)
    stage.wait_until_empty(60)

    assert took_s <= 2 * TICK_S
    assert {1} == set(most.values())
    assert Counter(range(200)) == stage.noted("began") == stage.noted("ended")
    assert [SECOND] == [log for log in (FIRST, SECOND) if stage.said("lease.awaited", log)]


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
    wait_until(lambda: set(stage.live().values()) == {"draining"}, 30, f"drains\n{stage.tail()}")
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
