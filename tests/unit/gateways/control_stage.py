"""A Celery worker's remote control without a broker: it answers in the order of publishing, and acts a little later.

Requests of a `CeleryLink` go in, replies come out; time passes only as an `Hourglass` says. What never happens here: a
socket, or a yes that is kept at once.
"""

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pika.spec import Basic, BasicProperties

from autoscaler.clock import Clock
from autoscaler.core.model import WorkerName
from autoscaler.gateways.celery_link import CeleryLink
from providers.contract import MayAct, always

STAGES = ("scheduled", "reserved", "active")
TIMEOUT_S = 30.0
"""For an order, in the time of the hourglass. As long as that a real thread is waited for, which takes milliseconds."""


class Hourglass:
    """A clock that stands still until a worker has answered a question so often; then every time-out is over."""

    def __init__(self) -> None:
        self._at = 0.0
        self._question, self._left = "", 0

    def ends_after(self, answers: int, question: str) -> None:
        """Answers from now on; all of them have been received when the time is over."""
        self._question, self._left = question, answers

    def answered(self, question: str) -> None:
        """Take note of an answer that has arrived."""
        self._left -= question == self._question
        if question == self._question and self._left == 0:
            self._at += 1000 * TIMEOUT_S

    def now(self) -> float:
        return 1_000_000.0 + self._at

    def monotonic(self) -> float:
        return self._at


class ScriptedWorker:
    """Consumes queues, and holds one task that moves on after as many answers as `moves_after` says."""

    def __init__(
        self, name: WorkerName, *, consumes: set[str] = frozenset(), aliases: dict[str, str] | None = None,  # type: ignore[assignment]  # read only
        holds: str = "", moves_after: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        self.name = name
        self.consumes = set(consumes)
        self.asked: list[str] = []
        self.deaf_to: set[str] = set()
        self._aliases = aliases or {}
        self._later: list[Callable[[], None]] = []
        self._stage = STAGES.index(holds) if holds else None
        self._moves_after = moves_after

    def answer(self, method: str, arguments: dict[str, str]) -> Any:
        """As Celery does: `ok` first, the deed after the next message."""
        due, self._later = self._later, []
        self.asked.append(method)
        answer: Any = {"ok": method}
        if method in STAGES:
            answer = [{}] if self._stage is not None and method == STAGES[self._stage] else []
        elif method == "active_queues":
            answer = [{"name": name} for name in sorted(self.consumes)]
        elif method != "shutdown" and arguments["queue"] not in self.deaf_to:
            name = self._aliases.get(arguments["queue"], arguments["queue"])
            deed = self.consumes.discard if method == "cancel_consumer" else self.consumes.add
            self._later.append(lambda: deed(name))
        for one in due:
            one()
        if self._stage is not None and self._stage < 2:
            self._stage += self._moves_after.count(len(self.asked))
        return answer


class _Wire:
    """Stands for the connection and its channel; a thread of its own, as the link's is."""

    def __init__(self, worker: ScriptedWorker, clock: Clock) -> None:
        self.link: Any = None
        self._clock = clock
        self.callbacks: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self._worker = worker

    def add_callback_threadsafe(self, callback: Callable[[], None]) -> None:
        self.callbacks.put(callback)

    def basic_publish(
        self, _exchange: str, _key: str, body: bytes, _properties: BasicProperties, *, mandatory: bool
    ) -> None:
        request = json.loads(body)
        if self._worker.name in request["destination"]:
            reply = {self._worker.name: self._worker.answer(request["method"], request["arguments"])}
            headers = BasicProperties(headers={"ticket": request["ticket"]})
            self.link._on_reply(self, Basic.Deliver(), headers, json.dumps(reply).encode())
            if isinstance(self._clock, Hourglass):
                self._clock.answered(request["method"])

    def run(self) -> None:
        while callback := self.callbacks.get():
            callback()


@contextmanager
def linked_to(
    worker: ScriptedWorker, clock: Clock | None = None, may_act: MayAct = always
) -> Iterator[CeleryLink]:
    """A link whose every order reaches this worker; its time stands still unless a clock is given."""
    clock = clock or Hourglass()
    link: Any = CeleryLink(
        amqp_url="amqp://localhost", username="u", password="p", vhost="/", clock=clock, may_act=may_act
    )
    wire = _Wire(worker, clock)
    wire.link, link._connection, link._orders = link, wire, wire
    thread = threading.Thread(target=wire.run, daemon=True)
    thread.start()
    try:
        yield link
    finally:
        wire.callbacks.put(None)
        thread.join(5)
