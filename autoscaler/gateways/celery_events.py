"""What Celery workers say of themselves by events, kept as the last word of each.

Bodies of messages go in, from anybody who may publish to the exchange, so nothing in them is trusted: sizes are
bounded, types are checked, and what is not understood is passed over. `Sighting`s come out.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from autoscaler.core.facts import Sighting, Sightings
from autoscaler.core.model import WorkerName
from autoscaler.gateways import documents
from autoscaler.gateways.roll_calls import RollCalls

PROBE = "autoscaler-probe"
"""Type of the event by which we hear ourselves."""
_PROBE_EVERY_S = 2.0
_DEAF_AFTER_S = 10.0
"""Five probes unheard. Longer than a busy broker's hiccup, shorter than any `timeouts.silence`."""
_LARGEST_BODY = 1_000_000
_MOST_WORKERS = 20_000
_FORGET_S = 3_600.0
"""A worker unheard for so long is not kept: every deadline that rests on its silence is long over."""
_RATE_S = 60.0
_KEPT_EVERY_S = 4.0
"""Of a worker's counts one in so many seconds is kept, and the newest: sixteen reach over a minute."""
_BEAT, _BEGINS, _ENDS = "worker-heartbeat", "worker-online", "worker-offline"
_KINDS = {_BEGINS: True, _BEAT: True, _ENDS: False}
KEYS_OF_WORDS = tuple(kind.replace("-", ".") for kind in (_BEGINS, _ENDS))
KEY_OF_BEATS = _BEAT.replace("-", ".")
"""By which Celery publishes them. What else a worker says of itself or of tasks is never sent to us."""
_OLD_NEWS_S = 10.0
"""By so much at most a beat comes after a word that was said later. Only so long is it told by the worker's own clock,
which may be set back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerEvent:
    """One understood event; `online` is False for a goodbye, `begins` True for a first word.

    `said_at` is by the worker's own clock, which may be wrong: it only orders what the same worker says.
    """

    worker: WorkerName
    online: bool
    begins: bool = False
    pid: int | None
    active: int | None
    processed: int | None
    said_at: float | None = None


def read(body: bytes) -> Iterator[WorkerEvent]:
    """The worker events in a message: Celery sends one object, or a list of them."""
    if len(body) > _LARGEST_BODY:
        return
    try:
        document = documents.decoded(body)
    except ValueError:
        return
    for event in document if isinstance(document, list) else [document]:
        if isinstance(event, dict):
            worker, kind = event.get("hostname"), event.get("type")
            online = _KINDS.get(kind) if isinstance(kind, str) else None
            if (
                isinstance(worker, str)
                and 0 < len(worker) <= 255
                and worker.isprintable()
                and online is not None
            ):
                yield WorkerEvent(
                    worker=WorkerName(worker),
                    online=online,
                    begins=event.get("type") == _BEGINS,
                    pid=_count(event, "pid"),
                    active=_count(event, "active"),
                    processed=_count(event, "processed"),
                    said_at=said_at if isinstance(said_at := event.get("timestamp"), float) else None,
                )


def _count(event: Mapping[str, Any], key: str) -> int | None:
    value = event.get(key)
    plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return value if plausible else None


def _no_counts() -> deque[tuple[float, int]]:
    return deque(maxlen=18)


@dataclass(slots=True, kw_only=True)
class _Heard:
    """One worker's last word; `at` is on the clock of hearing."""

    at: float
    online: bool
    pid: int | None
    active: int | None
    began: float | None = None
    """When it was last heard to begin anew, monotonic."""
    turned: tuple[float, float] | None = None
    """When it last said that it begins or ends: on the clock of hearing, and by its own."""
    processed: deque[tuple[float, int]] = field(default_factory=_no_counts)

    def count(self, now: float, processed: int) -> None:
        """Take in how many tasks it has taken up; a count that falls was begun anew."""
        seen = self.processed
        if seen and processed < seen[-1][1]:
            seen.clear()
            self.began = now
        if len(seen) >= 2 and seen[-1][0] - seen[-2][0] < _KEPT_EVERY_S:
            seen.pop()
        seen.append((now, processed))
        while now - seen[0][0] > _RATE_S:
            seen.popleft()


