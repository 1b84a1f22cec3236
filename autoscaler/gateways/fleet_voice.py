"""The daemon's beat: every ten seconds its machines hear that somebody looks after them.

It is asked before each beat whether it may be said; out goes one word to whoever listens, by one connection and one
thread. Machines with a lease stop working by themselves when they hear none. What never happens here: an order, or a
beat of a daemon that does not lead or whose ticks fail.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

import pika

from autoscaler.clock import Clock
from autoscaler.gateways import amqp, broker_rights
from autoscaler.gateways.pauses import Pauses

BEAT_S = 10.0
"""Machines look every few seconds, and the shortest lease is three of these: two may be lost."""
_SERVE_S = 0.5
_BEAT = b'{"v":1}'


class FleetVoice:
    """Speaks to the machines of one fleet, as long as `may_speak` says so."""

    def __init__(
        self,
        *,
        amqp_url: str,
        username: str,
        password: str,
        vhost: str,
        fleet: str,
        may_speak: Callable[[], bool],
        clock: Clock,
        ca_file: str | None = None,
    ) -> None:
        self._parameters = amqp.parameters(
            amqp_url,
            username=username,
            password=password,
            vhost=vhost,
            ca_file=ca_file,
            does="tells machines that it looks after them",
        )
        self._exchange = broker_rights.voice_of(fleet)
        self._may_speak = may_speak
        self._clock = clock
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="fleet voice", daemon=True)

    def start(self) -> None:
        """Begin to connect and to speak."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Fall silent. Harmless if it never began."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _live(self) -> None:
        pauses = Pauses(self._clock)
        while not self._stopping.is_set():
            if not self._may_speak():
                self._stopping.wait(pauses.idle_s())
                continue
            pauses.begin()
            # Around one connection; that the broker is away others say already.
            with contextlib.suppress(Exception):
                self._serve()
            self._stopping.wait(pauses.after_try_s())

    def _serve(self) -> None:
        """Speak until stopped, or until we may not; then somebody else does."""
        connection = pika.BlockingConnection(self._parameters)
        try:
            amqp.declare(connection, self._exchange, "fanout", durable=True)
            channel = connection.channel()
            beat_on = self._clock.monotonic()
            while not self._stopping.is_set() and self._may_speak():
                if self._clock.monotonic() >= beat_on:
                    beat_on = self._clock.monotonic() + BEAT_S
                    channel.basic_publish(self._exchange, "", _BEAT, amqp.json_properties({}))
                connection.process_data_events(time_limit=_SERVE_S)
        finally:
            if connection.is_open:
                connection.close()
