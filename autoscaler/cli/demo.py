"""`demo`: a whole fleet in this process, at accelerated time, and the page over it.

It makes a configuration and a journal in a directory of its own, lets some hours pass, and goes on until somebody ends
it. What never happens here: anything that leaves this computer, or that is left behind.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import webbrowser
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
from autoscaler.config import Settings
from autoscaler.config.values import seconds
from autoscaler.demo import configured, pace, running
from autoscaler.demo.pace import Pace
from autoscaler.demo.playing import Played
from autoscaler.journal import open_journal
from autoscaler.meters import Tally
from autoscaler.views import standing
from policies.phrases import duration

_REAL = SystemClock()
_LONGEST_HISTORY_S = 7 * 86_400.0
_NEWS_SHOWN = 3
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
    opens: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
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
        counted = Tally(_REAL)
        played = Played(
            settings, journal, begins_at=_REAL.now() - history_s, history_s=history_s, counted=counted
        )
        with _bar(history_s) as watch:
            running.pass_history(played, history_s, over=lambda: bool(asked), watch=watch)
        clock = Pace(_REAL, virtual_at=played.now(), speed=speed, file=place / pace.FILE)
        everything.callback(lambda: clock.go_on(virtual_at=played.now(), speed=0.0))
        url = _serve(everything, settings, config, clock, counted)
        if url and opens:
            # Some browsers are waited for until they are closed.
            threading.Thread(target=webbrowser.open, args=(url,), name="browser", daemon=True).start()
        ends_on = _REAL.monotonic() + lasts_s
        screen = _Screen(played, clock, config, url)
        screen.run(lambda: bool(asked) or _REAL.monotonic() >= ends_on)


def _span(text: str, option: str) -> float:
    try:
        return seconds(text)
    except ValueError as error:
        raise exits.CommandFailed(
            f"{option} {text}: expected a time such as `30s` or `2h`.", code=exits.USAGE
        ) from error


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


class _Ears:
    """A log of which one kind of event is heard."""

    def __init__(self) -> None:
        self.failed = ""

    def say(self, event: str, /, **fields: object) -> None:
        """Remember why nothing is served."""
        if event == "web.failed":
            self.failed = str(fields["why"])


def _serve(everything: ExitStack, settings: Settings, config: Path, clock: Pace, counted: Tally) -> str:
    """The page over the demo's journal; where it is, or nothing where it cannot be served."""
    from autoscaler.web.serving import open_web  # noqa: PLC0415 - slow to import, and every command imports this

    journal = open_journal(settings.journal.url, read_only=True)
    everything.callback(journal.close)
    shown, ears = _Shown(settings, clock), _Ears()
    server = open_web(
        shown.now,
        journal,
        lambda: opened.journal_to_order(settings),
        config=config,
        counted=counted.read,
        version=identity.version(),
        clock=clock,
        log=ears,
    )
    if server is None and settings.web.listen == configured.LISTEN:
        # Where everybody's page is there may be one already; a demo is happy anywhere.
        return _serve(everything, _elsewhere(settings), config, clock, counted)
    if server is None:
        if ears.failed:
            raise exits.CommandFailed(f"--listen {settings.web.listen}: {ears.failed}")
        return ""
    everything.callback(server.stop)
    return server.url


def _elsewhere(settings: Settings) -> Settings:
    return settings.model_copy(update={"web": settings.web.model_copy(update={"listen": "127.0.0.1:0"})})


class _Shown:
    """The settings as the page has them: under a name that says that this is a demo, and how fast its time runs."""

    def __init__(self, settings: Settings, clock: Pace) -> None:
        self._settings, self._clock = settings, clock
        self._speed = 0.0
        self._named = settings

    def now(self) -> Settings:
        """The same ones until the speed changes: what was made of them is kept as long."""
        speed = self._clock.speed
        if speed != self._speed:
            name = f"{self._settings.fleet.name}, {speed:g}× time"
            fleet = self._settings.fleet.model_copy(update={"name": name})
            self._named, self._speed = self._settings.model_copy(update={"fleet": fleet}), speed
        return self._named


class _Screen:
    """What the terminal shows: a page that is renewed, or what happens, line by line, where it is none."""

    def __init__(self, played: Played, clock: Pace, config: Path, url: str) -> None:
        self._played, self._clock = played, clock
        token = (config.with_name(configured.TOKEN_FILE)).read_text("utf-8").strip()
        self._hints = (
            *((f"the page: {url}   token for orders: {token}",) if url else ()),
            f"another terminal: autoscaler why images --config {config}",
        )
        self._told_at = played.now()

    def run(self, over: Callable[[], bool]) -> None:
        """Until it is over."""
        paper = output.console()
        if not paper.is_terminal:
            output.say(f"demo, {self._clock.speed:g}× time; {_HINT}", *self._hints)
            sys.stdout.flush()
            running.go_on(self._played, self._clock, over=over, show=self._tell)
            self._tell()
            world = self._played.world
            output.say(f"demo: over after {world.finished()} tasks and {world.nodes} machines")
            return
        with keys.pressed() as typed, Live(console=paper, auto_refresh=False) as live:

            def show() -> None:
                _heed(typed(), self._clock)
                live.update(self._page(), refresh=True)

            running.go_on(self._played, self._clock, over=over, show=show)

    def _tell(self) -> None:
        """News, each once."""
        for at, says in [each for each in self._played.news if each[0] > self._told_at]:
            self._told_at = at
            output.say(f"{_time(at)}  {says}")
            sys.stdout.flush()

    def _page(self) -> RenderableType:
        played, clock = self._played, self._clock
        now = standing.look(played.journal, played.settings, clock.now())
        news = [
            output.words(f"{_time(at)}  {says}", output.NOTE) for at, says in list(played.news)[-_NEWS_SHOWN:]
        ]
        says = f"{output.local(clock.now())}  ·  {played.world.finished()} tasks done  ·  + and - change the speed"
        head = Text.assemble(
            (f"demo, {clock.speed:g}× time", output.STRONG), (f"  ·  {says}, {_HINT}", output.DIM)
        )
        # First what a small window must not cut off.
        top = [head, *(output.words(hint, output.DIM) for hint in self._hints), *news]
        return output.together(Text("\n").join(top), status.page(now, clock.now()))


def _heed(typed: str, clock: Pace) -> None:
    """Faster, or slower."""
    for key in typed:
        factor = {"+": 2.0, "-": 0.5}.get(key)
        if factor is not None:
            clock.go_on(speed=min(pace.FASTEST, max(pace.SLOWEST, clock.speed * factor)))


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%a %H:%M}"
