"""The made-up host Fjord VPS, small enough to try the example program on: a panel's API on a loopback port.

    python examples/external/panel.py --port 8090 --token sesame

It keeps servers in memory, is as strict as a good panel is (token, required and unknown fields, pages of at most 100,
names of things it does not sell) and lets a server install for a moment. Nothing is rented and nobody is billed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

SOLD = {"plans": ("s-1", "s-2"), "images": ("debian-12", "debian-13"), "datacenters": ("osl", "trd")}
FIELDS = {"hostname", "plan", "image", "datacenter", "note", "user_data"}
LIMITS = {"note": 200, "user_data": 16_384}
PAGE_MAX = 100
Trouble = Callable[["Exchange"], bool]
"""Looks at a request before the panel does; True if it dealt with it."""


class Refused(Exception):
    """The panel says no."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class Panel:
    """The panel's account: what stands, who may ask, and what is for sale."""

    def __init__(self, token: str, *, install_s: float = 3.0, quota: int = 20) -> None:
        self.token = token
        self.install_s = install_s
        self.quota = quota
        self.trouble: Trouble | None = None
        self.servers: dict[int, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.numbers = itertools.count(1)

    def answer(self, method: str, url: str, body: Any) -> tuple[int, Any]:
        """Status and document. Raises Refused."""
        parts = urlsplit(url)
        with self.lock:
            match method, parts.path.strip("/").split("/"):
                case "GET", ["v1", "servers"]:
                    return 200, self.page(parse_qs(parts.query))
                case "GET", ["v1", ("plans" | "images" | "datacenters") as what]:
                    return 200, {what: [{"name": name} for name in SOLD[what]]}
                case "POST", ["v1", "servers"]:
                    return 202, {"server": self.order(body)}
                case "DELETE", ["v1", "servers", number]:
                    if not number.isdigit() or self.servers.pop(int(number), None) is None:
                        raise Refused(404, "not_found", "there is no such server")
                    return 204, None
        raise Refused(404, "no_such_path", "nothing is here")

    def page(self, query: dict[str, list[str]]) -> dict[str, object]:
        """One page, in the order of birth."""
        page, size = (int(query.get(key, ["1"])[0]) for key in ("page", "per_page"))
        if not 1 <= size <= PAGE_MAX or page < 1:
            raise Refused(422, "invalid", "no such page")
        shown = [self.shown(server) for server in self.servers.values()]
        pages = max(1, -(-len(shown) // size))
        return {
            "servers": shown[(page - 1) * size : page * size],
            "page": page,
            "pages": pages,
            "total": len(shown),
        }

    def order(self, body: Any) -> dict[str, object]:
        """Make a server."""
        if (
            not isinstance(body, dict)
            or set(body) != FIELDS
            or not all(isinstance(v, str) for v in body.values())
        ):
            raise Refused(
                422, "invalid", f"a server needs these fields and no others: {', '.join(sorted(FIELDS))}"
            )
        for field, what in (("plan", "plans"), ("image", "images"), ("datacenter", "datacenters")):
            if body[field] not in SOLD[what]:
                raise Refused(422, "invalid", f"there is no such {field}")
        for field, limit in LIMITS.items():
            if len(body[field].encode()) > limit:
                raise Refused(422, "invalid", f"{field} is longer than {limit} bytes")
        if len(self.servers) >= self.quota:
            raise Refused(403, "quota_exceeded", f"this account may have {self.quota} servers")
        number = next(self.numbers)
        self.servers[number] = {**body, "id": number, "born": time.time()}
        return self.shown(self.servers[number])

    def shown(self, server: dict[str, Any]) -> dict[str, object]:
        """A server as its owner sees it; its user data is not shown."""
        installed = time.time() - server["born"] >= self.install_s
        return {
            **{key: server[key] for key in ("id", "hostname", "plan", "image", "datacenter", "note")},
            "status": "active" if installed else "installing",
            "created": datetime.fromtimestamp(int(server["born"]), UTC).isoformat(),
            "ipv4": f"192.0.2.{server['id'] % 256}",
            "ipv6": None,
        }


class Exchange(BaseHTTPRequestHandler):
    """One request to the panel."""

    panel: Panel
    body: Any = None

    def handle_request(self) -> None:
        """Answer it, unless trouble does."""
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.body = json.loads(text) if text else None
        if self.panel.trouble is None or not self.panel.trouble(self):
            self.reply(*self.carry_out())

    def carry_out(self) -> tuple[int, Any]:
        """Do what is asked; status and document of the answer."""
        try:
            if self.headers.get("Authorization") != f"Bearer {self.panel.token}":
                raise Refused(401, "unauthorized", "the token is wrong")
            return self.panel.answer(self.command, self.path, self.body)
        except Refused as refused:
            return refused.status, {"error": {"code": refused.code, "message": str(refused)}}

    def reply(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        """Send an answer."""
        text = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for key, value in {"Content-Length": str(len(text)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = handle_request  # noqa: N815 - as `http.server` looks for them

    def log_message(self, *_: object) -> None:
        """Be silent."""


def serve(panel: Panel, port: int = 0) -> ThreadingHTTPServer:
    """A server on loopback that is not yet running; `server_address` tells its port."""
    return ThreadingHTTPServer(("127.0.0.1", port), type("Exchange", (Exchange,), {"panel": panel}))


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--token", default="sesame")
    given = parser.parse_args()
    server = serve(Panel(given.token), given.port)
    print(
        f"Fjord VPS listens on http://127.0.0.1:{server.server_address[1]}; Ctrl-C ends it and all its servers."
    )
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
