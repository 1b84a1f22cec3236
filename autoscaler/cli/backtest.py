"""`backtest`: a pool's own recorded time under today's settings and under a candidate's, side by side.

It reads the journal while the daemon runs, and touches nothing but the timeline it is asked to write. What never
happens here: a look at the broker or a cloud, or a change of the configuration.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from autoscaler import pool_rules
from autoscaler.cli import backtested, completing, exits, inputs, opened, options, output, progress, replays
from autoscaler.cli.replays import Job, Past
from autoscaler.cli.timeline import written
from autoscaler.config import config_path
from autoscaler.config.fragment import candidate as written_anew
from autoscaler.core.model import PoolRules
from autoscaler.study import parallel
from autoscaler.study.contract import Outcome
from policies import PolicyOptionsWrong

_CANDIDATE = "candidate"
OfPool = Annotated[
    str,
    typer.Option(
        "--pool",
        "-p",
        metavar="POOL",
        autocompletion=completing.pools,
        help="Whose record; by itself the only pool.",
        show_default=False,
    ),
]


def backtest(
    candidate: Annotated[
        Path,
        typer.Option(
            "--candidate",
            metavar="FILE",
            help="What is tried: a whole configuration, or a part with the pool's tables; as `tune` writes it.",
        ),
    ],
    *,
    pool: OfPool = "",
    since: Annotated[
        str, typer.Option("--since", metavar="DURATION", help="How far back, if the journal goes so far.")
    ] = "7d",
    target_wait: replays.TargetWait = "",
    task_seconds: replays.TaskSeconds = "",
    task_cv: replays.TaskCv = 1.0,
    boot_seconds: replays.BootSeconds = "",
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
    """Tell what a pool's own past would have cost, and how long its tasks would have waited, under other settings.

    The tasks that the daemon counted come again, to machines that boot as they did and never fail, under today's
    settings and the candidate's. Beside both stands what is recorded, so that you see how near a replay comes.
    """
    asked_s, said = replays.since_s(since), replays.given(task_seconds, task_cv, boot_seconds)
    target_s = inputs.target_s(target_wait)
    settings = opened.settings(config, secrets=False)
    name = inputs.pool_of(settings, pool)
    rules, tick_s = inputs.rules_of(settings, name)
    others, other_tick_s = _tried(config_path(config), candidate, name)
    wait_s = target_s or pool_rules.own_target_s(rules, others) or inputs.TARGET_WAIT_S
    past = replays.past(settings, rules, asked_s, said, target_wait_s=wait_s, seed=seed)
    jobs = [
        _job(past, rules, tick_s, wait_s, seed, rows=timeline is not None),
        _job(past, others, other_tick_s, wait_s, seed, rows=timeline is not None, policy=_CANDIDATE),
    ]
    results = _results(past, jobs, timeline)
    kinds = [spec.kind for spec in (*rules.policies, *others.policies)]
    doubts = backtested.doubts(past, rules, kinds)
    if (
        replace(jobs[1].chooser, name=jobs[0].chooser.name) == jobs[0].chooser
        and jobs[1].terms == jobs[0].terms
    ):
        doubts.insert(0, backtested.NO_CHANGE)
    if as_json:
        output.say_json(backtested.facts(past, jobs[0].terms, said.task_cv, results, doubts))
        return
    output.say(*backtested.told(name, past, jobs[0].terms, said.task_cv, results, doubts))
    if not all(job.terms.price_per_h for job in jobs):
        output.note(inputs.FOR_NOTHING)


def _tried(standing: Path, candidate: Path, name: str) -> tuple[PoolRules, float]:
    """As `inputs.rules_of`, of what the candidate says; what is wrong is told with its file."""
    settings = written_anew(standing, candidate, name, opened.EVERY_VARIABLE_SET)
    try:
        return inputs.rules_of(settings, opened.pool(settings, name))
    except PolicyOptionsWrong as error:
        says = output.clean(f"{candidate}, pools.{name}: {error}")
        raise exits.CommandFailed(says, code=exits.CONFIG) from error


def _job(
    past: Past,
    rules: PoolRules,
    tick_s: float,
    target_wait_s: float,
    seed: int,
    *,
    rows: bool,
    policy: str = "",
) -> Job:
    history = past.history
    chooser, terms = inputs.of_pool(rules, tick_s, boot=history.boot, target_wait_s=target_wait_s)
    chooser = replace(chooser, name=policy or chooser.name)
    return Job(chooser=chooser, terms=terms, start=history.start, seed=seed, rows=rows)


def _results(past: Past, jobs: list[Job], to: Path | None) -> list[Outcome]:
    """Both at once where there are two cores."""
    with (
        written(to) as rows,
        parallel.over(past.history.workload, min(parallel.cores(), len(jobs))) as play,
    ):
        results = []
        for outcome, text in progress.along(play(replays.played, jobs), len(jobs), "replays"):
            results.append(outcome)
            if rows:
                rows.take(text)
        return results
