"""A pool's record out of the journal, and settings played on it: what `backtest` and `tune` stand on.

The journal is read and let go of before anything is played. What never happens here: a write, a word to the terminal.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from autoscaler.cli import exits, inputs, opened
from autoscaler.cli.timeline import Timeline
from autoscaler.config import Settings
from autoscaler.config.values import seconds
from autoscaler.core.model import Node, PoolDecision, PoolName, PoolRules
from autoscaler.core.repeats import AGAIN_AFTER_S
from autoscaler.journal import Journal, Sample, read
from autoscaler.study import history as histories
from autoscaler.study import recorded
from autoscaler.study.contract import Outcome, Start, Terms, Workload
from autoscaler.study.history import Given, History
from autoscaler.study.run import Configured, run
from autoscaler.views import wording
from policies.contract import Traffic
from policies.phrases import ago, duration
from policies.seasons import KEPT_S

_DAY_S = 86_400.0
_LONGEST_S = 520 * 7 * _DAY_S
_SHORTEST_S = 60.0
_DECISIONS = 24
"""So many are looked at, evenly over the time, for settings that were others than today's."""
_LARGEST_CV = 100.0
_STALE_S = 2.0 * AGAIN_AFTER_S

TargetWait = Annotated[
    str,
    typer.Option(
        "--target-wait",
        metavar="DURATION",
        help="A task is in time if it starts within this; by itself the policy's own, else 2m.",
        show_default=False,
    ),
]
TaskSeconds = Annotated[
    str,
    typer.Option(
        "--task-seconds",
        metavar="MEAN[,CV]",
        help="How long tasks run, and their spread ÷ mean; in place of what is measured.",
        show_default=False,
    ),
]
TaskCv = Annotated[
    float,
    typer.Option(
        "--task-cv", metavar="CV", help="Spread of task times ÷ mean, of which a record says nothing."
    ),
]
BootSeconds = Annotated[
    str,
    typer.Option(
        "--boot-seconds",
        metavar="MEAN[,CV]",
        help="From a machine's order to its first task; in place of what is measured.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What the journal holds of a pool's time, and how it is to be played."""

    history: History
    nodes: tuple[Node, ...]
    decisions: tuple[PoolDecision, ...]
    """Some of that time, oldest first."""
    place: str
    """What the journal is called."""
    asked_s: float
    read_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Settings to be played on a workload."""

    chooser: Configured
    terms: Terms
    start: Start
    seed: int
    rows: bool = False
    """Whether a timeline is asked for."""


def played(workload: Workload, job: Job) -> tuple[Outcome, str]:
    """How they fared, and the rows of the timeline. Equal arguments give equal results."""
    text = io.StringIO()
    watch = Timeline(text, headed=False).of(job.chooser.name, job.terms) if job.rows else None
    outcome = run(workload, job.terms, job.chooser, seed=job.seed, watch=watch, start=job.start)
    return outcome, text.getvalue()


def since_s(text: str) -> float:
    """`--since` in seconds. Raises CommandFailed."""
    try:
        taken_s = seconds(text)
    except ValueError:
        taken_s = 0.0
    if not _SHORTEST_S <= taken_s <= _LONGEST_S:
        raise inputs.usage(
            f"--since {text!r} is no duration from 1m to 520w; expected one such as 12h, 7d or 4w."
        )
    return taken_s


def given(task_seconds: str, task_cv: float, boot_seconds: str) -> Given:
    """What the operator says instead of what is measured. Raises CommandFailed."""
    if not 0.0 <= task_cv <= _LARGEST_CV:
        raise inputs.usage(
            f"--task-cv {task_cv:g} is no spread; expected a number from 0 to {_LARGEST_CV:g}."
        )
    task_s = None
    if task_seconds:
        task_s, task_cv = inputs.mean_and_cv("--task-seconds", task_seconds, cv=task_cv)
    boot = inputs.mean_and_cv("--boot-seconds", boot_seconds) if boot_seconds else None
    return Given(task_s=task_s, task_cv=task_cv, boot=boot)


def past(
    settings: Settings, rules: PoolRules, asked_s: float, said: Given, *, target_wait_s: float, seed: int
) -> Past:
    """The pool's last time, as far as the journal holds it. Raises CommandFailed, JournalUnavailable."""
    now, pool = opened.CLOCK.now(), rules.name
    with opened.journal(settings) as journal:
        samples: list[Sample] = []
        span = read.sampled(journal, pool)
        from_at, until_at = (max(now - asked_s, span[0]), span[1]) if span else (now, now)
        while from_at <= until_at:
            # A look for each day: on a server one that takes long is ended.
            to_at = min(from_at + _DAY_S, until_at)
            samples += read.samples_between(journal, pool, from_at, to_at)
            from_at = math.nextafter(to_at, math.inf)
        nodes = read.nodes(journal, pool=pool, include_gone=True)
        decisions = _decisions(journal, pool, samples)
        known = _known(decisions, samples)
        slices = journal.slices(pool, samples[0].at - KEPT_S, samples[0].at) if samples else ()
        place = journal.place
    if not samples:
        raise exits.CommandFailed(_nothing(place, pool, asked_s, now, span))
    try:
        history = histories.history(
            samples,
            nodes,
            slots=rules.slots,
            target_wait_s=target_wait_s,
            given=said,
            known=known,
            slices=slices,
            seed=seed,
        )
    except histories.TaskTimesUnknown as error:
        raise exits.CommandFailed(
            f"{error}; {wording.SAY_HOW_LONG} with --task-seconds MEAN[,CV]."
        ) from error
    except histories.HistoryUnusable as error:
        raise exits.CommandFailed(
            f"The journal {place} cannot be played for pool {pool}: {error}. Take another time with --since."
        ) from error
    return Past(history=history, nodes=nodes, decisions=decisions, place=place, asked_s=asked_s, read_at=now)


def _decisions(journal: Journal, pool: PoolName, samples: Sequence[Sample]) -> tuple[PoolDecision, ...]:
    """Some decisions of that time, evenly spread, the first of them that of the first look."""
    looks = recorded.seen(samples)
    if not looks:
        return ()
    step_s = (looks[-1].at - looks[0].at) / _DECISIONS
    instants = dict.fromkeys(looks[0].at + step_s * place for place in range(_DECISIONS))
    found = [read.decision_at(journal, pool, at) for at in instants]
    return tuple(decision for decision in found if decision is not None)


def _known(decisions: Sequence[PoolDecision], samples: Sequence[Sample]) -> Traffic | None:
    """What the daemon had measured by the first look, if the decision that held then is not too old to tell."""
    first = decisions[0] if decisions else None
    stale = first is None or first.at < samples[0].at - _STALE_S
    return None if first is None or stale else first.decision.input.history.traffic


def _nothing(place: str, pool: PoolName, asked_s: float, now: float, span: tuple[float, float] | None) -> str:
    if span is None:
        return f"The journal {place} holds no look at pool {pool}: no daemon has watched it yet."
    return (
        f"The journal {place} holds no look at pool {pool} in the last {duration(asked_s)}: "
        f"the last one was {ago(span[1], now)}. Reach further back with --since."
    )
