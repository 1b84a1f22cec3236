"""The hostile middleman keeps its word: each answer is what it says, and the request was carried out or was not."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from testbed import hostile_http
from testbed.hostile_http import (
    ANSWER_LOST,
    BAD_GATEWAY,
    ENDLESS_HEADERS,
    GARBAGE,
    LOGIN_PAGE,
    LOST,
    NEVER,
    SERVER_ERROR,
    Answer,
    HttpProxy,
    http_proxy,
)

TRUTH = b'{"the": "truth"}'


class Server:
    """A server that tells the truth and counts what it was asked."""

    def __init__(self) -> None:
        self.carried_out: list[str] = []


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def proxy(server: Server) -> Iterator[HttpProxy]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.carried_out.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(TRUTH)))
            self.end_headers()
            self.wfile.write(TRUTH)

        do_POST = do_GET  # noqa: N815 - the name http.server looks for

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as behind:
        serving = threading.Thread(target=behind.serve_forever, args=(0.02,), daemon=True)
        serving.start()
        with http_proxy(behind.server_address[1]) as running:
            yield running
        behind.shutdown()
        serving.join(5)


def ask(
    proxy: HttpProxy, path: str = "/", *, form: str = "", timeout_s: float = 5.0
) -> http.client.HTTPResponse:
    """One request on a connection of its own; its answer with the body unread."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=timeout_s)
    connection.request("POST" if form else "GET", path, body=form or None)
    return connection.getresponse()


def test_what_no_rule_meets_passes_as_it_came(proxy: HttpProxy, server: Server) -> None:
    """Status, headers and body; several requests on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=5)
    for _ in range(3):
        connection.request("GET", "/a?b=c")
        answer = connection.getresponse()
        assert (200, "application/json", TRUTH) == (
            answer.status,
            answer.getheader("Content-Type"),
            answer.read(),
        )
    connection.close()
    assert ["/a?b=c"] * 3 == server.carried_out == [each.path for each in proxy.asked]


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (hostile_http.throttled(), 429, b"slow down"),
        (SERVER_ERROR, 500, b"Internal Server Error"),
        (BAD_GATEWAY, 502, b"Bad Gateway"),
        (LOGIN_PAGE, 200, b"log in"),
        (GARBAGE, 200, bytes(range(256))),
        (hostile_http.elsewhere("http://127.0.0.1:9/"), 302, b""),
    ],
    ids=["429", "500", "502", "login page", "garbage", "redirect"],
)
def test_an_answer_of_its_own_keeps_the_request_from_the_server(
    proxy: HttpProxy, server: Server, answer: Answer, status: int, says: bytes
) -> None:
    """Whole and well formed, and not the server's."""
    rule = proxy.meet(answer)
    told = ask(proxy)
    assert (status, True) == (told.status, says in told.read())
    assert ([], 1) == (server.carried_out, rule.met)


def test_headers_are_told_as_ordered(proxy: HttpProxy) -> None:
    """`Retry-After` where it was given, and only there."""
    proxy.meet(hostile_http.throttled("7"), times=1)
    proxy.meet(hostile_http.throttled(), times=1)
    assert ["7", None] == [ask(proxy).getheader("Retry-After") for _ in range(2)]


def test_a_lost_answer_was_carried_out_and_a_lost_request_was_not(proxy: HttpProxy, server: Server) -> None:
    """To the client both are the same: a connection that ends without a word."""
    for answer in (ANSWER_LOST, LOST):
        proxy.meet(answer, times=1)
        with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
            ask(proxy)
    assert ["/"] == server.carried_out


def test_a_truncated_answer_tells_its_true_length_and_ends_before_it(proxy: HttpProxy) -> None:
    """The last bytes never come, of the server's own answer as of one that lies about its length."""
    for answer in (hostile_http.truncated(5), Answer(body=TRUTH, status=200, length=99, cut_after_bytes=999)):
        proxy.meet(answer, times=1)
        with pytest.raises(http.client.IncompleteRead):
            ask(proxy).read()


def test_a_slow_answer_comes_byte_by_byte(proxy: HttpProxy) -> None:
    """Each in time, the whole late."""
    proxy.meet(hostile_http.slow_loris(0.002))
    began = time.monotonic()
    assert TRUTH == ask(proxy).read()
    assert time.monotonic() - began > 0.1


def test_no_answer_at_all_ends_when_calmed(proxy: HttpProxy, server: Server) -> None:
    """It hangs for as long as the rule holds; nothing was carried out."""
    proxy.meet(NEVER)
    with pytest.raises(TimeoutError):
        ask(proxy, timeout_s=0.2)
    proxy.calm()
    assert TRUTH == ask(proxy).read()
    assert ["/"] == server.carried_out


def test_headers_without_end_are_more_than_a_client_takes(proxy: HttpProxy) -> None:
    """`http.client` gives up at a hundred."""
    proxy.meet(ENDLESS_HEADERS)
    with pytest.raises(http.client.HTTPException):
        ask(proxy)


def test_a_bomb_is_small_until_it_is_unpacked(proxy: HttpProxy) -> None:
    """Ten megabytes in some kilobytes."""
    proxy.meet(hostile_http.gzip_bomb(10_000_000))
    told = ask(proxy)
    assert "gzip" == told.getheader("Content-Encoding")
    assert len(told.read()) < 20_000


def test_a_body_can_be_rewritten(proxy: HttpProxy, server: Server) -> None:
    """The server's own answer, with something taken away."""
    proxy.meet(Answer(rewrite=lambda body: body.replace(b"truth", b"lie")))
    assert b'{"the": "lie"}' == ask(proxy).read()
    assert 1 == len(server.carried_out)


def test_rules_match_by_method_path_and_action_and_count_down(proxy: HttpProxy) -> None:
    """The first that matches counts, for as often as it was armed."""
    proxy.meet(Answer(status=500, body=b""), method="POST", path="/api", action="Run", times=1)
    asked = (("/api/x", "Action=Run"), ("/api/x", "Action=Run"), ("/api", "Action=Stop"), ("/", "Action=Run"))
    assert [500, 200, 200, 200] == [ask(proxy, path, form=form).status for path, form in asked]
    assert [3, 1] == [proxy.count("Run"), proxy.count("Stop")]
