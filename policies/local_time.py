"""The clocks of a time zone: local times to instants and back, right across every change.

Instants go in and out as whole or broken epoch seconds; zones are IANA names, whose rules come from the machine's own
time zone data (https://www.iana.org/time-zones) and are read once. What never happens here: the present time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from io import BytesIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

DAY_S = 86_400
HOUR_S = 3_600
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UTC = b"TZif" + bytes(32) + (1).to_bytes(4, "big") + (4).to_bytes(4, "big") + bytes(6) + b"UTC\0"
"""That zone in the form of time zone data (RFC 9636): one kind of time, without a change. It needs no file."""
_NEAR_S = 6 * DAY_S
"""So far ahead a day of the week says which day is meant."""


class ZoneUnknown(ValueError):
    """The machine has no rules for a zone of that name. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockChange:
    """At the instant `at` (epoch seconds) the distance from UTC (seconds, east of it above 0) became another."""

    at: int
    offset_before_s: int
    offset_after_s: int


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The zone by its IANA name. Raises `ZoneUnknown`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if name == "UTC":
            return ZoneInfo.from_file(BytesIO(_UTC), key=name)
        raise ZoneUnknown(
            "a zone that this machine knows, such as Europe/Oslo or UTC; the zones come with the package tzdata"
        ) from error


def at_local(at: float, name: str) -> datetime:
    """What the zone's clocks show at that instant, with their offset."""
    return datetime.fromtimestamp(at, zone(name))


def instants(local: datetime, name: str) -> tuple[int, ...]:
    """Every instant at which the zone's clocks show that time, in order: none in a skipped hour, two in a repeated one.

    `local` bears no zone of its own.
    """
    first, second = _as_first_and_second(local, zone(name))
    if first == second:
        return (first,)
    return (first, second) if first < second else ()


def after_gap(local: datetime, name: str) -> int:
    """The first instant after the gap that swallowed that time."""
    there = zone(name)
    # Before the clocks went forward they would have reached it later, and after it earlier: the change lies between.
    late, early = _as_first_and_second(local, there)
    return _turn(there, early, late)


def offset_s(at: float, name: str) -> int:
    """Seconds that the zone's clocks are ahead of UTC."""
    return _offset_s(at, zone(name))


def changes(name: str, from_at: float, until_at: float) -> Iterator[ClockChange]:
    """Each change of the zone's clocks after `from_at` and before `until_at`, in order."""
    there = zone(name)
    low = int(from_at)
    while low < until_at:
        high = low + HOUR_S
        before_s, after_s = _offset_s(low, there), _offset_s(high, there)
        if before_s != after_s and (turn := _turn(there, low, high)) < until_at:
            yield ClockChange(at=turn, offset_before_s=before_s, offset_after_s=after_s)
        low = high


def told(at: float, name: str, *, seen_from: float) -> str:
    """The zone's time as people say it: `Fri 18:00`, further away than six days `Fri 12 Jun 18:00`.

    Where the clocks show that time twice, its offset is said too.
    """
    local = at_local(at, name)
    words = [_DAYS[local.weekday()]]
    if at - seen_from > _NEAR_S:
        words.append(f"{local.day} {_MONTHS[local.month - 1]}")
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    if len(instants(local.replace(tzinfo=None, fold=0), name)) > 1:
        clock += local.isoformat()[-len("+00:00") :]
    return " ".join((*words, clock))


def day_and_time(at: float, name: str) -> str:
    """Day of the week, date, time and offset: `Fri 2026-06-12 18:00:00+02:00`."""
    local = at_local(at, name)
    return f"{_DAYS[local.weekday()]} {local.isoformat(sep=' ', timespec='seconds')}"


def _as_first_and_second(local: datetime, there: ZoneInfo) -> tuple[int, int]:
    """The instant by the offset before a change and by the one after it; the same where nothing changes (PEP 495)."""
    early, late = (
        round(local.replace(tzinfo=there, fold=fold).astimezone(UTC).timestamp()) for fold in (0, 1)
    )
    return early, late


def _offset_s(at: float, there: ZoneInfo) -> int:
    return round((datetime.fromtimestamp(at, there).utcoffset() or timedelta()).total_seconds())


def _turn(there: ZoneInfo, low: int, high: int) -> int:
    """The first second after `low` with another offset than there; `high` has one."""
    before_s = _offset_s(low, there)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_s(middle, there) == before_s:
            low = middle
        else:
            high = middle
    return high
