"""Listings in pages: by number, by cursor, and the `Link` header that some providers point to the next one with.

In go all rows and what was asked, out comes one page and what is told of the others. Pages are cut anew at each
request, as providers do it: what goes between two pages shifts the rest.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

T = TypeVar("T")


class BadPage(ValueError):
    """A page number, size or cursor that the provider would refuse; names the parameter."""

    def __init__(self, parameter: str, says: str) -> None:
        super().__init__(f"{parameter} {says}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """One page, and where it stands among the others."""

    rows: tuple[T, ...]
    number: int
    size: int
    total: int

    @property
    def last(self) -> int:
        """The number of the last page; 1 where there are no rows."""
        return max(1, -(-self.total // self.size))

    @property
    def next(self) -> int | None:
        """The number of the next page."""
        return self.number + 1 if self.number < self.last else None

    @property
    def previous(self) -> int | None:
        """The number of the page before."""
        return self.number - 1 if self.number > 1 else None


def numbered(
    rows: Sequence[T],
    *,
    number: str,
    size: str,
    names: tuple[str, str],
    default: int,
    most: int,
    least: int = 1,
) -> Page[T]:
    """The page of that number and size, both as they were asked for (empty: not). Raises BadPage, naming the one of
    `names` at fault."""
    at = _count(number or "1", names[0], 1, None)
    each = _count(size or str(default), names[1], least, most)
    begin = (at - 1) * each
    return Page(rows=tuple(rows[begin : begin + each]), number=at, size=each, total=len(rows))


def after(
    rows: Sequence[T], *, cursor: str, size: str, names: tuple[str, str], default: int, most: int
) -> tuple[tuple[T, ...], str]:
    """The rows after a cursor that an earlier page gave, and the cursor of the next page; empty: that was the last."""
    each = _count(size or str(default), names[1], 1, most)
    begin = 0
    if cursor:
        try:
            begin = int(base64.urlsafe_b64decode(cursor).decode().removeprefix("next__"))
        except ValueError:
            raise BadPage(names[0], "is no cursor of ours") from None
    end = begin + each
    following = base64.urlsafe_b64encode(f"next__{end}".encode()).decode() if end < len(rows) else ""
    return tuple(rows[begin:end]), following


def link(url: str, page: Page[T], *, parameter: str, query: Mapping[str, str]) -> Mapping[str, str]:
    """A `Link` header (RFC 8288) with first, previous, next and last page."""
    near = {"first": 1, "prev": page.previous, "next": page.next, "last": page.last}
    told = [
        f'<{url}?{urlencode({**query, parameter: str(number)})}>; rel="{name}"'
        for name, number in near.items()
        if number is not None
    ]
    return {"Link": ", ".join(told)}


def _count(value: str, name: str, least: int, most: int | None) -> int:
    if not value.isdecimal() or not value.isascii():
        raise BadPage(name, "must be an integer")
    number = int(value)
    if number < least or (most is not None and number > most):
        raise BadPage(name, f"must be from {least} to {most}" if most else f"must be at least {least}")
    return number
