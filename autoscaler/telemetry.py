"""What the program may say: a closed catalogue of events, each with its level and its fields.

An event is `noun.verb_past` with key-values, never prose with holes. Saying one that is not in the catalogue, or with
other fields, is a programmer's error. Never said: user data, tokens, URLs with passwords.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import structlog

from autoscaler import meters
from autoscaler.meters import Meters

LEVELS = MappingProxyType({"debug": 10, "info": 20, "warning": 30, "error": 40})
_PRIORITIES = MappingProxyType({"debug": 7, "info": 6, "warning": 4, "error": 3})
"""As syslog(3) counts them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventKind:
    """How loud an event is, what it carries, and what it means to an operator."""

    level: str
    fields: frozenset[str]
    means: str


def _kind(level: str, fields: str, means: str) -> EventKind:
    return EventKind(level=level, fields=frozenset(fields.split()), means=means)


EVENTS: Mapping[str, EventKind] = MappingProxyType(
    {
        "daemon.started": _kind(
            "info", "fleet pools version pid", "the daemon holds the lease and begins to tick"
        ),
        "lease.awaited": _kind(
            "info",
            "holder term_s",
            "another daemon leads; this one takes over when its lease is free, or was not renewed for so long",
        ),
        "daemon.stopping": _kind("info", "signal in_flight", "no new orders; calls under way may finish"),
        "daemon.stopped": _kind(
            "info", "left_in_flight", "the end; calls still under way are left to the journal"
        ),
        "configuration.reloaded": _kind(
            "info", "by changes", "the file was read anew, and everything goes by it from this tick on"
        ),
        "configuration.kept": _kind(
            "error", "by why", "the file was read anew and not taken in: everything goes on as before"
        ),
        "tick.failed": _kind("error", "error", "one tick ended early; the next one looks again"),
        "tick.overran": _kind("warning", "took_s tick_s", "a tick took longer than the time between two"),
        "tick.hangs": _kind(
            "error",
            "lasts_s tick_s",
            "a tick does not end: nothing is bought, drained or ended until it does, or until the daemon is restarted",
        ),
        "daemon.wedged": _kind(
            "error",
            "silent_s patience_s",
            "no tick, or no look at the lease, has ended for so long that none will: the daemon ends itself at once, "
            "and its supervisor starts another",
        ),
        "plan.refused": _kind(
            "error", "error", "a plan broke a rule that must hold; nothing was done, the daemon ends"
        ),
        "journal.migrated": _kind(
            "info",
            "before after backup",
            "the journal of an older release was brought to this one's schema; the copy of what it was lies beside it",
        ),
        "journal.failed": _kind("error", "error", "nothing is done that cannot be written down"),
        "journal.recovered": _kind("info", "", "the journal can be written again"),
        "lease.lost": _kind(
            "error", "error", "another daemon took the lease over; this one does nothing more and ends"
        ),
        "fact.missed": _kind(
            "warning", "fact why", "something could not be seen; what rests on it holds still"
        ),
        "fact.recovered": _kind("info", "fact", "it can be seen again"),
        "account.slowed": _kind(
            "warning",
            "account age_s",
            "its listing came too late for its tick: it is taken on the next one, for what stood when it was asked for",
        ),
        "account.limited": _kind(
            "warning",
            "account requests_left for_s every_s",
            "by its own word it takes few requests more: they are kept for looks, which are made so far apart that "
            "they last, and then for ends",
        ),
        "account.recovered": _kind("info", "account", "it answers in time, and takes more requests, again"),
        "pool.decided": _kind("info", "pool sentence", "the number of workers, and why, when it changed"),
        "pool.repeated": _kind("debug", "pool sentence", "the same as the tick before"),
        "pool.failed": _kind("error", "pool error", "a policy failed; the pool keeps what it has"),
        "node.moved": _kind("info", "node pool before after reason", "a node entered another state"),
        "node.overdue": _kind(
            "warning", "node pool asks", "a machine was told to end many times and is still there"
        ),
        "node.failed": _kind(
            "error", "node pool error", "a node could not be dealt with; it stays as it was, the others go on"
        ),
        "node.recovered": _kind("info", "node", "it can be dealt with again"),
        "node.stalled": _kind(
            "warning",
            "node pool starved_s",
            "a worker with room takes up no task though messages wait; it is told to consume again",
        ),
        "boot.failed": _kind(
            "warning",
            "node pool offer phase",
            "a machine says that it cannot become a worker: `nodes NODE` has the end of its log",
        ),
        "report.refused": _kind(
            "warning",
            "messages why",
            "messages in the fleet's enrolment queue that no machine of it sent, since the start; said each time their "
            "number has doubled",
        ),
        "wish.failed": _kind(
            "warning",
            "node wants error",
            "a machine that becomes a worker was not given what it asked for; it asks again",
        ),
        "worker.fenced": _kind(
            "warning",
            "node pool",
            "a machine heard nothing of its fleet for as long as it may, and stopped its worker, which finished first",
        ),
        "call.finished": _kind("info", "call node kind says", "a provider or worker answered"),
        "call.refused": _kind(
            "warning", "call node kind says", "a provider or worker did not do what was asked"
        ),
        "stranger.seen": _kind("warning", "machine provider", "a machine of ours has no record"),
        "leftover.seen": _kind(
            "warning",
            "provider kind id machine size_gb",
            "something that came with a machine of ours outlived it and is billed: `autoscaler sweep` ends it",
        ),
        "leftover.ended": _kind("info", "provider kind id machine", "a sweep asked for its end"),
        "leftover.refused": _kind("warning", "provider kind id says", "a sweep could not end it"),
        "leftover.missed": _kind(
            "warning", "provider why", "what machines left behind there could not be seen, or not all of it"
        ),
        "machine.misplaced": _kind(
            "error",
            "machine pool provider location country allowed",
            "a machine of ours stands where residency does not allow it, or nobody knows where; it serves on, and no "
            "other is bought there",
        ),
        "misplacement.ended": _kind(
            "info", "machine provider", "it is gone, or is known to stand where it may"
        ),
        "hold.began": _kind(
            "warning", "kind subject why", "something wanted is held back, as `status` shows"
        ),
        "hold.ended": _kind("info", "kind subject", "it is not held back any more"),
        "user.ended": _kind("info", "node", "a machine's user at the broker is no more"),
        "users.failed": _kind(
            "warning",
            "error",
            "users of machines that are gone could not be ended at the broker; it is tried again",
        ),
        "users.recovered": _kind("info", "", "it works again"),
        "upstream.published": _kind(
            "info",
            "pool file servers",
            "the machines that serve stand in the pool's upstream file, and its reader took it in",
        ),
        "upstream.failed": _kind(
            "error",
            "pool file why",
            "the upstream file could not be written, or was not taken in: requests go where they went, machines that "
            "leave wait, and it is tried again",
        ),
        "upstream.awaited": _kind(
            "warning",
            "pool node",
            "a machine serves, and what runs on it does not answer where it would be published: it enters once it does",
        ),
        "web.opened": _kind(
            "info",
            "url orders",
            "the page, the API and metrics are served there; whether orders are taken there",
        ),
        "web.failed": _kind(
            "error",
            "why",
            "the page, the API and metrics are not served: it is tried again, and everything else goes on",
        ),
        "web.erred": _kind(
            "error", "address error", "a page or an answer could not be made; please report it"
        ),
        "traces.missed": _kind(
            "warning",
            "collector",
            "the collector of traces is away, or does not take them: they are dropped, and nothing else waits",
        ),
        "traces.recovered": _kind("info", "collector", "it takes them again"),
        "order.answered": _kind("info", "order carried_out says", "an operator's order was taken up"),
        "notice.failed": _kind(
            "warning",
            "notice about why tries",
            "what should have been told by a webhook was given up; `autoscaler notify` tries one",
        ),
        "notice.dropped": _kind(
            "warning",
            "notice count why",
            "so many things that should have been told by a webhook never will be",
        ),
        "notice.recovered": _kind("info", "notice", "that webhook takes notices again"),
    }
)


