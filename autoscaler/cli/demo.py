"""`demo`: a whole fleet in this process, at accelerated time, and the page over it.

It makes a configuration and a journal in a directory of its own, lets some hours pass, and goes on until somebody ends
it. What never happens here: anything that leaves this computer, or that is left behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from autoscaler.cli import exits, identity, keys, opened, output, status
from autoscaler.clock import SystemClock
from autoscaler.config.values import seconds
from autoscaler.demo import configured, pace, running
from autoscaler.demo.pace import Pace
from autoscaler.demo.playing import Played
from autoscaler.journal import open_journal
from autoscaler.views import standing
from policies.phrases import duration

_REAL = SystemClock()
_LONGEST_HISTORY_S = 7 * 86_400.0
_NEWS_SHOWN = 4
_HINT = "Ctrl-C ends it and leaves nothing behind"


def demo(
    speed: Annotated[
        float,
        typer.Option(
            "--speed",
            min=pace.SLOWEST,
            max=pace.FASTEST,
            help="How many times as fast as real time; the keys + and - change it.",
        ),
    ] = 60.0,
    history: Annotated[
        str, typer.Option("--history", metavar="TIME", help="How much has happened before you look.")
    ] = "24h",
    listen: Annotated[
        str,
        typer.Option("--listen", metavar="ADDRESS", help="Where the page is; port 0 is any that is free."),
    ] = configured.LISTEN,
    lasts: Annotated[
        str | None,
        typer.Option("--for", metavar="TIME", help="End by itself after this real time.", show_default=False),
    ] = None,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory",
            metavar="DIR",
            help="Keep the configuration and the journal there; else they go at the end.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Look at a fleet that is played in this process: nothing to install, nothing to pay."""
    history_s, lasts_s = _span(history, "--history"), _span(lasts, "--for") if lasts else float("inf")
    if history_s > _LONGEST_HISTORY_S:
        raise exits.CommandFailed("--history: at most 7d; an hour takes half a second.", code=exits.USAGE)
    with ExitStack() as everything:
        asked = everything.enter_context(keys.ends())
        place = _place(everything, directory)
        config = configured.write(place, listen=listen)
        settings = opened.settings(config)
        journal = open_journal(settings.journal.url)
        everything.callback(journal.close)
        journal.claim(identity.process())
        played = Played(settings, journal, begins_at=_REAL.now() - history_s, history_s=history_s)
        with _bar(history_s) as watch:
            running.pass_history(played, history_s, over=lambda: bool(asked), watch=watch)
        clock = Pace(_REAL, virtual_at=played.now(), speed=speed, file=place / pace.FILE)
        everything.callback(lambda: clock.go_on(virtual_at=played.now(), speed=0.0))
        ends_on = _REAL.monotonic() + lasts_s
        _show(played, clock, config, lambda: bool(asked) or _REAL.monotonic() >= ends_on)


def _span(text: str, option: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise exits.CommandFailed(f"{option}: {error}", code=exits.USAGE) from error


def _place(everything: ExitStack, directory: Path | None) -> Path:
    """An empty directory: the one that is named, or one that goes at the end."""
    if directory is None:
        return Path(everything.enter_context(tempfile.TemporaryDirectory(prefix="autoscaler-demo-")))
    place = directory.absolute()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        taken = any(place.iterdir())
    except OSError as error:
        raise exits.CommandFailed(f"--directory {place}: {error.strerror}") from error
    if taken:
        raise exits.CommandFailed(
            f"--directory {place}: it is not empty. A demo cannot be taken up again; name an empty directory, or look "
            f"at what one left there: `autoscaler status --config {place / configured.FILE}`.",
            code=exits.USAGE,
        )
    return place


@contextmanager
def _bar(span_s: float) -> Iterator[Callable[[float], None]]:
    """How far the hours are that nobody watches."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(
        *columns,
        console=output.console(errors=True),
        transient=True,
        disable=not output.console(errors=True).is_terminal,
    ) as bar:
        task = bar.add_task(f"{duration(span_s)} of a fleet's life", total=span_s)
        yield lambda so_far_s: bar.update(task, completed=so_far_s)


def _show(played: Played, clock: Pace, config: Path, over: Callable[[], bool]) -> None:
    """On a terminal a page that is renewed; elsewhere what happens, line by line."""
    paper = output.console()
    if not paper.is_terminal:
        told = _Told(played)
        output.say(*_heading(clock, config))
        running.go_on(played, clock, over=over, show=told.more)
        told.more()
        output.say(f"demo: over after {played.world.finished()} tasks and {played.world.nodes} machines")
        return
    with keys.pressed() as typed, Live(console=paper, auto_refresh=False, screen=False) as live:

        def show() -> None:
            _heed(typed(), clock)
            live.update(_page(played, clock, config), refresh=True)

        running.go_on(played, clock, over=over, show=show)


def _heed(typed: str, clock: Pace) -> None:
    """Faster, or slower."""
    for key in typed:
        factor = {"+": 2.0, "-": 0.5}.get(key)
        if factor is not None:
            clock.go_on(speed=min(pace.FASTEST, max(pace.SLOWEST, clock.speed * factor)))


class _Told:
    """News, each once."""

    def __init__(self, played: Played) -> None:
        self._played = played
        self._since = played.now()

    def more(self) -> None:
        """What came since it was asked last."""
        news = [each for each in self._played.news if each[0] > self._since]
        for at, says in news:
            self._since = at
            output.say(f"{_time(at)}  {says}")


def _heading(clock: Pace, config: Path) -> Iterator[str]:
    yield f"demo, {clock.speed:g}× time; {_HINT}"
    yield f"another terminal: autoscaler status --config {config}"


def _page(played: Played, clock: Pace, config: Path) -> RenderableType:
    now = standing.look(played.journal, played.settings, clock.now())
    news = [
        output.words(f"{_time(at)}  {says}", output.NOTE) for at, says in list(played.news)[-_NEWS_SHOWN:]
    ]
    head = Text.assemble(
        (f"demo, {clock.speed:g}× time", output.STRONG),
        ("  ·  ", output.DIM),
        output.local(clock.now()),
        (f"  ·  {played.world.finished()} tasks done  ·  + and - change the speed, {_HINT}", output.DIM),
    )
    more = output.words(f"another terminal: autoscaler why images --config {config}", output.DIM)
    return output.together(head, status.page(now), Text("\n").join(news) if news else None, more)


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%a %H:%M}"
