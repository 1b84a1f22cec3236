"""A server in a thread of its own: it listens, it ends in time, and what goes wrong with it ends nothing else.

In go an ASGI application and an address; out comes where it can be reached. What never happens here: a route.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from autoscaler.web import certificate
from autoscaler.web.patience import MOST_CONNECTIONS, PatientForAWhile

_GRACE_S = 1
"""For answers under way when the end comes; streams do not end by themselves."""
HANDSHAKE_S = 5.0
"""By default it is a minute, in which a silent client has a place."""
_END_S = 5.0
_BACKLOG = 128
_HEAD_BYTES = 16_384
_MOST_SOCKETS = MOST_CONNECTIONS + 64
"""Connections of which nothing is known yet are open files, too, and the daemon needs some for its ticks."""


class CannotListen(Exception):
    """The address is taken, is not this computer's, or its certificate is of no use; says so in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files with a certificate and its key (PEM)."""

    certificate: str
    key: str


class _Door(socket.socket):
    """A listening socket that lets in so many at once. With TLS a client is the protocol's only after its handshake,
    for which it may take some seconds; until then nothing else counts it."""

    _let_in: list[socket.socket]

    def accept(self) -> tuple[socket.socket, Any]:
        """As ever; who comes when it is full is sent away."""
        client, address = super().accept()
        self._let_in = [each for each in getattr(self, "_let_in", ()) if each.fileno() >= 0]
        if len(self._let_in) >= _MOST_SOCKETS:
            client.close()
            raise ConnectionAbortedError("too many connections")  # what a server goes on after
        self._let_in.append(client)
        return client, address


class _Loop(asyncio.SelectorEventLoop):
    """The event loop as ever, but for how long a handshake may take: the server has no setting for it."""

    async def create_server(self, *given: Any, **more: Any) -> Any:
        """As ever; who says nothing once connected is sent away soon."""
        if more.get("ssl") is not None:
            more["ssl_handshake_timeout"] = HANDSHAKE_S
        return await super().create_server(*given, **more)


class Server:
    """One that runs."""

    def __init__(
        self, server: uvicorn.Server, listening: socket.socket, url: str, ends: Callable[[], None]
    ) -> None:
        self._server = server
        self._ends = ends
        self._socket = listening
        self.url = url
        """Where it answers."""
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        # A server that fails is no reason for the daemon to: /healthz says so by not answering.
        with contextlib.suppress(OSError), asyncio.Runner(loop_factory=_Loop) as runner:
            runner.run(self._server.serve(sockets=[self._socket]))

    def stop(self) -> None:
        """Take in no more, and end in some seconds."""
        self._server.should_exit = True
        self._ends()
        self._thread.join(_END_S)
        self._socket.close()


def serve(
    app: ASGIApp,
    address: tuple[str, int],
    *,
    ends: Callable[[], None],
    tls: Tls | None = None,
    streams: Collection[str] = (),
) -> Server:
    """Listen there. `streams`: paths whose answers do not end; `ends`: called with its end. Raises CannotListen."""
    protocol = type("Protocol", (PatientForAWhile,), {"long": frozenset(streams)})
    logging.getLogger("uvicorn").setLevel(
        logging.CRITICAL
    )  # what clients do wrong is not the operator's business
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )
    config.load()
    config.ssl = _context(tls)
    listening = _bound(address)
    host, port = listening.getsockname()[:2]
    named = f"[{host}]" if ":" in host else host
    return Server(uvicorn.Server(config), listening, f"{'https' if tls else 'http'}://{named}:{port}/", ends)


def look_at(address: tuple[str, int], tls: Tls | None) -> None:
    """Whether it could be listened on just now, which costs next to nothing. Raises CannotListen."""
    _context(tls)
    _bound(address, listens=False).close()


def _context(tls: Tls | None) -> ssl.SSLContext | None:
    try:
        return certificate.context(tls.certificate, tls.key) if tls else None
    except certificate.Unusable as error:
        raise CannotListen(str(error)) from error


def _bound(address: tuple[str, int], *, listens: bool = True) -> socket.socket:
    host, port = address
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = _Door(family, kind, protocol)
    except OSError as error:
        raise CannotListen(f"{host} is no address of this computer: {error.strerror}") from error
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(where)
        if listens:
            listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise CannotListen(f"{host}:{port} cannot be listened on: {error.strerror}") from error
    listening.setblocking(False)
    return listening
