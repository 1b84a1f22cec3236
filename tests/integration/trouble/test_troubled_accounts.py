"""Pools on three accounts, one of which answers 429 and one of which hangs: whoever buys at the third is unaffected.

The whole daemon with real workers, its accounts three regions of moto behind three middlemen. Its time-out for a look
is twice its tick, so that nothing but not waiting keeps ticks on time.
"""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from testbed import hostile_http
from testbed.hostile_http import NEVER, HttpProxy, http_proxy
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.contract import moto_world
from tests.contract.moto_world import Moto
from tests.integration.crashes.clouds import Rented
from tests.integration.stage import APP, Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

TICK_S = 2.0
LATE_S = 1.5
"""How much later than a tick the next may be written down, on a computer that has other work, too."""
TROUBLE_S = 20.0
RETRY_AFTER_S = 3
REGIONS = {"busy": "eu-west-1", "slow": "us-west-2"}
LIST, CREATE = "DescribeInstances", "RunInstances"

_ELSEWHERE = """
[providers.{name}]
kind = "libcloud"
driver = "ec2"
key = {{ env = "FLOOD_KEY" }}
secret = {{ env = "FLOOD_SECRET" }}
region = "{region}"
host = "127.0.0.1"
port = {port}
secure = false
settle = "2s"

[pools.{name}]
queues = ["{name}"]
slots = 1

[pools.{name}.limits]
min_workers = 1
max_workers = 1

[[pools.{name}.policies]]
kind = "backlog"
messages_per_worker = 1

[pools.{name}.timeouts]
enrol = "5m"
call = "3s"

[[pools.{name}.offers]]
provider = "{name}"
size = "{size}"
image = "{image}"
price_per_hour = 0.01

[pools.{name}.bootstrap]
app = "flood_tasks"
directory = "{app}"
broker_url = {{ env = "FLOOD_WORKER_URL" }}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """The stage, and the middlemen before the two accounts that will be in trouble."""

    stage: Stage
    busy: HttpProxy
    slow: HttpProxy


@pytest.fixture
def accounts(broker: PrivateRabbitMQ, tmp_path: Path) -> Iterator[Accounts]:
    with ExitStack() as ending:
        moto = ending.enter_context(moto_world.running())
        here, busy, slow = (ending.enter_context(http_proxy(moto.port)) for _ in range(3))
        broker.add_vhost("three")
        cloud = Rented(moto, "three", broker, tmp_path, link=here)
        ending.callback(cloud.close)
        elsewhere = [a_pool_elsewhere(moto, name, link) for name, link in (("busy", busy), ("slow", slow))]
        stage = Stage(
            directory=tmp_path, broker=broker, fleet="three", vhost="three", slots=2, tick=f"{TICK_S:g}s",
            scale_in_window="2s", more_pools="".join(elsewhere), **cloud.settings,
        )  # fmt: skip
        ending.callback(stage.close)
        yield Accounts(stage=stage, busy=busy, slow=slow)


def a_pool_elsewhere(moto: Moto, name: str, link: HttpProxy) -> str:
    """An account of that name in a region of its own, and a pool of that name that wants one machine there."""
    images = boto3.client(
        "ec2",
        region_name=REGIONS[name],
        endpoint_url=f"http://127.0.0.1:{moto.port}",
        aws_access_key_id="AKIATESTING",
        aws_secret_access_key="testing-secret",
    ).describe_images()["Images"]
    return _ELSEWHERE.format(
        name=name,
        region=REGIONS[name],
        port=link.port,
        size=moto_world.SIZE,
        image=images[0]["ImageId"],
        app=APP,
    )


def ticks_between(stage: Stage, since: float, until: float) -> list[float]:
    """When ticks were written down, by the journal."""
    with closing(sqlite3.connect(stage.directory / "journal.db")) as journal:
        rows = journal.execute(
            "select at from samples where pool = 'flood' and at between ? and ? order by at", (since, until)
        )
        return [at for (at,) in rows]


def bought(stage: Stage, pool: str) -> int:
    return sum(each["pool"] == pool and each["before"] == "none" for each in stage.said("node.moved"))


def test_an_account_that_answers_429_and_one_that_hangs_touch_nobody_else(accounts: Accounts) -> None:
    """The third account's pool grows and works, ticks stay on time, the one is left in peace and the other is not
    waited for; both come back by themselves, and a daemon whose account hangs ends when it is told to."""
    stage, busy, slow = accounts.stage, accounts.busy, accounts.slow
    busy.meet(hostile_http.throttled(str(RETRY_AFTER_S)))
    slow.meet(NEVER)
    stage.start_daemon()
    stage.wait_until_said("fact.missed", 2)
    asked, began = len(busy.asked), time.time()

    stage.send(dict.fromkeys(range(40), 0.5))
    stage.wait_until_ended(40, 60)
    wait_until(lambda: time.time() - began >= TROUBLE_S, TROUBLE_S, "the trouble to last a while")

    ticks = ticks_between(stage, began, time.time())
    gaps = [later - earlier for earlier, later in itertools.pairwise(ticks)]
    assert len(gaps) >= TROUBLE_S * 0.8 / TICK_S, gaps
    assert max(gaps) <= TICK_S + LATE_S, gaps
    assert [] == stage.said("tick.overran")
    assert Counter(range(40)) == stage.noted("ended")
    assert bought(stage, "flood") >= 1
    assert (0, 0) == (bought(stage, "busy"), bought(stage, "slow"))
    # It named a time, and was not asked before that was over: not for its machines, and for nothing else.
    assert len(busy.asked) - asked <= (time.time() - began) / RETRY_AFTER_S + 1
    told = stage.run("status").stdout
    assert "busy asked us to slow down" in told
    assert "not seen for" in told

    busy.calm()
    slow.calm()
    wait_until(
        lambda: (1, 1) == (bought(stage, "busy"), bought(stage, "slow")),
        60,
        f"both to come back\n{stage.tail()}",
    )
    # What is told of a machine is written down before it is ordered.
    wait_until(lambda: busy.count(CREATE) and slow.count(CREATE), 20, f"both orders\n{stage.tail()}")
    assert {1} == set(
        Counter(
            e.parameters["ClientToken"] for p in (busy, slow) for e in p.asked if e.action == CREATE
        ).values()
    )

    slow.meet(NEVER)
    wait_until(lambda: slow.count(LIST) > 0, 20, "a look that hangs")
    asked_to_end = time.monotonic()
    assert 0 == stage.stop_daemon()
    assert time.monotonic() - asked_to_end < 20.0
