"""The real daemon with a real broker, and who is told of it: troubles, their ends, its own end, a change of address."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from autoscaler import vigil
from testbed.hostile_http import LOST, http_proxy
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from testbed.webhooks import Receiver, Reply, receiver
from tests.integration.stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

PATH = "/hooks/abcdefghijklmnop"


@pytest.fixture
def hook() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


def section(choice: str, variable: str = "HOOK_URL") -> str:
    return f'[[notices]]\nname = "ops"\nshape = "json"\nurl = {{ env = "{variable}" }}\ntimeout = "2s"\n{choice}\n'


def wait_until_told(stage: Stage, hook: Receiver, event: str, **fields: str) -> Any:
    """The first notice of that event with these fields."""

    def found() -> Any:
        documents = [told.document for told in hook.told]
        return next(
            (d for d in documents if d["event"] == event and fields.items() <= d["fields"].items()), None
        )

    return wait_until(
        found, 60, lambda: f"{event} to be told; {[t.document['event'] for t in hook.told]}\n{stage.tail()}"
    )


def test_a_trouble_and_its_end_are_told_and_so_are_a_reload_and_the_end_of_the_daemon(
    set_stage: Callable[..., Stage], hook: Receiver, broker: PrivateRabbitMQ
) -> None:
    """By one daemon, of which the webhook's address changes meanwhile; and the address stands nowhere."""
    with http_proxy(broker.management_port) as proxy, receiver() as other:
        stage = set_stage(
            management_url=proxy.url,
            secrets={"HOOK_URL": f"{hook.url}{PATH}", "OTHER_URL": f"{other.url}{PATH}"},
            more_pools=section('events = ["fact.missed", "daemon.*", "configuration.kept"]'),
        )
        stage.start_daemon()
        assert stage.fleet == wait_until_told(stage, hook, "daemon.started")["fleet"]

        proxy.meet(LOST)
        trouble = wait_until_told(stage, hook, "fact.missed")
        proxy.calm()
        end = wait_until_told(stage, hook, "fact.recovered", fact=trouble["fields"]["fact"])
        assert "fact.missed" == end["ends"]
        assert end["stood_s"] > 0.5

        text = stage.config.read_text()
        stage.config.write_text(text.replace("max_workers = 3", "max_workers = 3000"))
        assert 0 != stage.run("reload").returncode
        stage.config.write_text(text.replace("max_workers = 3", "max_workers = 300"))
        assert 1 == stage.run("reload").returncode
        wait_until_told(stage, hook, "configuration.kept")
        stage.config.write_text(text.replace("HOOK_URL", "OTHER_URL"))
        answer = stage.run("reload")
        assert (0, True) == (answer.returncode, "notice ops: url changed" in answer.stdout)
        assert "configuration.kept" == wait_until_told(stage, other, "configuration.reloaded")["ends"]

        assert 0 == stage.stop_daemon()
        wait_until_told(stage, other, "daemon.stopped")
    assert "abcdefgh" not in stage.tail(lines=100_000) + answer.stdout
    assert [] == stage.said("notice.failed")


def test_a_receiver_that_hangs_delays_no_tick_no_task_and_no_end(
    set_stage: Callable[..., Stage], hook: Receiver
) -> None:
    """All that is said is to be told to it, and each try lasts half a minute: a tick that waited would last as long."""
    hook.always(Reply(late_s=math.inf))
    told = section('level = "info"').replace('"2s"', '"30s"')
    stage = set_stage(secrets={"HOOK_URL": hook.url}, more_pools=told)
    stage.start_daemon()
    stage.send(dict.fromkeys(range(40), 0.2))
    stage.wait_until_ended(40, 90)
    wait_until(lambda: hook.told, 60, "a try at the receiver")
    began = time.monotonic()

    assert 0 == stage.stop_daemon()
    assert time.monotonic() - began < 20.0
    # On a busy computer a tick of a second may be a little late by itself.
    assert [] == [each for each in stage.said("tick.overran") if each["took_s"] > 10.0]
    assert [] == stage.said("tick.failed")
    assert stage.said("notice.dropped")[-1]["why"] == "the daemon ended"


def test_a_daemon_that_ends_itself_because_it_hangs_says_so(
    set_stage: Callable[..., Stage], hook: Receiver
) -> None:
    """Its last word goes out before it is over."""
    stage = set_stage(secrets={"HOOK_URL": hook.url}, more_pools=section('events = ["daemon.wedged"]'))
    daemon = stage.start_daemon(sys.executable, "-m", "tests.integration.service.wedged", "3", "3")

    assert vigil.WEDGED == daemon.wait(timeout=120)
    assert ["daemon.wedged"] == [told.document["event"] for told in hook.told]


def test_a_receiver_that_hangs_does_not_keep_a_wedged_daemon(
    set_stage: Callable[..., Stage], hook: Receiver
) -> None:
    """Whatever it was to be told: its supervisor starts another, which is worth more."""
    hook.always(Reply(late_s=math.inf))
    stage = set_stage(secrets={"HOOK_URL": hook.url}, more_pools=section('level = "info"'))
    daemon = stage.start_daemon(sys.executable, "-m", "tests.integration.service.wedged", "3", "3")

    assert vigil.WEDGED == daemon.wait(timeout=120)
