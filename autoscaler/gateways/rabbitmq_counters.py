"""Rates and waits from one queue's cumulative counters.

A broker's own rates are spiky, so ours come from the counters over our own looks. The wait of the message at the head
is *now minus the time when the cumulative publishes equalled today's publishes minus today's backlog*: right for a
FIFO queue, without touching a message or a producer. What never happens here: I/O, or a zero for "not known".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from policies.contract import Flow, Reading, Trust

_WINDOW_S = 60.0
"""Rates are over this time: long against the broker's steps of 5 s, short against a flood."""
_STEADY_STEPS = 3
"""Rates over fewer than so many of the broker's steps are rough."""
_ALL_SAMPLES = 200_000
"""Kept over all queues together: some 30 MB."""
_MOST_SAMPLES, _FEWEST_SAMPLES = 1_000, 40
"""Kept of one queue. At a look in ten seconds 1,000 reach back almost three hours; 40 still hold the window."""


def absent(why: str) -> Reading:
    """A number that was not measured."""
    return Reading(value=None, trust=Trust.ABSENT, why=why)


def samples_each(queues: int) -> int:
    """How many looks may be kept of each of so many queues."""
    return max(_FEWEST_SAMPLES, min(_MOST_SAMPLES, _ALL_SAMPLES // max(1, queues)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """A queue's cumulative counts at one look, in messages; `at` is monotonic seconds."""

    at: float
    published: int
    completed: int
    redelivered: int = 0
    delivered: int = 0
    """Those that were redelivered included."""


@dataclass(slots=True, kw_only=True)
class QueueHistory:
    """The looks at one queue so far, bounded. Belongs to one gateway and one thread at a time.

    Between two looks the counters are taken to have grown evenly. The error of a wait is therefore at most the time
    between two looks, plus the age of the broker's figures (`interval_s`).
    """

    fifo: bool = True
    interval_s: float = 5.0
    """How old the broker's figures may be: two looks closer than this may be the same figures twice."""
    most: int = _MOST_SAMPLES
    _seen: list[Counters] = field(default_factory=list)
    _reset_at: float | None = None
    flow: Flow | None = None
    """What was counted between the last two looks; None after a first look, a reset, or one without counters."""

    def take(self, counters: Counters) -> None:
        """Take in a look, later than the one before. Counters that fell were reset: what was before is void."""
        if self._seen and _fell(self._seen[-1], counters):
            self._seen.clear()
            self._reset_at = counters.at
        self.flow = _between(self._seen[-1], counters) if self._seen else None
        if len(self._seen) >= 2 and _same(self._seen[-2], counters) and _same(self._seen[-1], counters):
            # A still queue would fill the list with one number; its first and last sight are enough.
            self._seen[-1] = counters
        else:
            self._seen.append(counters)
        if len(self._seen) > self.most:
            del self._seen[: len(self._seen) - self.most]

    @property
    def is_at_its_beginning(self) -> bool:
        """Whether the queue was last seen before anything was counted in it."""
        return bool(self._seen) and self._seen[-1].published == self._seen[-1].completed == 0

    def arrivals_per_s(self) -> Reading:
        """Messages published per second over the last minute."""
        return self._rate([seen.published for seen in self._seen])

    def completions_per_s(self) -> Reading:
        """Messages acknowledged, or delivered to consumers that never acknowledge, per second over the last minute."""
        return self._rate([seen.completed for seen in self._seen])

    def wait_s(self, backlog: int) -> Reading:
        """Age of the message at the head, in seconds, given how many are waiting."""
        if backlog == 0:
            return Reading(value=0.0, trust=Trust.SOLID)
        if not self._seen:
            return absent("the broker gives no counters for a queue yet")
        first, now = self._seen[0], self._seen[-1]
        head = now.published - backlog
        if head < first.published:
            if now.at - first.at < self.interval_s:
                return absent("what waits was published before our first look")
            why = (
                "the broker's counters began anew"
                if self._reset_at is not None
                else "older than our first look"
            )
            return Reading(value=now.at - first.at, trust=Trust.ROUGH, why=f"{why}; it is at least this")
        since = self._published_at(head)
        return self._judged(max(0.0, now.at - since), since)

    def _judged(self, value: float, since: float) -> Reading:
        """A wait with its trust: only a queue that serves in order of publishing can be read this way."""
        if not self.fifo:
            return Reading(value=value, trust=Trust.ROUGH, why="a priority queue does not serve in order")
        start = max(0, bisect_left(self._seen, since, key=lambda seen: seen.at) - 1)
        if self._seen[-1].redelivered > self._seen[start].redelivered:
            return Reading(
                value=value, trust=Trust.ROUGH, why="messages were delivered again and may be older"
            )
        return Reading(value=value, trust=Trust.SOLID)

    def _published_at(self, count: int) -> float:
        """When the message after the `count`-th was published, interpolated between the two looks around it."""
        index = bisect_right(self._seen, count, key=lambda seen: seen.published)
        if index == len(self._seen):
            return self._seen[-1].at
        before, after = self._seen[index - 1], self._seen[index]
        share = (count - before.published) / (after.published - before.published)
        return before.at + share * (after.at - before.at)

    def _rate(self, counts: Sequence[int]) -> Reading:
        if not counts:
            return absent("the broker gives no counters for a queue yet")
        times = [seen.at for seen in self._seen]
        start_at = max(times[0], times[-1] - _WINDOW_S)
        span_s = times[-1] - start_at
        if span_s <= 0 or span_s < self.interval_s:
            return absent(f"a rate needs two looks at least {self.interval_s:g} s apart")
        value = (counts[-1] - _at(start_at, times, counts)) / span_s
        if self._reset_at is not None and times[-1] - self._reset_at < _WINDOW_S:
            return Reading(value=value, trust=Trust.ROUGH, why="the broker's counters began anew")
        if span_s < _STEADY_STEPS * self.interval_s:
            return Reading(value=value, trust=Trust.ROUGH, why=f"over {span_s:.0f} s only")
        return Reading(value=value, trust=Trust.SOLID)


def _between(before: Counters, now: Counters) -> Flow:
    return Flow(
        arrived=now.published - before.published,
        completed=now.completed - before.completed,
        over_s=max(0.0, now.at - before.at),
        delivered=now.delivered - before.delivered,
        redelivered=now.redelivered - before.redelivered,
    )


def _fell(before: Counters, now: Counters) -> bool:
    return (
        now.published < before.published
        or now.completed < before.completed
        or now.redelivered < before.redelivered
        or now.delivered < before.delivered
    )


def _same(one: Counters, other: Counters) -> bool:
    return (one.published, one.completed, one.redelivered) == (
        other.published,
        other.completed,
        other.redelivered,
    )


def _at(instant: float, times: Sequence[float], counts: Sequence[int]) -> float:
    """The count at an instant between the first and the last of `times`, interpolated."""
    index = bisect_left(times, instant)
    if index == 0:
        return float(counts[0])
    share = (instant - times[index - 1]) / (times[index] - times[index - 1])
    return counts[index - 1] + share * (counts[index] - counts[index - 1])


def together(readings: Sequence[Reading]) -> Reading:
    """The sum over several queues, trusted as its weakest part is; nothing waits and nothing moves in no queues."""
    missing = next((r for r in readings if r.value is None), None)
    if missing is not None:
        return missing
    rough = next((r for r in readings if r.trust is Trust.ROUGH), None)
    return Reading(
        value=float(sum(r.value for r in readings if r.value is not None)),
        trust=Trust.ROUGH if rough else Trust.SOLID,
        why=rough.why if rough else "",
    )


def flow_of(flows: Sequence[Flow | None]) -> Flow | None:
    """The sum over several queues that were looked at together; None where one is not known, or there is none."""
    known = [flow for flow in flows if flow is not None]
    if not known or len(known) < len(flows):
        return None
    return Flow(
        arrived=sum(flow.arrived for flow in known),
        completed=sum(flow.completed for flow in known),
        over_s=max(flow.over_s for flow in known),
        delivered=sum(flow.delivered for flow in known),
        redelivered=sum(flow.redelivered for flow in known),
    )


def longest(readings: Sequence[Reading]) -> Reading:
    """The longest wait over several queues. Where one is not known, the longest that is known is a lower bound."""
    known = [r for r in readings if r.value is not None]
    missing = next((r for r in readings if r.value is None), None)
    worst = max(known, key=lambda r: r.value or 0.0, default=Reading(value=0.0, trust=Trust.SOLID))
    if missing is not None:
        # A lower bound of nothing says nothing.
        return (
            Reading(value=worst.value, trust=Trust.ROUGH, why=f"at least this; {missing.why}")
            if worst.value
            else missing
        )
    rough = worst if worst.trust is Trust.ROUGH else next((r for r in known if r.trust is Trust.ROUGH), None)
    return Reading(
        value=worst.value, trust=Trust.ROUGH if rough else Trust.SOLID, why=rough.why if rough else ""
    )
