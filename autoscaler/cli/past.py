"""`history`: what a pool's time was like, from the journal alone: a table, a chart on the terminal, a plot in a file.

What never happens here: a run, or a look at the broker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType
from rich.text import Text

from autoscaler.cli import exits, opened, options, output, plotting, replays, sketching
from autoscaler.cli.sketching import Sketch
from autoscaler.journal import Journal, read
from autoscaler.plots.contract import Calendar, Picture, Points, Scale
from autoscaler.views import documents, drawing
from autoscaler.views import history as histories
from autoscaler.views.history import History, Point
from policies.phrases import ago, duration

_ELSEWHERE = 100
"""Columns of a chart that goes into a file."""
_LAST_CHANGES = 5


def history(
    pool: options.Pool,
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="How far back, such as 2h, 7d or 4w.")
    ] = "24h",
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Also draw it: a page (.html), or an image (.png), for which the extra `plots` is needed.",
            show_default=False,
        ),
    ] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a pool's demand, wait, supply and cost over time, and what that time would have cost otherwise."""
    asked_s, draw = replays.since_s(since), plotting.drawer(plot)
    settings = opened.settings(config, secrets=False)
    name = opened.pool(settings, pool)
    now = opened.CLOCK.now()
    with opened.journal(settings) as journal:
        past = histories.look(
            journal,
            settings,
            name,
            since_at=now - asked_s,
            until_at=now,
            paas_price_per_month=settings.web.paas_price_per_month,
        )
        nothing = "" if past.points else _nothing(journal, past, now)
    if nothing and not as_json:
        raise exits.CommandFailed(nothing)
    picture = drawing.picture(past, ahead_s=_clock(now).ahead_s, zone=_clock(now).zone)
    with plotting.drawn(plot, draw) as take:
        take(picture)
    if as_json:
        output.say_json(documents.history(past))
    else:
        output.say(page(past, picture))


def _nothing(journal: Journal, past: History, now: float) -> str:
    """Why, and what to do about it."""
    span = read.sampled(journal, past.pool)
    if span is None:
        return (
            f"The journal {journal.place} holds no look at pool {past.pool}: no daemon has watched it yet. "
            "`autoscaler status` says whether one runs."
        )
    return (
        f"The journal {journal.place} holds no look at pool {past.pool} in the last "
        f"{duration(past.until_at - past.since_at)}: the last one was {ago(span[1], now)}. "
        "Reach further back with --since."
    )


def _clock(at: float) -> Calendar:
    """The local one, as it goes at that instant."""
    local = datetime.fromtimestamp(at, UTC).astimezone()
    offset = local.utcoffset()
    ahead_s = offset.total_seconds() if offset is not None else 0.0
    named = local.tzname() or ""
    shift = f"UTC{local:%z}"[:6] if ahead_s else "UTC"
    zone = shift if named in {"", "UTC"} else f"{named}, {shift}"
    return Calendar(begins_at=at, ahead_s=ahead_s, zone=zone)


def page(past: History, picture: Picture) -> RenderableType:
    """All of it for people."""
    width = output.width(_ELSEWHERE)
    title = Text.assemble(
        (past.pool, output.STRONG), (f"  ·  the last {duration(past.until_at - past.since_at)}", output.DIM)
    )
    return output.together(
        Text("\n").join([title, output.words(drawing.summary(past))]),
        output.columns(
            ("", "LEAST", "MEAN", "MOST", "LAST"), _figures(past), right=("LEAST", "MEAN", "MOST", "LAST")
        ),
        output.columns(picture.table.headers, drawing.costs(past), right=(past.currency,)),
        _charts(past, picture, width),
        _changes(past),
    )


def _figures(past: History) -> Iterator[tuple[str, ...]]:
    """Of the whole time. A mean weighs each point by its looks."""
    rows: tuple[tuple[str, Callable[[Point], float | None], Callable[[float], str]], ...] = (
        ("waiting", lambda point: point.backlog, _number),
        ("oldest", lambda point: point.wait_s, duration),
        ("in progress", lambda point: point.in_progress, _number),
        ("arrivals a second", lambda point: point.arrivals_per_s, _number),
        ("completions a second", lambda point: point.completions_per_s, _number),
        ("serving", lambda point: point.serving, _number),
        ("wanted", lambda point: point.wanted, _number),
        (f"{past.currency} per hour", lambda point: round(point.cost_per_h, 6), output.amount),
    )
    for name, of, say in rows:
        known = [
            (value, point.samples) for point in past.points for value in [of(point)] if value is not None
        ]
        if not known:
            yield name, *[output.NOTHING] * 4
            continue
        values = [value for value, _ in known]
        mean = round(sum(value * looks for value, looks in known) / sum(looks for _, looks in known), 6)
        yield name, say(min(values)), say(mean), say(max(values)), say(values[-1])


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 100 else f"{value:.2g}"


def _charts(past: History, picture: Picture, width: int) -> RenderableType:
    demand, _, wait, workers, cost = picture.panels
    by_name = {
        series.name: series.points for panel in (demand, wait, workers, cost) for series in panel.series
    }
    sketches = (
        _sketch("waiting", by_name["waiting"], "blue", Scale.COUNT, _number),
        _sketch("oldest", by_name["oldest"], "yellow", Scale.DURATION, duration),
        _sketch(
            "workers that serve, and wanted (dots)",
            by_name["serving"],
            "green",
            Scale.COUNT,
            _number,
            mean=True,
            over=by_name["wanted"],
        ),
        _sketch(f"{past.currency} per hour", by_name["an hour"], "magenta", Scale.LINEAR, output.amount, mean=True),
    )  # fmt: skip
    drawn = [line for sketch in sketches for line in sketching.lines(sketch, picture.span_s, width)]
    assert picture.calendar is not None
    return Text("\n").join([*drawn, sketching.axis(picture.calendar, picture.span_s, width)])


def _sketch(
    title: str,
    points: Points,
    style: str,
    scale: Scale,
    say: Callable[[float], str],
    *,
    mean: bool = False,
    over: Points = (),
) -> Sketch:
    return Sketch(title=title, points=points, style=style, scale=scale, say=say, mean=mean, over=over)


def _changes(past: History) -> RenderableType | None:
    """The last of them."""
    if not past.changes:
        return None
    shown = past.changes[-_LAST_CHANGES:]
    rows = [(output.local(each.at), f"{each.before} → {each.after}", each.sentence) for each in shown]
    return output.columns(("LAST CHANGES", "WANTED", "WHY"), rows)
