"""The shapes of JSON bodies, to the last field: what is missing, unknown or of another kind is found and named.

A shape is a function from a value and its place to the problems with it, and is written as data: `record` of fields,
`text`, `integer`, `each`, `either` … How a provider tells of problems is its server's to say. What never happens here:
a value changed, or a default filled in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """Kinds of problem; providers tell them apart."""

    MISSING = "missing"
    UNKNOWN = "unknown"
    TYPE = "type"
    VALUE = "value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a body. `says` never holds the value, which may be user data."""

    place: str
    """Dotted, with `[n]` for what stands in a list; empty for the body itself."""
    wrong: Wrong
    says: str


Shape = Callable[[object, str], Iterator[Problem]]


def problems(shape: Shape, value: object) -> tuple[Problem, ...]:
    """All that is wrong with a value."""
    return tuple(shape(value, ""))


def _type(place: str, wanted: str, value: object) -> Problem:
    return Problem(
        place=place, wrong=Wrong.TYPE, says=f"expected {wanted}, found a value of type {type(value).__name__}"
    )


def text(
    *,
    pattern: str = "",
    at_least: int = 0,
    at_most: int | None = None,
    bytes_at_most: int | None = None,
) -> Shape:
    """A text: the whole of it like `pattern`, with so many letters, or so many bytes as UTF-8."""

    def shape(value: object, place: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield _type(place, "a string", value)
            return
        if pattern and not re.fullmatch(pattern, value):
            yield Problem(place=place, wrong=Wrong.VALUE, says=f"does not match {pattern}")
        if len(value) < at_least or (at_most is not None and len(value) > at_most):
            most = "any number" if at_most is None else at_most
            yield Problem(place=place, wrong=Wrong.VALUE, says=f"must have {at_least} to {most} letters")
        if bytes_at_most is not None and len(value.encode()) > bytes_at_most:
            yield Problem(place=place, wrong=Wrong.VALUE, says=f"must have at most {bytes_at_most} bytes")

    return shape


def number(*, at_least: float | None = None, at_most: float | None = None, whole: bool = False) -> Shape:
    """A number within bounds; true and false are none."""

    def shape(value: object, place: str) -> Iterator[Problem]:
        kinds = int if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            yield _type(place, "an integer" if whole else "a number", value)
        elif (at_least is not None and value < at_least) or (at_most is not None and value > at_most):
            yield Problem(place=place, wrong=Wrong.VALUE, says=f"must be from {at_least} to {at_most}")

    return shape


def integer(*, at_least: int | None = None, at_most: int | None = None) -> Shape:
    """A whole number within bounds."""
    return number(at_least=at_least, at_most=at_most, whole=True)


def flag(value: object, place: str) -> Iterator[Problem]:
    """True or false."""
    if not isinstance(value, bool):
        yield _type(place, "a boolean", value)


def null(value: object, place: str) -> Iterator[Problem]:
    """Nothing, said aloud."""
    if value is not None:
        yield _type(place, "null", value)


def anything(_value: object, _place: str) -> Iterator[Problem]:
    """Whatever it is."""
    yield from ()


def one_of(*values: object) -> Shape:
    """One of these."""

    def shape(value: object, place: str) -> Iterator[Problem]:
        if not any(value == each and type(value) is type(each) for each in values):
            known = ", ".join(str(each) for each in values)
            yield Problem(place=place, wrong=Wrong.VALUE, says=f"must be one of {known}")

    return shape


def each(of: Shape, *, at_least: int = 0, at_most: int | None = None) -> Shape:
    """A list in which everything has that shape."""

    def shape(value: object, place: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield _type(place, "an array", value)
            return
        if len(value) < at_least or (at_most is not None and len(value) > at_most):
            yield Problem(place=place, wrong=Wrong.VALUE, says=f"must have {at_least} to {at_most} entries")
        for at, one in enumerate(value):
            yield from of(one, f"{place}[{at}]")

    return shape


def either(*shapes: Shape) -> Shape:
    """Any of these; where none fits, the problems with the one that came closest."""

    def shape(value: object, place: str) -> Iterator[Problem]:
        found = [tuple(each(value, place)) for each in shapes]
        if all(found):
            yield from min(found, key=lambda them: (any(one.wrong is Wrong.TYPE for one in them), len(them)))

    return shape


def nullable(of: Shape) -> Shape:
    """That, or null."""
    return either(of, null)


def record(
    required: Mapping[str, Shape] | None = None,
    optional: Mapping[str, Shape] | None = None,
    *,
    lax: bool = False,
) -> Shape:
    """An object with these fields and no others, unless the provider ignores what it does not know (`lax`)."""
    needed, known = required or {}, {**(required or {}), **(optional or {})}

    def shape(value: object, place: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _type(place, "an object", value)
            return
        inside = f"{place}." if place else ""
        for name in needed:
            if name not in value:
                yield Problem(place=f"{inside}{name}", wrong=Wrong.MISSING, says="is required")
        for name, one in value.items():
            if name in known:
                yield from known[name](one, f"{inside}{name}")
            elif not lax:
                yield Problem(
                    place=f"{inside}{name}", wrong=Wrong.UNKNOWN, says="is no field of this request"
                )

    return shape


def mapping(key: Shape, of: Shape) -> Shape:
    """An object with names of one's own."""

    def shape(value: object, place: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _type(place, "an object", value)
            return
        for name, one in value.items():
            yield from key(name, f"{place}.{name}")
            yield from of(one, f"{place}.{name}")

    return shape
