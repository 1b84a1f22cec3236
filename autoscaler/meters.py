"""What the running daemon counts and times of its own doing: a closed catalogue of meters, and the tally of them.

In go names from the catalogue with their labels, out comes a reading: plain values. Rooms count through `Meters`, whose
`NOBODY` counts nothing, so that what is played or asked once is the same without them. What never happens here: a
choice, a word to a server, a label that is not of a short known kind.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from autoscaler.clock import Clock

_OF_TICKS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_OF_CALLS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_OF_REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MOST_SERIES = 5_000
"""Of one meter. Labels are names of pools and accounts at most; whatever came beyond is counted under `OTHER`."""
OTHER = "other"
DONE, FAILED = "done", "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A thing that is counted, or timed where it has `bounds`: seconds up to which its buckets reach.

    The label `outcome`, which stands last, is known at the end of what is timed: see `Timing`.
    """

    name: str
    means: str
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()
    known: tuple[tuple[str, ...], ...] = ()
    """Labels that are there from the start, with 0."""


TICK = Meter(
    name="autoscaler_tick_seconds",
    means="How long ticks took, from the first look to the last word; `failed` ones were not written down, or ended "
    "early.",
    labels=("outcome",),
    bounds=_OF_TICKS,
    known=((DONE,), (FAILED,)),
)
OBSERVE, THINK, COMMIT, DISPATCH = "observe", "think", "commit", "dispatch"
STAGE = Meter(
    name="autoscaler_tick_stage_seconds",
    means="How long each part of a tick took: `observe` looks, `think` reconciles, decides and plans, `commit` writes "
    "the journal, `dispatch` hands the calls over.",
    labels=("stage",),
    bounds=_OF_TICKS,
    known=((OBSERVE,), (THINK,), (COMMIT,), (DISPATCH,)),
)
PROVIDER_CALL = Meter(
    name="autoscaler_provider_call_seconds",
    means="Calls to accounts: `call` is `list`, `create` or `destroy`, `outcome` as in the log's `call.finished`. "
    "One that never ends is not among them: the log gives it up.",
    labels=("provider", "call", "outcome"),
    bounds=_OF_CALLS,
)
WORKER_CALL = Meter(
    name="autoscaler_worker_call_seconds",
    means="Orders to workers: `drain`, `undrain` and `stop`, until they were confirmed or were not.",
    labels=("call", "outcome"),
    bounds=_OF_REQUESTS,
)
BROKER_REQUEST = Meter(
    name="autoscaler_broker_request_seconds",
    means="Requests to the broker's management API: `outcome` is `done`, `absent` (it knows no such thing), `refused` "
    "or `unreachable`.",
    labels=("method", "outcome"),
    bounds=_OF_REQUESTS,
)
WORKER_MESSAGES = Meter(
    name="autoscaler_worker_messages_total",
    means="Messages of workers taken from the broker: `heard` ones held an event, `probe` ones were our own, "
    "`dropped` ones were of no use to us.",
    labels=("outcome",),
    known=(("heard",), ("probe",), ("dropped",)),
)
WORKERS_UNHEARD = Meter(
    name="autoscaler_workers_unheard_seconds_total",
    means="Seconds in which heartbeats were left unread, because reading all of them would take more of a core than "
    "they are given. They count as no worker's silence, so a dead one is found that much later.",
    known=((),),
)
BROKER_LINK_LOSSES = Meter(
    name="autoscaler_broker_link_losses_total",
    means="Times that the link to the workers through the broker ended, or could not be made.",
    known=((),),
)
EVENT = Meter(
    name="autoscaler_events_total",
    means="Events said, whether or not `log.level` lets them be written. All of the catalogue are there from the "
    "start.",
    labels=("event",),
)
SERVING = Meter(
    name="autoscaler_pool_serving_machine_seconds_total",
    means="Machine-seconds in which machines served: at each tick machines whose worker is ready × seconds since the "
    "tick before, three ticks' worth at most.",
    labels=("pool",),
)
IDLE = Meter(
    name="autoscaler_pool_idle_machine_seconds_total",
    means="Those of them that were paid and idle: serving machines whose worker said that it runs nothing × the same "
    "seconds. Nothing is added while workers cannot be heard.",
    labels=("pool",),
)
ARRIVED = Meter(
    name="autoscaler_pool_arrived_tasks_total",
    means="Tasks that the broker counted in.",
    labels=("pool",),
)
COMPLETED = Meter(
    name="autoscaler_pool_completed_tasks_total",
    means="Tasks that the broker counted out: acknowledged, or delivered without asking for that.",
    labels=("pool",),
)
METERS = (
    TICK,
    STAGE,
    PROVIDER_CALL,
    WORKER_CALL,
    BROKER_REQUEST,
    WORKER_MESSAGES,
    WORKERS_UNHEARD,
    BROKER_LINK_LOSSES,
    EVENT,
    SERVING,
    IDLE,
    ARRIVED,
    COMPLETED,
)


