"""How workers are heard over an AMQP connection: what they say of their begin and end, our own probe, and their beats.

Two queues of ours, exclusive and bounded, so a slow daemon harms nobody. Hellos, goodbyes and the probe are few and are
always read at once. Heartbeats are many, and are read within a share of a core (`roll_calls`). Sightings come out.
All but `sightings` is for the one thread that owns the connection. What never happens here: an order, a thread.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from autoscaler import meters
from autoscaler.clock import Clock
from autoscaler.core.facts import Missing, Sightings
from autoscaler.gateways import amqp, celery_events, roll_calls
from autoscaler.gateways.roll_calls import Credit, Step
from autoscaler.meters import Meters

_SERVE_S = 0.25
_LEAST_PASS_S = 0.001
_FULL_PASS = 100
"""Beats; pika reads 100 kB at once, which is some 150."""
_WORDS = {"x-max-length": 20_000, "x-message-ttl": 10_000}
"""What was said ten seconds ago, in which we did not hear our own probe either, proves little."""
_BEATS = {"x-max-length": roll_calls.MOST_WAITING, "x-message-ttl": round(roll_calls.EXPIRES_S * 1000)}

OnMessage = Callable[[BlockingChannel, Basic.Deliver, BasicProperties, bytes], None]


def consume(
    channel: BlockingChannel,
    exchange: str,
    keys: Iterable[str],
    bounds: Mapping[str, object],
    callback: OnMessage,
    *,
    auto_ack: bool = True,
) -> str:
    """Have a queue of our own, bound by those keys; it ends with the connection. Returns its name."""
    queue = channel.queue_declare("", exclusive=True, auto_delete=True, arguments=dict(bounds)).method.queue
    for key in keys:
        channel.queue_bind(queue, exchange, key)
    channel.basic_consume(queue, callback, auto_ack=auto_ack)
    return str(queue)


class Listener:
    """Ears towards the workers of one vhost, over one connection after the other."""

    def __init__(
        self,
        exchange: str,
        token: str,
        *,
        clock: Clock,
        counted: Meters = meters.NOBODY,
        cpu_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self._exchange = exchange
        self._probe_key = f"autoscaler.probe.{token}"
        self._clock = clock
        self._meters = counted
        self._cpu_s = cpu_s
        self._lock = threading.Lock()
        self._ears = celery_events.Ears()
        self._credit = Credit()
        self._last_beat = self._read = 0

    def sightings(self) -> Sightings | Missing:
        """Every worker heard, or why nobody can be heard now. Any thread may ask."""
        now = self._clock.monotonic()
        with self._lock:
            if self._ears.are_deaf(now):
                return Missing(why=f"our own probe does not come back through {self._exchange!r}")
            return self._ears.sightings(now)

    def begin(self, connection: pika.BlockingConnection) -> None:
        """Listen on this connection from now on."""
        self._channel = connection.channel()
        self._channel.basic_qos(prefetch_count=roll_calls.PREFETCH)
        words = (*celery_events.KEYS_OF_WORDS, self._probe_key)
        consume(self._channel, self._exchange, words, _WORDS, self._on_word)
        beats = (celery_events.KEY_OF_BEATS,)
        self._beats = consume(self._channel, self._exchange, beats, _BEATS, self._on_beat, auto_ack=False)
        self._credit.renew(self._clock.monotonic(), self._cpu_s())
        self._let_in()

    def lose(self) -> None:
        """The connection has ended."""
        with self._lock:
            self._ears.lose()

    def attend(self) -> float:
        """What is due between two passes over the socket; returns for how long the next one may wait for something."""
        self._probe()
        now, cpu_s = self._clock.monotonic(), self._cpu_s()
        if self._credit.is_due(now, cpu_s):
            self._channel.basic_ack(self._last_beat, multiple=True)
            self._credit.renew(now, cpu_s)
        if self._ears.roll_calls.is_to_look(now):
            self._look()
        rest_s = self._credit.rest_s(now, cpu_s)
        return min(_SERVE_S, max(_LEAST_PASS_S, rest_s)) if rest_s else _SERVE_S

    def gather_s(self) -> float:
        """How long to leave the socket alone after a pass: not at all if it left something there."""
        read, self._read = self._read, 0
        return self._ears.roll_calls.gather_s() if read < _FULL_PASS else 0.0

    def _probe(self) -> None:
        if self._ears.probe_is_due(self._clock.monotonic()):
            said = celery_events.probe(socket.gethostname(), os.getpid(), self._clock.now())
            self._channel.basic_publish(self._exchange, self._probe_key, said, amqp.json_properties({}))

    def _look(self) -> None:
        waiting = self._channel.queue_declare(self._beats, passive=True).method.message_count
        with self._lock:
            step = self._ears.roll_calls.look(self._clock.monotonic(), waiting)
        if step is Step.SHUT:
            self._channel.queue_unbind(self._beats, self._exchange, celery_events.KEY_OF_BEATS)
        elif step is Step.OPEN:
            self._channel.queue_bind(self._beats, self._exchange, celery_events.KEY_OF_BEATS)
            self._let_in()

    def _let_in(self) -> None:
        with self._lock:
            unheard_s = self._ears.roll_calls.open(self._clock.monotonic())
        self._meters.count(meters.WORKERS_UNHEARD, by=unheard_s)

    def _on_word(
        self, _channel: BlockingChannel, method: Basic.Deliver, _properties: BasicProperties, body: bytes
    ) -> None:
        if method.routing_key == self._probe_key:
            self._meters.count(meters.WORKER_MESSAGES, "probe")
            with self._lock:
                self._ears.take_probe(self._clock.monotonic())
        else:
            self._hear(body)

    def _on_beat(
        self, _channel: BlockingChannel, method: Basic.Deliver, _properties: BasicProperties, body: bytes
    ) -> None:
        self._last_beat = method.delivery_tag
        self._read += 1
        self._credit.take()
        self._ears.roll_calls.take()
        self._hear(body)

    def _hear(self, body: bytes) -> None:
        now = self._clock.monotonic()
        events = tuple(celery_events.read(body))
        self._meters.count(meters.WORKER_MESSAGES, "heard" if events else "dropped")
        with self._lock:
            for event in events:
                self._ears.take(event, now)
