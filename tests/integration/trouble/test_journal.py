"""Trouble with the journal and its daemons: two at once, an end, a full disk, a lost file. No task is lost by it."""

from __future__ import annotations

import json
import resource
import time
from collections import Counter
from collections.abc import Callable

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


def test_a_second_daemon_leaves_and_the_first_ends_in_order_and_is_succeeded(
    set_stage: Callable[..., Stage],
) -> None:
    """Exit 75 with the holder's name; SIGTERM is exit 0 and leaves the workers, whom the next daemon takes over."""
    stage = set_stage(slots=2, ceiling=1)
    stage.send(dict.fromkeys(range(2), 8.0))
    first = stage.start_daemon()
    nodes = stage.wait_until_serving(1)

    second = stage.run("run")
    assert 75 == second.returncode
    assert f"pid {first.pid}" in second.stderr
    assert first.poll() is None

    machines = stage.machines()
    assert 0 == stage.stop_daemon()
    assert ["SIGTERM"] == [each["signal"] for each in stage.said("daemon.stopping")]
    assert [0] == [each["left_in_flight"] for each in stage.said("daemon.stopped")]
    assert machines == stage.machines()

    stage.start_daemon()
    stage.wait_until_said("daemon.started", times=2)
    stage.wait_until_ended(2, 60)
    assert set(nodes) == set(stage.nodes())
    assert machines == stage.machines()
    assert Counter(range(2)) == stage.noted("began") == stage.noted("ended")


def test_a_full_disk_under_the_journal_stops_all_deeds_until_there_is_room(
    set_stage: Callable[..., Stage],
) -> None:
    """What cannot be written down is not done: nothing is bought, the daemon stays up, says so once, and recovers."""
    stage = set_stage(slots=2, ceiling=1)
    daemon = stage.start_daemon()
    stage.wait_until_said("pool.decided")

    # The daemon's files may grow no further than its journal has grown: that is a full disk to it, and to it alone.
    unbound = resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE)
    full = max(file.stat().st_size for file in stage.directory.glob("journal.db*"))
    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, (full, unbound[1]))
    stage.wait_until_said("journal.failed")
    stage.send(dict.fromkeys(range(10), 0.1))
    ticks_until = time.monotonic() + 9  # longer than a daemon may be silent before it counts as gone
    while time.monotonic() < ticks_until:
        assert daemon.poll() is None
        assert [] == stage.processes()
        time.sleep(0.5)
    status, facts = stage.run("status"), stage.run("status", "--json")

    assert 1 == len(stage.said("journal.failed"))
    assert "journal.db" in stage.said("journal.failed")[0]["error"]
    assert "disk" in stage.said("journal.failed")[0]["error"]
    assert 0 == status.returncode
    assert "cannot write its journal" in status.stdout
    assert json.loads(facts.stdout)["daemon"]["running"] is False
    assert {} == stage.nodes()

    resource.prlimit(daemon.pid, resource.RLIMIT_FSIZE, unbound)
    stage.wait_until_said("journal.recovered")
    stage.wait_until_ended(10, 60)
    assert Counter(range(10)) == stage.noted("ended")
    assert 1 == len(stage.nodes())


def test_orders_wait_for_a_daemon_and_each_is_answered(set_stage: Callable[..., Stage]) -> None:
    """A pause given to nobody holds the next daemon; a serving node is not destroyed by a slip; resume goes on."""
    stage = set_stage(slots=2, ceiling=1)
    stage.start_daemon()
    stage.wait_until_said("pool.decided")
    assert 0 == stage.stop_daemon()
    kept = stage.run("pause", "flood")
    stage.send({0: 8.0})
    assert 0 == kept.returncode
    assert "no daemon is running" in kept.stdout

    stage.start_daemon()
    stage.wait_until_said("order.answered")
    ticks_until = time.monotonic() + 3
    while time.monotonic() < ticks_until:
        assert [] == stage.processes()
        time.sleep(0.5)
    assert "paused" in stage.run("status").stdout

    assert 0 == stage.run("resume", "flood").returncode
    (node,) = stage.wait_until_serving(1)
    refused = stage.run("destroy", node)
    assert 1 == refused.returncode
    assert "may hold work" in refused.stdout
    assert "ready" == stage.nodes()[node]
    stage.wait_until_ended(1, 60)
    assert Counter({0: 1}) == stage.noted("began")


def test_a_forgotten_machine_that_still_stands_is_found_and_drained(
    set_stage: Callable[..., Stage],
) -> None:
    """Forgetting strikes the record, not the work: the machine comes back as a stranger, finishes, and goes."""
    stage = set_stage(slots=2, ceiling=1)
    stage.send({0: 10.0})
    stage.start_daemon()
    (node,) = stage.wait_until_serving(1)
    wait_until(lambda: stage.noted("began"), 30, "work to begin")
    assert 0 == stage.run("pause", "flood").returncode

    assert 0 == stage.run("forget", node, "--yes").returncode
    wait_until(
        lambda: "draining" in stage.live().values(), 30, f"the stranger to drain\n{stage.tail()}", pause_s=0.5
    )
    (found,) = stage.live()
    why = stage.run("nodes", found).stdout
    stage.wait_until_empty(60)

    assert found.startswith(f"{node}~")
    assert "without a record" in why
    assert [node] == [each["machine"] for each in stage.said("stranger.seen")]
    assert "forget by" in stage.run("nodes", node, "--all").stdout
    assert Counter({0: 1}) == stage.noted("began") == stage.noted("ended")


def test_a_journal_that_is_lost_under_busy_workers_loses_no_task_and_doubles_no_machine(
    set_stage: Callable[..., Stage],
) -> None:
    """An empty journal knows nobody: machines that work are found, and drained or taken back; their tasks end once."""
    stage = set_stage(slots=2, ceiling=2, scale_in_window="1s")
    stage.send(dict.fromkeys(range(24), 1.2))
    stage.start_daemon()
    before = set(stage.wait_until_serving(2))
    stage.kill_daemon()
    for file in stage.directory.glob("journal.db*"):
        file.unlink()

    stage.start_daemon()
    most: Counter[str] = Counter()

    def done() -> bool:
        nonlocal most
        most |= stage.machines()
        return len(stage.noted("ended")) == 24

    wait_until(done, 60, f"all tasks to end\n{stage.tail()}", pause_s=0.5)
    stage.wait_until_empty(60)

    assert {1} == set(most.values())
    assert before <= set(most)
    assert Counter(range(24)) == stage.noted("began") == stage.noted("ended")
    reasons = {each["reason"] for each in stage.said("node.moved") if each["before"] == "none"}
    assert any("without a record" in reason for reason in reasons), reasons
