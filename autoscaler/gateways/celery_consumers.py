"""What each worker was made to stop consuming, remembered so that the opposite order gives all of it back.

A worker may consume more than its pool names: its own queue (Celery's `worker_direct`), one that somebody added by
hand, those of an earlier configuration. Names of queues go in and come out; what never happens here: I/O, or a memory
that grows without bound.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from autoscaler.core.model import WorkerName

_MOST_WORKERS = 20_000
_MOST_QUEUES = 100
"""Of one worker; all of them together hold some tens of MB at worst."""


@dataclass(slots=True)
class Cancelled:
    """By worker, the queues it was seen to consume when it was told to stop. May be used from several threads."""

    _lock: threading.Lock = field(default_factory=threading.Lock)
    _queues: dict[WorkerName, frozenset[str]] = field(default_factory=dict)

    def remember(self, worker: WorkerName, queues: Iterable[str]) -> None:
        """Take in queues besides those known already: a drain that is ordered again sees nothing more to cancel."""
        with self._lock:
            # Kept in the order of remembering, so that the longest untouched stands first.
            known = self._queues.pop(worker, frozenset())
            new = sorted(set(queues) - known)[: _MOST_QUEUES - len(known)]
            if known or new:
                self._queues[worker] = known.union(new)
            if len(self._queues) > _MOST_WORKERS:
                del self._queues[next(iter(self._queues))]

    def of(self, worker: WorkerName) -> frozenset[str]:
        """What to give back to a worker."""
        with self._lock:
            return self._queues.get(worker, frozenset())

    def forget(self, worker: WorkerName) -> None:
        """It consumes again."""
        with self._lock:
            self._queues.pop(worker, None)
