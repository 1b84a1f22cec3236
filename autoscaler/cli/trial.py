"""`simulate`: a workload under a pool's policies on virtual time, and under other people's rules beside them.

It needs no broker, no cloud and no journal, and touches nothing but the timeline it is asked to write. What never
happens here: a fault (`soak` has those), or a look at the real fleet.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from autoscaler.cli import inputs, options, outcomes, output
from autoscaler.cli.timeline import Timeline, written
from autoscaler.config import config_path
from autoscaler.config.load import DEFAULT_PATH
from autoscaler.study import run as running
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.fleet import Fleet
from autoscaler.study.peers import PEERS, VARIANTS
from autoscaler.study.run import Chooser, Configured, Other, Watch
from policies.contract import Decision

ALL = "all"
_NEWS_EVERY_S = 3600.0
"""Of virtual time, for the bar."""
_WITHOUT = (
    "There is no configuration: the policy is the default one, on machines of 2 slots, at most 200, "
    "for 1 an hour, billed by the hour."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """The pool's own policies, and what holds for everybody's."""

    configured: Configured
    terms: Terms
    beware: str = ""
    """What whoever reads the figures must know."""


Against = Annotated[
    str,
    typer.Option(
        "--against",
        metavar="A,B",
        help=f"Beside it the rules of others: `all`, or of {', '.join(PEERS)}.",
        show_default=False,
    ),
]
TaskSeconds = Annotated[
    str,
    typer.Option(
        "--task-seconds",
        metavar="MEAN[,CV]",
        help="How long tasks run, and their spread ÷ mean; for arrivals.",
        show_default=False,
    ),
]
TargetWait = Annotated[
    str,
    typer.Option(
        "--target-wait",
        metavar="DURATION",
        help="A task is in time if it starts within this; in place of the policy's own, else 2m.",
        show_default=False,
    ),
]


def simulate(
    workload: Annotated[
        Path,
        typer.Option(
            "--workload",
            metavar="FILE",
            help="A CSV file: submit_s,runtime_s of each task, or t_seconds,arrivals of each interval.",
        ),
    ],
    *,
    pool: Annotated[
        str,
        typer.Option(
            "--pool",
            "-p",
            metavar="POOL",
            help="Whose policies; by itself the only pool.",
            show_default=False,
        ),
    ] = "",
    against: Against = "",
    task_seconds: TaskSeconds = "",
    boot_seconds: Annotated[
        str,
        typer.Option("--boot-seconds", metavar="MEAN[,CV]", help="From a machine's order to its first task."),
    ] = "90",
    target_wait: TargetWait = "",
    seed: Annotated[
        int, typer.Option("--seed", metavar="N", min=0, help="For all that is left to chance.")
    ] = 0,
    timeline: Annotated[
        Path | None,
        typer.Option(
            "--timeline", metavar="FILE", help="Write a row a tick there, as CSV.", show_default=False
        ),
    ] = None,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell what a workload would cost under a pool's policies, and how long its tasks would wait.

    The daemon's own policies, limits and life cycle run on virtual time, with machines that boot and are billed but
    never fail. Calendars begin on Tuesday, 2023-11-14, at 22:13:20 UTC. Without a configuration the default policy is
    tried.
    """
    names = _names(against)
    trial = _trial(
        config,
        pool,
        inputs.target_s(target_wait),
        inputs.mean_and_cv("--boot-seconds", boot_seconds),
    )
    terms = trial.terms
    others = [Other(peer=(PEERS.get(name) or VARIANTS[name])(terms)) for name in names]
    task_s = inputs.mean_and_cv("--task-seconds", task_seconds) if task_seconds else None
    if timeline and timeline.absolute() == workload.absolute():
        raise inputs.usage("The timeline would take the place of the workload; expected two files.")
    try:
        given = workloads.read(workload, task_s=task_s, seed=seed)
    except workloads.RuntimesUnknown as error:
        raise inputs.usage(f"{error}; give --task-seconds MEAN[,CV].") from error
    if trial.beware:
        output.note(trial.beware)
    results = _results(given, trial, (trial.configured, *others), seed, timeline)
    if as_json:
        output.say_json(outcomes.facts(workload, given, results))
        return
    output.say(*outcomes.told(given, terms, results))


def _trial(config: Path | None, pool: str, target_s: float | None, boot: tuple[float, float]) -> _Trial:
    """From the configuration; where there is none and none was named, the defaults."""
    if _is_configured(config):
        rules, tick_s = inputs.rules(config, pool)
    elif pool:
        raise inputs.usage(f"There is no configuration, and so no pool {pool!r}; name one with --config.")
    else:
        terms = Terms(boot_s=boot[0], boot_cv=boot[1], target_wait_s=target_s or inputs.TARGET_WAIT_S)
        configured = replace(running.default(terms.target_wait_s, terms.quantum_s), name="configured")
        return _Trial(configured=configured, terms=terms, beware=_WITHOUT)
    pool_rules = rules if target_s is None else inputs.with_target(rules, target_s)
    own_s = target_s or inputs.own_target_s(rules) or inputs.TARGET_WAIT_S
    configured, terms = inputs.of_pool(pool_rules, tick_s, boot=boot, target_wait_s=own_s)
    return _Trial(configured=configured, terms=terms, beware="" if terms.price_per_h else inputs.FOR_NOTHING)


def _is_configured(config: Path | None) -> bool:
    """Whether one was named, or stands at the default place; one that cannot be looked at is."""
    place = config_path(config)
    if place != DEFAULT_PATH:
        return True
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        return config is not None
    except OSError:
        return True
    return True


def _names(against: str) -> tuple[str, ...]:
    """The rules that are asked for, each once."""
    asked = [name.strip() for name in against.split(",")] if against else []
    if asked == [ALL]:
        return tuple(PEERS)
    unknown = [name for name in asked if name not in PEERS and name not in VARIANTS]
    if unknown:
        known = ", ".join((*PEERS, *VARIANTS))
        raise inputs.usage(f"There is no rule {', '.join(map(repr, unknown))}. Known are all, {known}.")
    return tuple(dict.fromkeys(asked))


def _results(
    workload: Workload, trial: _Trial, choosers: Sequence[Chooser], seed: int, to: Path | None
) -> list[Outcome]:
    with written(to) as rows, _progress(workload, len(choosers)) as bar:
        return [
            running.run(
                workload,
                trial.terms,
                chooser,
                seed=seed,
                watch=_watch(rows, bar, place, chooser, trial.terms),
            )
            for place, chooser in enumerate(choosers)
        ]


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
    rows: Timeline | None, bar: _Bar | None, place: int, chooser: Chooser, terms: Terms
) -> Watch | None:
    """What is told each tick of one run; None if nobody listens."""
    row = rows.of(chooser.name, terms) if rows else None
    if bar is None:
        return row
    next_s = 0.0

    def watch(at_s: float, fleet: Fleet, decision: Decision) -> None:
        nonlocal next_s
        if row:
            row(at_s, fleet, decision)
        if at_s >= next_s:
            bar.show(place, chooser.name, at_s)
            next_s = at_s + _NEWS_EVERY_S

    return watch
