"""An EC2 that misbehaves on demand: one in-process HTTP server that counts what is asked and answers as a script says.

In goes a reply for each action, out come the requests as they arrived. It stands for what moto cannot make: refusals
for capacity, throttling, a proxy's HTML, silence, and a link cut after the order was taken.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def parameters(self) -> Mapping[str, str]:
        text = urlsplit(self.url).query + "&" + self.body.decode()
        return {key: values[0] for key, values in parse_qs(text).items()}

    @property
    def action(self) -> str:
        return self.parameters.get("Action", "")


class Exchange(BaseHTTPRequestHandler):
    """One request being answered."""

    stub: Stub
    asked: Asked

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.asked = Asked(method=self.command, url=self.path, headers=dict(self.headers), body=body)
        self.stub.asked.append(self.asked)
        self.close_connection = True
        self.stub.script.get(self.asked.action, self.stub.otherwise)(self)

    do_GET = do_DELETE = do_POST  # noqa: N815 - the names http.server looks for

    def log_message(self, *args: object) -> None:
        """Tests read `asked`, not a log."""


Reply = Callable[[Exchange], None]


def nothing_to_say(exchange: Exchange) -> None:
    """For an action that no script names."""
    answer(404, "no script for this")(exchange)


def images(exchange: Exchange) -> None:
    """Any image that is asked for, with no device that outlives its machine. An order is preceded by such a look."""
    image = exchange.asked.parameters.get("ImageId.1", "ami-1")
    answer(
        200,
        f'<DescribeImagesResponse xmlns="{NAMESPACE}"><imagesSet><item><imageId>{image}</imageId></item></imagesSet>'
        "</DescribeImagesResponse>",
    )(exchange)


@dataclass(slots=True, kw_only=True)
class Stub:
    """The running server. `script` says the reply to each action; `released` ends every silence."""

    port: int = 0
    script: dict[str, Reply] = field(default_factory=lambda: {"DescribeImages": images})
    otherwise: Reply = nothing_to_say
    asked: list[Asked] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def count(self, action: str) -> int:
        return sum(each.action == action for each in self.asked)

    def silence(self, _: Exchange) -> None:
        """Takes the order and says nothing."""
        self.released.wait(20)

    def drip(self, handler: Exchange) -> None:
        """One byte every tenth of a second: each comes in time, the answer never does."""
        handler.send_response(200)
        handler.end_headers()
        while not self.released.wait(0.1):
            handler.wfile.write(b" ")

    def drip_head(self, handler: Exchange) -> None:
        """The same within a header, where no body was begun yet."""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not self.released.wait(0.1):
            handler.wfile.write(b"x")


def answer(status: int, body: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A whole answer."""

    def reply(handler: Exchange) -> None:
        content = body.encode()
        handler.send_response(status)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def refusal(status: int, code: str, message: str = "no", headers: Mapping[str, str] | None = None) -> Reply:
    """An error the way EC2 says it."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>1</RequestID></Response>"
    )
    return answer(status, body, headers)


def listing(*machines: str, next_token: str = "", namespace: str = NAMESPACE) -> Reply:
    """One page of machines, each the XML of an instance."""
    rows = "".join(f"<item><instancesSet><item>{each}</item></instancesSet></item>" for each in machines)
    following = f"<nextToken>{next_token}</nextToken>" if next_token else ""
    return answer(
        200,
        f'<DescribeInstancesResponse xmlns="{namespace}"><reservationSet>{rows}</reservationSet>{following}'
        "</DescribeInstancesResponse>",
    )


def machine(instance_id: str, *, name: str, fleet: str = "production", state: str = "running") -> str:
    """The XML of one instance under a fleet's mark."""
    tags = {"autoscaler-fleet": fleet, "autoscaler-node": name, "Name": name}
    items = "".join(f"<item><key>{key}</key><value>{value}</value></item>" for key, value in tags.items())
    return (
        f"<instanceId>{instance_id}</instanceId><instanceState><code>16</code><name>{state}</name></instanceState>"
        f"<launchTime>2026-01-02T03:04:05.000Z</launchTime><tagSet>{items}</tagSet>"
    )


def pages(*replies: Reply) -> Reply:
    """One reply after the other, the last one for ever."""
    waiting = list(replies)

    def reply(handler: Exchange) -> None:
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(handler)

    return reply


def cut(handler: Exchange) -> None:
    """Takes the order and breaks the link without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def cut_in_the_body(handler: Exchange) -> None:
    """Takes the order, promises an answer and breaks the link within it."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"<RunInstancesResponse>")
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def running() -> Iterator[Stub]:
    """Serve on a free loopback port until the block ends."""
    stub = Stub()
    handler = type("Handler", (Exchange,), {"stub": stub})

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up is what some tests are about."""

    with Server(("127.0.0.1", 0), handler) as server:
        stub.port = server.server_address[1]
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        try:
            yield stub
        finally:
            stub.released.set()
            server.shutdown()
            serving.join(10)
