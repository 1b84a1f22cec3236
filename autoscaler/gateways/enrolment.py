"""Hears what machines say of themselves while they become workers: one queue of the broker, one connection, one thread.

Out come reports, each proven to be of the node it names, the newest of each node. The broker keeps one until the tick
that took it in was written down, so a restart forgets none; the queue is bounded, and so is what is held here. Only who
may act listens: of two daemons the one that leads. What never happens here: an order to anybody, a belief in a report.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.spec import Basic, BasicProperties

from autoscaler.clock import Clock
from autoscaler.core.facts import Missing
from autoscaler.core.reports import Refusals, Report
from autoscaler.gateways import amqp, enrolment_reports
from autoscaler.gateways.pauses import Pauses
from autoscaler.tokens import Tokens
from providers.contract import MayAct, NodeName, always

EXCHANGE = "autoscaler.enrolment"
"""Machines publish to it, with the fleet's name as the routing key, and may do nothing else there."""
_QUEUE: Mapping[str, object] = {
    "x-max-length": 10_000,
    "x-max-length-bytes": 64_000_000,
    "x-message-ttl": 3_600_000,
    "x-overflow": "drop-head",
    # A fleet that is given up leaves no queue behind for ever; one that pauses for a week says everything anew.
    "x-expires": 7 * 24 * 3_600_000,
}
_AT_ONCE = 500
"""Messages that the broker hands out before we settled any: with the pace of settling, how many are read a second."""
_SETTLE_S = 0.25
_SERVE_S = 0.25
_NOT_OURS = "another daemon leads, and hears them"


def queue_of(fleet: str) -> str:
    """Where the reports of that fleet wait."""
    return f"{EXCHANGE}.{fleet}"


def _unheard(_report: Report) -> None:
    """For who has nobody that answers what machines want."""


@dataclass(slots=True, kw_only=True)
class _Held:
    """A node's newest report, and the delivery that the broker still keeps for it."""

    report: Report
    tag: int


@dataclass(slots=True, kw_only=True)
class _Desk:
    """What one connection brought: its tags mean nothing on another."""

    held: dict[NodeName, _Held] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)
    """Deliveries that the broker may forget."""


