"""A web tier behind a real nginx, scaled by the real daemon: real workers, real HTTP servers, a client that goes on.

nginx tries no second machine here, so a request to one that is gone, or not yet there, is an error to the client.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.web_tier.tier import LINGER_S, a_tier, asking, left_and_went

pytestmark = [pytest.mark.integration, pytest.mark.timeout(420)]

RATE = """\
[[pools.flood.policies]]
kind = "rate"
messages_per_s = 10
"""
FEW, MANY = 6.0, 29.0
"""Requests a second: one machine bears the few, three the many."""


def test_a_tier_grows_and_shrinks_by_its_rate_and_no_request_fails(
    set_stage: Callable[..., Stage], tmp_path: Path
) -> None:
    """1 → 3 → 1 machines, by requests a second that the machines tell a queue of. Slow requests that reach a machine
    right before it leaves are answered; each machine stands for its linger after nginx let go of it."""
    with a_tier(set_stage, tmp_path, more=RATE) as tier:
        tier.stage.start_daemon()
        tier.wait_until_published(1, 60)
        with asking(tier.port, FEW) as client:
            wait_until(lambda: client.asked > 20, 30, "the client to ask")
            client.per_s = MANY
            tier.wait_until_published(3, 150)
            wait_until(lambda: len(tier.answered()) == 3, 30, lambda: f"all to answer: {tier.answered()}")
            # A log line is written when nginx was told, what `status` reads with the tick after it.
            wait_until(
                lambda: "3 machines published" in tier.stage.run("status").stdout,
                30,
                "`status` to say so",
                pause_s=0.5,
            )
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
        assert client.asked > 300
        assert [0, 1, 2, 3] == published[:4]
        assert [2, 1] == published[-2:]
        went = left_and_went(tier)
        assert len(went) >= 2
        assert min(ended - leaving for leaving, _, ended in went) >= LINGER_S
        assert [] == tier.stage.said("upstream.failed")
        assert 0 == tier.stage.stop_daemon()
        assert 1 == len(tier.servers())
