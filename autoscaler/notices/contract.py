"""What goes between the parts of this room: what was said, what is chosen of it, and where it goes.

What never happens here: a choice, or a word for people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from autoscaler.config.secret import Secret


class Shape(StrEnum):
    """What the other side takes."""

    SLACK = "slack"
    MATRIX = "matrix"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One event. `at` is epoch seconds, `on` the seconds of a clock that nobody sets."""

    event: str
    fields: Mapping[str, object]
    at: float
    on: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing that people are to be told."""

    event: str
    level: str
    means: str
    fields: Mapping[str, object]
    at: float
    ends: str = ""
    """The event that this is the end of; empty where it is no end."""
    stood_s: float | None = None
    """How long the trouble lasted until its end; of one that is told late, how long it stands already."""
    unsaid: int = 0
    """How often the same was said and not told, since it was told last."""
    trial: bool = False
    """Whether somebody only tries whether notices arrive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one receiver wants to hear."""

    events: frozenset[str]
    pools: frozenset[str] = frozenset()
    """Of events that carry a pool, those of these alone; empty: of all."""
    repeat_s: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where notices go, and which. Its address and its token show themselves to nobody."""

    name: str
    shape: Shape
    url: Secret
    choice: Choice
    token: Secret | None = None
    room: str | None = None
    timeout_s: float = 10.0
    ca_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One request to be sent. `path` is put behind the route's address, which is not part of it."""

    method: str
    path: str
    body: bytes = field(repr=False)


class Ending(StrEnum):
    """What became of one try: taken; a definite no, which another try would only hear again; or not now."""

    TAKEN = "taken"
    REFUSED = "refused"
    NOT_NOW = "not now"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How the other side answered. `says` never holds the address."""

    ending: Ending
    says: str
    status: int | None = None
    after_s: float | None = None
    """When the other side wants to be asked again, if it said so."""