@dataclass(slots=True)
class Hearing:
    """All workers heard so far. Belongs to whoever holds its lock."""

    _workers: dict[WorkerName, _Heard] = field(default_factory=dict)

    def take(self, event: WorkerEvent, at: float, now: float | None = None) -> None:
        """Take in one event, heard `at` that time on the clock of hearing; `now` is monotonic, where that is another.

        What happens to a worker while nobody is listened to happens all the same, so its begin and the rate of its
        tasks are by the latter.
        """
        now = at if now is None else now
        heard = self._workers.get(event.worker)
        if heard is None:
            heard = _Heard(at=at, online=event.online, pid=event.pid, active=event.active)
        elif _is_old_news(event, heard, at):
            return
        elif event.pid is not None and event.pid != heard.pid:
            heard = replace(heard, pid=event.pid, active=event.active, began=now, processed=_no_counts())
        # Kept in the order of hearing, so that the longest unheard stands first.
        self._workers.pop(event.worker, None)
        self._workers[event.worker] = heard
        if (event.begins or not event.online) and event.said_at is not None:
            heard.turned = (at, event.said_at)
        if len(self._workers) > _MOST_WORKERS:
            del self._workers[next(iter(self._workers))]
        heard.at, heard.online = at, event.online
        heard.began = now if event.begins else heard.began
        heard.active = event.active if event.active is not None else heard.active
        if event.processed is not None:
            heard.count(now, event.processed)

    def sightings(self, at: float, now: float | None = None) -> dict[WorkerName, Sighting]:
        """Every worker's last word as of then, by both clocks; those unheard for an hour are forgotten."""
        now = at if now is None else now
        self._workers = {w: h for w, h in self._workers.items() if at - h.at < _FORGET_S}
        return {
            worker: Sighting(
                worker=worker,
                silent_s=max(0.0, at - heard.at),
                online=heard.online,
                pid=heard.pid,
                began_s=None if heard.began is None else max(0.0, now - heard.began),
                active=heard.active,
                processed=heard.processed[-1][1] if heard.processed else None,
                processed_per_s=_rate(heard.processed, now),
            )
            for worker, heard in self._workers.items()
        }


def _is_old_news(event: WorkerEvent, heard: _Heard, at: float) -> bool:
    """Whether a beat was said before the worker's last hello or goodbye, which came by a quicker way."""
    if heard.turned is None or event.begins or not event.online or event.said_at is None:
        return False
    turned, turned_at = heard.turned
    return event.said_at < turned_at and at - turned <= _OLD_NEWS_S


@dataclass(slots=True)
class Ears:
    """What is heard over one connection after the other, and whether anything can be heard at all.

    That is proven by a probe of ours, which goes through the workers' own exchange. Belongs to whoever holds its lock.
    """

    hearing: Hearing = field(default_factory=Hearing)
    roll_calls: RollCalls = field(default_factory=RollCalls)
    _since: float | None = None
    _since_heard: float = 0.0
    """The same instant on the clock of hearing."""
    _probe_heard: float | None = None
    _probe_sent: float | None = None

    def take_probe(self, now: float) -> None:
        """Our probe came back."""
        if self.are_deaf(now) or self._since is None:
            self._since, self._since_heard = now, self.roll_calls.heard_on(now)
        self._probe_heard = now

    def take(self, event: WorkerEvent, now: float) -> None:
        """Take in what a worker said."""
        self.hearing.take(event, self.roll_calls.heard_on(now), now)

    def are_deaf(self, now: float) -> bool:
        """Whether our probe was not heard for too long."""
        return self._probe_heard is None or now - self._probe_heard > _DEAF_AFTER_S

    def sightings(self, now: float) -> Sightings:
        """Every worker heard. For those who are not deaf."""
        heard_on = self.roll_calls.heard_on(now)
        listening_s, heard_s = now - (self._since or now), heard_on - self._since_heard
        return Sightings(
            listening_s=listening_s,
            unheard_s=max(0.0, listening_s - heard_s) if self._since else 0.0,
            workers=self.hearing.sightings(heard_on, now),
        )

    def probe_is_due(self, now: float) -> bool:
        """Whether a probe is to be sent now; if so, it counts as sent."""
        due = self._probe_sent is None or now - self._probe_sent >= _PROBE_EVERY_S
        self._probe_sent = now if due else self._probe_sent
        return due

    def lose(self) -> None:
        """The connection ended: nothing was heard since, and the next one is probed at once."""
        self._since = self._probe_heard = self._probe_sent = None


def probe(host: str, pid: int, at: float) -> bytes:
    """Something said where workers say theirs. Well formed, because others listen there too."""
    event = {
        "type": PROBE, "hostname": f"autoscaler@{host}", "pid": pid, "timestamp": at, "utcoffset": 0, "clock": 0,
    }  # fmt: skip
    return json.dumps(event).encode()


def _rate(processed: deque[tuple[float, int]], now: float) -> float | None:
    for at, count in processed:
        if now - at <= _RATE_S:
            last_at, last_count = processed[-1]
            return (last_count - count) / (last_at - at) if last_at > at else None
    return None
