"""The web as the daemon opens it: by its settings, over a journal of its own, and told once.

In go settings and a way to open the journal, out comes a server that runs, or none; `Opening` tries until it does.
What never happens here: an end of the daemon because of it.
"""

from __future__ import annotations

import threading
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

_AGAIN_S = 2.0
"""An address is free as soon as the process that had it is gone; a look costs a system call or two."""
_END_S = 5.0


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


class Opening:
    """Opens the web as soon as that can be, and closes it. `open_it` is tried now and, from a thread, again and again:
    of two daemons on one computer one has the address, until it ends."""

    def __init__(self, open_it: Callable[[], Server | None], *, again_s: float = _AGAIN_S) -> None:
        self._open_it = open_it
        self._again_s = again_s
        self._over = threading.Event()
        self._server = open_it()
        self._trying = threading.Thread(target=self._try, name="web opening", daemon=True)
        if self._server is None:
            self._trying.start()

    def stop(self) -> None:
        """Serve no more, and try no more. May be called again."""
        self._over.set()
        if self._trying.ident is not None:
            self._trying.join(_END_S)
        server, self._server = self._server, None
        if server is not None:
            server.stop()

    def _try(self) -> None:
        while not self._over.wait(self._again_s):
            self._server = self._open_it()
            if self._server is not None:
                return


class SaidOnce:
    """A log that is told of each reason once: tries go on for as long as it lasts."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._said: dict[str, object] | None = None

    def say(self, event: str, /, **fields: object) -> None:
        """As ever, unless `web.failed` was said last, with the same words."""
        if event == "web.failed":
            if fields == self._said:
                return
            self._said = fields
        elif event == "web.opened":
            self._said = None
        self._log.say(event, **fields)
