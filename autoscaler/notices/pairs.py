"""What makes two events the same news, and which event is the end of which: tables, and looks into them.

What never happens here: memory of what was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.telemetry import EVENTS

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """An event that is the end of others, `of` which those count whose fields `by` are the same."""

    of: tuple[str, ...]
    by: tuple[str, ...] = ()
    where: tuple[str, str] | None = None
    """A field and the value that it must have."""


ENDS: Mapping[str, End] = MappingProxyType(
    {
        "fact.recovered": End(of=("fact.missed",), by=("fact",)),
        "hold.ended": End(of=("hold.began",), by=("kind", "subject")),
        "journal.recovered": End(of=("journal.failed",)),
        "account.recovered": End(of=("account.slowed", "account.limited"), by=("account",)),
        "node.recovered": End(of=("node.failed",), by=("node",)),
        # One that would not go is gone; every other move of it is none of this.
        "node.moved": End(of=("node.overdue",), by=("node",), where=("after", "gone")),
        "misplacement.ended": End(of=("machine.misplaced",), by=("machine", "provider")),
        "users.recovered": End(of=("users.failed",)),
        "traces.recovered": End(of=("traces.missed",), by=("collector",)),
        "upstream.published": End(of=("upstream.failed",), by=("pool", "file")),
        "configuration.reloaded": End(of=("configuration.kept",)),
        "daemon.started": End(of=("lease.awaited",)),
        # Whichever of the two: the pool's policies gave a number again.
        "pool.decided": End(of=("pool.failed",), by=("pool",)),
        "pool.repeated": End(of=("pool.failed",), by=("pool",)),
        # Said of every tick that hung, once it has ended.
        "tick.overran": End(of=("tick.hangs",)),
    }
)
ENDED_BY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        trouble: tuple(event for event, end in ENDS.items() if trouble in end.of)
        for trouble in EVENTS
        if any(trouble in end.of for end in ENDS.values())
    }
)
"""Of each event that has an end: by which events."""

_WHOM = frozenset(
    {
        "account",
        "call",
        "collector",
        "fact",
        "file",
        "holder",
        "id",
        "kind",
        "location",
        "machine",
        "node",
        "offer",
        "order",
        "phase",
        "pool",
        "provider",
        "subject",
        "wants",
    }
)
"""Fields that tell whom an event is about. The others tell how it is just now, and change from word to word."""
_NEWS = frozenset(
    {
        "configuration.kept",
        "configuration.reloaded",
        "daemon.started",
        "node.moved",
        "order.answered",
        "pool.decided",
    }
)
"""Of these another word is other news."""


def same(event: str, fields: Mapping[str, object]) -> Key:
    """What two events share that are the same news."""
    whom = EVENTS[event].fields if event in _NEWS else EVENTS[event].fields & _WHOM
    return (event, *(str(fields[name]) for name in sorted(whom)))


def trouble_of(event: str, fields: Mapping[str, object]) -> Key | None:
    """By which its end will know it; None for what has no end."""
    ends = ENDED_BY.get(event)
    return None if ends is None else (event, *(str(fields[name]) for name in ENDS[ends[0]].by))


def troubles_ended(event: str, fields: Mapping[str, object]) -> tuple[Key, ...]:
    """Which troubles this is the end of, if they stand."""
    end = ENDS.get(event)
    if end is None or (end.where is not None and str(fields[end.where[0]]) != end.where[1]):
        return ()
    about = tuple(str(fields[name]) for name in end.by)
    return tuple((trouble, *about) for trouble in end.of)


def heard_for(events: frozenset[str]) -> frozenset[str]:
    """These, and those that may be their ends."""
    return events | {end for event in events for end in ENDED_BY.get(event, ())}
