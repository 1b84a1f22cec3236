"""Trouble with the broker: absent queues, odd names, silence, slowness, missing figures. Each is said, none harms."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from testbed.hostile_http import Answer, http_proxy
from testbed.rabbitmq import PrivateRabbitMQ
from testbed.waiting import wait_until
from tests.integration.stage import Stage

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

UNSEEN = "demand of flood"
STATISTICS = ("messages", "messages_ready", "messages_unacknowledged", "message_stats")


def bare(body: bytes) -> bytes:
    """The same answer from a broker that collects no statistics."""
    return json.dumps(without_statistics(json.loads(body))).encode()


def without_statistics(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_statistics(each) for key, each in value.items() if key not in STATISTICS}
    return [without_statistics(each) for each in value] if isinstance(value, list) else value


def missed(stage: Stage, fact: str = UNSEEN) -> list[str]:
    """Why this fact was missed, once for each time that it began to be."""
    return [each["why"] for each in stage.said("fact.missed") if each["fact"] == fact]


def wait_until_missed(stage: Stage, *, after: int = 0) -> str:
    """Why it is missed now, where it was missed so often before (a new queue has no figures for a moment)."""
    wait_until(lambda: len(missed(stage)) > after, 30, f"{UNSEEN} to be missed\n{stage.tail()}")
    return missed(stage)[-1]


def leaving(stage: Stage) -> list[str]:
    """Who was told to go."""
    return [each["node"] for each in stage.said("node.moved") if each["after"] == "draining"]


def wait_until_leaving(stage: Stage) -> None:
    wait_until(
        lambda: leaving(stage), 30, f"a worker to be drained, now that it is seen idle\n{stage.tail()}"
    )


def sentence(stage: Stage) -> str:
    """What `status` says of the pool."""
    return str(stage.asked("status")["pools"][0]["sentence"])


def test_a_queue_that_does_not_exist_buys_nothing_until_its_first_task(
    set_stage: Callable[..., Stage],
) -> None:
    """Nobody has sent anything yet: 0 workers, in words; with the first task work begins."""
    stage = set_stage(slots=2, ceiling=1)
    stage.start_daemon()
    stage.wait_until_said("pool.decided")

    said, why = sentence(stage), stage.run("why", "flood").stdout
    assert "queue 'flood' does not exist yet" in said
    assert "queue 'flood' does not exist yet" in why
    assert [] == stage.processes()
    assert [] == stage.said("fact.missed")

    stage.send(dict.fromkeys(range(5), 0.1))
    stage.wait_until_ended(5, 60)
    assert Counter(range(5)) == stage.noted("ended")


def test_a_vhost_with_a_slash_and_a_password_with_every_odd_character_work(
    set_stage: Callable[..., Stage],
) -> None:
    """`a/b` in the API's paths, in the AMQP address and in the workers' own address; and nobody shows the password."""
    stage = set_stage(vhost="a/b", slots=2, ceiling=1, scale_in_window="1s")
    stage.send(dict.fromkeys(range(20), 0.1))
    stage.start_daemon()

    stage.wait_until_ended(20, 60)
    stage.wait_until_empty(60)

    assert Counter(range(20)) == stage.noted("ended")
    assert 0 == stage.stop_daemon()
    assert stage.broker.password not in (stage.directory / "daemon.log").read_text()


def test_a_broker_that_is_down_when_the_daemon_starts_is_waited_for(
    set_stage: Callable[..., Stage],
) -> None:
    """It says once what it cannot see, buys nothing, and takes up the work when the broker comes."""
    stage = set_stage(slots=2, ceiling=1)
    stage.send(dict.fromkeys(range(10), 0.1))
    stage.broker.stop()
    stage.start_daemon()
    why = wait_until_missed(stage)
    ticks_until = time.monotonic() + 4
    while time.monotonic() < ticks_until:
        assert [] == stage.processes()
        time.sleep(0.5)
    status = stage.run("status")

    assert stage.broker.management_url in why
    assert "cannot be reached" in why
    assert 0 == status.returncode
    assert "could not be seen" in status.stdout
    assert [1, 1] == [len(missed(stage)), len(missed(stage, "workers"))]
    assert {} == stage.nodes()

    stage.broker.start()
    stage.wait_until_ended(10, 150)
    assert Counter(range(10)) == stage.noted("ended")
    facts = {UNSEEN, "workers", "machines that become workers"}
    wait_until(
        lambda: facts == {each["fact"] for each in stage.said("fact.recovered")}, 60, "all to be seen again"
    )


def test_a_slow_broker_buys_and_drains_nothing_and_does_not_slow_the_ticks(
    set_stage: Callable[..., Stage], broker: PrivateRabbitMQ
) -> None:
    """Answers later than `broker.timeout` are no answers: work is there, then none is, and the number stays."""
    with http_proxy(broker.management_port) as proxy:
        stage = set_stage(slots=2, management_url=proxy.url, broker_timeout="1s", scale_in_window="1s")
        stage.send(dict.fromkeys(range(4), 3.0))
        stage.start_daemon()
        before = stage.wait_until_serving(1)

        earlier = len(missed(stage))
        proxy.meet(Answer(late_s=5.0))
        why = wait_until_missed(stage, after=earlier)
        stage.send({100 + number: 0.05 for number in range(100)})  # five workers' worth
        stage.wait_until_ended(104, 60)  # and then nothing is left to do
        ages = []
        for _ in range(3):
            standing = stage.asked("status")
            ages.append(standing["at"] - standing["daemon"]["last_tick_at"])
            time.sleep(1)
        assert "did not answer within 1 s" in why
        assert before == stage.live()
        assert max(ages) < 4, ages
        assert "did not answer within 1 s" in sentence(stage)

        proxy.calm()
        wait_until_leaving(stage)
        assert set(before) == set(stage.nodes())


def test_an_answer_without_statistics_is_no_answer_of_zero(
    set_stage: Callable[..., Stage], broker: PrivateRabbitMQ
) -> None:
    """200 with no figures in it: workers stay although nothing is seen to wait, until the figures are back."""
    with http_proxy(broker.management_port) as proxy:
        stage = set_stage(slots=2, ceiling=1, management_url=proxy.url, scale_in_window="1s")
        stage.send({0: 4.0})
        stage.start_daemon()
        wait_until(lambda: stage.noted("began"), 60, f"work to begin\n{stage.tail()}")

        earlier = len(missed(stage))
        proxy.meet(Answer(rewrite=bare))
        why = wait_until_missed(stage, after=earlier)
        stage.wait_until_ended(1, 30)
        before = stage.live()
        idle_until = time.monotonic() + 6
        while time.monotonic() < idle_until:
            assert [] == leaving(stage)
            time.sleep(0.5)
        assert "flood" in why
        assert why in sentence(stage)

        proxy.calm()
        wait_until_leaving(stage)
        assert set(before) == set(stage.nodes())
