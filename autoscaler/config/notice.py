"""The sections `[[notices]]`: which events are told to whom, by a webhook.

Events are named, or meant by a pattern of the closed catalogue in `autoscaler.telemetry`; `chosen` is what a section
comes to. What never happens here: an address or a token in words, or a request.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field

from autoscaler.config.secret import Secret
from autoscaler.config.values import AbsolutePath, Many, Section, Span, Text
from autoscaler.telemetry import EVENTS, LEVELS

OWN = "notice."
"""How events about notices themselves begin. They cause none: one that cannot be told would cause the next."""
CANDIDATES = tuple(name for name in EVENTS if not name.startswith(OWN))
"""Events that may be told."""

NoticeName = Annotated[
    str, Text(r"[a-z][a-z0-9-]{0,29}", "a name of 1 to 30 lower case letters, digits and `-`, a letter first")
]
Pattern = Annotated[str, Text(r"[a-z*?.\[\]!_-]{1,60}", "an event's name such as node.failed, or fact.*")]
Room = Annotated[
    str, Text(r"![!-~]{1,254}", "a room's id as its settings show it, such as !abc:matrix.example")
]


class Notice(Section):
    """`[[notices]]`: events that are told to people by a webhook. What ended after it was told is told, too."""

    name: NoticeName
    """By which `autoscaler notify NAME` tries it, and by which the log speaks of it."""
    shape: Literal["slack", "matrix", "json"]
    """What the other side takes: Slack's incoming webhooks, and what is compatible with them; a room of a Matrix
    server; or plain JSON with all fields."""
    url: Secret
    """Where to: the webhook's whole address, or that of the Matrix server. By reference, for such addresses hold what
    lets anybody write there."""
    token: Secret | None = None
    """Sent as `Authorization: Bearer`; the access token of a Matrix user. No default."""
    room: Room | None = None
    """For `matrix`: the room's id. Its user must have joined, and the room must not be encrypted."""
    events: Many[Pattern] = ()
    """Which events: names of the catalogue, or patterns of them with `*`."""
    level: Literal["info", "warning", "error"] | None = None
    """Those of this level and graver, besides. One of the two is needed."""
    pools: Many[str] = ()
    """Of events that carry a pool, only those of these pools. Without it of all."""
    repeat_s: Annotated[float, Span("0s", "4w")] = Field(default=600.0, alias="repeat")
    """How soon the same may be told again: the same event of the same node, pool, account or fact."""
    timeout_s: Annotated[float, Span("100ms", "1m")] = Field(default=10.0, alias="timeout")
    """For one try, from the connection to the end of the answer."""
    ca_file: AbsolutePath | None = None
    """Certificates (PEM) that the other side's certificate is checked against. Without it those of the system."""

    def chosen(self) -> frozenset[str]:
        """The events that are meant."""
        least = LEVELS[self.level] if self.level else None
        return frozenset(
            name
            for name in CANDIDATES
            if any(fnmatchcase(name, pattern) for pattern in self.events)
            or (least is not None and LEVELS[EVENTS[name].level] >= least)
        )
