"""A machine that cannot become a worker says why, and is replaced long before its time to enrol is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pika
import pytest

from autoscaler.gateways.enrolment import EXCHANGE
from autoscaler.tokens import derive
from testbed.waiting import wait_until
from tests.integration.stage import Stage
from tests.unit.gateways.said_by_machines import failed, phases, said

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def report(stage: Stage, node: str, *, of: str = "", **changes: Any) -> None:
    """What that machine publishes; with the token of another, if `of` names one."""
    tokens = derive(stage.broker.password, stage.fleet)
    message = said(node, tokens=tokens) | {"token": tokens.of(of or node)} | changes
    with pika.BlockingConnection(pika.URLParameters(stage.broker.amqp_url_for(stage.vhost))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(EXCHANGE, stage.fleet, json.dumps(message).encode(), mandatory=True)


def test_a_failed_boot_is_ended_and_told_whose_it_is(set_stage: Callable[..., Stage]) -> None:
    """By its own token and no other's; its log is read where the daemon runs, and the offer rests."""
    stage = set_stage(worker_python="/bin/false", silence="5s", ceiling=2)
    stage.send(dict.fromkeys(range(40), 0.1))
    stage.start_daemon()

    def booting() -> list[str]:
        last = {move["node"]: move["after"] for move in stage.said("node.moved")}
        return sorted(name for name, state in last.items() if state == "booting")

    wait_until(lambda: len(booting()) == 2, 60, f"two machines to boot\n{stage.tail()}", pause_s=0.5)
    fails, boots = booting()
    report(stage, boots, of=fails, **failed())
    stage.wait_until_said("report.refused")
    report(stage, boots, phases=phases("packages"))
    report(
        stage, fails, **failed(says="no matching distribution found", log=["Collecting shop==9", "gave up"])
    )

    stage.wait_until_said("boot.failed")
    wait_until(
        lambda: any(
            move["node"] == fails and move["after"] == "destroying" for move in stage.said("node.moved")
        ),
        60,
        f"the end of {fails}\n{stage.tail()}",
    )
    (told,) = stage.asked("nodes", fails)["nodes"]
    (other,) = stage.asked("nodes", boots)["nodes"]
    shown = stage.run("nodes", fails).stdout
    assert "enrol_failed" in [move["event"] for move in told["transitions"]]
    assert "enrol_failed" not in [move["event"] for move in other["transitions"]]
    assert {"phase": "application", "says": "no matching distribution found"} == told["boot"]["failed"]
    assert ["Collecting shop==9", "gave up"] == told["boot"]["log"]
    assert ["machine", "booted", "network", "packages"] == [p["phase"] for p in other["boot"]["phases"]]
    assert "Failed in phase application: no matching distribution found" in shown
    assert "Collecting shop==9\ngave up" in shown
    assert "do not enrol in pool flood" in stage.run("status").stdout
    assert "Collecting" not in stage.tail(lines=10_000)
    assert 0 == stage.stop_daemon()
