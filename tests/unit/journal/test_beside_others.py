"""The journal among other processes: commands beside the daemon, `kill -9`, and a full disk."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import OrderKind
from autoscaler.journal import Journal, LeaseHeld, open_journal, orders, read
from providers.contract import NodeName
from tests.unit.journal.records import IMAGES, a_node, a_tick, a_whole_tick

ROOT = Path(__file__).parents[3]


def _start(job: str, url: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.journal.writer", job, url, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=45)
    assert 0 == process.returncode, err
    return out


def test_programs_that_start_together_make_one_journal(url: str) -> None:
    """Whoever comes first makes it; nobody fails, and nobody's orders are lost."""
    for process in [_start("order", url, 5) for _ in range(4)]:
        _finish(process)

    journal = open_journal(url)
    assert set(range(1, 21)) == {order.number for order in journal.waiting_orders()}
    journal.close()


def test_orders_and_ticks_never_fail_each_other(url: str) -> None:
    """A command writes while the daemon commits: each waits for the other's milliseconds."""
    daemon, command = _start("tick", url, 150), _start("order", url, 150)
    _finish(daemon)
    _finish(command)

    journal = open_journal(url)
    assert 150 == len(journal.live_nodes())
    assert 150 == len(journal.waiting_orders())
    journal.close()


def test_threads_may_read_and_order_while_one_commits(journal: Journal) -> None:
    """The web's threads share the daemon's journal."""
    failures: list[BaseException] = []

    def use() -> None:
        try:
            for at in range(40):
                orders.give(journal, OrderKind.DRAIN, "a", by="anna", at=float(at))
                read.last_decisions(journal)
                journal.live_nodes()
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(1, 41):
        journal.commit(a_whole_tick(number))
    for thread in threads:
        thread.join(timeout=45)

    assert [] == failures
    assert 120 == len(journal.waiting_orders())


def test_a_daemon_killed_in_mid_commit_leaves_whole_ticks_and_a_free_lease(url: str) -> None:
    """`kill -9` at any moment: each tick is there whole or not at all, none that was reported is lost, and the next
    daemon takes over: at once in a file, after the lease's term on a server."""
    reported = 0
    for kills_after in (1, 7, 2, 13, 5):
        daemon = _start("tick", url, 100_000)
        assert daemon.stdout is not None
        for _ in range(kills_after):
            reported = int(daemon.stdout.readline())
        with closing(open_journal(url)) as reader, pytest.raises(LeaseHeld):
            reader.claim("another")
        daemon.kill()
        # Not `communicate`, which passes over what `readline` has taken from the pipe and not yet handed out.
        lines = daemon.stdout.read().splitlines(keepends=True)
        daemon.wait(timeout=10)
        reported = max([reported, *(int(line) for line in lines if line.endswith("\n"))])

        with closing(open_journal(url)) as journal:
            ticks = int(journal.memory().clocks["ticks"])
            assert reported <= ticks <= reported + 1
            whole = [1000.0 + number for number in range(1, ticks + 1)]
            assert whole == [node.ordered_at for node in read.nodes(journal)]
            assert whole == [past.at for past in journal.past(0.0)[IMAGES]]
            assert whole == [sample.at for sample in read.samples_between(journal, IMAGES, 0.0, 9e9)]
            assert whole == [t.at for t in reversed(read.last_transitions(journal, limit=10**6))]


def test_a_full_disk_stops_the_journal_and_room_starts_it_again(file_url: str) -> None:
    """No space: a clear sentence, and the tick is absent as a whole. With space again the next tick is written."""
    out = _finish(_start("fill", file_url, 600_000)).splitlines()

    assert "cannot write down the tick: its disk failed, or allows no more" in out[0]
    committed, written, after = (int(word) for word in out[1].split())
    assert 0 < committed < 10_000
    assert (committed, committed + 1) == (written, after)


def test_a_journal_with_machines_of_another_fleet_alone_is_that_fleets(journal: Journal) -> None:
    """By the names that they were ordered by: a fleet whose name begins alike is another, one machine of ours is
    enough, and of what is gone, or was found without a record, nothing is concluded."""
    assert read.of_another_fleet(journal, "shop") is None
    journal.commit(
        a_tick(
            new_nodes=(
                a_node("shop-2-images-1"),
                a_node("shop-images-1~2", machine=NodeName("shop-images-1")),
                a_node("shop-images-0", state=NodeState.GONE),
            )
        )
    )

    assert "shop-2-images-1" == read.of_another_fleet(journal, "shop")
    assert read.of_another_fleet(journal, "shop-2") is None
    journal.commit(a_tick(2_000.0, new_nodes=(a_node("shop-images-3"),)))
    assert read.of_another_fleet(journal, "shop") is None
