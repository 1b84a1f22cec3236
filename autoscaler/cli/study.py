"""`soak`: the daemon's own loop lives many simulated lives full of trouble, and must do no harm in any.

It needs no configuration, no broker and no cloud, and touches nothing but the file it is asked to write.
What never happens here: a look at the real fleet.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from autoscaler.cli import exits, identity, options, output
from autoscaler.clock import SystemClock
from autoscaler.simulate import players, report, sabotage, shrink
from autoscaler.simulate import soak as soaking
from autoscaler.simulate.contract import EVERY_FAULT, Counts, Fault, Scenario, Verdict
from autoscaler.simulate.players import Life
from autoscaler.simulate.report import Build
from autoscaler.simulate.shrink import Shrunk, spelled
from autoscaler.simulate.soak import Campaign, Findings

ALL = "all"
_NO_FAULT = "none"
_NEWS_EVERY_S = 15.0
"""Between two lines of progress where nobody watches a bar."""
_SLOWEST_NODE_HOURS_PER_S = 1.0
"""For the time a long life is given: a machine that is busy with other things does about ten."""


def soak(
    seeds: Annotated[
        int | None,
        typer.Option("--seeds", metavar="N", min=0, help="Live the seeds 0 to N-1.", show_default=False),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="K", min=0, help="Live this one.", show_default=False)
    ] = None,
    *,
    faults: Annotated[
        str,
        typer.Option("--faults", metavar="A,B", help="Only these kinds of fault; `none` for no fault."),
    ] = ALL,
    nodes: Annotated[
        int,
        typer.Option("--nodes", metavar="N", min=0, help="About how many machines; 0 lets the seed choose."),
    ] = 0,
    hours: Annotated[
        float, typer.Option("--hours", metavar="H", min=0.0, help="How long faults strike.")
    ] = Scenario(seed=0).trouble_s / 3600,
    broken: Annotated[
        str,
        typer.Option(
            "--sabotage",
            metavar="NAME",
            help="Break this rule of the code, or `all` one after another: each must be caught.",
            show_default=False,
        ),
    ] = "",
    workers: Annotated[
        int,
        typer.Option("--jobs", "-j", metavar="N", min=0, help="Processes at once; 0 for one a core."),
    ] = 0,
    shrinks: Annotated[
        int,
        typer.Option("--shrink", metavar="N", min=0, help="Look for the simplest cause of so many failures."),
    ] = 3,
    first: Annotated[bool, typer.Option("--stop-early", help="End at the first failure.")] = False,
    to: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="Write the facts there, too.", show_default=False),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Live simulated lives full of faults with the daemon's own code: is it safe, and does it heal?

    A failing seed tells its last ticks, the fewest faults that still do it, and the command that repeats it. Exits
    with 0 only if no harm was done in any life and every broken rule was caught.
    """
    campaign = _campaign(seeds, seed, _faults(faults), _sabotages(broken), nodes, hours, first)
    findings, build = Findings(), Build(version=identity.version(), commit=identity.commit())
    limit_s = players.LIFE_LIMIT_S + nodes * hours / _SLOWEST_NODE_HOURS_PER_S
    with _ctrl_c() as stop:
        with _progress(campaign, findings) as heard:
            soaking.soak(
                campaign,
                soaking.lived,
                findings,
                players_at_once=workers or len(os.sched_getaffinity(0)),
                limit_s=limit_s,
                heard=heard,
                stopped=stop.is_set,
            )
        shrunk = _shrunk(findings, 0 if stop.is_set() else shrinks, stop)
    _tell(campaign, findings, shrunk, build, as_json=as_json, to=to)
    if stop.is_set():
        raise typer.Exit(exits.INTERRUPTED)
    raise typer.Exit(exits.DONE if report.good(campaign, findings) else exits.FAILED)


@contextmanager
def _ctrl_c() -> Iterator[Event]:
    """Set by the first Ctrl-C; the second one is an exception, as usual.

    An exception at any moment could end up where nothing can pass it on, a destructor say, and be lost.
    """
    stop = Event()

    def heed(_number: int, _frame: object) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, heed)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _campaign(
    seeds: int | None,
    seed: int | None,
    faults: frozenset[Fault],
    sabotages: tuple[str, ...],
    nodes: int,
    hours: float,
    first: bool,
) -> Campaign:
    """What to play. One seed with a broken rule plays that alone; many seeds are played whole first."""
    if (seeds is None) == (seed is None):
        raise _usage("Expected either --seeds N or --seed K.")
    if not math.isfinite(hours):
        raise _usage("Expected a number of hours that ends.")
    template = Scenario(seed=0, faults=faults, nodes=nodes, trouble_s=hours * 3600)
    if seed is None:
        assert seeds is not None
        return Campaign(template=template, seeds=tuple(range(seeds)), sabotages=sabotages, stop_early=first)
    if sabotages:
        return Campaign(template=template, seeds=(), sabotages=sabotages, sabotage_seeds=(seed,))
    return Campaign(template=template, seeds=(seed,), stop_early=first)


