"""On which line of a TOML document each key stands, so that a problem can point at it.

In goes text that tomllib has accepted; out comes a line for every table, key and array item. It reads no values and
judges nothing: text that is not TOML gives wrong lines or none, never an exception other than for nesting beyond
Python's stack.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Mapping

from autoscaler.config.problem import Place

_BLANK = " \t"
_BETWEEN = " \t\r\n"
_ENDS_SCALAR = ",]}\r\n#"
_ENDS_BARE_KEY = ".=] \t\r\n\"'"


def locate(text: str) -> Mapping[Place, int]:
    """The line, counted from 1, on which each place of the document is first written."""
    return _Scanner(text).document()


def line_of(place: Place, lines: Mapping[Place, int]) -> int | None:
    """The line of the place, or of the nearest table around it; None for the document as a whole."""
    while place:
        if place in lines:
            return lines[place]
        place = place[:-1]
    return None


class _Scanner:
    """One pass from start to end; `at` only ever grows."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.starts = [0, *(i + 1 for i, c in enumerate(text) if c == "\n")]
        self.lines: dict[Place, int] = {}
        self.tables_seen: dict[Place, int] = {}

    def document(self) -> Mapping[Place, int]:
        table: Place = ()
        while self.skip(_BETWEEN) < len(self.text):
            if self.text[self.at] == "[":
                table = self.header()
                self.at = self.end_of_line()
            else:
                self.pair(table)
        return self.lines

    def header(self) -> Place:
        """`[a.b]` or `[[a.b]]`: the place of the table that follows."""
        begun = self.at
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        keys = self.keys()
        place: Place = ()
        for depth, key in enumerate(keys, start=1):
            place = (*place, key)
            if is_array and depth == len(keys):
                self.tables_seen[place] = self.tables_seen.get(place, 0) + 1
                self.mark(place, begun)
            if place in self.tables_seen:
                place = (*place, self.tables_seen[place] - 1)
        self.mark(place, begun)
        return place

    def pair(self, table: Place) -> None:
        """`key = value` in a table or an inline table."""
        begun = self.at
        place = (*table, *self.keys())
        if self.text.startswith("=", self.at):
            self.at += 1
        self.mark(place, begun)
        self.value(place)

    def keys(self) -> list[str]:
        """A dotted key. Ends behind it, before `=` or `]`."""
        keys = [self.key()]
        while self.skip(_BLANK) < len(self.text) and self.text[self.at] == ".":
            self.at += 1
            keys.append(self.key())
        return keys

    def key(self) -> str:
        self.skip(_BLANK)
        begun = self.at
        if self.text[begun : begun + 1] in {'"', "'"}:
            self.string()
            return _unquoted(self.text[begun : self.at])
        while self.at < len(self.text) and self.text[self.at] not in _ENDS_BARE_KEY:
            self.at += 1
        if self.at == begun and self.at < len(self.text) and self.text[begun] not in "=.":
            self.at += 1
        return self.text[begun : self.at]

    def value(self, place: Place) -> None:
        self.skip(_BLANK)
        match self.text[self.at : self.at + 1]:
            case '"' | "'":
                self.string()
            case "[":
                self.items(place, closed_by="]")
            case "{":
                self.items(place, closed_by="}")
            case _:
                while self.at < len(self.text) and self.text[self.at] not in _ENDS_SCALAR:
                    self.at += 1

    def items(self, place: Place, *, closed_by: str) -> None:
        """The inside of an array or an inline table."""
        self.at += 1
        number = 0
        while self.skip(_BETWEEN + ",") < len(self.text):
            begun = self.at
            if self.text[begun] == closed_by:
                self.at += 1
                return
            if closed_by == "}":
                self.pair(place)
            else:
                self.mark((*place, number), begun)
                self.value((*place, number))
                number += 1
            if self.at == begun:
                self.at += 1

    def string(self) -> None:
        """Any of the four kinds of string, from its first quote to behind its last."""
        quote = self.text[self.at]
        fence = quote * 3 if self.text.startswith(quote * 3, self.at) else quote
        self.at += len(fence)
        while self.at < len(self.text) and not self.text.startswith(fence, self.at):
            self.at += 2 if quote == '"' and self.text[self.at] == "\\" else 1
        self.at += len(fence)
        if len(fence) == 3:
            # A multi-line string may end in one or two quotes of its own, right before the closing three.
            for _ in range(2):
                self.at += self.text.startswith(quote, self.at)
        self.at = min(self.at, len(self.text))

    def skip(self, characters: str) -> int:
        """Behind the given characters, and behind comments where a new line may follow."""
        while self.at < len(self.text):
            if self.text[self.at] in characters:
                self.at += 1
            elif self.text[self.at] == "#" and "\n" in characters:
                self.at = self.end_of_line()
            else:
                break
        return self.at

    def end_of_line(self) -> int:
        end = self.text.find("\n", self.at)
        return len(self.text) if end < 0 else end

    def mark(self, place: Place, at: int) -> None:
        """Note the first line of a place, and of the tables around it that have no header of their own."""
        line = bisect_right(self.starts, at)
        for length in range(1, len(place) + 1):
            self.lines.setdefault(place[:length], line)


def _unquoted(key: str) -> str:
    """What a quoted key says."""
    try:
        return str(tomllib.loads(f"k = {key}")["k"])
    except tomllib.TOMLDecodeError:
        return key
