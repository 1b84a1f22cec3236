"""Rates and waits from one queue's cumulative counters.

A broker's own rates are spiky, so ours come from the counters over our own looks. The wait of the message at the head
is *now minus the time when the cumulative publishes equalled today's publishes minus today's backlog*: right for a
FIFO queue, without touching a message or a producer. What never happens here: I/O, or a zero for "not known".
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from policies.contract import Flow, Reading, Trust

_WINDOW_S = 60.0
"""Rates are over this time: long against the broker's steps of 5 s, short against a flood."""
_STEADY_STEPS = 3
"""Rates over fewer than so many of the broker's steps are rough."""
_ALL_SAMPLES = 200_000
"""Kept over all queues together: some 30 MB."""
_MOST_SAMPLES, _FEWEST_SAMPLES = 1_000, 40
"""Kept of one queue. At a look in ten seconds 1,000 reach back almost three hours; 40 still hold the window."""
_NONE_YET = "the broker gives no counters for a queue yet"
_ANEW = "the broker's counters began anew"
_AT_LEAST = "older than our first look; it is at least this"
_AT_LEAST_SINCE_ANEW = f"{_ANEW}; it is at least this"


Wait = tuple[float | None, str]
"""Of one queue, in seconds; None where it is not known. Then why it is not, or is rough; empty where it is solid."""
Rates = tuple[float | None, float | None, str]
"""Of one queue, a second: of what comes and of what goes. Both are known or none, and rough or solid together.

Plain tuples: of ten thousand queues `Reading`s, whose sums alone are told, would be made for 30 ms a tick."""


