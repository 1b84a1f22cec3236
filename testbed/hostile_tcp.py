"""A network that misbehaves to order: a TCP proxy on a loopback port of its own before one real server.

In go `Manners`, for all connections from now on or for the next few; out come connections that are refused, cut, slowed
or stalled in either direction, and counts of them. It knows nothing of what passes. Cutting is by reset, as when a
machine vanishes; nothing is buffered beyond one piece.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from testbed.ports import LOOPBACK

_PIECE_BYTES = 65_536
_CONNECT_S = 10.0
_LOOK_AGAIN_S = 0.02
"""How soon a stalled direction notices that the manners changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How bytes go in one direction."""

    late_s: float = 0.0
    """Before each piece is passed on."""
    piece_bytes: int = _PIECE_BYTES
    """The largest piece: with `late_s`, a trickle."""
    cut_after_bytes: int | None = None
    """The connection is cut, both ways, before more than so many are passed on in this direction."""
    stalled: bool = False
    """Nothing passes and nothing ends, until the manners change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How connections fare. The default is a network without fault."""

    refused: bool = False
    """Cut as soon as it is accepted; the server hears nothing of it."""
    to_server: Way = field(default_factory=Way)
    to_client: Way = field(default_factory=Way)


FAIR = Manners()
REFUSED = Manners(refused=True)
REQUEST_CUT = Manners(to_server=Way(cut_after_bytes=0))
"""The first byte of what is asked cuts the connection, and never arrives."""
ANSWER_CUT = Manners(to_client=Way(cut_after_bytes=0))
"""What was asked arrives, and the first byte of the answer cuts the connection."""
STALLED = Manners(to_server=Way(stalled=True), to_client=Way(stalled=True))


class TcpProxy:
    """The running proxy. `manners` may be set at any time and holds at once, for open connections too."""

    def __init__(self, listening: socket.socket, server_port: int) -> None:
        self.manners = FAIR
        self.accepted = 0
        """Connections that clients opened."""
        self._listening = listening
        self._server_port = server_port
        self._lock = threading.Lock()
        self._armed: list[Manners] = []
        self._open: set[_Link] = set()
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        """Where clients connect."""
        return int(self._listening.getsockname()[1])

    @property
    def connections(self) -> int:
        """How many are open now."""
        with self._lock:
            return len(self._open)

    def arm(self, manners: Manners, *, connections: int = 1) -> None:
        """The next so many connections fare like this for their whole life, whatever `manners` says."""
        with self._lock:
            self._armed += [manners] * connections

    def cut_all(self) -> None:
        """Cut every open connection now."""
        with self._lock:
            links = list(self._open)
        for link in links:
            link.cut()

    def close(self) -> None:
        """Accept nothing more, and cut what is open."""
        self._ended.set()
        self._listening.close()
        self.cut_all()

    def serve(self) -> None:
        """Accept until closed."""
        while not self._ended.is_set():
            try:
                client, _ = self._listening.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            with self._lock:
                self.accepted += 1
                armed = self._armed.pop(0) if self._armed else None
            if (armed or self.manners).refused:
                _reset(client)
                continue
            threading.Thread(target=self._connect, args=(client, armed), daemon=True).start()

    def _connect(self, client: socket.socket, armed: Manners | None) -> None:
        try:
            server = socket.create_connection((LOOPBACK, self._server_port), timeout=_CONNECT_S)
        except OSError:
            _reset(client)
            return
        link = _Link(self, client, server, armed)
        with self._lock:
            self._open.add(link)
        try:
            link.run(self._ended)
        finally:
            with self._lock:
                self._open.discard(link)


class _Link:
    """One connection: two threads, each passing one direction on."""

    def __init__(
        self, proxy: TcpProxy, client: socket.socket, server: socket.socket, armed: Manners | None
    ) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._armed = armed
        self._cut = threading.Event()
        for end in (client, server):
            end.settimeout(_LOOK_AGAIN_S * 5)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(self, ended: threading.Event) -> None:
        """Pass on until one end closes or it is cut."""
        back = threading.Thread(
            target=self._pass_on, args=(self._server, self._client, False, ended), daemon=True
        )
        back.start()
        self._pass_on(self._client, self._server, True, ended)
        back.join()
        for end in (self._client, self._server):
            end.close()

    def cut(self) -> None:
        """Reset both ends."""
        self._cut.set()
        for end in (self._client, self._server):
            _reset(end)

    def _way(self, to_server: bool) -> Way:
        manners = self._armed or self._proxy.manners
        return manners.to_server if to_server else manners.to_client

    def _unstalled(self, to_server: bool, ended: threading.Event) -> Way:
        """How the piece in hand is to go, once it may go at all."""
        while (way := self._way(to_server)).stalled and not self._cut.is_set() and not ended.is_set():
            ended.wait(_LOOK_AGAIN_S)
        return way

    def _pass_on(
        self, source: socket.socket, target: socket.socket, to_server: bool, ended: threading.Event
    ) -> None:
        passed = 0
        while not self._cut.is_set() and not ended.is_set():
            try:
                piece = source.recv(self._way(to_server).piece_bytes)
                way = self._unstalled(to_server, ended)
                if piece and way.late_s:
                    ended.wait(way.late_s)
                if piece and way.cut_after_bytes is not None and passed + len(piece) > way.cut_after_bytes:
                    target.sendall(piece[: max(0, way.cut_after_bytes - passed)])
                    self.cut()
                elif piece:
                    target.sendall(piece)
                    passed += len(piece)
                else:
                    if not self._cut.is_set():  # else the end is not a goodbye
                        target.shutdown(socket.SHUT_WR)
                    return
            except TimeoutError:
                continue
            except OSError:
                self.cut()


def _reset(end: socket.socket) -> None:
    """Close with a reset instead of a goodbye."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RD)
    end.close()


@contextmanager
def tcp_proxy(server_port: int) -> Iterator[TcpProxy]:
    """Stand before that port of the loopback interface until the block ends."""
    with socket.create_server((LOOPBACK, 0)) as listening:
        listening.settimeout(0.1)
        proxy = TcpProxy(listening, server_port)
        serving = threading.Thread(target=proxy.serve, name=f"tcp proxy {proxy.port}", daemon=True)
        serving.start()
        try:
            yield proxy
        finally:
            proxy.close()
            serving.join(10)
