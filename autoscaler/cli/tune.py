"""`tune`: the cheapest settings that keep a promise, searched on a workload or on a pool's own past.

Two thirds of the time are searched, the rest is put aside to check what was found. It touches nothing but the fragment
it is asked to write. What never happens here: a change of the configuration.
"""

from __future__ import annotations

import math
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from autoscaler import pool_rules
from autoscaler.cli import completing, exits, files, inputs, opened, options, output, progress, replays, tuned
from autoscaler.cli.tuned import Findings, Tried
from autoscaler.config import ConfigError, Settings, config_path
from autoscaler.config import fragment as fragments
from autoscaler.core.model import PoolRules
from autoscaler.study import knobs as knobbed
from autoscaler.study import parallel
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Outcome, Start, Terms, Workload
from autoscaler.study.history import Given
from autoscaler.study.knobs import Knob, Point, Scale
from autoscaler.study.run import Configured, run
from autoscaler.study.tuning import Search
from autoscaler.views import wording
from policies import PolicyOptionsWrong
from policies.phrases import count, duration

_SEARCHED = 2 / 3
"""Of the time; the rest is put aside."""
_PART, _LEAST_PART_S = 1 / 4, 86_400.0
"""Of what is searched, for a first look at many; a day holds what hours differ in."""
_BOOT_S = 90.0
_FOR_NOTHING = "The offer names no price_per_hour, so costs are hours of machines."
_NEWS_EVERY_S = 15.0
"""Between two lines of progress."""
_CHECKED = 12
"""Points of the curve that are checked at most, those nearest to the promise."""

Piece = tuple[Workload, Start]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """Settings to be played on one of the pieces."""

    piece: int
    chooser: Configured
    terms: Terms
    seed: int


def fared(pieces: Sequence[Piece], job: _Job) -> Outcome:
    """How those settings fare on that piece."""
    workload, start = pieces[job.piece]
    return run(workload, job.terms, job.chooser, seed=job.seed, start=start)


PoolName = Annotated[
    str,
    typer.Option(
        "--pool",
        "-p",
        metavar="POOL",
        autocompletion=completing.pools,
        help="Whose settings; by itself the only pool.",
        show_default=False,
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--workload",
        metavar="FILE",
        help="A CSV file as `simulate` takes it, in place of the pool's own past.",
        show_default=False,
    ),
]
Since = Annotated[
    str,
    typer.Option(
        "--since", metavar="DURATION", help="How much of its own past; 14d by itself.", show_default=False
    ),
]
Trials = Annotated[
    int,
    typer.Option("--trials", metavar="N", min=4, help="How much is tried, counted in runs over the time."),
]
Fragment = Annotated[
    Path | None,
    typer.Option("--output", metavar="FILE", help="Write the settings there, as TOML.", show_default=False),
]


