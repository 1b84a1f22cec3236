"""The commands against a real broker, a real daemon and real worker processes."""

from __future__ import annotations

import os
import pty
import re
import secrets
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.integration.stage import AUTOSCALER, Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """A RabbitMQ of this module's own."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), statistics_interval_s=1.0) as running:
        yield running


@pytest.fixture
def stage(broker: PrivateRabbitMQ, tmp_path: Path) -> Iterator[Stage]:
    """One fleet, taken down whatever happened."""
    fleet = f"cli-{secrets.token_hex(3)}"
    broker.add_vhost(fleet)
    made = Stage(directory=tmp_path / fleet, broker=broker, fleet=fleet, vhost=fleet)
    yield made
    made.close()


def rewrite(stage: Stage, before: str, after: str) -> None:
    text = stage.config.read_text()
    assert before in text
    stage.config.write_text(text.replace(before, after))


def started(stage: Stage) -> None:
    """A daemon that ticks."""
    stage.start_daemon()
    wait_until(
        lambda: stage.run("status").returncode == 0 and stage.asked("status")["daemon"]["running"],
        60,
        f"the daemon to tick\n{stage.tail()}",
        pause_s=0.5,
    )


def test_check_online_finds_real_parts_sound_and_makes_nothing(stage: Stage) -> None:
    """Broker, AMQP, queues, offers; the journal is still to be made by the daemon."""
    done = stage.run("check", "--online")

    assert 0 == done.returncode, done.stdout
    assert "problem" not in done.stdout
    assert "is fine" in done.stdout
    assert not (stage.directory / "journal.db").exists()


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ('username = "autoscaler"', 'username = "nobody"', "broker"),
        ('vhost = "', 'vhost = "no-', "broker"),
        ('amqp_url = "amqp://127.0.0.1:', 'amqp_url = "amqp://127.0.0.1:1#', "workers"),
    ],
)
def test_check_online_names_what_does_not_answer(stage: Stage, before: str, after: str, where: str) -> None:
    """A user, a virtual host, a port that are wrong; the password is never shown."""
    rewrite(stage, before, after)
    stage.config.write_text(re.sub(r":1#\d+", ":1", stage.config.read_text()))

    done = stage.run("check", "--online")

    assert 69 == done.returncode, done.stdout + done.stderr
    assert re.search(rf"^{where}\n(ok .*\n)*problem ", done.stdout, re.MULTILINE), done.stdout
    assert stage.broker.password not in done.stdout + done.stderr


def test_plan_says_what_would_be_done_and_does_nothing(stage: Stage) -> None:
    """Not even an empty journal is made."""
    stage.send(dict.fromkeys(range(100), 0.1))
    wait_until(lambda: "100 waiting" in stage.run("plan").stdout, 60, "the broker's figures", pause_s=0.5)

    done = stage.run("plan")
    facts = stage.asked("plan")

    assert 0 == done.returncode
    assert "flood: 0 → 3 workers" in done.stdout
    assert 3 == done.stdout.count("would buy ")
    assert ["CreateNode"] * 3 == [action["do"] for action in facts["pools"][0]["actions"]]
    assert not (stage.directory / "journal.db").exists()
    assert [] == stage.processes()


def test_plan_without_a_broker_says_what_it_could_not_see(stage: Stage) -> None:
    """And that this is why nothing would be done."""
    rewrite(stage, f"http://127.0.0.1:{stage.broker.management_port}", "http://127.0.0.1:1")

    done = stage.run("plan")

    assert 69 == done.returncode
    assert "could not be seen: demand of flood" in done.stdout
    assert "would do nothing" in done.stdout


def test_orders_are_carried_out_and_answered_beside_a_running_daemon(stage: Stage) -> None:
    """Hold buys, destroy is refused to what may hold work, drain and resume give back; cloud and journal agree."""
    started(stage)

    held = stage.run("hold", "flood", "1", "--for", "1h")
    wait_until(lambda: "ready" in stage.live().values(), 60, f"a worker\n{stage.tail()}", pause_s=0.5)
    (node,) = stage.live()
    planned = stage.run("plan")
    refused = stage.run("destroy", node)
    cloud = stage.asked("nodes", "--cloud")
    resumed = stage.run("resume", "flood")
    stage.wait_until_empty(60)

    assert (0, 0, 0) == (held.returncode, resumed.returncode, planned.returncode)
    assert "held at 1 worker" in held.stdout
    assert "would do nothing" in planned.stdout
    assert (1, True) == (refused.returncode, "may hold work" in refused.stdout)
    assert cloud["agree"] is True
    assert {"active": 0, "reserved": 0, "scheduled": 0} == cloud["nodes"][0]["hands"]
    assert 0 == stage.stop_daemon()


def test_a_second_daemon_is_told_who_holds_the_lease(stage: Stage) -> None:
    """Exit 75, and the first goes on."""
    started(stage)

    second = stage.run("run")

    assert 75 == second.returncode
    assert f"pid {stage.daemons[0].pid}" in second.stderr
    assert stage.daemons[0].poll() is None
    assert 0 == stage.stop_daemon()


def test_a_machine_whose_record_was_lost_is_found(stage: Stage) -> None:
    """The daemon was killed and its journal deleted: `orphans` shows what still runs and costs."""
    rewrite(stage, "max_workers = 3", "max_workers = 3\nmin_workers = 1")
    started(stage)
    wait_until(lambda: "ready" in stage.live().values(), 60, f"a worker\n{stage.tail()}", pause_s=0.5)
    (node,) = stage.live()
    stage.kill_daemon()
    for file in stage.directory.glob("journal.db*"):
        file.unlink()

    told = stage.run("orphans")
    facts = stage.asked("orphans")

    assert 0 == told.returncode
    assert "autoscaler sweep" in told.stdout
    assert [(node, 0.01)] == [(o["instance"]["name"], o["price_per_h"]) for o in facts["orphans"]]


def test_a_watched_page_renews_itself_until_ctrl_c(stage: Stage) -> None:
    """On a terminal; it ends without a traceback, as something that was asked to end."""
    started(stage)
    terminal, theirs = pty.openpty()
    watching = subprocess.Popen(
        [AUTOSCALER, "status", "--watch"],
        env=stage.environment | {"TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        shown = _read_until(terminal, b"last tick", times=2)
        watching.send_signal(signal.SIGINT)
        # Somebody looks on to the end: a terminal that nobody reads blocks whoever writes to it.
        shown += _read_to_the_end(terminal)
        code = watching.wait(timeout=20)
    finally:
        watching.kill()
        os.close(terminal)

    assert 0 == code
    assert b"Traceback" not in shown
    assert 0 == stage.stop_daemon()


def _read_until(terminal: int, what: bytes, *, times: int, deadline_s: float = 30.0) -> bytes:
    shown = b""
    end = time.monotonic() + deadline_s
    while shown.count(what) < times:
        assert time.monotonic() < end, shown
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65_536)
    return shown


def _read_to_the_end(terminal: int, *, deadline_s: float = 20.0) -> bytes:
    shown = b""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                shown += os.read(terminal, 65_536)
            except OSError:  # the other end is closed and nothing is left
                break
    return shown
