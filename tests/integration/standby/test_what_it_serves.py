"""What the one of a pair that stands by answers, on an address of its own and on one that the leader has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from testbed import ports
from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.integration.standby.pair import FIRST, SECOND, start_both
from tests.integration.web.served import BEARER, KEYS, TOKEN

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_the_one_that_stands_by_answers_and_takes_orders(set_pair: Callable[..., Stage]) -> None:
    """It is well and not ready, names the leader, shows the fleet, and hands an order on to who leads."""
    stage = set_pair(listen="127.0.0.1:0", web=KEYS, secrets={"WEB_TOKEN": TOKEN})
    start_both(stage)
    stage.wait_until_said("web.opened", log=SECOND)
    url = stage.said("web.opened", SECOND)[-1]["url"]
    leader = stage.said("lease.awaited", SECOND)[-1]["holder"]

    wait_until(lambda: leader in requests.get(f"{url}readyz", timeout=10).text, 30, "the leader's first tick")
    ready = requests.get(f"{url}readyz", timeout=10)
    assert (503, True) == (ready.status_code, ready.text.startswith("stands by: "))
    assert 200 == requests.get(f"{url}healthz", timeout=10).status_code
    assert ["flood"] == [p["pool"] for p in requests.get(f"{url}api/v1/pools", timeout=10).json()["pools"]]
    wish = {"kind": "pause", "target": "flood"}
    assert 202 == requests.post(f"{url}api/v1/orders", json=wish, headers=BEARER, timeout=10).status_code
    stage.wait_until_said("order.answered", log=FIRST)


def test_who_takes_over_serves_at_the_address_of_the_one_before(set_pair: Callable[..., Stage]) -> None:
    """Both on one computer, with one configuration: the second says once that the address is taken."""
    port = ports.free_port()
    stage = set_pair(listen=f"127.0.0.1:{port}")
    leader, second = start_both(stage)
    stage.wait_until_said("web.failed", log=SECOND)
    leader.kill()
    leader.wait()

    stage.wait_until_said("daemon.started", log=SECOND)
    stage.wait_until_said("web.opened", log=SECOND)
    wait_until(lambda: requests.get(f"http://127.0.0.1:{port}/readyz", timeout=10).ok, 30, "its first tick")
    assert (None, 1) == (second.poll(), len(stage.said("web.failed", SECOND)))
