"""`run`: this process becomes the daemon.

It opens what the configuration names, takes the lease, or stands by until it is free where a server keeps the journal,
and ticks until told to stop. What never happens here: anything that the loop or the daemon decides.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from autoscaler import memory, standby, telemetry, vigil
from autoscaler.cli import identity, keeping, opened, options
from autoscaler.config import Settings, config_path
from autoscaler.core.facts import Missing
from autoscaler.daemon import DONE, Daemon
from autoscaler.gateways import systemd
from autoscaler.journal import Journal, JournalUnavailable, thinning
from autoscaler.metering import Metered
from autoscaler.meters import Meters, Tally
from autoscaler.reload import Bell, Reloading
from autoscaler.telling import in_short
from autoscaler.web import opening
from policies import seasons

if TYPE_CHECKING:
    from autoscaler.notices import Notices
    from autoscaler.running import Fleet
    from autoscaler.web.server import Server
    from autoscaler.wiring import Works

_FIRST_SIGHT_S = 3.0
"""How long the first tick waits for workers to be heard. Without them it would hold, which is safe but of no use."""
_UNSERVED_S = 2.0
"""By then the web is opened whatever becomes of the first tick: a standby is served, and so is who asks what hangs."""
_LAST_NOTICE_S = 3.0
"""For notices of a daemon that ends itself because it hangs."""
_PURGES_AT_ONCE = 20
"""A purge takes a bounded number of rows; after a long pause of the daemon there is more than one purge's worth."""

_THINNING_S = 0.5
"""Once a minute, between two ticks: a minute of a thousand pools takes a third of it."""


def run(config: options.Config = None) -> None:
    """Run the daemon: watch the queues, buy and give back machines."""
    memory.share_one_arena()
    memory.expect_no_garbage()
    bell = Bell()
    if not os.isatty(0):  # of a terminal that is closed a hangup means the end, as ever
        signal.signal(signal.SIGHUP, bell.ring)
    settings = opened.settings(config)
    counted = Tally(opened.CLOCK)
    with _log(settings, counted) as log, ExitStack() as everything:
        timed = _timed(everything, settings, counted, log)
        watch = _watch(settings, log)
        watch.start()
        everything.callback(watch.stop)
        terms = standby.terms_for(settings.loop.tick_s)
        journal = standby.reach(lambda: opened.own_journal(settings), terms.pause_s, log, beat=watch.beat)
        if journal is None:
            raise typer.Exit(DONE)
        everything.callback(journal.close)
        if (done := journal.migration) is not None:
            log.say("journal.migrated", before=done.before, after=done.after, backup=str(done.backup or ""))
        if not journal.served:
            journal.claim(identity.process())
        works = everything.enter_context(
            opened.works(settings, may_act=journal.may_act, ticks=True, buys=True, counted=timed)
        )
        # Before standing by: who takes over then hears the workers already, and need not wait for its first look.
        works.workers.start()
        face = _Face(settings, leads=not journal.served)
        web = _serve(everything, face, config_path(config).absolute(), counted, log)
        if journal.served and not standby.stand_by(journal, identity.process(), terms, log, beat=watch.beat):
            raise typer.Exit(DONE)
        # Once more: there may have been no machine yet when the waiting began.
        own = standby.reach(
            lambda: opened.require_own(journal, settings), terms.pause_s, log, beat=watch.beat
        )
        if own is None:
            raise typer.Exit(DONE)
        fleet = _fleet(everything, works, journal, config_path(config).absolute(), log)
        reloading = Reloading(fleet.parts, fleet.ways(), journal, bell, watch, clock=opened.CLOCK, log=log)
        keeper = standby.Keeper(
            journal, reloading, terms, tick_s=settings.loop.tick_s, monotonic=opened.CLOCK.monotonic
        )
        keeper.start()
        everything.callback(keeper.stop)
        fleet.attend(may_speak=lambda: journal.may_act() and keeper.goes_on())
        _say_started(settings, log)
        face.lead(lambda: reloading.settings)
        everything.callback(web.stop)  # before what it shows, and before the lease is given back
        opened.wait_for(lambda: _hears(works), _FIRST_SIGHT_S)
        daemon = Daemon(
            loop=watch.over(Metered(keeper, timed), in_short),
            calls=fleet.relay,
            purge=lambda: _purge(journal, reloading.settings),
            thin=lambda: _thin(journal, reloading.settings),
            close=everything.close,  # the daemon may have to end without unwinding this frame
            clock=opened.CLOCK,
            log=log,
            begun=lambda: _begun(web),
            stopping=watch.stopping,
            farewell=log.close,
            tick_s=settings.loop.tick_s,
            jitter_s=settings.loop.jitter_s,
        )
        code = daemon.run()
    raise typer.Exit(code)


def _log(settings: Settings, counted: Tally) -> AbstractContextManager[Notices]:
    """What is said, and told to those who chose it. Raises ConfigError."""
    # Brings an HTTP client along, as below.
    from autoscaler.notices import opened as told  # noqa: PLC0415

    plain = telemetry.open_log(level=settings.log.level, form=settings.log.format, counted=counted)
    return told(plain, settings, opened.CLOCK)


