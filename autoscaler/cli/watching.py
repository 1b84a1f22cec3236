"""A page that renews itself on a terminal until Ctrl-C: on a screen of its own, which is gone afterwards.

What never happens here: a look at anything; whoever calls says what is shown.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.style import Style

from autoscaler.cli import exits, output
from autoscaler.journal.contract import JournalUnavailable

_REFRESH_S = 1.0
_HEED_S = 0.1


def watch(look: Callable[[], RenderableType]) -> None:
    """Show what this says, again and again. Raises CommandFailed where there is no terminal.

    A journal that cannot be read at first ends it; later it may come back, so the page says so and goes on. Whatever
    ends this, the terminal is as before.
    """
    if not output.on_terminal():
        raise exits.CommandFailed(
            "--watch needs a terminal; leave it out to see the page once, or take --json.", code=exits.USAGE
        )
    shown = look()
    with (
        _ctrl_c() as asked,
        Live(_Fitting(shown), console=output.console(), screen=True, auto_refresh=False) as live,
    ):
        while not asked:
            live.update(_Fitting(shown), refresh=True)
            _pause(asked)
            if not asked:
                shown = _next(look, shown)


def _next(look: Callable[[], RenderableType], before: RenderableType) -> RenderableType:
    try:
        return look()
    except JournalUnavailable as error:
        old = before.page if isinstance(before, _Unread) else before
        return _Unread(old, str(error))


class _Unread:
    """What was seen last, under the reason why it is not renewed."""

    def __init__(self, page: RenderableType, why: str) -> None:
        self.page = page
        self._why = why

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield output.words(f"Not renewed, tried again each second: {self._why}", output.BAD)
        yield self.page


class _Fitting:
    """A page as far as the screen is high, and how much of it is not shown."""

    def __init__(self, page: RenderableType) -> None:
        self._page = page

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._page, options.update(height=None), pad=False)
        room = console.size.height
        more = len(lines) - room
        if more > 0:
            says = f"{more + 1} more lines: a higher window shows them"
            note = [Segment(says[: console.size.width], Style.parse(output.NOTE))]
            lines = [*lines[: room - 1], note]
        for place, line in enumerate(lines):
            yield from line
            if place < len(lines) - 1:
                yield Segment.line()


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Not empty after the first Ctrl-C; the second one is an exception, as usual.

    An exception at any moment could end up where nothing can pass it on, a destructor say, and be lost: then the page
    went on for ever.
    """
    asked: list[int] = []

    def heed(number: int, _frame: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, heed)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _pause(asked: list[int]) -> None:
    """Until the next renewal, until somebody asks for the end, or until the window has another size."""
    size = shutil.get_terminal_size()
    for _ in range(round(_REFRESH_S / _HEED_S)):
        if asked or shutil.get_terminal_size() != size:
            return
        time.sleep(_HEED_S)