class EnrolmentLink:
    """Ears towards the machines of one fleet that are no workers yet."""

    def __init__(  # noqa: PLR0913 - most are settings of `[broker]`
        self,
        *,
        amqp_url: str,
        username: str,
        password: str,
        vhost: str,
        fleet: str,
        tokens: Tokens,
        clock: Clock,
        ca_file: str | None = None,
        may_act: MayAct = always,
    ) -> None:
        self._where = amqp.place(amqp_url)
        self._parameters = amqp.parameters(
            amqp_url,
            username=username,
            password=password,
            vhost=vhost,
            ca_file=ca_file,
            does="hears machines that become workers",
        )
        self._fleet = fleet
        self._tokens = tokens
        self._clock = clock
        self._may_act = may_act
        self._wanted: Callable[[Report], None] = _unheard
        self._lock = threading.Lock()
        self._desk: _Desk | None = None
        self._trouble = "not connected yet"
        self._refusals = Refusals()
        self._cancelled = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="enrolment", daemon=True)

    def start(self, wanted: Callable[[Report], None] = _unheard) -> None:
        """Begin to connect and to listen. `wanted` is told at once of each report that wants something.

        It is called on this gateway's thread and may neither wait nor raise. That the machine is one of ours now, and
        in a state in which it may have what it wants, is its to find out.
        """
        self._wanted = wanted
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the connection. Harmless if it never began."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def reports(self) -> Mapping[NodeName, Report] | Missing:
        """The newest report of each node that spoke since the last `forget`, or why none can be heard now."""
        with self._lock:
            if self._desk is None:
                return Missing(why=self._trouble)
            return {name: held.report for name, held in self._desk.held.items()}

    def forget(self, reports: Mapping[NodeName, Report]) -> None:
        """These were taken in and written down. What came after them is kept."""
        with self._lock:
            desk = self._desk
            for name, report in reports.items():
                held = desk.held.get(name) if desk else None
                if desk and held and held.report is report:
                    desk.done.append(desk.held.pop(name).tag)

    def refusals(self) -> Refusals:
        """What was no report of a machine of this fleet, since the start."""
        with self._lock:
            return self._refusals

    # Serving, on the link's own thread.

    def _live(self) -> None:
        pauses = Pauses(self._clock)
        while not self._stopping.is_set():
            if self._may_act():
                pauses.begin()
                try:
                    self._serve()
                    why = "it was stopped" if self._may_act() else _NOT_OURS
                except Exception as error:  # noqa: BLE001 - around one connection: whatever pika does, the next one is tried
                    why = amqp.why(error, self._where)
                pause_s = pauses.after_try_s()
            else:
                # The lease may be ours at any moment, and nobody is knocked up by looking.
                why, pause_s = _NOT_OURS, pauses.idle_s()
            self._down(why)
            self._stopping.wait(pause_s)

    def _serve(self) -> None:
        """Listen until stopped, or until another daemon leads: what is not settled then the broker keeps for it."""
        connection = pika.BlockingConnection(self._parameters)
        try:
            channel = self._set_up(connection)
            settle_on = self._clock.monotonic()
            while not self._stopping.is_set() and self._may_act() and not self._cancelled:
                connection.process_data_events(time_limit=_SERVE_S)
                if self._clock.monotonic() >= settle_on:
                    self._settle(channel)
                    settle_on = self._clock.monotonic() + _SETTLE_S
            if self._may_act():
                self._settle(channel)
        finally:
            if connection.is_open:
                connection.close()

    def _set_up(self, connection: pika.BlockingConnection) -> BlockingChannel:
        amqp.declare(connection, EXCHANGE, "topic", durable=True)
        channel = connection.channel()
        queue = channel.queue_declare(
            queue_of(self._fleet), durable=True, arguments=dict(_QUEUE)
        ).method.queue
        channel.queue_bind(queue, EXCHANGE, self._fleet)
        channel.basic_qos(prefetch_count=_AT_ONCE)
        self._cancelled = False
        channel.add_on_cancel_callback(self._on_cancel)
        with self._lock:
            self._desk = _Desk()
        channel.basic_consume(queue, self._on_message)
        return channel

    def _on_cancel(self, _frame: object) -> None:
        """Somebody deleted the queue: it is made again, with a new connection."""
        self._cancelled = True

    def _on_message(
        self, _channel: BlockingChannel, method: Basic.Deliver, _properties: BasicProperties, body: bytes
    ) -> None:
        assert method.delivery_tag is not None
        try:
            report = enrolment_reports.read(body, self._tokens, self._clock.now())
        except enrolment_reports.Refused as error:
            self._drop(str(error), method.delivery_tag)
            return
        self._take(report, method.delivery_tag)
        if report.wants is not None:
            self._wanted(report)

    def _drop(self, why: str, tag: int) -> None:
        with self._lock:
            assert self._desk is not None
            self._desk.done.append(tag)
            self._refusals = Refusals(messages=self._refusals.messages + 1, why=why)

    def _take(self, report: Report, tag: int) -> None:
        """Hold it in its predecessor's place: each holds all that the ones before it said."""
        with self._lock:
            desk = self._desk
            assert desk is not None
            before = desk.held.get(report.node)
            if before is not None:
                desk.done.append(before.tag)
            desk.held[report.node] = _Held(report=report, tag=tag)

    def _settle(self, channel: BlockingChannel) -> None:
        with self._lock:
            done: list[int] = []
            if self._desk is not None:
                done, self._desk.done = self._desk.done, []
        for tag in done:
            channel.basic_ack(tag)

    def _down(self, why: str) -> None:
        """What was held is not lost: the broker hands it out again to whoever listens next."""
        with self._lock:
            self._trouble = why
            self._desk = None
