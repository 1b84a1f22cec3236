"""A configuration taken in by the real daemon at work, with a real broker and real workers: or not, and why."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import APP, Stage
from tests.unit.notify_socket import NotifySocket

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_SECOND = """\
[pools.second]
queues = ["second"]
slots = 2


[pools.second.limits]
min_workers = 1
max_workers = 2

[[pools.second.policies]]
kind = "backlog"
messages_per_worker = 20

[[pools.second.offers]]
provider = "here"
price_per_hour = 0.01

[pools.second.bootstrap]
app = "flood_tasks"
source = "image"
python = "{python}"
directory = "{app}"

[pools.second.bootstrap.environment]
FLOOD_LEDGER = "{directory}/ledger"
FLOOD_ACKS_LATE = "1"
FLOOD_PREFETCH = "1"
"""


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(tmp_path / "notify") as listening:
        yield listening


def rewrite(stage: Stage, before: str, after: str) -> None:
    text = stage.config.read_text()
    assert before in text
    stage.config.write_text(text.replace(before, after))


def add_second(stage: Stage) -> None:
    more = _SECOND.format(app=APP, directory=stage.directory, python=stage.worker_python)
    stage.config.write_text(stage.config.read_text() + more)


def without_second(stage: Stage) -> None:
    text = stage.config.read_text()
    stage.config.write_text(text[: text.index("[pools.second]")])


def test_a_change_is_taken_in_at_work_and_told_in_words(
    set_stage: Callable[..., Stage], ear: NotifySocket
) -> None:
    """A flood under the old ceiling goes on under the new one; no worker is ended by it, and no task begins twice."""
    stage = set_stage(ceiling=1, secrets={"NOTIFY_SOCKET": str(ear.path)})
    daemon = stage.start_daemon()
    stage.send(dict.fromkeys(range(160), 0.5))
    first = stage.wait_until_serving(1)
    rewrite(stage, "max_workers = 1", "max_workers = 3")
    answer = stage.asked("reload")
    stage.wait_until_ended(160, 150)
    again = stage.run("reload")

    assert "carried out" == answer["state"]
    assert "flood: max_workers 1 → 3" in answer["says"]
    assert "nothing differs" in again.stdout
    (told, unchanged) = stage.said("configuration.reloaded")
    assert (["flood: max_workers 1 → 3"], []) == (told["changes"], unchanged["changes"])
    assert told["by"]
    assert 3 == len(stage.nodes())
    assert set(first) <= set(stage.nodes())
    assert {1} == set(stage.noted("began").values())
    told_systemd = [line.partition("=")[0] for line in ear.lines()]
    at = told_systemd.index("RELOADING")
    assert ["RELOADING", "MONOTONIC_USEC", "READY"] == told_systemd[at : at + 3]
    assert daemon.poll() is None
    assert 0 == stage.stop_daemon()


def test_a_wrong_file_changes_nothing_and_says_why(set_stage: Callable[..., Stage]) -> None:
    """In the middle of a flood: by the command, whose report names the line; by SIGHUP, whose report is in the log and
    in the journal. The flood is worked on by the machines that the right file allows, and no task begins twice."""
    stage = set_stage(ceiling=3)
    daemon = stage.start_daemon()
    stage.send(dict.fromkeys(range(480), 0.5))
    serving = stage.wait_until_serving(3)
    right = stage.config.read_text()
    rewrite(stage, "max_workers = 3", "max_wrokers = 3")
    refused = stage.run("reload")
    daemon.send_signal(signal.SIGHUP)
    stage.wait_until_said("configuration.kept")
    stage.config.write_text("this is [no toml")
    daemon.send_signal(signal.SIGHUP)
    stage.wait_until_said("configuration.kept", times=2)
    stage.config.write_text(right)
    mended = stage.run("reload")
    stage.wait_until_ended(480, 150)

    assert {1} == set(stage.noted("began").values())
    assert set(serving) == {moved["node"] for moved in stage.said("node.moved")}
    assert 78 == refused.returncode
    assert "max_wrokers" in refused.stderr
    slip, nonsense = stage.said("configuration.kept")
    assert ("SIGHUP", "SIGHUP") == (slip["by"], nonsense["by"])
    assert "pools.flood.limits.max_wrokers" in slip["why"]
    assert "TOML" in nonsense["why"]
    assert 0 == mended.returncode, mended.stderr
    assert [] == stage.said("tick.failed")


def test_what_only_opening_finds_changes_nothing_either(set_stage: Callable[..., Stage]) -> None:
    """A provider of a kind that is not installed, a secret that the daemon's environment lacks."""
    stage = set_stage()
    stage.start_daemon()
    stage.wait_until_said("daemon.started")
    right = stage.config.read_text()
    answers = []
    for before, after in (
        ('kind = "local"', 'kind = "elsewhere"'),
        ('password = { env = "FLOOD_PASSWORD" }', 'password = { env = "NOT_SET" }'),
    ):
        rewrite(stage, before, after)
        answers.append(stage.run("reload"))
        stage.config.write_text(right)

    assert [1, 1] == [answer.returncode for answer in answers]
    assert "elsewhere" in answers[0].stdout
    assert "NOT_SET" in answers[1].stdout
    assert 2 == len(stage.said("configuration.kept"))
    assert [] == stage.said("configuration.reloaded")


