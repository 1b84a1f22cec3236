"""A web tier whose nginx cannot be told, and whose daemon is killed: the client that goes on sees nothing of it.

As beside, nginx tries no second machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.web_tier.tier import LINGER_S, a_tier, asking, hold, left_and_went

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]

PER_S = 6.0


def test_what_nginx_cannot_be_told_ends_nothing(set_stage: Callable[..., Stage], tmp_path: Path) -> None:
    """A reload that hangs, then a check that says no: it is said, ticks go on, no machine that nginx knows is ended,
    the former file is there again, no request fails; and all of it happens once nginx can be told."""
    with a_tier(set_stage, tmp_path) as tier, contextlib.ExitStack() as asked:
        stage = tier.stage
        stage.start_daemon()
        tier.wait_until_published(1, 60)
        hold(stage, 2)
        tier.wait_until_published(2, 60)
        client = asked.enter_context(asking(tier.port, PER_S))

        tier.trouble("reload", "sleep 60")
        hold(stage, 1)
        stage.wait_until_said("upstream.failed", deadline_s=60)
        time.sleep(LINGER_S + 10.0)  # so long after its line went a machine is ended, if nginx was told
        hanging, standing = stage.run("status").stdout, len(tier.world.panel.servers)
        tier.trouble("reload", None)
        tier.wait_until_published(1, 60)
        mended_at = time.time()
        tier.wait_until_ended(1, 90)
        went_s = time.time() - mended_at

        before = tier.file.read_text()
        tier.trouble("check", "echo 'nginx: [emerg] unknown directive'; exit 1")
        hold(stage, 2)
        # A log line is written when the check fails, what `status` reads with the tick after it.
        wait_until(
            lambda: "unknown directive" in stage.run("status").stdout, 60, "`status` to say why", pause_s=0.5
        )
        wait_until(lambda: tier.file.read_text() == before, 10, "the former file to be there again")
        tier.trouble("check", None)
        tier.wait_until_published(2, 60)

        assert [] == client.wrong
        assert client.asked > 100
        assert 2 == standing
        assert "did not end within 5 s" in hanging
        assert "1 leaving until requests to it have ended" in hanging
        assert went_s >= LINGER_S
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
        client = asked.enter_context(asking(tier.port, PER_S))
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
