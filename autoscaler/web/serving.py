"""The web as the daemon opens it: by its settings, and over a journal of its own.

In go settings and a way to open the journal, out comes a server that runs, or none. What never happens here: an end of
the daemon because of it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from autoscaler.clock import Clock, SystemClock
from autoscaler.config import Settings
from autoscaler.journal import Journal
from autoscaler.meters import Reading
from autoscaler.telemetry import Log
from autoscaler.web import live
from autoscaler.web.app import application
from autoscaler.web.reader import Reader
from autoscaler.web.server import CannotListen, Server, Tls, look_at, serve
from autoscaler.web.trials import Trials


def _always() -> bool:
    return True


def open_web(  # noqa: PLR0913 - each is one thing of the daemon that is shown, by name
    settings: Callable[[], Settings],
    journal: Journal,
    writing: Callable[[], AbstractContextManager[Journal]],
    *,
    config: Path,
    counted: Callable[[], Reading],
    version: str,
    clock: Clock,
    log: Log,
    leads: Callable[[], bool] = _always,
) -> Server | None:
    """Listen as `[web]` says. `settings`: those in force when asked; `journal`: to read, and the caller's to close.

    `config`: the configuration's file, which a what-if reads again. `leads`: whether this daemon does, or stands by.
    """
    web = settings().web
    if web.address is None:
        return None
    tls = (
        Tls(certificate=web.tls_certificate, key=web.tls_key) if web.tls_certificate and web.tls_key else None
    )
    try:
        look_at(web.address, tls)
    except CannotListen as error:
        log.say("web.failed", why=str(error))
        return None
    trials = Trials(config, SystemClock().monotonic)  # processes take real time, whatever is shown
    app = application(
        Reader(journal, settings, clock),
        writing,
        trials,
        counted=counted,
        log=log,
        version=version,
        secure=tls is not None,
        leads=leads,
    )
    try:
        server = serve(app, web.address, tls=tls, streams=(live.PATH,), ends=trials.close)
    except CannotListen as error:
        log.say("web.failed", why=str(error))
        return None
    log.say("web.opened", url=server.url, orders=web.token is not None)
    return server