def _timed(everything: ExitStack, settings: Settings, counted: Tally, log: telemetry.Log) -> Meters:
    """Where ticks and calls are timed: by the tally, and where traces are wanted for their collector too."""
    address = settings.telemetry.traces
    if address is None:
        return counted
    from autoscaler.gateways import otlp  # noqa: PLC0415 - of an extra

    traced = otlp.open_traces(
        counted,
        address=address,
        fleet=settings.fleet.name,
        version=identity.version(),
        told=otlp.Once(
            lambda taken: log.say("traces.recovered" if taken else "traces.missed", collector=address)
        ),
    )
    everything.callback(traced.close)
    return traced


def _fleet(everything: ExitStack, works: Works, journal: Journal, config: Path, log: Notices) -> Fleet:
    """What goes by one configuration, and by the next one when that is taken in."""
    # Clients of brokers and clouds are slow to import, and commands share this.
    from autoscaler.running import Fleet  # noqa: PLC0415

    fleet = Fleet(
        works,
        journal,
        config=config,
        by=identity.user(),
        clock=opened.CLOCK,
        log=log,
        prepare=log.prepare,
    )
    everything.callback(fleet.close)
    return fleet


def _say_started(settings: Settings, log: telemetry.Log) -> None:
    log.say(
        "daemon.started",
        fleet=settings.fleet.name,
        pools=sorted(settings.pools),
        version=identity.version(),
        pid=os.getpid(),
    )


@dataclass(slots=True)
class _Face:
    """What is shown of this daemon, before it leads and from then on."""

    settings: Settings
    leads: bool
    in_force: Callable[[], Settings] | None = None

    def now(self) -> Settings:
        """The settings that it goes by."""
        return self.in_force() if self.in_force is not None else self.settings

    def lead(self, in_force: Callable[[], Settings]) -> None:
        self.in_force, self.leads = in_force, True


def _begun(web: opening.Opening | opening.Nowhere) -> None:
    """What the first tick did not have to wait for."""
    memory.settle()
    web.now()


def _serve(
    everything: ExitStack, face: _Face, config: Path, counted: Tally, log: telemetry.Log
) -> opening.Opening | opening.Nowhere:
    """The page, the API and metrics, over a journal of their own: no look of theirs waits for a tick, nor makes one."""
    if face.now().web.address is None:
        return opening.Nowhere()
    log = opening.SaidOnce(log)
    journals: list[Journal] = []

    def open_it() -> Server | None:
        # Half a second of a processor, which the first tick does not wait for.
        from autoscaler.web import serving  # noqa: PLC0415

        try:
            if not journals:
                journals.append(opened.open_the_journal(face.now(), read_only=True))
        except JournalUnavailable as error:
            log.say("web.failed", why=str(error))
            return None
        server = serving.open_web(
            face.now,
            journals[0],
            lambda: opened.journal_to_order(face.now()),
            config=config,
            counted=counted.read,
            version=identity.version(),
            clock=opened.CLOCK,
            log=log,
            leads=lambda: face.leads,
        )
        if server is not None:
            memory.settle()
        return server

    def close() -> None:
        for each in journals:
            each.close()

    everything.callback(close)
    web = opening.Opening(open_it, within_s=_UNSERVED_S)
    everything.callback(web.stop)
    return web


def _watch(settings: Settings, log: Notices) -> vigil.Vigil:
    """From the first moment on: what hangs before the first tick is ended, too."""
    loop = settings.loop
    return vigil.Vigil(
        systemd.from_environment(os.environ, os.getpid()),
        log,
        patience_s=vigil.patience_s(
            tick_s=loop.tick_s, jitter_s=loop.jitter_s, observe_timeout_s=loop.observe_timeout_s
        ),
        monotonic=opened.CLOCK.monotonic,
        end=lambda: _end_at_once(log),
    )


def _end_at_once(log: Notices) -> None:
    """The end of a daemon that hangs. Somebody is told, if that takes no longer than a moment."""
    try:
        telling = threading.Thread(target=log.close, args=(_LAST_NOTICE_S,), name="farewell", daemon=True)
        telling.start()
        telling.join(_LAST_NOTICE_S + 1.0)
    finally:
        vigil.end_at_once()


def _hears(works: Works) -> bool:
    """Whether workers are heard, and machines on their way to become some."""
    reports = works.machines.reports() if works.machines is not None else {}
    return not isinstance(works.workers.sightings(), Missing) and not isinstance(reports, Missing)


def _purge(journal: Journal, settings: Settings) -> None:
    now = opened.CLOCK.now()
    for _ in range(_PURGES_AT_ONCE):
        if not journal.purge(now - settings.journal.retention_s, slices_before_at=now - seasons.KEPT_S):
            break


def _thin(journal: Journal, settings: Settings) -> None:
    """For a moment: what is left is done a minute later, and what a release left that thinned nothing within days."""
    terms, until = keeping.terms(settings, opened.CLOCK.now()), opened.CLOCK.monotonic() + _THINNING_S
    while thinning.thin(journal, terms) and opened.CLOCK.monotonic() < until:
        pass