def test_a_pool_comes_and_goes_while_the_daemon_runs(set_stage: Callable[..., Stage]) -> None:
    """The new one buys at once. Taken away, which must be said twice, its worker ends its task before its machine goes,
    and the other pool's stays."""
    stage = set_stage()
    stage.start_daemon()
    stage.send({1: 0.1})
    stage.wait_until_ended(1, 60)
    add_second(stage)
    added = stage.asked("reload")
    wait_until(
        lambda: any("-second-" in name and state == "ready" for name, state in stage.live().items()),
        60,
        lambda: f"a worker of the new pool\n{stage.tail()}",
    )
    stage.queue = "second"
    stage.send({2: 6.0})
    wait_until(lambda: 2 in stage.noted("began"), 30, lambda: f"the task to begin\n{stage.tail()}")
    without_second(stage)
    refused = stage.run("reload")
    still = [name for name in stage.live() if "-second-" in name]
    removed = stage.asked("reload", "--yes")
    wait_until(
        lambda: not [name for name in stage.live() if "-second-" in name],
        90,
        lambda: f"the pool's machine to go\n{stage.tail()}",
    )

    assert "pool second: added" in added["says"]
    assert 1 == refused.returncode
    assert "the pool second is removed" in refused.stdout
    assert "--yes" in refused.stdout
    assert 1 == len(still)
    assert "pool second: removed" in removed["says"]
    assert 1 == stage.noted("ended")[2]
    assert {1} == set(stage.noted("began").values())
    moved = [each for each in stage.said("node.moved") if "-second-" in each["node"]]
    assert "its pool is no longer configured" in json.dumps(moved)


def test_a_big_jump_is_said_twice_and_a_signal_can_say_it_but_once(set_stage: Callable[..., Stage]) -> None:
    """A digit too many costs money."""
    stage = set_stage()
    daemon = stage.start_daemon()
    stage.wait_until_said("daemon.started")
    rewrite(stage, "max_workers = 3", "max_workers = 300")
    refused = stage.run("reload")
    daemon.send_signal(signal.SIGHUP)
    stage.wait_until_said("configuration.kept", times=2)
    sure = stage.run("reload", "--yes")

    assert 1 == refused.returncode
    assert "max_workers 3 → 300 is more than 5 times as much" in refused.stdout
    assert "autoscaler reload --yes" in stage.said("configuration.kept")[1]["why"]
    assert 0 == sure.returncode
    assert "flood: max_workers 3 → 300" in sure.stdout


def test_what_links_are_made_of_needs_a_restart(set_stage: Callable[..., Stage]) -> None:
    """In words, and nothing else of the file is taken in then."""
    stage = set_stage()
    stage.start_daemon()
    stage.wait_until_said("daemon.started")
    rewrite(stage, 'tick = "1s"', 'tick = "2s"')
    rewrite(stage, "max_workers = 3", "max_workers = 4")
    answer = stage.run("reload")

    assert 1 == answer.returncode
    assert "loop.tick does not change while the daemon runs" in answer.stdout
    assert [] == stage.said("configuration.reloaded")
