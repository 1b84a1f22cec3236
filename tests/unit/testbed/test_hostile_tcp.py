"""The hostile network keeps its word: what it is told to do to a connection, it does, and to no other."""

from __future__ import annotations

import contextlib
import functools
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from testbed.hostile_tcp import ANSWER_CUT, FAIR, REFUSED, STALLED, Manners, TcpProxy, Way, tcp_proxy
from testbed.waiting import wait_until

HELLO = b"hello" * 2_000


class Echo:
    """A server that says back what it hears, and remembers it."""

    def __init__(self, listening: socket.socket) -> None:
        self.heard = b""
        self._listening = listening
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection:
            try:
                while piece := connection.recv(65_536):
                    self.heard += piece
                    connection.sendall(piece)
            except OSError:
                return


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def echo(listening: socket.socket) -> Echo:
    return Echo(listening)


@pytest.fixture
def proxy(listening: socket.socket, echo: Echo) -> Iterator[TcpProxy]:
    with tcp_proxy(listening.getsockname()[1]) as running:
        yield running


def say(proxy: TcpProxy, *, timeout_s: float = 5.0) -> socket.socket:
    """A connection on which HELLO was said."""
    client = socket.create_connection(("127.0.0.1", proxy.port), timeout=timeout_s)
    client.sendall(HELLO)
    return client


def hear(client: socket.socket, size: int = len(HELLO)) -> bytes:
    """What comes back, until that much is there or the connection ends."""
    heard = b""
    while len(heard) < size and (piece := client.recv(65_536)):
        heard += piece
    return heard


def test_without_orders_everything_passes(proxy: TcpProxy) -> None:
    """Both ways, and the goodbye too."""
    with say(proxy) as client:
        assert HELLO == hear(client)
        client.shutdown(socket.SHUT_WR)
        assert b"" == client.recv(1)
    wait_until(lambda: proxy.connections == 0, 5, "the connection to be forgotten")


def test_a_refused_connection_never_reaches_the_server(proxy: TcpProxy, echo: Echo) -> None:
    """Those armed fare so, the next one does not."""
    proxy.arm(REFUSED, connections=2)
    for _ in range(2):
        with pytest.raises(ConnectionError), contextlib.closing(say(proxy)) as client:
            hear(client)
    with say(proxy) as client:
        assert HELLO == hear(client)
    assert (3, HELLO) == (proxy.accepted, echo.heard)


def test_a_cut_answer_leaves_the_request_carried_out(proxy: TcpProxy, echo: Echo) -> None:
    """The server heard it all; the client hears nothing but the end."""
    proxy.arm(ANSWER_CUT)
    with say(proxy) as client, pytest.raises(ConnectionResetError):
        hear(client)
    wait_until(lambda: echo.heard == HELLO, 5, "the server to hear it")


@pytest.mark.parametrize("to_server", [True, False], ids=["to the server", "to the client"])
def test_a_connection_is_cut_after_so_many_bytes(proxy: TcpProxy, echo: Echo, to_server: bool) -> None:
    """Not one more is passed on in that direction."""
    way = Way(cut_after_bytes=7)
    proxy.manners = Manners(to_server=way) if to_server else Manners(to_client=way)
    heard = b""
    with contextlib.suppress(ConnectionError), say(proxy) as client:
        while piece := client.recv(1):
            heard += piece
    assert HELLO[:7].startswith(heard)
    if to_server:
        assert HELLO[:7].startswith(echo.heard)
    wait_until(lambda: proxy.connections == 0, 5, "the connection to be forgotten")


def test_a_stall_holds_open_connections_and_ends_when_told(proxy: TcpProxy) -> None:
    """Nothing passes, nothing ends; then everything that waited comes."""
    with say(proxy, timeout_s=0.3) as client:
        assert HELLO == hear(client)
        proxy.manners = STALLED
        client.sendall(HELLO)
        with pytest.raises(TimeoutError):
            hear(client)
        proxy.manners = FAIR
        client.settimeout(5)
        assert HELLO == hear(client)


def test_a_trickle_is_slow_and_whole(proxy: TcpProxy) -> None:
    """Ten pieces, each late."""
    proxy.manners = Manners(to_client=Way(piece_bytes=len(HELLO) // 10, late_s=0.02))
    began = time.monotonic()
    with say(proxy) as client:
        assert HELLO == hear(client)
    assert time.monotonic() - began >= 0.2


def test_every_open_connection_can_be_cut_at_once(proxy: TcpProxy) -> None:
    """As when a network goes."""
    with say(proxy) as one, say(proxy) as other:
        assert [HELLO, HELLO] == [hear(one), hear(other)]
        proxy.cut_all()
        for client in (one, other):
            with pytest.raises(ConnectionResetError):
                client.recv(1)


def test_a_server_that_is_down_is_a_reset(listening: socket.socket) -> None:
    """Nobody behind: the client is told by the connection's end."""
    port = listening.getsockname()[1]
    listening.close()
    with tcp_proxy(port) as proxy:
        reach = functools.partial(socket.create_connection, ("127.0.0.1", proxy.port), timeout=5)
        with pytest.raises(ConnectionResetError), contextlib.closing(reach()) as client:  # on either
            client.recv(1)
