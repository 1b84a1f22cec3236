"""How long a client may take, and how many there may be: the server's protocol with time-outs of our own.

uvicorn waits for ever for the head of a request, and for a reader that does not read. What never happens here: a look
at what is asked, but whether it is the one address that answers for hours.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 256
"""A browser opens six at most. A process has 1,024 files by default, and the daemon needs some."""
HEAD_S = 10.0
"""From the connection, or from the answer before, to the whole head of a request."""
ANSWER_S = 30.0
"""From there until the answer has been read to its end."""
STREAM_S = 3600.0
"""The same for a stream of events; browsers ask for it anew."""
_LOOK_S = 1.0


class PatientForAWhile(H11Protocol):
    """Closes connections that take too long, and those there are too many of."""

    long: frozenset[str] = frozenset()
    """Paths whose answers are streams; set by the server."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to count."""
        super().connection_made(transport)  # type: ignore[arg-type] # as uvicorn narrows it
        self._cycle_before: object = None
        self._since = self.loop.time()
        if len(self.connections) > MOST_CONNECTIONS:
            self.transport.abort()
            return
        self._look_again()

    def _look_again(self) -> None:
        if self.transport.is_closing():
            # An answer that nobody reads would keep a closing transport for ever.
            self.transport.abort()
            return
        at, cycle = self.loop.time(), self.cycle
        answering = bool(cycle) and not cycle.response_complete
        state = cycle if answering else None
        if state is not self._cycle_before:
            self._cycle_before, self._since = state, at
        if at - self._since > self._most_s(answering=answering):
            self.transport.abort()
            return
        self.loop.call_later(_LOOK_S, self._look_again)

    def _most_s(self, *, answering: bool) -> float:
        if not answering:
            return HEAD_S
        return STREAM_S if self.scope["path"] in self.long else ANSWER_S
