"""A machine hears its fleet with its own rights, as long as somebody looks after it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from autoscaler.clock import SystemClock
from autoscaler.gateways import broker_rights, fleet_voice
from autoscaler.gateways.fleet_voice import FleetVoice
from testbed.waiting import wait_until
from tests.integration.node_users.stage import FLEET, OURS, Stage, logged_in

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

VOICE, EAR = broker_rights.voice_of(FLEET), broker_rights.ear_of(FLEET, OURS)
LIMITS = {"x-max-length": 1, "x-message-ttl": 15_000, "x-expires": 600_000}


def beats(channel: BlockingChannel) -> bool:
    return channel.basic_get(EAR, auto_ack=True)[2] is not None


def test_a_machine_hears_its_fleet_while_somebody_leads_it(
    set_scene: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Silent before the lease is held, heard then, silent once it is lost, and heard again from the next."""
    monkeypatch.setattr(fleet_voice, "BEAT_S", 0.2)
    stage, leads = set_scene(), [False]
    stage.declare()
    voice = FleetVoice(
        amqp_url=f"amqp://127.0.0.1:{stage.broker.amqp_port}",
        username=stage.broker.user,
        password=stage.broker.password,
        vhost=stage.vhost,
        fleet=FLEET,
        may_speak=lambda: leads[0],
        clock=SystemClock(),
    )
    with logged_in(stage.granted()) as channel:
        channel.queue_declare(EAR, arguments=LIMITS)
        channel.queue_bind(EAR, VOICE)
        voice.start()
        try:
            assert not beats(channel)
            for _ in range(2):
                leads[0] = True
                wait_until(lambda: beats(channel), 20, "a beat")
                leads[0] = False
                wait_until(lambda: not _is_connected(stage), 20, "the voice to leave")
                beats(channel)
                assert not beats(channel)
        finally:
            voice.stop(10)


def _is_connected(stage: Stage) -> bool:
    """Whether anybody but the machine is bound to speak: asked of the voice's own connection."""
    rows = stage.api().get("vhosts", stage.vhost, "connections", columns="user")
    return any(row["user"] == stage.broker.user for row in rows)


def test_the_voice_makes_the_exchange_that_machines_bind_to(
    set_scene: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine may not: it binds to what is there."""
    monkeypatch.setattr(fleet_voice, "BEAT_S", 0.2)
    stage = set_scene()
    voice = FleetVoice(
        amqp_url=f"amqp://127.0.0.1:{stage.broker.amqp_port}",
        username=stage.broker.user,
        password=stage.broker.password,
        vhost=stage.vhost,
        fleet=FLEET,
        may_speak=lambda: True,
        clock=SystemClock(),
    )
    voice.start()
    try:

        def hears() -> bool:
            with logged_in(stage.granted()) as channel:
                channel.queue_declare(EAR, arguments=LIMITS)
                channel.queue_bind(EAR, VOICE)
                return beats(channel) or wait_until(lambda: beats(channel), 5, "a beat")

        wait_until(lambda: stage.exists(VOICE), 20, "the exchange")
        assert hears()
    finally:
        voice.stop(10)
