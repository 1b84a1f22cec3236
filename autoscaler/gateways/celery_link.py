"""The one AMQP connection to the workers: hears their events, gives them orders, and knows whether it can hear at all.

One thread owns the connection; others leave requests with it and wait, each with a deadline. Whether we may still give
an order is asked right before it is published. That we can hear is proven, not assumed: a probe of ours goes
through the workers' own event exchange every two seconds, and while it does not come back there are no sightings
(`celery_listening`).
"""

from __future__ import annotations

import functools
import secrets
import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, NackError, UnroutableError
from pika.spec import Basic, BasicProperties

from autoscaler import meters
from autoscaler.clock import Clock
from autoscaler.core.facts import Hands, Missing, Sightings
from autoscaler.core.model import WorkerName
from autoscaler.gateways import amqp, celery_consumers, celery_control, celery_listening
from autoscaler.gateways.celery_control import Errand, Request, Waiting
from autoscaler.gateways.celery_listening import Listener
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.gateways.pauses import Pauses
from autoscaler.meters import Meters
from providers.contract import Finding, MayAct, always

_ASK_AGAIN_S = 0.3
_MOST_ORDERS = 100
"""At once to one worker, however many queues it says that it consumes."""
_REPLY_QUEUE = {"x-max-length": 10_000, "x-max-length-bytes": 64_000_000, "x-message-ttl": 30_000}