def tune(
    *,
    pool: PoolName = "",
    workload: File = None,
    since: Since = "",
    in_time: Annotated[
        float,
        typer.Option("--in-time", metavar="PERCENT", help="This share of the tasks is to start in time."),
    ] = 99.5,
    target_wait: replays.TargetWait = "",
    task_seconds: replays.TaskSeconds = "",
    task_cv: replays.TaskCv = 1.0,
    boot_seconds: replays.BootSeconds = "",
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="For all that is left to chance.")
    ] = 0,
    trials: Trials = 60,
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", metavar="N", min=0, help="Processes at once; 0 for one a core.")
    ] = 0,
    to: Fragment = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Look for the cheapest settings of a pool that keep a promise, and tell what more or less of it would cost.

    Settings are tried on two thirds of the time, and the best are checked on the rest, which they have not seen. Equal
    seeds give equal results on any number of cores. Ctrl-C tells the best so far.
    """
    if workload is not None and since:
        raise inputs.usage("Expected either --workload or --since.")
    if not 0.0 < in_time <= 100.0:
        raise inputs.usage(f"--in-time {in_time:g} is no share; expected a number above 0 up to 100.")
    if to is not None:
        _may_be_written(to, {"configuration": config_path(config), "workload": workload})
    settings = opened.settings(config, secrets=False)
    name = inputs.pool_of(settings, pool)
    rules, _ = inputs.rules_of(settings, name)
    wait_s = inputs.target_s(target_wait) or pool_rules.own_target_s(rules) or inputs.TARGET_WAIT_S
    given = replays.given(task_seconds, task_cv, boot_seconds)
    if workload is not None:
        played = _of_file(workload, given, seed)
    else:
        played = _of_past(settings, rules, since or "14d", given, wait_s, seed)
    bench = _Bench(
        document=fragments.document(config_path(config)),
        pool=name,
        boot=played.boot,
        wait_s=wait_s,
        seed=seed,
    )
    search = Search(
        knobs=knobbed.of_pool(bench.table, _scale(rules, played, wait_s)),
        in_time=in_time / 100.0,
        trials=trials,
        seed=seed,
    )
    if not rules.offers[0].price_per_h:
        output.note(_FOR_NOTHING)
    found = _found(bench, search, played, jobs or parallel.cores())
    _tell(found, played, to, as_json=as_json)
    if found.interrupted:
        raise typer.Exit(exits.INTERRUPTED)


def _may_be_written(to: Path, kept: Mapping[str, Path | None]) -> None:
    """Raises CommandFailed where the fragment cannot be, or must not: it takes the place of no file that we read."""
    try:
        why = "it is a directory" if to.is_dir() else ""
        why = why or ("" if to.absolute().parent.is_dir() else "there is no such directory")
        why = why or ("it is a database, perhaps a journal" if files.is_database(to) else "")
        # By whatever name: a link is written through.
        read = {name: path for name, path in kept.items() if path is not None and path.exists()}
        taken = [name for name, path in read.items() if to.exists() and to.samefile(path)]
    except OSError as error:
        why, taken = str(error.strerror), []
    if why:
        raise exits.CommandFailed(output.clean(f"{to} cannot be written: {why}. {exits.ELSEWHERE}"))
    if taken:
        raise inputs.usage(f"--output {to} would overwrite the {taken[0]}; expected a file of its own.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Played:
    """What settings are tried on."""

    whole: Workload
    start: Start
    boot: tuple[float, float]
    of: str
    """In words."""

    @property
    def ends_s(self) -> float:
        return self.whole.span_s if self.start.ends_s is None else self.start.ends_s


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """How a point becomes something to be played: by way of the very fragment that would be written."""

    document: Mapping[str, Any]
    pool: str
    boot: tuple[float, float]
    wait_s: float
    seed: int

    @property
    def table(self) -> Mapping[str, Any]:
        """The pool's, as it is written."""
        table: Mapping[str, Any] = self.document["pools"][self.pool]
        return table

    def job(self, knobs: Sequence[Knob], point: Point, piece: int) -> _Job | None:
        """None for a point that is no valid configuration, or at odds with itself as steps may be."""
        said = {"pools": {self.pool: knobbed.turned(self.table, knobs, point)}}
        try:
            settings: Settings = fragments.over(
                self.document, said, opened.EVERY_VARIABLE_SET, source="a trial of tune"
            )
            rules, tick_s = inputs.rules_of(settings, self.pool)
        except (ConfigError, PolicyOptionsWrong):
            return None
        chooser, terms = inputs.of_pool(rules, tick_s, boot=self.boot, target_wait_s=self.wait_s)
        if not terms.price_per_h:
            terms = replace(terms, price_per_h=1.0)
        return _Job(piece=piece, chooser=chooser, terms=terms, seed=self.seed)


def _of_file(path: Path, given: Given, seed: int) -> _Played:
    task_s = (given.task_s, given.task_cv) if given.task_s is not None else None
    try:
        whole = workloads.read(path, task_s=task_s, seed=seed)
    except workloads.RuntimesUnknown as error:
        raise inputs.usage(f"{error}; give --task-seconds MEAN[,CV].") from error
    return _Played(whole=whole, start=Start(), boot=given.boot or (_BOOT_S, 0.0), of=whole.name)


def _of_past(
    settings: Settings, rules: PoolRules, since: str, given: Given, wait_s: float, seed: int
) -> _Played:
    asked_s = replays.since_s(since)
    history = replays.past(settings, rules, asked_s, given, target_wait_s=wait_s, seed=seed).history
    rough = [
        f"by the {wording.rows(over_s)} only until {output.local(until_at)}"
        for over_s, until_at in history.coarse
    ]
    of = ", ".join([f"its record since {output.local(history.begins_at)}", *rough])
    return _Played(whole=history.workload, start=history.start, boot=history.boot, of=of)


def _scale(rules: PoolRules, played: _Played, wait_s: float) -> Scale:
    """The size of the pool: three times the machines that its work fills on average are its peak."""
    whole = played.whole
    machines = whole.work_s / max(played.ends_s, 1.0) / rules.slots
    return Scale(
        slots=rules.slots,
        target_wait_s=wait_s,
        task_s=max(whole.work_s / len(whole), 0.001) if len(whole) else 1.0,
        peak=min(rules.limits.max_workers, math.ceil(3.0 * machines)),
    )