def samples_each(queues: int) -> int:
    """How many looks may be kept of each of so many queues."""
    return max(_FEWEST_SAMPLES, min(_MOST_SAMPLES, _ALL_SAMPLES // max(1, queues)))


class Counters(NamedTuple):
    """A queue's cumulative counts at one look, in messages; `at` is monotonic seconds.

    A tuple, as one is made of each queue on each look: that takes a third of the time of a frozen dataclass.
    """

    at: float
    published: int
    completed: int
    redelivered: int = 0
    delivered: int = 0
    """Those that were redelivered included."""


_at, _published = attrgetter("at"), attrgetter("published")
Step = tuple[Counters, Counters]
"""Two looks, one after the other."""


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
    step: Step | None = None
    """The last two looks; None after a first look, a reset, or one without counters."""

    def take(self, counters: Counters) -> None:
        """Take in a look, later than the one before. Counters that fell were reset: what was before is void."""
        seen = self._seen
        if seen and _fell(seen[-1], counters):
            seen.clear()
            self._reset_at = counters.at
        self.step = (seen[-1], counters) if seen else None
        if len(seen) >= 2 and _same(seen[-1], counters) and _same(seen[-2], counters):
            # A still queue would fill the list with one number; its first and last sight are enough.
            seen[-1] = counters
        else:
            seen.append(counters)
        if len(seen) > self.most:
            del seen[: len(seen) - self.most]

    @property
    def is_at_its_beginning(self) -> bool:
        """Whether the queue was last seen before anything was counted in it."""
        return bool(self._seen) and self._seen[-1].published == self._seen[-1].completed == 0

    def rates_per_s(self) -> Rates:
        """Messages published, and messages acknowledged or delivered to consumers that never acknowledge, over the last
        minute."""
        seen = self._seen
        if not seen:
            return None, None, _NONE_YET
        now, start_at = seen[-1], seen[0].at
        if now.at - start_at > _WINDOW_S:
            start_at = now.at - _WINDOW_S
        span_s = now.at - start_at
        if span_s <= 0 or span_s < self.interval_s:
            return None, None, f"a rate needs two looks at least {self.interval_s:g} s apart"
        published, completed = self._counted_until(start_at)
        why = ""
        if self._reset_at is not None and now.at - self._reset_at < _WINDOW_S:
            why = _ANEW
        elif span_s < _STEADY_STEPS * self.interval_s:
            why = f"over {span_s:.0f} s only"
        return (now.published - published) / span_s, (now.completed - completed) / span_s, why

    def wait_s(self, backlog: int) -> Wait:
        """Age of the message at the head, given how many are waiting."""
        if backlog == 0:
            return 0.0, ""
        if not self._seen:
            return None, _NONE_YET
        first, now = self._seen[0], self._seen[-1]
        head = now.published - backlog
        if head < first.published:
            if now.at - first.at < self.interval_s:
                return None, "what waits was published before our first look"
            return now.at - first.at, _AT_LEAST_SINCE_ANEW if self._reset_at is not None else _AT_LEAST
        since = self._published_at(head)
        return max(0.0, now.at - since), self._why_rough(since)

    def _why_rough(self, since: float) -> str:
        """Why a wait is rough: only a queue that serves in order of publishing can be read this way."""
        if not self.fifo:
            return "a priority queue does not serve in order"
        start = max(0, bisect_left(self._seen, since, key=_at) - 1)
        if self._seen[-1].redelivered > self._seen[start].redelivered:
            return "messages were delivered again and may be older"
        return ""

    def _counted_until(self, instant: float) -> tuple[float, float]:
        """Published and completed at an instant between the first look and the last, interpolated."""
        index = bisect_left(self._seen, instant, key=_at)
        after = self._seen[index]
        if index == 0:
            return after.published, after.completed
        before = self._seen[index - 1]
        share = (instant - before.at) / (after.at - before.at)
        return (
            before.published + share * (after.published - before.published),
            before.completed + share * (after.completed - before.completed),
        )

    def _published_at(self, count: int) -> float:
        """When the message after the `count`-th was published, interpolated between the two looks around it."""
        index = bisect_right(self._seen, count, key=_published)
        if index == len(self._seen):
            return self._seen[-1].at
        before, after = self._seen[index - 1], self._seen[index]
        share = (count - before.published) / (after.published - before.published)
        return before.at + share * (after.at - before.at)


def _fell(before: Counters, now: Counters) -> bool:
    return (
        now.published < before.published
        or now.completed < before.completed
        or now.redelivered < before.redelivered
        or now.delivered < before.delivered
    )


def _same(one: Counters, other: Counters) -> bool:
    return (
        one.published == other.published
        and one.completed == other.completed
        and one.redelivered == other.redelivered
    )


def together(rates: Sequence[Rates]) -> tuple[Reading, Reading]:
    """What comes to several queues and what goes, trusted as the weakest part is; nothing moves in no queues."""
    coming: list[float] = []
    going: list[float] = []
    rough = ""
    for arrivals, completions, why in rates:
        if arrivals is None or completions is None:
            return _reading(None, why), _reading(None, why)
        coming.append(arrivals)
        going.append(completions)
        rough = rough or why
    return _reading(float(sum(coming)), rough), _reading(float(sum(going)), rough)


def flow_of(steps: Sequence[Step | None]) -> Flow | None:
    """What was counted in several queues between the last two looks; None where it is not known of one, or there is no
    queue."""
    arrived = completed = delivered = redelivered = 0
    over_s = 0.0
    for step in steps:
        if step is None:
            return None
        before, now = step
        arrived += now.published - before.published
        completed += now.completed - before.completed
        delivered += now.delivered - before.delivered
        redelivered += now.redelivered - before.redelivered
        over_s = max(over_s, now.at - before.at)
    if not steps:
        return None
    return Flow(
        arrived=arrived, completed=completed, over_s=over_s, delivered=delivered, redelivered=redelivered
    )


def longest(waits: Sequence[Wait]) -> Reading:
    """The longest wait over several queues. Where one is not known, the longest that is known is a lower bound."""
    worst_s, of_worst, rough, missing = 0.0, "", "", ""
    for wait_s, why in waits:
        if wait_s is None:
            missing = missing or why
            continue
        if wait_s > worst_s:
            worst_s, of_worst = wait_s, why
        rough = rough or why
    if missing:
        # A lower bound of nothing says nothing.
        return _reading(worst_s, f"at least this; {missing}") if worst_s else _reading(None, missing)
    return _reading(worst_s, of_worst or rough)


def _reading(value: float | None, why: str) -> Reading:
    if value is None:
        return Reading(value=None, trust=Trust.ABSENT, why=why)
    return Reading(value=value, trust=Trust.ROUGH if why else Trust.SOLID, why=why)
