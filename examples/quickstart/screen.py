"""What a watcher sees: one page that renews itself on a terminal, plain lines anywhere else.

In go pictures of the moment and sentences of news. The pool is shown as `autoscaler status` shows it, by the same
function. What never happens here: a look at anything, or an end because nobody can be shown anything any more.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from place import POOL
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from autoscaler.cli import output, status
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.views.standing import Standing
from policies.phrases import duration

_STYLES: Mapping[NodeState, str] = {NodeState.READY: output.OK, NodeState.LOST: output.BAD}
_MOST_NEWS = 10
_LINES_EVERY_S = 10.0
_TO_TRY = (
    (f"why {POOL}", "why the number is what it is"),
    ("nodes --cloud", "records beside what really runs"),
    (f"hold {POOL} 2 --for 1m", "fix the number for a minute"),
    ("drain NODE", "send one worker home"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One moment. `now` is None until the daemon has made its journal."""

    seconds: float
    happening: str
    now: Standing | None
    nodes: tuple[Node, ...]


class Screen(Protocol):
    """Where things are shown. Entered before the first picture, left after the last."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tell(self, news: str) -> None: ...

    def show(self, picture: Picture) -> None: ...


class Lines:
    """For a file, a pipe, a log of a build: each sentence once, and the state of things now and then."""

    def __init__(self, commands: Iterable[str]) -> None:
        self._commands = tuple(commands)
        self._shown_s: float | None = None
        self._said = ""

    def __enter__(self) -> Self:
        for line in self._commands:
            say(line)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing was held."""

    def tell(self, news: str) -> None:
        """Print it."""
        say(news)

    def show(self, picture: Picture) -> None:
        """Print what happens, if that is another thing than before and some time has passed."""
        if self._shown_s is not None and picture.seconds - self._shown_s < _LINES_EVERY_S:
            return
        if picture.happening != self._said:
            say(f"          {picture.happening}")
        self._shown_s, self._said = picture.seconds, picture.happening


class Page:
    """For a terminal: the whole of it, given back as it was."""

    def __init__(self, console: Console, commands: Iterable[str]) -> None:
        self._console = console
        self._commands = tuple(commands)
        self._news: deque[str] = deque(maxlen=_MOST_NEWS)
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # the terminal may be gone, which is why we end
            self._live.__exit__(kind, error, trace)

    def tell(self, news: str) -> None:
        """Keep it among the last ones."""
        self._news.append(news)

    def show(self, picture: Picture) -> None:
        """Draw the page anew."""
        with contextlib.suppress(OSError):
            self._live.update(self._page(picture), refresh=True)

    def _page(self, picture: Picture) -> RenderableType:
        """What always stands there, then as much of the rest as the terminal has rows for."""
        head = Text.assemble(
            ("autoscaler quickstart", output.STRONG),
            (f"  ·  {duration(picture.seconds)}  ·  Ctrl-C ends all of it", output.DIM),
        )
        parts: list[RenderableType] = [head, output.words(picture.happening, output.OK)]
        if picture.now is not None:
            parts.append(status.page(picture.now))
            self._add(parts, _table(picture.nodes, picture.now.at))
        commands = _list(output.words(line, output.DIM) for line in self._commands)
        space = self._rows_left([*parts, commands]) - 2  # an empty line, and the title
        news = list(self._news)[-space:] if space > 0 else []
        if news:
            title = Text("WHAT THE DAEMON SAYS", style=output.STRONG)
            parts.append(_list([title, *map(output.words, news)]))
        self._add(parts, commands)
        return output.together(*parts)

    def _add(self, parts: list[RenderableType], part: RenderableType) -> None:
        if self._rows_left([*parts, part]) >= 0:
            parts.append(part)

    def _rows_left(self, parts: list[RenderableType]) -> int:
        return self._console.height - len(self._console.render_lines(output.together(*parts)))


def open_screen(autoscaler: Path, config: Path) -> Screen:
    """The screen that fits who listens."""
    commands = _commands(autoscaler, config)
    console = output.console()
    return Page(console, commands) if console.is_terminal else Lines(commands)


def say(sentence: str) -> None:
    """Print a line. Nobody listening is no trouble."""
    with contextlib.suppress(OSError):
        output.say(sentence)
        sys.stdout.flush()


def _commands(autoscaler: Path, config: Path) -> list[str]:
    here = Path.cwd()
    names = [
        str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
        for path in (autoscaler, config)
    ]
    call = f"{names[0]} -c {names[1]}"
    width = max(len(command) for command, _ in _TO_TRY)
    return [
        f"Try in a second terminal, in {here}:",
        *(f"  {call} {command:{width}}   {does}" for command, does in _TO_TRY),
    ]


def _table(nodes: tuple[Node, ...], now: float) -> RenderableType:
    rows = [
        (
            node.name,
            output.words(node.state.value, _STYLES.get(node.state, output.NOTE)),
            duration(now - node.entered_at),
            node.reason,
        )
        for node in nodes
    ]
    if not rows:
        return output.words("There are no nodes.", output.DIM)
    return output.columns(("NODE", "STATE", "FOR", "WHY"), rows)


def _list(lines: Iterable[Text]) -> Text:
    return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)
