"""The kinds of value the configuration is written in: durations with their unit, names, addresses; and what a
section is.

In goes what tomllib read, out comes a checked value in the units the program uses, or what was found and what was
expected. What never happens here: guessing. A number without a unit is a mistake, not seconds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from autoscaler.config.problem import described, quoted

UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s?(ms|s|m|h|d|w)")
_NUMBER_AND_UNIT = re.compile(r"([0-9.,]+)\s*([^\W\d]+)")
_NUMBER_ALONE = re.compile(r"[0-9]+(\.[0-9]+)?")
_LONGEST_ADVISED = 100
_EXAMPLES = 'a duration in quotes with its unit, such as "10s", "5m" or "1h"'

DURATION_MARK = "x-duration"
"""In the JSON Schema: the least and the most that this duration may be."""

WRONG = "wrong"
"""The type of the validation errors that carry their own words."""

T = TypeVar("T")
Many = Annotated[tuple[T, ...], Field(strict=False)]
"""A TOML array. Not strict about being a tuple already; its items are."""


class Section(BaseModel):
    """A table of the configuration: strict, frozen, closed. The docstring of a field is its public description, as
    `json_schema` reads it."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


def wrong(found: str, expected: str, advice: str = "") -> PydanticCustomError:
    """A validation error in the words of the report."""
    return PydanticCustomError(WRONG, "see context", {"found": found, "expected": expected, "advice": advice})


def seconds(text: str) -> float:
    """A duration as written, in seconds. Raises ValueError for anything else."""
    match = DURATION.fullmatch(text)
    if match is None:
        raise ValueError(text)
    # Rounded, because 0.1 × 60 is not quite 6 in binary.
    return round(float(match[1]) * UNITS_S[match[2]], 9)


def duration(seconds_: float) -> str:
    """The shortest way to write so many seconds with one unit: 300 s are `5m`."""
    for unit in ("w", "d", "h", "m", "s"):
        count = seconds_ / UNITS_S[unit]
        if count.is_integer() and (count >= 1 or unit == "s"):
            return f"{int(count)}{unit}"
    count = seconds_ / UNITS_S["ms"]
    return f"{count:g}ms"


@dataclass(frozen=True, slots=True)
class Span:
    """Marks a number of seconds that is written as text with a unit, within bounds written in the same way."""

    least: str
    most: str
    whole: bool = False

    def parse(self, value: object) -> float | int:
        if not isinstance(value, str):
            advice = ""
            if isinstance(value, int | float) and not isinstance(value, bool):
                advice = f'If seconds are meant, write "{described(value)}s".'
            raise wrong(described(value), _EXAMPLES, advice)
        if DURATION.fullmatch(value) is None:
            raise wrong(quoted(value), _EXAMPLES, _duration_advice(value))
        taken = seconds(value)
        if not seconds(self.least) <= taken <= seconds(self.most):
            raise wrong(quoted(value), f"a duration from {self.least} to {self.most}")
        if self.whole and not taken.is_integer():
            raise wrong(quoted(value), "whole seconds")
        return int(taken) if self.whole else taken

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{DURATION.pattern}$", DURATION_MARK: [self.least, self.most]}


@dataclass(frozen=True, slots=True)
class SpanOr(Span):
    """Marks the same where one word may stand in its place, which is taken as it is."""

    word: str = ""

    def take(self, value: object) -> float | int | str:
        """The seconds, or the word."""
        if value == self.word:
            return self.word
        try:
            return self.parse(value)
        except PydanticCustomError as error:
            known = error.context or {}
            expected = f'{known["expected"]}, or "{self.word}"'
            raise wrong(known["found"], expected, known["advice"]) from None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.take)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        written = Span.__get_pydantic_json_schema__(self, schema, handler)
        return {"anyOf": [{"const": self.word}, written]}


def _duration_advice(text: str) -> str:
    """What is wrong with it, where that can be said."""
    if len(text) > _LONGEST_ADVISED:
        return ""  # nobody meant a duration, and looking for one takes time by the square of the length
    if _NUMBER_ALONE.fullmatch(text):
        return f'The unit is missing; if seconds are meant, write "{text}s".'
    parts = _NUMBER_AND_UNIT.fullmatch(text)
    if parts and parts[2] not in UNITS_S:
        return f"{quoted(parts[2])} is no unit here; known are {', '.join(UNITS_S)}."
    if len(_NUMBER_AND_UNIT.findall(text)) > 1:
        return 'Write one number with one unit: "90m", not "1h30m".'
    return ""


@dataclass(frozen=True, slots=True)
class Text:
    """Marks a text that matches a pattern as a whole; `expected` is the pattern in words."""

    pattern: str
    expected: str

    def parse(self, value: object) -> str:
        if not isinstance(value, str) or re.fullmatch(self.pattern, value) is None:
            raise wrong(described(value), self.expected)
        return value

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{self.pattern})$"}


def other_kind(*built_in: str) -> Text:
    """Marks the name of a kind that is not built in."""
    return Text(
        rf"(?!(?:{'|'.join(built_in)})$)[a-z][a-z0-9_-]{{0,39}}",
        f"{', '.join(built_in)}, or the name of an installed kind",
    )


@dataclass(frozen=True, slots=True)
class Address:
    """Marks an address without user, password or path, whose scheme is one of these. `path` allows one."""

    schemes: tuple[str, ...]
    example: str
    path: bool = False

    def parse(self, value: object) -> str:
        expected = f"an address such as {self.example}"
        if not isinstance(value, str):
            raise wrong(described(value), expected)
        parts = _split(value)
        if "@" in value or (parts is not None and (parts.username or parts.password)):
            raise wrong(
                "an address with a user or a password (not shown)",
                "the bare address",
                "They have keys of their own: username and password.",
            )
        if parts is None or parts.scheme not in self.schemes or not parts.hostname or not value.isprintable():
            raise wrong(quoted(value), expected)
        if parts.query or parts.fragment or " " in value:
            raise wrong("an address with `?`, `#` or a space", expected)
        if parts.path not in {"", "/"} and not self.path:
            raise wrong(
                quoted(value), f"{expected}, without a path", "The virtual host has a key of its own: vhost."
            )
        return value.rstrip("/")

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^(?:{'|'.join(self.schemes)})://"}


def _split(value: str) -> SplitResult | None:
    """The parts of a URL; None where it has none or its port is not a port."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    return parts if port is None or port > 0 else None


QueueName = Annotated[
    str,
    Text(
        r"(?! )[^,\x00-\x1f\x7f]{1,255}(?<! )",
        "a queue's name: 1 to 255 characters, no comma, no space around it",
    ),
]
AbsolutePath = Annotated[str, Text(r"/[^\x00-\x1f]*", "an absolute path, such as /etc/autoscaler/ca.pem")]
Line = Annotated[str, Text(r"[^\x00-\x1f\x7f]*", "text on one line")]
Word = Annotated[str, Text(r"[^\x00-\x1f\x7f]+", "text on one line, not empty")]
