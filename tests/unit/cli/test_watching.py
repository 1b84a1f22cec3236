"""`status --watch` on a real terminal: a screen of its own, which is gone whatever ends it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping

import pytest
from rich.text import Text

from autoscaler.cli import output, watching
from autoscaler.journal import JournalUnavailable
from tests.unit.cli import terminals
from tests.unit.cli.office import Office, a_decision
from tests.unit.core.builders import a_node

IN, OUT = b"\x1b[?1049h", b"\x1b[?1049l"
RED = b"\x1b[1;31m"


def environment(office: Office) -> Mapping[str, str]:
    return {"AUTOSCALER_CONFIG": str(office.config), **office.secrets}


def test_it_has_a_screen_of_its_own_and_leaves_it_on_ctrl_c(office: Office) -> None:
    """What stood on the terminal before stands there again, and the end is no error."""
    office.on_record(a_node("n1"), decisions=[a_decision(at=time.time(), backlog=42)])
    with terminals.opened("status", "--watch", environment=environment(office)) as terminal:
        terminal.until(b"Ctrl-C ends")
        before = len(terminal.shown)
        terminal.until(b"last tick", after=before)
        terminal.interrupt()
        code = terminal.to_the_end()

    assert 0 == code
    assert terminal.shown.index(IN) < terminal.shown.index(b"last tick") < terminal.shown.rindex(OUT)
    assert b"Traceback" not in terminal.shown


def test_a_daemon_that_does_not_tick_is_told_in_red(office: Office) -> None:
    """With the age of the last tick, and what to do."""
    office.on_record(a_node("n1"), at=time.time() - 3600)
    with terminals.opened("status", "--watch", environment=environment(office)) as terminal:
        shown = terminal.until(b"autoscaler run")

    assert RED + b"no daemon runs: the last tick was 1 h ago" in shown
    assert RED + b"Nothing below is renewed" in shown


def test_another_size_of_the_window_is_drawn_at_once(office: Office) -> None:
    """And what has no room is said to be there."""
    office.on_record(*(a_node(f"n{place}") for place in range(3)))
    with terminals.opened("status", "--watch", environment=environment(office)) as terminal:
        terminal.until(b"Ctrl-C ends")
        terminal.resize(60, 8)
        shown = terminal.until(b"a higher window shows them")

    last = shown[shown.rindex(b"fleet") :]
    assert all(
        len(line) <= 60 for line in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", last).decode().splitlines()
    )


def test_without_colours_there_are_none(office: Office) -> None:
    """NO_COLOR is heeded on a terminal, and elsewhere nobody asked for any."""
    office.on_record(a_node("n1"), at=time.time() - 3600)
    with terminals.opened("status", environment={**environment(office), "NO_COLOR": "1"}) as terminal:
        terminal.to_the_end()
    with terminals.opened("status", environment=environment(office)) as coloured:
        coloured.to_the_end()

    colour = re.compile(rb"\x1b\[[0-9;]*3[0-7]m")
    assert b"no daemon runs" in terminal.shown
    assert not colour.search(terminal.shown)
    assert colour.search(coloured.shown)
    assert "\x1b" not in office.command("status").out


def test_an_error_leaves_the_terminal_as_it_was() -> None:
    """Whatever it is."""
    script = (
        "from autoscaler.cli import watching\n"
        "looks = iter(['first', 'second'])\n"
        "watching.watch(lambda: next(looks))\n"
    )
    with terminals.opened(environment={}, program=(sys.executable, "-c", script)) as terminal:
        code = terminal.to_the_end()

    assert 1 == code
    assert (
        terminal.shown.index(b"second") < terminal.shown.index(OUT) < terminal.shown.index(b"StopIteration")
    )


def test_a_journal_that_is_away_for_a_while_is_waited_for() -> None:
    """The page says so and keeps what it knew; the next look may find it again."""

    def away() -> Text:
        raise JournalUnavailable("the server is away")

    unread = watching._next(away, Text("as it was"))
    still = watching._next(away, unread)
    console = output.console()
    with console.capture() as captured:
        console.print(still)

    assert "Not renewed, tried again each second: the server is away\nas it was\n" == captured.get()
    assert "again" == str(watching._next(lambda: Text("again"), still))


def test_there_is_nothing_to_watch_without_a_terminal(office: Office) -> None:
    """And what to take instead is said."""
    office.on_record()
    answer = office.command("status", "--watch")

    assert (2, True) == (answer.code, "take --json" in answer.err)


@pytest.mark.parametrize("high", [3, 1])
def test_what_fits_is_shown_whole(high: int) -> None:
    """A page of three lines on a screen of so many."""
    console = output.console()
    console.height = high
    with console.capture() as captured:
        console.print(watching._Fitting(Text("a\nb\nc")), end="")

    assert ("a\nb\nc" if high == 3 else "3 more lines: a higher window shows them") == captured.get().strip()
