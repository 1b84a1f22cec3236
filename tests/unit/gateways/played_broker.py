"""A broker's part in hearing, on virtual time: bindings, bounded queues that drop their oldest, prefetch, a slow core.

Workers speak every two seconds, each at its own moment; reading one message takes a listener so many seconds of a core.
What never happens here: a socket, a thread, a wait.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from pika.spec import Basic, BasicProperties

from autoscaler.core.facts import Sightings
from autoscaler.core.model import WorkerName
from autoscaler.gateways.celery_listening import Listener
from autoscaler.meters import Tally

STEP_S, INTERVAL_S = 0.02, 2.0


def name_of(number: int) -> WorkerName:
    return WorkerName(f"celery@{number}")


@dataclass
class _Queue:
    bounds: dict[str, int]
    keys: set[str] = field(default_factory=set)
    messages: deque[tuple[float, str, bytes]] = field(default_factory=deque)
    callback: Callable[..., None] | None = None
    auto_ack: bool = True
    unacknowledged: int = 0
    tag: int = 0


class PlayedBroker:
    """Clock, connection, channel and exchange in one; `listener` hears what `live` lets the workers say."""

    def __init__(self, *, workers: int, read_s: float) -> None:
        self.at, self.cpu_s = 1_000.0, 0.0
        self.silent: set[int] = set()
        self.unbound = 0
        self._read_s = read_s
        self._queues: dict[str, _Queue] = {}
        self._prefetch = 0
        self._beats = [beat(number) for number in range(workers)]
        self._spoken = 0
        self.counted = Tally(self)
        self.listener = Listener("celeryev", "t", clock=self, counted=self.counted, cpu_s=lambda: self.cpu_s)
        self.listener.begin(self)

    def now(self) -> float:
        return 1.7e9 + self.at

    def monotonic(self) -> float:
        return self.at

    def live(self, seconds: float) -> None:
        """Workers speak, and the listener reads as fast as it may and its core lets it."""
        for _ in range(round(seconds / STEP_S)):
            self.at += STEP_S
            due = int((self.at - 1_000.0) * len(self._beats) / INTERVAL_S)
            for turn in range(self._spoken, due):
                number = turn % len(self._beats)
                if number not in self.silent:
                    self.say("worker.heartbeat", self._beats[number])
            self._spoken = due
            self._deliver()
            self.listener.attend()

    def say(self, key: str, body: bytes) -> None:
        for queue in self._queues.values():
            if key in queue.keys:
                queue.messages.append((self.at, key, body))
                if len(queue.messages) > queue.bounds["x-max-length"]:
                    queue.messages.popleft()

    def hears(self) -> Sightings:
        seen = self.listener.sightings()
        assert isinstance(seen, Sightings), seen
        return seen

    def _deliver(self) -> None:
        until_s = self.cpu_s + STEP_S
        for queue in self._queues.values():
            oldest = self.at - queue.bounds["x-message-ttl"] / 1000
            while queue.messages and queue.messages[0][0] < oldest:
                queue.messages.popleft()
            assert queue.callback is not None
            while queue.messages and self.cpu_s < until_s:
                if not queue.auto_ack and queue.unacknowledged >= self._prefetch:
                    break
                _, key, body = queue.messages.popleft()
                queue.tag += 1
                queue.unacknowledged += not queue.auto_ack
                self.cpu_s += self._read_s
                queue.callback(self, Basic.Deliver(delivery_tag=queue.tag, routing_key=key), None, body)

    # As pika's connection and channel.

    def channel(self) -> "PlayedBroker":
        return self

    def basic_qos(self, *, prefetch_count: int) -> None:
        self._prefetch = prefetch_count

    def queue_declare(self, name: str, *, passive: bool = False, **how: Any) -> Any:
        if not passive:
            name = f"q{len(self._queues)}"
            self._queues[name] = _Queue(bounds=how["arguments"])
        waiting = len(self._queues[name].messages)
        return SimpleNamespace(method=SimpleNamespace(queue=name, message_count=waiting))

    def queue_bind(self, queue: str, _exchange: str, key: str) -> None:
        self._queues[queue].keys.add(key)

    def queue_unbind(self, queue: str, _exchange: str, key: str) -> None:
        self._queues[queue].keys.remove(key)
        self.unbound += 1

    def basic_consume(self, queue: str, callback: Callable[..., None], *, auto_ack: bool) -> None:
        self._queues[queue].callback, self._queues[queue].auto_ack = callback, auto_ack

    def basic_ack(self, tag: int, *, multiple: bool) -> None:
        (queue,) = (queue for queue in self._queues.values() if not queue.auto_ack)
        assert multiple
        queue.unacknowledged = queue.tag - tag

    def basic_publish(self, _exchange: str, key: str, body: bytes, _properties: BasicProperties) -> None:
        self.say(key, body)


def beat(number: int, **changes: object) -> bytes:
    """What a worker says of itself."""
    event = {"type": "worker-heartbeat", "hostname": name_of(number), "pid": 7, "active": 0, "processed": 1}
    return json.dumps(event | changes).encode()
