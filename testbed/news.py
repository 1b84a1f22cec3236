"""The daemon's log as sentences for somebody who watches.

In go the lines of JSON as they are appended, out come the events that a watcher wants to see, one sentence each. What
never happens here: a line that cannot be understood stops anything.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

_SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "web.opened": "the dashboard is at {url}",
        "web.failed": "there is no dashboard: {why}",
        "pool.decided": "{sentence}",
        "pool.failed": "{pool}: {error}",
        "node.moved": "{node}: {after}: {reason}",
        "node.overdue": "{node}: asked to end {asks} times, and still there",
        "call.refused": "{node}: {call} was refused: {says}",
        "fact.missed": "{fact} cannot be seen: {why}",
        "fact.recovered": "{fact} can be seen again",
        "stranger.seen": "{machine} at {provider} has no record",
        "order.answered": "order {order}: {says}",
        "plan.refused": "nothing is done: {error}",
        "tick.failed": "a tick ended early: {error}",
        "journal.failed": "{error}",
    }
)


class News:
    """Reads on from where it stopped."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._read_bytes = 0
        self._rest = b""

    def fresh(self) -> Iterator[str]:
        """What was said since the last call, oldest first: `14:03:55  sentence`."""
        try:
            with self._log.open("rb") as file:
                file.seek(self._read_bytes)
                text = file.read()
        except FileNotFoundError:
            return
        self._read_bytes += len(text)
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            sentence = _sentence(line)
            if sentence:
                yield sentence


def _sentence(line: bytes) -> str | None:
    try:
        said = json.loads(line)
        at = datetime.fromisoformat(said["timestamp"]).astimezone()
        return f"{at:%H:%M:%S}  {_SENTENCES[said['event']].format_map(said)}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return None  # an event that is not news, or a library's own line
