"""`simulate`: a workload under a pool's policies on virtual time, and under other people's rules beside them.

It needs no broker, no cloud and no journal, and touches nothing but the files it is asked to write. What never
happens here: a fault (`soak` has those), or a look at the real fleet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from autoscaler import pool_rules
from autoscaler.cli import bound, completing, inputs, options, outcomes, output, playing, plotting
from autoscaler.config import config_path
from autoscaler.config.load import DEFAULT_PATH
from autoscaler.plots.contract import Picture, Table
from autoscaler.study import drawing, solver
from autoscaler.study import run as running
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.course import Course
from autoscaler.study.gap import Gap
from autoscaler.study.peers import PEERS, VARIANTS
from autoscaler.study.run import Configured, Other

ALL = "all"
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


WorkloadFile = Annotated[
    Path,
    typer.Option(
        "--workload",
        metavar="FILE",
        help="A CSV file: submit_s,runtime_s of each task, or t_seconds,arrivals of each interval.",
    ),
]
OfPool = Annotated[
    str,
    typer.Option(
        "--pool",
        "-p",
        metavar="POOL",
        autocompletion=completing.pools,
        help="Whose policies; by itself the only pool.",
        show_default=False,
    ),
]
BootSeconds = Annotated[
    str,
    typer.Option("--boot-seconds", metavar="MEAN[,CV]", help="From a machine's order to its first task."),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="For all that is left to chance.")]
WithOptimum = Annotated[
    bool,
    typer.Option(
        "--optimum",
        help="Also what no schedule can undercut that knows the future, and what lies between (needs scipy).",
    ),
]
OptimumWithin = Annotated[
    str, typer.Option("--optimum-within", metavar="DURATION", help="How long each bound may take.")
]
TimelineFile = Annotated[
    Path | None,
    typer.Option("--timeline", metavar="FILE", help="Write a row a tick there, as CSV.", show_default=False),
]
PlotFile = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw demand, machines, waits and cost: .html for reading, .png for documents (needs matplotlib).",
        show_default=False,
    ),
]


def simulate(
    workload: WorkloadFile,
    *,
    pool: OfPool = "",
    against: Against = "",
    task_seconds: TaskSeconds = "",
    boot_seconds: BootSeconds = "90",
    target_wait: TargetWait = "",
    seed: Seed = 0,
    optimum: WithOptimum = False,
    optimum_within: OptimumWithin = "1m",
    timeline: TimelineFile = None,
    plot: PlotFile = None,
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
    others = [Other(peer=(PEERS.get(name) or VARIANTS[name])(trial.terms)) for name in names]
    task_s = inputs.mean_and_cv("--task-seconds", task_seconds) if task_seconds else None
    limit_s = inputs.duration_s("--optimum-within", optimum_within)
    _places(workload=workload, timeline=timeline, plot=plot)
    draw = plotting.drawer(plot)
    if optimum:
        solver.numeric()
    try:
        given = workloads.read(workload, task_s=task_s, seed=seed)
    except workloads.RuntimesUnknown as error:
        raise inputs.usage(f"{error}; give --task-seconds MEAN[,CV].") from error
    if trial.beware:
        output.note(trial.beware)
    with plotting.drawn(plot, draw) as show:
        results, courses = playing.played(
            given, trial.terms, (trial.configured, *others), seed=seed, timeline=timeline, record=bool(draw)
        )
        gap = _gap(given, trial, results[0], seed, limit_s) if optimum else None
        rows = [*map(outcomes.row, results), *([bound.row(gap, len(outcomes.HEADERS))] if gap else [])]
        lines = [*outcomes.compared(results), *(bound.told(gap, trial.terms, limit_s) if gap else [])]
        if draw:
            show(_picture(given, trial.terms, results, courses, gap, rows, lines))
    if as_json:
        output.say_json(outcomes.facts(workload, given, results, bound.facts(gap) if gap else None))
        return
    output.say(*outcomes.told(given, trial.terms, rows, lines))


def _gap(workload: Workload, trial: _Trial, own: Outcome, seed: int, limit_s: float) -> Gap:
    return bound.measured(workload, trial.terms, trial.configured, own, seed=seed, limit_s=limit_s)


def _picture(
    workload: Workload,
    terms: Terms,
    results: Sequence[Outcome],
    courses: Sequence[Course],
    gap: Gap | None,
    rows: Sequence[tuple[str, ...]],
    lines: Sequence[str],
) -> Picture:
    best = outcomes.best(results)
    return drawing.picture(
        workload,
        terms,
        courses,
        best=best.policy if best else None,
        bound=gap.bound.cost if gap else None,
        table=Table(headers=outcomes.HEADERS, rows=tuple(rows)),
        notes=lines,
    )


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
    own_rules = rules if target_s is None else inputs.with_target(rules, target_s)
    own_s = target_s or pool_rules.own_target_s(rules) or inputs.TARGET_WAIT_S
    configured, terms = inputs.of_pool(own_rules, tick_s, boot=boot, target_wait_s=own_s)
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


def _places(**files: Path | None) -> None:
    """Each file that is written takes nobody's place."""
    taken: dict[Path, str] = {}
    for name, path in files.items():
        if path is None:
            continue
        other = taken.setdefault(path.absolute(), name)
        if other != name:
            raise inputs.usage(f"The {name} would take the place of the {other}; expected two files.")