@dataclass(slots=True)
class Timing:
    """One thing under way. Whoever does it may say how it ended; where an error leaves it, it failed."""

    outcome: str = DONE


class Meters(Protocol):
    """Where is counted. Any thread may call it; it never raises for what it is to count, nor waits for anybody."""

    def count(self, meter: Meter, *labels: str, by: float = 1.0) -> None:
        """Add to a counter."""
        ...

    def timed(self, meter: Meter, *labels: str) -> AbstractContextManager[Timing]:
        """Time what stands inside. `labels` are all but `outcome`."""
        ...


class _Nobody:
    def count(self, meter: Meter, *labels: str, by: float = 1.0) -> None:
        pass

    def timed(self, meter: Meter, *labels: str) -> AbstractContextManager[Timing]:  # noqa: ARG002 (the signature of `Meters`)
        return nullcontext(Timing())


NOBODY: Meters = _Nobody()
"""Counts nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One meter under one set of labels, as it was read."""

    labels: tuple[str, ...]
    total: float
    """What was counted, or the seconds of all that was timed."""
    times: tuple[int, ...] = ()
    """Of what was timed: how often, by bucket; the last one reaches beyond all bounds."""


Reading = Mapping[str, tuple[Series, ...]]
"""By the meter's name. A meter without a series yet is there, too."""


@dataclass(slots=True)
class _Sum:
    total: float = 0.0
    times: list[int] = field(default_factory=list)


class Tally:
    """Counts from the start of the process on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._sums: dict[str, dict[tuple[str, ...], _Sum]] = {
            meter.name: {labels: _begun(meter) for labels in meter.known} for meter in METERS
        }

    def count(self, meter: Meter, *labels: str, by: float = 1.0) -> None:
        """Add to a counter, which never falls; with 0 it begins, so that its first count is seen as a rise."""
        with self._lock:
            each = self._sum(meter, labels)
            each.total += max(0.0, by)

    @contextmanager
    def timed(self, meter: Meter, *labels: str) -> Iterator[Timing]:
        """Time what stands inside by the clock that is never set."""
        timing, began_on = Timing(), self._clock.monotonic()
        try:
            yield timing
        except BaseException:
            timing.outcome = FAILED if timing.outcome == DONE else timing.outcome
            raise
        finally:
            whole = (*labels, timing.outcome) if meter.labels[-1:] == ("outcome",) else labels
            self._add(meter, whole, max(0.0, self._clock.monotonic() - began_on))

    def read(self) -> Reading:
        """All there is, as of one instant."""
        with self._lock:
            return {
                name: tuple(
                    Series(labels=labels, total=each.total, times=tuple(each.times))
                    for labels, each in sums.items()
                )
                for name, sums in self._sums.items()
            }

    def _add(self, meter: Meter, labels: tuple[str, ...], seconds: float) -> None:
        with self._lock:
            each = self._sum(meter, labels)
            each.total += seconds
            each.times[bisect_left(meter.bounds, seconds)] += 1

    def _sum(self, meter: Meter, labels: tuple[str, ...]) -> _Sum:
        sums = self._sums[meter.name]
        if labels not in sums and len(sums) >= MOST_SERIES:
            labels = (OTHER,) * len(labels)
        return sums.setdefault(labels, _begun(meter))


def _begun(meter: Meter) -> _Sum:
    return _Sum(times=[0] * (len(meter.bounds) + 1) if meter.bounds else [])
