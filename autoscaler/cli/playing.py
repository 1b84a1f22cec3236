"""Runs of a study one after the other, watched: a bar for who waits, rows for a timeline, courses for a plot.

What never happens here: a word about how a run fared.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from autoscaler.cli import output
from autoscaler.cli.timeline import Timeline, written
from autoscaler.study import run as running
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.course import Course, Recorder
from autoscaler.study.fleet import Fleet
from autoscaler.study.run import Chooser, Watch
from policies.contract import Decision

_NEWS_EVERY_S = 3600.0
"""Of virtual time, for the bar."""


def played(
    workload: Workload,
    terms: Terms,
    choosers: Sequence[Chooser],
    *,
    seed: int,
    timeline: Path | None,
    record: bool,
) -> tuple[list[Outcome], list[Course]]:
    """Of each chooser its outcome, and its course if that is to be recorded."""
    results, courses = [], []
    with written(timeline) as rows, _progress(workload, len(choosers)) as bar:
        for place, chooser in enumerate(choosers):
            recorder = Recorder(chooser.name, workload, terms) if record else None
            watch = _watch(rows, bar, place, chooser, terms, recorder)
            results.append(running.run(workload, terms, chooser, seed=seed, watch=watch))
            courses += [recorder.course()] if recorder else []
    return results, courses


class _Bar:
    """How far all runs are, as a share of the time in which tasks arrive."""

    def __init__(self, progress: Progress, span_s: float, runs: int) -> None:
        self._progress, self._span_s = progress, span_s
        self._task = progress.add_task("", total=span_s * runs)

    def show(self, place: int, policy: str, at_s: float) -> None:
        """The run at this place among all is so far."""
        so_far_s = place * self._span_s + min(at_s, self._span_s)
        self._progress.update(self._task, completed=so_far_s, description=policy)


@contextmanager
def _progress(workload: Workload, runs: int) -> Iterator[_Bar | None]:
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.console(errors=True), transient=True) as progress:
        yield _Bar(progress, workload.span_s, runs)


def _watch(
    rows: Timeline | None,
    bar: _Bar | None,
    place: int,
    chooser: Chooser,
    terms: Terms,
    recorder: Recorder | None,
) -> Watch | None:
    """What is told each tick of one run; None if nobody listens."""
    listeners: list[Watch] = [rows.of(chooser.name, terms)] if rows else []
    if recorder:
        listeners.append(recorder)
    if bar:
        listeners.append(_shown(bar, place, chooser.name))
    if not listeners:
        return None

    def watch(at_s: float, fleet: Fleet, decision: Decision) -> None:
        for listener in listeners:
            listener(at_s, fleet, decision)

    return watch


def _shown(bar: _Bar, place: int, policy: str) -> Watch:
    next_s = 0.0

    def watch(at_s: float, _fleet: Fleet, _decision: Decision) -> None:
        nonlocal next_s
        if at_s >= next_s:
            bar.show(place, policy, at_s)
            next_s = at_s + _NEWS_EVERY_S

    return watch
