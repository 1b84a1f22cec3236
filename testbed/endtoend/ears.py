"""Workers as the broker hears them: when each said first that it is there, by our clock.

It listens to Celery's own events beside the daemon and sends none. What never happens here: a wait of whoever asks.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import defaultdict
from types import TracebackType
from typing import Self

import pika
from pika.exceptions import AMQPError

_EVENTS = "celeryev"
_SLICE_S = 0.5


class Ears:
    """A context manager that hears from its beginning to its end."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url
        self._over = threading.Event()
        self._began: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(10)

    def began(self, node: str) -> tuple[float, ...]:
        """Every time that a worker of this node said that it is online, the first one first."""
        with self._lock:
            return tuple(self._began[f"celery@{node}"])

    def _note(self, body: bytes) -> None:
        with self._lock:
            self._began[json.loads(body)["hostname"]].append(time.time())

    def _listen(self) -> None:
        while not self._over.is_set():
            with (
                contextlib.suppress(AMQPError),
                contextlib.closing(pika.BlockingConnection(pika.URLParameters(self._url))) as line,
            ):
                channel = line.channel()
                channel.exchange_declare(_EVENTS, "topic", durable=True)  # as Celery declares it
                queue = channel.queue_declare("", exclusive=True).method.queue
                channel.queue_bind(queue, _EVENTS, "worker.online")
                for _, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=_SLICE_S):
                    if self._over.is_set():
                        break
                    if body is not None:
                        self._note(body)
