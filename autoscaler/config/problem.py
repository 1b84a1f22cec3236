"""What is wrong with a configuration, for people: one `Problem` a mistake, one `ConfigError` for all of them.

In go places, findings and expectations; out comes a report that names the file, the line, the dotted key, what was
found and what was expected. What never happens here: a secret, or anything that stands where a secret was meant to
stand, in words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass

Place = tuple[str | int, ...]
"""Where in the document: table keys and array positions, outermost first."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SECRET_WORDS = ("password", "secret", "token", "credential", "passphrase")
_SECRET_KEYS = frozenset({"key", "broker_url", "content", "environment", "proxy"})
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake. `path` is empty when the file as a whole is meant; `line` counts from 1, None where it is not
    known."""

    path: str
    line: int | None
    found: str
    expected: str
    advice: str = ""

    def __str__(self) -> str:
        where = ", ".join(filter(None, (f"line {self.line}" if self.line else "", self.path)))
        sentence = f"found {self.found}; expected {self.expected}."
        return " ".join(filter(None, (f"{where}:" if where else "", sentence, self.advice)))


class ConfigError(Exception):
    """The configuration is wrong. Holds every problem, in the order of the file; its text is the report people
    read."""

    def __init__(self, problems: Iterable[Problem], *, source: str = "the configuration") -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line or 0, p.path, p.found)))
        self.source = source
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        head = f"{self.source} has {'one problem' if count == 1 else f'{count} problems'}:"
        return "\n".join((head, *(f"  {problem}" for problem in self.problems)))


def nearest(name: str, known: Iterable[str]) -> str:
    """`Did you mean …?`, or nothing when none of the known names is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def dotted(place: Place) -> str:
    """The place as people write it: `pools.images.offers[0].size`; keys that need quotes in TOML have them here
    too."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _BARE_KEY.fullmatch(part) else quoted(part)
            text += f".{key}" if text else key
    return text


def described(value: object, place: Place = ()) -> str:
    """What stands there, in words: short values as they are, longer ones by their kind, possible secrets never."""
    if isinstance(value, str | int | float) and not isinstance(value, bool) and may_hold_a_secret(place):
        return "a value (not shown: it may be a secret)"
    match value:
        case bool():
            return str(value).lower()
        case str():
            return quoted(value)
        case int() if value.bit_length() > 64:
            return "a number too large to be meant"
        case int() | float():
            return str(value)
        case list() | tuple():
            return "a list" if value else "an empty list"
        case dict():
            return "a table"
        case _:
            return "a date or time"


def may_hold_a_secret(place: Place) -> bool:
    """Whether somebody may have written a secret here, by the names on the way."""
    return any(
        part in _SECRET_KEYS or any(word in part.lower() for word in _SECRET_WORDS)
        for part in place
        if isinstance(part, str)
    )


def quoted(text: str) -> str:
    """On one line, in quotes, cut where it is long, without control characters."""
    shown = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
    return '"' + "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in shown) + '"'
