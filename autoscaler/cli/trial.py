"""`simulate`: a workload under a pool's policies on virtual time, and under other people's rules beside them.

It needs no broker, no cloud and no journal, and touches nothing but the timeline it is asked to write. What never
happens here: a fault (`soak` has those), or a look at the real fleet.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from autoscaler.cli import exits, opened, options, outcomes, output
from autoscaler.cli.timeline import Timeline, written
from autoscaler.config import config_path
from autoscaler.config.load import DEFAULT_PATH
from autoscaler.config.values import seconds
from autoscaler.core.model import PoolRules
from autoscaler.study import run as running
from autoscaler.study import workload as workloads
from autoscaler.study.contract import Outcome, Terms, Workload
from autoscaler.study.fleet import Fleet
from autoscaler.study.peers import PEERS, VARIANTS
from autoscaler.study.run import Chooser, Configured, Other, Watch
from policies.contract import Decision

ALL = "all"
_TARGET_WAIT_S = 120.0
_LONGEST_TARGET_S = 86_400.0
_SHORTEST_TARGET_S = 1.0
_SHORTEST_TICK_S = 1.0
"""A daemon that looks more often would only make the trial longer."""
_LONGEST_MEAN_S = {"--task-seconds": workloads.SECONDS_AT_MOST, "--boot-seconds": 86_400.0}
_LARGEST_CV = 100.0
_NEWS_EVERY_S = 3600.0
"""Of virtual time, for the bar."""
_WITHOUT = (
    "There is no configuration: the policy is the default one, on machines of 2 slots, at most 200, "
    "for 1 an hour, billed by the hour."
)
_FOR_NOTHING = "The offer names no price_per_hour, so everything costs 0; compare the machines bought."


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
    trial = _trial(config, pool, _target(target_wait), _mean_and_cv("--boot-seconds", boot_seconds))
    terms = trial.terms
    others = [Other(peer=(PEERS.get(name) or VARIANTS[name])(terms)) for name in names]
    task_s = _mean_and_cv("--task-seconds", task_seconds) if task_seconds else None
    if timeline and timeline.absolute() == workload.absolute():
        raise _usage("The timeline would take the place of the workload; expected two files.")
    try:
        given = workloads.read(workload, task_s=task_s, seed=seed)
    except workloads.RuntimesUnknown as error:
        raise _usage(f"{error}; give --task-seconds MEAN[,CV].") from error
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
        rules, tick_s = _rules(config, pool)
    elif pool:
        raise _usage(f"There is no configuration, and so no pool {pool!r}; name one with --config.")
    else:
        terms = Terms(boot_s=boot[0], boot_cv=boot[1], target_wait_s=target_s or _TARGET_WAIT_S)
        configured = replace(running.default(terms.target_wait_s, terms.quantum_s), name="configured")
        return _Trial(configured=configured, terms=terms, beware=_WITHOUT)
    policies = rules.policies
    if target_s is not None:
        policies = tuple(
            replace(spec, options={**spec.options, "target_wait_s": target_s})
            if spec.kind == "wait"
            else spec
            for spec in policies
        )
    own_s = [float(str(spec.options["target_wait_s"])) for spec in policies if spec.kind == "wait"]
    offer = rules.offers[0]
    terms = Terms(
        slots=rules.slots,
        boot_s=boot[0],
        boot_cv=boot[1],
        target_wait_s=target_s or min(own_s, default=_TARGET_WAIT_S),
        min_workers=rules.limits.min_workers,
        max_workers=rules.limits.max_workers,
        price_per_h=offer.price_per_h,
        quantum_s=offer.quantum_s,
    )
    configured = Configured(
        policies=policies, stabilization=rules.stabilization, tick_s=max(tick_s, _SHORTEST_TICK_S)
    )
    return _Trial(configured=configured, terms=terms, beware="" if offer.price_per_h else _FOR_NOTHING)


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


def _rules(config: Path | None, pool: str) -> tuple[PoolRules, float]:
    """That pool in the words of the core, and the seconds between two ticks."""
    # Clients of clouds and brokers are slow to import.
    from autoscaler import wiring  # noqa: PLC0415

    settings = opened.settings(config, secrets=False)
    if not pool and len(settings.pools) > 1:
        raise _usage(f"Which pool? The configuration has: {', '.join(settings.pools)}; name one with --pool.")
    name = opened.pool(settings, pool or next(iter(settings.pools)))
    return wiring.pool_rules(name, settings.pools[name]), settings.loop.tick_s


def _names(against: str) -> tuple[str, ...]:
    """The rules that are asked for, each once."""
    asked = [name.strip() for name in against.split(",")] if against else []
    if asked == [ALL]:
        return tuple(PEERS)
    unknown = [name for name in asked if name not in PEERS and name not in VARIANTS]
    if unknown:
        known = ", ".join((*PEERS, *VARIANTS))
        raise _usage(f"There is no rule {', '.join(map(repr, unknown))}. Known are all, {known}.")
    return tuple(dict.fromkeys(asked))


def _target(text: str) -> float | None:
    if not text:
        return None
    try:
        target_s = seconds(text)
    except ValueError:
        target_s = 0.0
    if not _SHORTEST_TARGET_S <= target_s <= _LONGEST_TARGET_S:
        raise _usage(
            f"--target-wait {text!r} is no duration from 1s to 1d; expected one such as 30s, 2m or 1h."
        )
    return target_s


def _mean_and_cv(option: str, text: str) -> tuple[float, float]:
    """A mean in seconds, and after a comma the coefficient of variation."""
    mean, _, cv = text.partition(",")
    try:
        mean_s, spread = float(mean), float(cv or 0)
    except ValueError:
        mean_s, spread = math.nan, math.nan
    most_s = _LONGEST_MEAN_S[option]
    if not (0 < mean_s <= most_s and 0 <= spread <= _LARGEST_CV):
        raise _usage(
            f"{option} {text!r} is no MEAN[,CV]; expected seconds above 0 up to {most_s:,.0f}, such as 90, "
            f"or with a spread up to {_LARGEST_CV:g}, such as 90,0.3."
        )
    return mean_s, spread


def _usage(says: str) -> exits.CommandFailed:
    return exits.CommandFailed(output.clean(says), code=exits.USAGE)


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
