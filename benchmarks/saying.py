"""What ten thousand Celery workers say, published at a steady rate by a process of its own.

Each body is made by Celery's own dispatcher of events, once a worker, and published over Celery's own transport; only
its timestamp is new each time. A broker's address goes in, the number of heartbeats published comes out. What never
happens here: a worker.
"""

from __future__ import annotations

import gc
import itertools
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from celery import Celery
from kombu.serialization import dumps

from autoscaler.clock import SystemClock

INTERVAL_S = 2.0
"""Between two heartbeats of a worker, as Celery has it."""
_STEP_S = 0.001
_TASK = ("task-received", "task-started", "task-succeeded")
_TIMESTAMP = re.compile(rb'"timestamp": [0-9.]+')


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is said: heartbeats of so many workers, and messages with events of tasks beside them."""

    workers: int
    seconds: float
    task_messages_per_s: float = 0.0
    silenced: int = 0
    """So many of the workers say nothing more after half of the time."""

    @property
    def beats_per_s(self) -> float:
        """Heartbeats a second while all of them speak."""
        return self.workers / INTERVAL_S


@dataclass(slots=True)
class _Recorder:
    """Stands where the dispatcher expects a producer."""

    said: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)

    def publish(self, event: Any, *, routing_key: str, headers: dict[str, str], **_how: Any) -> None:
        """Keep what Celery would publish."""
        self.said.append((routing_key, event, headers))


def name_of(number: int) -> str:
    """The name of the worker with that number."""
    return f"celery@fleet-images-{number:05d}"


def _said_by(app: Any, name: str, *, tasks: bool) -> tuple[str, tuple[bytes, bytes], dict[str, str]]:
    """One message of a worker as Celery makes it: its key, its body before and after the timestamp, its headers."""
    speaker = app.events.Dispatcher(
        app.connection_for_write(), hostname=name, enabled=False, buffer_group=["task"]
    )
    speaker.enabled, speaker.producer = True, _Recorder()
    speaker.headers = {"hostname": name}
    if tasks:
        for kind in _TASK:
            speaker.send(
                kind, uuid="3f0c6f0e-1b87-4d4c-9a43-0f2f6cf5a0c1", name="shop.thumbnail", args="(17,)"
            )
        speaker.flush(errors=False)
    else:
        speaker.send(
            "worker-heartbeat", freq=INTERVAL_S, active=2, processed=1234, loadavg=(0.2, 0.3, 0.4),
            sw_ident="py-celery", sw_ver="5.7.0", sw_sys="Linux",
        )  # fmt: skip
    ((key, event, headers),) = speaker.producer.said
    body = dumps(event, "json")[2].encode()  # type: ignore[no-untyped-call]  # kombu is typed in part
    before, after = (body, b"") if tasks else _TIMESTAMP.split(body)
    return key, (before, after), headers


def _paced(per_s: float, seconds: float) -> Iterator[int]:
    """How many messages are due, a thousand times a second at best; what a pause kept back comes at once after it."""
    began, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        due = int(elapsed * per_s)
        yield due - done
        done = due
        time.sleep(_STEP_S)


def publish(url: str, load: Load, door: Connection) -> None:
    """The whole of the process: says that it is ready, waits for a word, publishes, and tells how many beats."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    app: Any = Celery(broker=url, set_as_current=False)
    beats = [_said_by(app, name_of(number), tasks=False) for number in range(load.workers)]
    task = _said_by(app, name_of(0), tasks=True)
    clock = SystemClock()
    gc.freeze()
    with app.connection_for_write() as connection:
        channel = connection.channel()

        def say(key: str, body: bytes, headers: dict[str, str]) -> None:
            message = channel.prepare_message(
                body, 0, "application/json", "utf-8", headers, {"delivery_mode": 1}
            )
            channel.basic_publish(message, exchange="celeryev", routing_key=key)

        door.send("ready")
        door.recv()
        published, tasks_due = 0, 0.0
        speakers, halfway = itertools.cycle(range(load.workers)), load.beats_per_s * load.seconds / 2
        turns = 0
        for due in _paced(load.beats_per_s, load.seconds):
            at = b'"timestamp": %.6f' % clock.now()
            for number in itertools.islice(speakers, due):
                turns += 1
                if number < load.silenced and turns > halfway:
                    continue
                key, (before, after), headers = beats[number]
                say(key, before + at + after, headers)
                published += 1
            tasks_due += due * load.task_messages_per_s / load.beats_per_s
            for _ in range(int(tasks_due)):
                say(task[0], task[1][0], task[2])
            tasks_due %= 1.0
        door.send(published)
