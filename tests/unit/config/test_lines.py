"""Lines of keys in TOML text."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.config.lines import line_of, locate
from autoscaler.config.problem import Place

TRICKY = '''\
top = 1 # [not.a.table]
[a]
x = "[[no]]" # comment = 3
"quoted key" = 'C:\\'
many = """
y = 1
[a.fake]
\\""" not the end """"
raw = \'\'\'
z = 1\'\'\'
list = [
  1, # one
  [2, "]"],
  { p = 1, "q.r" = { s = 2 } },
]
b.c.d = 4

[[rows]]
k = 1
[rows.inner]
k = 2
[[rows]]
k = 3
[[rows.deep]]
k = 4
[[rows.deep]]
k = 5
[ a . "e.f" ]
g = 1979-05-27T07:32:00Z
last = true'''

LINES: dict[Place, int] = {
    ("top",): 1,
    ("a",): 2,
    ("a", "x"): 3,
    ("a", "quoted key"): 4,
    ("a", "many"): 5,
    ("a", "raw"): 9,
    ("a", "list"): 11,
    ("a", "list", 0): 12,
    ("a", "list", 1): 13,
    ("a", "list", 1, 0): 13,
    ("a", "list", 1, 1): 13,
    ("a", "list", 2): 14,
    ("a", "list", 2, "p"): 14,
    ("a", "list", 2, "q.r"): 14,
    ("a", "list", 2, "q.r", "s"): 14,
    ("a", "b"): 16,
    ("a", "b", "c"): 16,
    ("a", "b", "c", "d"): 16,
    ("rows",): 18,
    ("rows", 0): 18,
    ("rows", 0, "k"): 19,
    ("rows", 0, "inner"): 20,
    ("rows", 0, "inner", "k"): 21,
    ("rows", 1): 22,
    ("rows", 1, "k"): 23,
    ("rows", 1, "deep"): 24,
    ("rows", 1, "deep", 0): 24,
    ("rows", 1, "deep", 0, "k"): 25,
    ("rows", 1, "deep", 1): 26,
    ("rows", 1, "deep", 1, "k"): 27,
    ("a", "e.f"): 28,
    ("a", "e.f", "g"): 29,
    ("a", "e.f", "last"): 30,
}


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place of a document."""
    if at:
        yield at
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*at, key))
    if isinstance(value, list):
        for number, inner in enumerate(value):
            yield from places(inner, (*at, number))


def test_every_key_and_item_has_the_line_it_is_first_written_on() -> None:
    """Headers, array tables, dotted and quoted keys, multi-line strings and lists are all counted through."""
    assert set(LINES) == set(places(tomllib.loads(TRICKY)))
    assert dict(locate(TRICKY)) == LINES


def test_windows_line_ends_count_once() -> None:
    """An editor's line ends do not shift the lines."""
    assert dict(locate(TRICKY.replace("\n", "\r\n"))) == LINES


def test_a_place_that_is_not_written_has_the_line_of_the_table_around_it() -> None:
    """A missing key is told at the table it is missing from."""
    assert line_of(("rows", 1, "absent"), LINES) == 22
    assert line_of(("absent",), LINES) is None


WORDS = st.sampled_from(
    [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "#",
        "\n",
        '"',
        "'",
        '"""',
        "'''",
        "\\",
        " ",
        "a",
        "b",
        "1",
    ]
)


@given(st.lists(WORDS, max_size=40).map("".join))
def test_any_text_ends_and_every_place_of_valid_text_has_a_line(text: str) -> None:
    """Text that is not TOML does not trip or hang the scan, and TOML is located as tomllib reads it."""
    located = locate(text)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(places(document)) == set(located)
    assert all(1 <= line <= text.count("\n") + 1 for line in located.values())
