"""What a picture is made of: panels below each other on one axis of time, with lines that belong to somebody.

All are values. Text may come from anywhere and holds no markup; whoever draws must see to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Points = tuple[tuple[float, float | None], ...]
"""(second, value), in order of time. None is "not known": nothing is drawn from there to the next value."""


class Shape(StrEnum):
    """How a series is drawn."""

    LINE = "line"
    DASHED = "dashed"
    AREA = "area"
    """Filled down to zero."""
    LIGHT_AREA = "light area"
    LIGHTEST_AREA = "lightest area"


class Scale(StrEnum):
    """How values become heights."""

    LINEAR = "linear"
    COUNT = "count"
    """Linear, of things that are whole."""
    DURATION = "duration"
    """Seconds; logarithmic above a second, and zero is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line or area. `owner` is the place of whose it is among the owners of the picture; None for everybody's."""

    name: str
    owner: int | None
    shape: Shape
    points: Points


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One box with an axis of values."""

    title: str
    unit: str
    series: tuple[Series, ...]
    scale: Scale = Scale.LINEAR
    mark: tuple[str, float] | None = None
    """A level that is drawn across, and what it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Something that happened at an instant; drawn as a line across all panels."""

    at_s: float
    label: str
    """Some signs, which are drawn where there is room."""
    says: str
    """A sentence, for who points at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """That the axis shows instants of a clock and not seconds since a start."""

    begins_at: float
    """Epoch seconds of its second 0."""
    ahead_s: float
    """By how much the shown clock is ahead of UTC, all the time."""
    zone: str
    """What that is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Words in columns. All but the first column are numbers and stand to the right."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """All that is shown."""

    title: str
    subtitle: str
    span_s: float
    owners: tuple[str, ...]
    """The first is drawn strongest."""
    shown: frozenset[int]
    """The owners that are drawn at first, or where there is only room for some."""
    panels: tuple[Panel, ...]
    table: Table
    notes: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = ()
    calendar: Calendar | None = None

    @property
    def axis(self) -> str:
        """What the axis of time counts."""
        return self.calendar.zone if self.calendar else "time since the start of the workload"


class PlotsUnavailable(Exception):
    """The library that draws is not installed; the message says how to get it."""