class CeleryLink:
    """Ears and voice towards the workers of one vhost."""

    def __init__(  # noqa: PLR0913 - each but the clock and the leave to act is one setting of `[broker]`
        self,
        *,
        amqp_url: str,
        username: str,
        password: str,
        vhost: str,
        clock: Clock,
        ca_file: str | None = None,
        control_exchange: str = "celery",
        event_exchange: str = "celeryev",
        may_act: MayAct = always,
        counted: Meters = meters.NOBODY,
    ) -> None:
        self._where = amqp.place(amqp_url)
        self._parameters = amqp.parameters(
            amqp_url, username=username, password=password, vhost=vhost, ca_file=ca_file
        )
        self._may_act = may_act
        self._meters = counted
        self._clock = clock
        self._requests = celery_control.request_exchange(control_exchange)
        self._replies = celery_control.reply_exchange(control_exchange)
        self._events = event_exchange
        self._token = secrets.token_hex(8)
        self._lock = threading.Lock()
        self._listener = Listener(event_exchange, self._token, clock=clock, counted=counted)
        self._cancelled = celery_consumers.Cancelled()
        self._waiting: dict[str, Waiting] = {}
        self._connection: pika.BlockingConnection | None = None
        self._trouble = "not connected yet"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._live, name="celery link", daemon=True)

    def start(self) -> None:
        """Begin to connect and to listen."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the connection. Harmless if it never began."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def sightings(self) -> Sightings | Missing:
        """Every worker heard, or why nobody can be heard now."""
        with self._lock:
            if self._connection is None:
                return Missing(why=self._trouble)
        return self._listener.sightings()

    def hands(self, workers: Iterable[WorkerName], timeout_s: float) -> Mapping[WorkerName, Hands | Missing]:
        """What each of these workers holds: all of them are asked all three questions at once, in one order."""
        asked = tuple(workers)
        try:
            questions = [self._request(method, asked) for method in celery_control.QUESTIONS_OF_HANDS]
            answers = self._collect_all(self._send(self._errand(timeout_s), *questions))
            replies = dict(zip(celery_control.QUESTIONS_OF_HANDS, answers, strict=True))
        except FactUnavailable as error:
            return dict.fromkeys(asked, Missing(why=str(error)))
        return {worker: celery_control.hands(worker, replies) for worker in asked}

    def ping(self, timeout_s: float) -> frozenset[WorkerName]:
        """Everybody who answers in that time. Raises FactUnavailable."""
        return frozenset(self._ask("ping", None, timeout_s))

    def cancel_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """Make a worker stop consuming; returns once it says itself that it consumes nothing at all.

        What it consumes besides `queues` is cancelled too, and remembered for `add_consumers`. Raises FactUnavailable.
        """
        errand = self._errand(timeout_s)
        orders: Collection[str] = queues
        while True:
            asked = (
                self._consuming(worker),
                *self._each("cancel_consumer", worker, orders),
                self._consuming(worker),
            )
            before, *said, after = self._collect_all(self._send(errand, *asked))
            was, consumed = (celery_control.consumed(answer.get(worker)) for answer in (before, after))
            self._cancelled.remember(worker, (was or frozenset()).union(consumed or ()))
            self._require_obedience("cancel_consumer", worker, said)
            if consumed is not None and not consumed:
                return
            self._pause(errand, f"{worker} did not confirm cancel_consumer of {_names(consumed, queues)}")
            # By the worker's own names: a pool's alias of a queue is not among them. The rest has the next round.
            orders = sorted(consumed)[:_MOST_ORDERS] if consumed else queues

    def add_consumers(self, worker: WorkerName, queues: tuple[str, ...], timeout_s: float) -> None:
        """Make a worker consume again; returns once it says itself that it consumes all of them.

        With them it gets back what `cancel_consumers` took from it besides. Raises FactUnavailable.
        """
        errand = self._errand(timeout_s)
        wanted = self._cancelled.of(worker).union(queues)
        orders = self._send(errand, *self._each("add_consumer", worker, wanted))
        self._require_obedience("add_consumer", worker, self._collect_all(orders))
        while True:
            (now,) = self._collect_all(self._send(errand, self._consuming(worker)))
            consumed = celery_control.consumed(now.get(worker))
            if consumed is not None and wanted <= consumed:
                self._cancelled.forget(worker)
                return
            missing = wanted - (consumed or frozenset())
            self._pause(errand, f"{worker} did not confirm add_consumer of {_names(missing, queues)}")

    def stop_worker(self, worker: WorkerName, timeout_s: float) -> None:
        """Tell a worker to shut down warmly; returns once the broker has passed it on. The worker answers by going."""
        (waiting,) = self._send(self._errand(timeout_s), self._request("shutdown", (worker,)))
        waiting.sent.wait(timeout_s)
        self._collect(waiting, 0.0)
        if not waiting.sent.is_set():
            raise FactUnavailable(
                f"the broker did not take the order to stop {worker} within {timeout_s:g} s"
            )

    def check(self, timeout_s: float) -> tuple[Finding, ...]:
        """Whether workers could be heard, and who answers; changes nothing but for a probe."""
        deadline = self._clock.monotonic() + timeout_s
        while isinstance(self.sightings(), Missing) and self._clock.monotonic() < deadline:
            self._stopping.wait(0.1)
        seen = self.sightings()
        if isinstance(seen, Missing):
            return (Finding(subject="AMQP", ok=False, says=seen.why),)
        try:
            answering = len(self.ping(1.0))
        except FactUnavailable as error:
            return (Finding(subject="AMQP", ok=False, says=str(error)),)
        return (Finding(subject="AMQP", ok=True, says=f"connected; {answering} workers answer"),)

    # Asking, on the threads of those who ask.

    def _each(self, method: str, worker: WorkerName, queues: Iterable[str]) -> list[Request]:
        return [self._request(method, (worker,), {"queue": queue}) for queue in sorted(queues)]

    def _consuming(self, worker: WorkerName) -> Request:
        """A worker says yes to an order before it acts (the order waits for its event loop), so only its later word on
        what it consumes is taken as done."""
        return self._request("active_queues", (worker,))

    def _require_obedience(
        self, method: str, worker: WorkerName, answers: Iterable[Mapping[WorkerName, Any]]
    ) -> None:
        for answer in answers:
            if refusal := celery_control.refusal(answer.get(worker)):
                raise FactUnavailable(f"{worker} refuses {method}: {refusal}")

    def _pause(self, errand: Errand, otherwise: str) -> None:
        """Wait before the next question, if there will be time for one."""
        if errand.until - self._clock.monotonic() <= _ASK_AGAIN_S or self._stopping.wait(_ASK_AGAIN_S):
            raise FactUnavailable(otherwise)

    def _ask(
        self, method: str, workers: tuple[WorkerName, ...] | None, timeout_s: float
    ) -> Mapping[WorkerName, Any]:
        (waiting,) = self._send(self._errand(timeout_s), self._request(method, workers))
        return self._collect(waiting, timeout_s)

    def _request(
        self,
        method: str,
        workers: tuple[WorkerName, ...] | None,
        arguments: Mapping[str, object] | None = None,
    ) -> Request:
        return Request(
            method=method, workers=workers, ticket=secrets.token_hex(16), arguments=arguments or {}
        )

    def _errand(self, timeout_s: float) -> Errand:
        return Errand(until=self._clock.monotonic() + timeout_s)

    def _send(self, errand: Errand, *requests: Request) -> tuple[Waiting, ...]:
        """Have requests published in this order, which is the order in which a worker answers them.

        A worker handles control messages as they come, and they come in the order of one channel. They are given to
        pika together, because it promises no order between two callbacks that are due at the same time.
        """
        waiting = tuple(Waiting(request=request, errand=errand) for request in requests)
        with self._lock:
            if self._connection is None:
                raise FactUnavailable(f"workers cannot be asked: {self._trouble}")
            try:
                self._connection.add_callback_threadsafe(functools.partial(self._publish_all, waiting))
            except AMQPError as error:
                raise FactUnavailable("workers cannot be asked: the connection has just ended") from error
            self._waiting |= {one.request.ticket: one for one in waiting}
        return waiting

    def _collect_all(self, waiting: Collection[Waiting]) -> list[Mapping[WorkerName, Any]]:
        try:
            return [self._collect(one, one.errand.until - self._clock.monotonic()) for one in waiting]
        finally:
            self._forget(waiting)  # one that failed leaves the others uncollected

    def _collect(self, waiting: Waiting, timeout_s: float) -> Mapping[WorkerName, Any]:
        waiting.ended.wait(max(0.0, timeout_s))
        self._forget((waiting,))
        return waiting.result()

    def _forget(self, waiting: Collection[Waiting]) -> None:
        """Replies that come later find nobody: nothing changes a wait that was collected."""
        with self._lock:
            for one in waiting:
                self._waiting.pop(one.request.ticket, None)

    # Serving, on the link's own thread.

    def _live(self) -> None:
        pauses = Pauses(self._clock)
        while not self._stopping.is_set():
            pauses.begin()
            try:
                self._serve()
                why = "it was stopped"
            except Exception as error:  # noqa: BLE001 - around one connection: whatever pika does, the next one is tried
                why = amqp.why(error, self._where)
            if not self._stopping.is_set():
                self._meters.count(meters.BROKER_LINK_LOSSES)
            self._down(why)
            self._stopping.wait(pauses.after_try_s())

    def _serve(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        try:
            self._set_up(connection)
            with self._lock:
                self._connection = connection
            while not self._stopping.is_set():
                connection.process_data_events(time_limit=self._listener.attend())
                self._stopping.wait(self._listener.gather_s())
        finally:
            if connection.is_open:
                connection.close()

    def _set_up(self, connection: pika.BlockingConnection) -> None:
        """Declare as Celery does, so that whoever comes first does no harm; then listen."""
        for name, kind, durable in (
            (self._events, "topic", True),
            (self._requests, "fanout", False),
            (self._replies, "direct", False),
        ):
            amqp.declare(connection, name, kind, durable=durable)
        self._listener.begin(connection)
        self._orders = connection.channel()
        self._orders.confirm_delivery()
        celery_listening.consume(self._orders, self._replies, (self._token,), _REPLY_QUEUE, self._on_reply)

    def _publish_all(self, waiting: tuple[Waiting, ...]) -> None:
        for one in waiting:
            self._publish(one)

    def _publish(self, waiting: Waiting) -> None:
        """Give a request to the broker, which confirms that at least one worker's mailbox got it.

        Asked here, where it goes out: it may have waited for a broker that took nothing, or its process was stopped.
        """
        if self._clock.monotonic() > waiting.errand.until:
            waiting.fail("not sent: its time was up before the broker would take it")
            return
        if waiting.request.is_order:
            if not self._may_act():
                waiting.withhold()
                return
            waiting.errand.ordered = True
        body = waiting.request.body(self._replies, self._token)
        properties = amqp.json_properties({"clock": 0, "expires": 0})
        try:
            self._orders.basic_publish(self._requests, "", body, properties, mandatory=True)
            waiting.sent.set()
        except UnroutableError:
            # Nobody is there. Whoever asked everybody has the whole answer; whoever asked for somebody has none.
            waiting.fail(
                "" if waiting.request.workers is None else f"no worker listens to {self._requests!r}"
            )
        except NackError:
            waiting.fail(f"the broker did not take a request to {self._requests!r}")

    def _on_reply(
        self, _channel: BlockingChannel, _method: Basic.Deliver, properties: BasicProperties, body: bytes
    ) -> None:
        ticket = (properties.headers or {}).get("ticket")
        replies = celery_control.read(body)
        with self._lock:
            waiting = self._waiting.get(ticket) if isinstance(ticket, str) else None
            if waiting is not None:
                waiting.take(replies)

    def _down(self, why: str) -> None:
        with self._lock:
            self._trouble = why
            self._connection = None
            waiting, self._waiting = self._waiting, {}
        self._listener.lose()
        for one in waiting.values():
            one.fail(f"the connection to the broker ended: {why}")


def _names(queues: Collection[str] | None, otherwise: Collection[str]) -> str:
    """Those queues in words that stay short; the others where those are not known."""
    return ", ".join(sorted(queues or otherwise))[:300]