def _pieces(played: _Played) -> tuple[Piece, Piece, Piece]:
    """A part of what is searched, all of it, and what is put aside."""
    whole, start, ends_s = played.whole, played.start, played.ends_s
    border_s = ends_s * _SEARCHED
    part_s = min(border_s, max(border_s * _PART, _LEAST_PART_S))
    return (
        _piece(whole, start, 0.0, part_s),
        _piece(whole, start, 0.0, border_s),
        _piece(whole, start, border_s, ends_s),
    )


def _piece(whole: Workload, start: Start, from_s: float, to_s: float) -> Piece:
    first, last = bisect_left(whole.submit_s, from_s), bisect_left(whole.submit_s, to_s)
    if to_s >= whole.span_s:
        last = len(whole)
    submit_s = array("d", (at_s - from_s for at_s in whole.submit_s[first:last]))
    part = Workload(name=whole.name, submit_s=submit_s, runtime_s=whole.runtime_s[first:last])
    # A pool with a past ends with it; a workload of its own is played until its last task is done.
    ends_s = None if start.ends_s is None and to_s >= whole.span_s else to_s - from_s
    return part, replace(start, at=start.at + from_s, ends_s=ends_s)


def _found(bench: _Bench, search: Search, played: _Played, processes: int) -> Findings:
    """What the search finds, or has found when somebody ends it."""
    checked: dict[Point, Outcome] = {}
    now, interrupted = knobbed.today(search.knobs), False
    try:
        with parallel.over(_pieces(played), processes) as play:

            def attempt(points: Sequence[Point], on_all: bool) -> Iterator[tuple[Point, Outcome | None]]:
                return _attempts(bench, search, play, points, 1 if on_all else 0)

            search.run(attempt)
            output.note("checking the best on the time that was put aside")
            best = _attempts(bench, search, play, _to_check(search, now), 2)
            checked.update((point, outcome) for point, outcome in best if outcome is not None)
    except KeyboardInterrupt:
        if now not in search.found:
            raise
        interrupted = True
    return Findings(
        pool=bench.pool,
        table=bench.table,
        of=f"{played.of}, {count(len(played.whole), 'task')} within {duration(played.ends_s)}; "
        f"in time is a start within {duration(bench.wait_s)}",
        knobs=search.knobs,
        curve=tuple(_tried(search, checked, point) for point in search.curve()),
        today=_tried(search, checked, now),
        in_time=search.in_time,
        target_wait_s=bench.wait_s,
        tried=len(search.found) - 1,
        seed=search.seed,
        interrupted=interrupted,
    )


def _attempts(
    bench: _Bench, search: Search, play: parallel.Play, points: Sequence[Point], piece: int
) -> Iterator[tuple[Point, Outcome | None]]:
    made = [(point, bench.job(search.knobs, point, piece)) for point in points]
    yield from ((point, None) for point, job in made if job is None)
    fit = [(point, job) for point, job in made if job is not None]
    outcomes = progress.along(play(fared, [job for _, job in fit]), len(fit), "settings of this round")
    told_s = opened.CLOCK.monotonic()
    for number, ((point, _), outcome) in enumerate(zip(fit, outcomes, strict=True), 1):
        yield point, outcome
        if not sys.stderr.isatty() and opened.CLOCK.monotonic() >= told_s + _NEWS_EVERY_S:
            told_s = opened.CLOCK.monotonic()
            output.note(f"{number} of {count(len(fit), 'setting')} of this round tried")
    if piece == 1 and search.found:
        best = search.found[search.best()]
        output.note(
            f"{search.spent:.0f} of {search.trials} trials: the best so far costs {output.amount(best.cost)} "
            f"and keeps {best.within_target * 100:.2f} % in time"
        )


def _to_check(search: Search, now: Point) -> list[Point]:
    curve = search.curve()
    curve.sort(key=lambda point: abs(search.found[point].within_target - search.in_time))
    return list(dict.fromkeys((now, search.best(), *curve[:_CHECKED])))


def _tried(search: Search, checked: Mapping[Point, Outcome], point: Point) -> Tried:
    return Tried(point=point, searched=search.found[point], checked=checked.get(point))


def _tell(found: Findings, played: _Played, to: Path | None, *, as_json: bool) -> None:
    if as_json:
        workload = {"file": played.of, "seconds": played.ends_s, "tasks": len(played.whole)}
        output.say_json(tuned.facts(found, workload))
    else:
        output.say(*tuned.told(found))
    if to is None:
        return
    try:
        to.write_text(tuned.fragment(found), encoding="utf-8")
    except OSError as error:
        raise exits.CommandFailed(f"{to} cannot be written: {error.strerror}. {exits.ELSEWHERE}") from error
    if not as_json:
        output.note(f"The settings are in {to}; `autoscaler backtest --candidate {to}` tries them once more.")