class Log(Protocol):
    """Where events go."""

    def say(self, event: str, /, **fields: object) -> None: ...


class StructLog:
    """Events through structlog: for people on a terminal, JSON elsewhere. Each is counted where it is said."""

    def __init__(
        self, logger: structlog.typing.FilteringBoundLogger, counted: Meters = meters.NOBODY
    ) -> None:
        self._logger = logger
        self._meters = counted

    def say(self, event: str, /, **fields: object) -> None:
        """Write one event. Raises `KeyError` or `ValueError` for one that the catalogue does not know."""
        kind = EVENTS[event]
        if fields.keys() != kind.fields:
            raise ValueError(f"{event} carries {sorted(kind.fields)}, not {sorted(fields)}")
        self._meters.count(meters.EVENT, event)
        self._logger.log(LEVELS[kind.level], event, **fields)


def open_log(*, level: str = "info", form: str = "auto", counted: Meters = meters.NOBODY) -> StructLog:
    """A log on standard error. `form` is `json`, `console`, or `auto`: console on a terminal, else JSON.

    Where systemd's journal reads it, each line begins with its level as the journal knows them (sd-daemon(3)).
    """
    terminal, journal = sys.stderr.isatty(), _goes_to_the_journal()
    pretty = form == "console" or (form == "auto" and terminal)
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=terminal) if pretty else structlog.processors.JSONRenderer()
    )
    # Libraries speak through the standard logging module; their warnings belong in the same stream, their chatter not.
    library = f"{'<4>' if journal else ''}%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format=library)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # each lost connection is an event of ours already
    logger = structlog.wrap_logger(
        structlog.PrintLogger(sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _with_priority(renderer) if journal else renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
    )
    return StructLog(logger, counted)


def _goes_to_the_journal() -> bool:
    """Whether standard error is the stream that systemd connected to its journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        stream = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stream.st_dev}:{stream.st_ino}"


def _with_priority(renderer: structlog.typing.Processor) -> structlog.typing.Processor:
    def render(logger: object, name: str, event: structlog.typing.EventDict) -> str:
        priority = _PRIORITIES[event["level"]]
        return "\n".join(f"<{priority}>{line}" for line in str(renderer(logger, name, event)).splitlines())

    return render
