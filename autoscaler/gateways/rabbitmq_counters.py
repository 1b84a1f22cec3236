"""Rates and waits from one queue's cumulative counters.

A broker's own rates are spiky, so ours come from the counters over our own looks. The wait of the message at the head
is *now minus the time when the cumulative publishes equalled today's publishes minus today's backlog*: right for a
FIFO queue, without touching a message or a producer. What never happens here: I/O, or a zero for "not known".
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from policies.contract import Reading, Trust

_WINDOW_S = 60.0
"""Rates are over this time: long against the broker's 5 s steps, short against a flood."""
_STEADY_S = 15.0
"""Rates over less time than this are rough: three of the broker's steps."""
_SAMPLES = 1_000


def absent(why: str) -> Reading:
    """A number that was not measured."""
    return Reading(value=None, trust=Trust.ABSENT, why=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """A queue's cumulative counts at one look, in messages; `at` is monotonic seconds."""

    at: float
    published: int
    completed: int


@dataclass(slots=True, kw_only=True)
class QueueHistory:
    """The looks at one queue so far, bounded. Belongs to one gateway and one thread at a time."""

    fifo: bool = True
    _seen: deque[Counters] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    _reset_at: float | None = None

    def take(self, counters: Counters) -> None:
        """Take in a look. Counters that fell were reset: what was before them says nothing any more."""
        if self._seen:
            last = self._seen[-1]
            if counters.published < last.published or counters.completed < last.completed:
                self._seen.clear()
                self._reset_at = counters.at
        if len(self._seen) >= 2 and self._unmoved(counters):
            # A still queue would fill the ring with one number; its first and last sight are enough.
            self._seen[-1] = counters
        else:
            self._seen.append(counters)

    def arrivals_per_s(self) -> Reading:
        """Messages published per second over the last minute."""
        return self._rate("published")

    def completions_per_s(self) -> Reading:
        """Messages acknowledged per second over the last minute."""
        return self._rate("completed")

    def wait_s(self, backlog: int) -> Reading:
        """Age of the message at the head, in seconds."""
        if backlog == 0:
            return Reading(value=0.0, trust=Trust.SOLID)
        if not self._seen:
            return absent("the broker gives no counters for this queue")
        now = self._seen[-1]
        head = now.published - backlog
        first = self._seen[0]
        if head < first.published:
            return Reading(
                value=now.at - first.at, trust=Trust.ROUGH, why="older than our first look; at least this"
            )
        return Reading(
            value=max(0.0, now.at - self._published_at(head)),
            trust=Trust.SOLID if self.fifo else Trust.ROUGH,
            why="" if self.fifo else "a priority queue does not serve in order",
        )

    def _published_at(self, count: int) -> float:
        """When the cumulative publishes passed `count`, interpolated between the two looks around it."""
        before = after = self._seen[-1]
        for seen in reversed(self._seen):
            if seen.published <= count:
                before = seen
                break
            after = seen
        if after.published <= before.published:
            return before.at
        share = (count - before.published) / (after.published - before.published)
        return before.at + share * (after.at - before.at)

    def _rate(self, name: str) -> Reading:
        if len(self._seen) < 2:
            return absent("rates need two looks")
        now = self._seen[-1]
        # The newest look that is at least a window old, else the oldest there is.
        start = next((s for s in reversed(self._seen) if now.at - s.at >= _WINDOW_S), self._seen[0])
        span_s = now.at - start.at
        if span_s <= 0:
            return absent("rates need two looks at different times")
        value = (getattr(now, name) - getattr(start, name)) / span_s
        if self._reset_at is not None and now.at - self._reset_at < _WINDOW_S:
            return Reading(value=value, trust=Trust.ROUGH, why="the broker's counters began anew")
        if span_s < _STEADY_S:
            return Reading(value=value, trust=Trust.ROUGH, why=f"over {span_s:.0f} s only")
        return Reading(value=value, trust=Trust.SOLID)

    def _unmoved(self, counters: Counters) -> bool:
        before, last = self._seen[-2], self._seen[-1]
        return all(
            c.published == counters.published and c.completed == counters.completed for c in (before, last)
        )


def together(readings: list[Reading], *, worst: bool = False) -> Reading:
    """One reading for several queues: their sum, or with `worst` their largest; trusted as its weakest part is."""
    missing = next((r for r in readings if r.value is None), None)
    if missing is not None:
        return missing
    values = [r.value for r in readings if r.value is not None]
    value = (max(values) if worst else sum(values)) if values else 0.0
    rough = next((r for r in readings if r.trust is Trust.ROUGH), None)
    return Reading(value=value, trust=Trust.ROUGH if rough else Trust.SOLID, why=rough.why if rough else "")
