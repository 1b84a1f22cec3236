"""A web tier behind a real nginx, scaled by the real daemon: real workers, real HTTP servers, a client that goes on.

nginx tries no second machine here, so a request to one that is gone, or not yet there, is an error to the client.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.web_tier.tier import LINGER_S, Tier, a_tier, asking

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]

RATE = """\
[[pools.flood.policies]]
kind = "rate"
messages_per_s = 10
"""
FEW, MANY = 6.0, 29.0
"""Requests a second: one machine bears the few, three the many."""


def at(event: dict[str, str]) -> float:
    return datetime.fromisoformat(event["timestamp"]).timestamp()


def hold(stage: Stage, workers: int) -> None:
    """Fix the pool's number."""
    answer = stage.run("hold", "flood", str(workers), "--for", "1h")
    assert answer.returncode == 0, answer.stderr


def left_and_went(tier: Tier) -> list[tuple[float, float, float]]:
    """Of each machine that was given back: when it was told to leave, was proven idle, and ended."""
    moves = tier.stage.said("node.moved")
    found = []
    for leaving in (each for each in moves if each["after"] == "draining"):
        ending = next(m for m in moves if m["node"] == leaving["node"] and m["after"] == "destroying")
        found.append((at(leaving), at(ending), tier.machines.ended_at[leaving["node"]]))
    return found


def test_a_tier_grows_and_shrinks_by_its_rate_and_no_request_fails(
    set_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """1 → 3 → 1 machines, by requests a second that the machines tell a queue of. Slow requests that reach a machine
    right before it leaves are answered; each machine stands for its linger after nginx let go of it."""
    with a_tier(set_stage, tmp_path, more=RATE) as tier:
        tier.stage.start_daemon()
        tier.wait_until_published(1, 60)
        checked = tier.stage.run("check", "--online").stdout
        with asking(tier.port, FEW) as client:
            wait_until(lambda: client.asked > 20, 30, "the client to ask")
            client.per_s = MANY
            tier.wait_until_published(3, 150)
            wait_until(lambda: len(tier.answered()) == 3, 30, lambda: f"all to answer: {tier.answered()}")
            status = tier.stage.run("status").stdout
            client.per_s = FEW
            slow = threading.Event()

            def ask_slowly() -> None:
                while not slow.wait(0.7):
                    threading.Thread(target=client.ask, args=("/slow",)).start()

            asker = threading.Thread(target=ask_slowly)
            asker.start()
            try:
                tier.wait_until_published(1, 180)
                tier.wait_until_ended(2, 60)
            finally:
                slow.set()
                asker.join(10)
            asked = client.asked
            wait_until(lambda: client.asked > asked + 20, 30, "the client to go on")

        published = [each["servers"] for each in tier.stage.said("upstream.published")]
        assert [] == client.wrong
        assert client.asked > 1000
        assert [0, 1, 2, 3] == published[:4]
        assert [2, 1] == published[-2:]
        assert "3 machines published" in status
        assert f"{tier.file} can be written by this user" in " ".join(checked.split())
        went = left_and_went(tier)
        assert len(went) >= 2
        assert min(ended - leaving for leaving, _, ended in went) >= LINGER_S
        assert [] == tier.stage.said("upstream.failed")
        assert 0 == tier.stage.stop_daemon()
        assert 1 == len(tier.servers())


def test_what_nginx_cannot_be_told_ends_nothing(set_stage: Callable[..., Stage], tmp_path: Path) -> None:
    """A reload that hangs, then a check that says no: it is said, ticks go on, no machine that nginx knows is ended,
    the former file is there again, no request fails; and all of it happens once nginx can be told."""
    with a_tier(set_stage, tmp_path) as tier, contextlib.ExitStack() as asked:
        stage = tier.stage
        stage.start_daemon()
        tier.wait_until_published(1, 60)
        hold(stage, 2)
        tier.wait_until_published(2, 60)
        client = asked.enter_context(asking(tier.port, FEW))

        tier.trouble("reload", "sleep 60")
        hold(stage, 1)
        stage.wait_until_said("upstream.failed", deadline_s=60)
        time.sleep(LINGER_S + 10.0)  # so long after its line went a machine is ended, if nginx was told
        hanging, standing = stage.run("status").stdout, len(tier.world.panel.servers)
        ticks = [each["took_s"] for each in stage.said("tick.overran")]
        tier.trouble("reload", None)
        tier.wait_until_published(1, 60)
        mended_at = time.time()
        tier.wait_until_ended(1, 90)
        went_s = time.time() - mended_at

        before = tier.file.read_text()
        tier.trouble("check", "echo 'nginx: [emerg] unknown directive'; exit 1")
        failed = len(stage.said("upstream.failed"))
        hold(stage, 2)
        stage.wait_until_said("upstream.failed", times=failed + 1, deadline_s=60)
        refused = stage.run("status").stdout
        wait_until(lambda: tier.file.read_text() == before, 10, "the former file to be there again")
        tier.trouble("check", None)
        tier.wait_until_published(2, 60)

        assert [] == client.wrong
        assert client.asked > 100
        assert 2 == standing
        assert "did not end within 5 s" in hanging
        assert "1 leaving until requests to it have ended" in hanging
        assert "unknown directive" in refused
        assert went_s >= LINGER_S
        assert max(ticks, default=0.0) < 4.0
        assert [] == stage.said("tick.hangs")


def test_a_daemon_that_was_killed_goes_on_where_it_was_and_a_section_taken_away_lets_its_machines_out(
    set_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """The file outlives the daemon; what somebody wrote into it does not outlive the next one. Without its section the
    file takes nobody in, and still no machine is ended while nginx knows it."""
    with a_tier(set_stage, tmp_path) as tier, contextlib.ExitStack() as asked:
        stage = tier.stage
        stage.start_daemon()
        tier.wait_until_published(1, 60)
        hold(stage, 2)
        tier.wait_until_published(2, 90)
        client = asked.enter_context(asking(tier.port, FEW))
        right = tier.file.read_text()

        stage.kill_daemon()
        time.sleep(2.0)
        alone = tier.file.read_text()
        tier.file.write_text("nonsense;\n")
        published = len(stage.said("upstream.published"))
        stage.start_daemon()
        stage.wait_until_said("upstream.published", times=published + 1, deadline_s=60)
        again = tier.file.read_text()

        with_section = stage.config.read_text()
        stage.config.write_text(with_section.replace(tier.section, ""))
        removed = stage.asked("reload")
        hold(stage, 3)
        stage.wait_until_serving(3)
        entered = len(tier.servers())
        stage.config.write_text(with_section)
        stage.asked("reload")
        tier.wait_until_published(3, 60)
        stage.config.write_text(with_section.replace(tier.section, ""))
        stage.asked("reload")
        hold(stage, 1)
        tier.wait_until_ended(2, 120)
        left = len(tier.servers())

        assert right == alone == again
        assert "upstream" in removed["says"]
        assert 2 == entered
        assert 1 == left
        assert min(ended - leaving for leaving, _, ended in left_and_went(tier)) >= LINGER_S
        assert [] == client.wrong
        assert client.asked > 100
