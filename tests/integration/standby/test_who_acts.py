"""Whether the rules of a pair are wired into the daemon that runs: each test fails without that one line of `run`."""

from __future__ import annotations

import signal
from collections.abc import Callable

import psutil
import pytest

from testbed.postgresql import PrivatePostgreSQL
from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.standby.pair import FIRST, SECOND, TICK_S, made, start_both
from tests.integration.standby.troubled import SLOW_S

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_what_a_stopped_leader_had_committed_is_not_ordered_when_it_goes_on(
    set_pair: Callable[..., Stage],
) -> None:
    """SIGSTOP between commit and order; by SIGCONT another leads, and it alone answers for that node."""
    stage = set_pair(create="5s", ceiling=1)
    leader, _ = start_both(stage, trouble="stopped")
    assert 0 == stage.run("hold", "flood", "1", "--for", "1h").returncode
    wait_until(
        lambda: psutil.Process(leader.pid).status() == psutil.STATUS_STOPPED,
        30,
        f"the leader to stop itself\n{stage.tail()}",
    )
    (ordered,) = stage.live()
    assert set() == made(stage)
    stage.wait_until_said("pool.decided", log=SECOND)
    leader.send_signal(signal.SIGCONT)

    assert 75 == leader.wait(timeout=60)
    assert ordered not in made(stage)
    wait_until(stage.machines, 60, f"the successor's own machine\n{stage.tail(SECOND)}")
    assert 1 == len(made(stage))
    assert ordered not in made(stage)
    assert 1 == len(stage.said("lease.lost"))


def test_a_tick_longer_than_the_lease_changes_no_leader(set_pair: Callable[..., Stage]) -> None:
    """Slow is not dead: the lease is renewed beside the tick."""
    assert SLOW_S > 2 * 1.5 * TICK_S - 1.0
    stage = set_pair()
    leader, standby = start_both(stage, trouble="slow")

    stage.wait_until_said("tick.overran", deadline_s=60)
    stage.send({0: 0.1})
    stage.wait_until_ended(1, 60)

    assert stage.said("tick.overran")[0]["took_s"] >= SLOW_S
    assert [None, None] == [leader.poll(), standby.poll()]
    assert ([], []) == (stage.said("daemon.started", SECOND), stage.said("lease.lost", FIRST))


def test_a_daemon_that_starts_while_its_server_is_away_waits_for_it(
    set_pair: Callable[..., Stage], postgresql: PrivatePostgreSQL
) -> None:
    """A supervisor would give up one that ends at once, time after time. Who waits ends in order, too."""
    stage = set_pair()
    postgresql.kill()
    waiting, told = stage.start_daemon(log=FIRST), stage.start_daemon(log=SECOND)
    for log in (FIRST, SECOND):
        stage.wait_until_said("journal.failed", log=log)
    told.send_signal(signal.SIGTERM)
    assert 0 == told.wait(timeout=30)
    assert ["SIGTERM"] == [each["signal"] for each in stage.said("daemon.stopping", SECOND)]
    postgresql.start()

    stage.wait_until_said("daemon.started")
    assert None is waiting.poll()
    assert ([1, 1], []) == (
        [len(stage.said(event)) for event in ("journal.failed", "journal.recovered")],
        stage.said("daemon.started", SECOND),
    )
