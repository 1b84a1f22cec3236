"""What people see: lines, columns, JSON, instants and sums, the same way in every command.

Text comes in from anywhere, providers' error messages included; nothing of it reaches a terminal as a control
character. On a terminal columns fit its width; elsewhere they are as wide as they need to be, so that other programs
can read them. What never happens here: a look at anything.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console, Group, JustifyMethod, RenderableType
from rich.table import Table
from rich.text import Text

from autoscaler.views import wording

# Commands say `output.amount`, as they say `output.columns`; pages have the same words from there.
NOTHING, amount, local, offer = wording.NOTHING, wording.amount, wording.local, wording.offer
_UNBOUNDED_COLUMNS = 10_000

OK, NOTE, BAD, DIM, STRONG = "green", "yellow", "bold red", "dim", "bold"


def console(*, errors: bool = False) -> Console:
    """Where to print. Made anew each time, because who listens may change."""
    terminal = (sys.stderr if errors else sys.stdout).isatty()
    return Console(
        stderr=errors,
        width=None if terminal else _UNBOUNDED_COLUMNS,
        force_terminal=terminal,  # colours nowhere else, whatever FORCE_COLOR says; NO_COLOR is heeded by Rich
        markup=False,  # a queue may be called [red]
        emoji=False,
        highlight=False,
    )


def on_terminal() -> bool:
    """Whether what is said goes to one."""
    return sys.stdout.isatty()


def width(elsewhere: int) -> int:
    """Columns of the terminal; so many where there is none."""
    return console().width if on_terminal() else elsewhere


def clean(text: str) -> str:
    """The text without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)


def words(text: str, style: str = "") -> Text:
    """A piece of prose, wrapped between words on a terminal."""
    return Text(clean(text), style=style)


def say(*parts: RenderableType) -> None:
    """Print each on a line of its own."""
    shown = [words(part) if isinstance(part, str) else part for part in parts]
    if sys.stdout.isatty():
        console().print(*shown, sep="\n")
        return
    paper = console()
    with paper.capture() as captured:
        paper.print(*shown, sep="\n")
    # Columns are filled up with blanks, which nobody wants in a file.
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def complain(text: str) -> None:
    """Say to the standard error what went wrong."""
    console(errors=True).print(words(text))


def note(text: str) -> None:
    """Say something beside what goes to the standard output."""
    console(errors=True).print(words(text, DIM))


def say_json(facts: object) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(facts, indent=2, ensure_ascii=False, default=str) + "\n")


def columns(
    headers: Sequence[str], rows: Iterable[Sequence[str | Text]], *, right: Iterable[str] = ()
) -> Table:
    """A table without lines; the headers named in `right` stand to the right, as numbers do."""
    table = Table(box=None, pad_edge=False, header_style=STRONG, padding=(0, 2, 0, 0))
    for number, header in enumerate(headers):
        # What a row is about stays in one piece, to be copied.
        justify: JustifyMethod = "right" if header in right else "left"
        table.add_column(header, justify=justify, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*(words(cell) if isinstance(cell, str) else cell for cell in row))
    return table


def rows(lines: Iterable[Sequence[str | Text]], *, widths: Sequence[int]) -> Table:
    """Lines of columns without headers; all but the last are so wide at least, so that tables align."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for width in widths:
        table.add_column(min_width=width, no_wrap=True)
    table.add_column(overflow="fold")
    for line in lines:
        table.add_row(*(words(cell) if isinstance(cell, str) else cell for cell in line))
    return table


def facts(pairs: Mapping[str, str]) -> Table:
    """Names and values below each other."""
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for name, value in pairs.items():
        table.add_row(words(name, DIM), words(value))
    return table


def together(*parts: RenderableType | None) -> Group:
    """Parts below each other, with an empty line between; missing ones are left out."""
    shown: list[RenderableType] = []
    for part in parts:
        if part is not None:
            shown += [Text(""), part] if shown else [part]
    return Group(*shown)


def or_nothing(value: object | None) -> str:
    """The value as text, or the sign for nothing."""
    return NOTHING if value is None else str(value)
