"""When the web is opened, and how often that is tried.

In goes a way to open it, which brings a web server and all pages along; out comes a thread that calls it. What never
happens here: an import of what is opened. The first tick would have to wait for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from autoscaler.telemetry import Log

_AGAIN_S = 2.0
"""An address is free as soon as the process that had it is gone; a look costs a system call or two."""
_END_S = 5.0


class Served(Protocol):
    """What was opened."""

    def stop(self) -> None: ...


class Nowhere:
    """Where nothing is to be served."""

    def now(self) -> None:
        """There is nothing to open."""

    def stop(self) -> None:
        """Nor to close."""


class Opening:
    """Opens the web when it is told to, or `within_s` after it was made, and closes it. `open_it` is called by a thread
    of its own, and again and again until it can be: of two daemons on one computer one has the address, until it ends.
    """

    def __init__(
        self, open_it: Callable[[], Served | None], *, within_s: float, again_s: float = _AGAIN_S
    ) -> None:
        self._open_it = open_it
        self._within_s = within_s
        self._again_s = again_s
        self._told = threading.Event()
        self._over = threading.Event()
        self._served: Served | None = None
        self._trying = threading.Thread(target=self._try, name="web opening", daemon=True)
        self._trying.start()

    def now(self) -> None:
        """Wait no longer. May be called again."""
        self._told.set()

    def stop(self) -> None:
        """Serve no more, and try no more. May be called again."""
        self._over.set()
        self._told.set()
        self._trying.join(_END_S)
        self._close()

    def _close(self) -> None:
        served, self._served = self._served, None
        if served is not None:
            served.stop()

    def _try(self) -> None:
        self._told.wait(self._within_s)
        while self._served is None and not self._over.is_set():
            self._served = self._open_it()
            if self._served is None:
                self._over.wait(self._again_s)
        if self._over.is_set():  # and nobody waits for us any more, perhaps
            self._close()


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
