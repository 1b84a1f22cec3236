"""The server alone, over TLS: what its clients cost the process that it is a part of."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from autoscaler.web import server as of_server
from autoscaler.web.guards import Guarded
from autoscaler.web.patience import MOST_CONNECTIONS
from autoscaler.web.server import HANDSHAKE_S, CannotListen, Server, Tls, serve
from testbed.certificates import Authority
from testbed.waiting import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "certificates")


@pytest.fixture
def patience_s() -> float:
    """For a handshake."""
    return HANDSHAKE_S


@pytest.fixture
def server(authority: Authority, patience_s: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(of_server, "HANDSHAKE_S", patience_s)
    paper = authority.issue("127.0.0.1")
    tls = Tls(certificate=str(paper.certificate), key=str(paper.key))
    server = serve(PlainTextResponse("here"), ("127.0.0.1", 0), ends=lambda: None, tls=tls)
    yield server
    server.stop()


@pytest.mark.parametrize(
    "patience_s", [60.0]
)  # to see who is sent away for want of room, however busy it is here
def test_clients_that_begin_no_handshake_do_not_take_all_files(server: Server, authority: Authority) -> None:
    """A process has 1,024 of them by default, and ticks need some: who comes when it is full is sent away, and once
    the others have gone people are served again."""
    at = urlsplit(server.url)
    assert at.hostname is not None
    with ExitStack() as clients:
        silent = [
            clients.enter_context(socket.create_connection((at.hostname, at.port), timeout=10))
            for _ in range(MOST_CONNECTIONS + 150)
        ]
        for client in silent:
            client.setblocking(False)
        wait_until(lambda: sum(map(_was_sent_away, silent)) >= 80, 10, "that some are sent away")
        assert sum(map(_was_sent_away, silent)) <= 150  # and not those that there is room for

    def is_served() -> bool:
        try:
            return requests.get(server.url, verify=str(authority.certificate), timeout=5).text == "here"
        except requests.ConnectionError:
            return False

    wait_until(is_served, 10, "an answer")


def test_whoever_asks_for_the_head_alone_is_told_it() -> None:
    """As monitors do of /healthz. Nothing else is another method's, and what does not end has no head alone."""

    app = FastAPI()
    app.get("/ends", response_class=PlainTextResponse)(lambda: "here")
    app.get("/stream", response_class=PlainTextResponse)(lambda: "here")
    app.post("/not")(lambda: "here")
    guarded = Guarded(app, hosts=tuple, secure=False, endless=("/stream",))
    server = serve(guarded, ("127.0.0.1", 0), ends=lambda: None)
    try:
        answer = requests.head(f"{server.url}ends", timeout=5)
        others = [requests.head(f"{server.url}{path}", timeout=5) for path in ("not", "stream")]
    finally:
        server.stop()

    assert (200, "4", b"") == (answer.status_code, answer.headers["Content-Length"], answer.content)
    assert [405, 405] == [other.status_code for other in others]


def _was_sent_away(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_a_client_that_begins_no_handshake_is_sent_away_soon(server: Server) -> None:
    """Each has a place of which there are some hundred; a minute of it would be the price of a connection."""
    at = urlsplit(server.url)
    with socket.create_connection((str(at.hostname), at.port), timeout=HANDSHAKE_S + 20) as client:
        assert b"" == client.recv(1)


def test_an_encrypted_key_is_refused_and_nobody_is_asked(authority: Authority) -> None:
    """OpenSSL would ask at the terminal, and the daemon wait for ever."""
    paper = authority.issue("127.0.0.1", passphrase="hush")
    tls = Tls(certificate=str(paper.certificate), key=str(paper.key))

    with pytest.raises(CannotListen, match=r"is encrypted.*openssl pkey"):
        serve(PlainTextResponse("here"), ("127.0.0.1", 0), ends=lambda: None, tls=tls)