def _faults(given: str) -> frozenset[Fault]:
    if given == ALL:
        return EVERY_FAULT
    if given == _NO_FAULT:
        return frozenset()
    known = {spelled(fault): fault for fault in Fault}
    asked = [name.strip().lower().replace(" ", "-").replace("_", "-") for name in given.split(",")]
    unknown = [name for name in asked if name not in known]
    if unknown:
        raise _usage(f"There is no fault {', '.join(unknown)}. Known are {', '.join(sorted(known))}.")
    return frozenset(known[name] for name in asked)


def _sabotages(given: str) -> tuple[str, ...]:
    if given == ALL:
        return tuple(sabotage.SABOTAGES)
    if given and given not in sabotage.SABOTAGES:
        raise _usage(f"There is no sabotage {given}. Known are {', '.join(sabotage.SABOTAGES)}.")
    return (given,) if given else ()


def _usage(says: str) -> exits.CommandFailed:
    return exits.CommandFailed(output.clean(says), code=exits.USAGE)


def _shrunk(findings: Findings, most: int, stop: Event) -> dict[int, Shrunk]:
    """The simplest life of each of the first few failures, by seed; as far as one got until told to stop."""
    found = {}

    def play(scenario: Scenario) -> Verdict:
        good = Verdict(scenario=scenario, counts=Counts())
        return good if stop.is_set() else soaking.lived(scenario, lambda _: None)

    for life in findings.failed[:most]:
        assert life.verdict is not None
        output.note(f"seed {life.job.scenario.seed} failed; looking for the fewest faults that still do it")
        found[life.job.scenario.seed] = shrink.shrink(life.verdict, play)
    return found


def _tell(
    campaign: Campaign,
    findings: Findings,
    shrunk: dict[int, Shrunk],
    build: Build,
    *,
    as_json: bool,
    to: Path | None,
) -> None:
    facts = report.record(campaign, findings, shrunk, build)
    if to is not None:
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise exits.CommandFailed(
                f"{to} cannot be written: {error.strerror}. {exits.ELSEWHERE}"
            ) from error
    if as_json:
        output.say_json(facts)
        return
    told = [*findings.lost, *findings.failed]
    if not campaign.seeds:
        told += findings.caught.values()
    for life in told:
        output.say(*report.failure(life, shrunk.get(life.job.scenario.seed), build), "")
    output.say(*report.figures(campaign, findings))


@contextmanager
def _progress(campaign: Campaign, findings: Findings) -> Iterator[soaking.Heard]:
    """What is told of each life as it ends: a bar on a terminal, now and then a line elsewhere."""
    total = len(campaign.seeds)
    if not sys.stderr.isatty():
        yield _Lines(total, findings)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=output.console(errors=True), transient=True) as bars:
        seeds = bars.add_task("seeds", total=total, visible=total > 0)
        rules = bars.add_task("rules", total=len(campaign.sabotages), visible=bool(campaign.sabotages))

        def heard(life: Life) -> None:
            if life.job.sabotage:
                bars.update(rules, completed=len(findings.caught), description=life.job.sabotage)
            else:
                harm = f", {len(findings.failed)} failed" if findings.failed else ""
                bars.update(seeds, advance=1, description=f"seeds{harm}")

        yield heard


class _Lines:
    """A line to the standard error every so often, and at once when something went wrong."""

    def __init__(self, total: int, findings: Findings) -> None:
        self._total, self._findings = total, findings
        self._clock = SystemClock()
        self._next_at = self._clock.monotonic() + _NEWS_EVERY_S

    def __call__(self, life: Life) -> None:
        """Take note of one life."""
        bad = not life.job.sabotage and (life.verdict is None or soaking.failed(life))
        now = self._clock.monotonic()
        if not bad and now < self._next_at:
            return
        self._next_at = now + _NEWS_EVERY_S
        found = self._findings
        if life.job.sabotage:
            output.note(f"{len(found.caught)} broken rules caught; now {life.job.sabotage}")
            return
        what = life.verdict.harm if life.verdict else life.lost.splitlines()[0]
        failure = f": seed {life.job.scenario.seed} failed: {what}" if bad else ""
        output.note(f"{found.counts.seeds} of {self._total} seeds, {len(found.failed)} failed{failure}")
