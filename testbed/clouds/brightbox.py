"""Brightbox on loopback: an account whose API refuses what the real one refuses.

It follows Brightbox's own client gobrightbox (`v2/servers.go` and `serverstatus.go`: every field of an order and of a
server, every state; `testdata/*.json`: what is answered; `api-client-auth.go`: the login) and, for what libcloud alone
sends, libcloud's tests. Stricter than is known of the real one in this: fields that these do not have are refused, and
so is a `user_data` that is no base64. Not there: volumes, cloud IPs, snapshots, locks.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from testbed.clouds import guards
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.exchange import Answer, Asked, Handler, Kind, Refused, Route
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, each, flag, one_of, record, text

CLIENT = "cli-test1"
SECRET = "the-secret-of-an-api-client"
ZONE, OTHER_ZONE = "zon-6mxqw", "zon-remk1"
SMALL, NETWORKED = "typ-zx45f", "typ-bl0ck"
IMAGE = "img-3ikco"
GROUP = "grp-sda44"
TOKEN_S = 7200
WORDS = {Stage.MADE: "creating", Stage.RUNNING: "active", Stage.ENDING: "deleting"}
USER_DATA_LETTERS = 16 * 1024

Document = dict[str, Any]

LOGIN = record(required={"client_id": text(at_least=1), "grant_type": one_of("none", "client_credentials")})
ORDER = record(
    required={"image": text(pattern=r"img-\w{5}")},
    optional={
        "name": text(at_most=255), "server_type": text(pattern=r"typ-\w{5}"), "zone": text(pattern=r"zon-\w{5}"),
        "user_data": text(), "server_groups": each(text(pattern=r"grp-\w{5}")), "compatibility_mode": flag,
        "disk_encrypted": flag, "snapshots_retention": text(), "snapshots_schedule": text(),
    },
)  # fmt: skip

TYPES: Sequence[Document] = tuple(
    {
        "id": key, "resource_type": "server_type", "name": name, "status": "available", "cores": 2, "ram": 2048,
        "disk_size": disk, "handle": name.lower(), "storage_type": storage,
    }
    for key, name, disk, storage in ((SMALL, "Small", 81920, "local"), (NETWORKED, "Net", 0, "network"))
)  # fmt: skip
ZONES: Sequence[Document] = tuple(
    {"id": key, "resource_type": "zone", "handle": handle}
    for key, handle in ((ZONE, "gb1-a"), (OTHER_ZONE, "gb1-b"))
)
IMAGES: Sequence[Document] = (
    {
        "id": IMAGE, "resource_type": "image", "name": "debian-13", "username": "debian", "status": "available",
        "locked": False, "description": "ID: official", "source": "debian-13", "arch": "x86_64",
        "created_at": "2025-09-01T12:00:00Z", "owner": "acc-43ks4", "official": True, "public": True,
        "compatibility_mode": False, "source_type": "upload", "source_trigger": "manual", "disk_size": 560,
        "virtual_size": 1409, "min_ram": None, "ancestor": None,
    },
)  # fmt: skip

GROUPS: Sequence[Document] = (
    {"id": GROUP, "resource_type": "server_group", "name": "default", "description": "", "default": True},
)


def no(status: int, name: str, message: str) -> Answer:
    """A refusal, as the API words all of them but those of logins."""
    return Answer(status=status, body={"error_name": name, "errors": [message]})


def wrong(found: Sequence[Problem]) -> Answer:
    """One sentence a field that is at fault."""
    says = [f"{one.place or 'body'} {one.says}" for one in found]
    return Answer(status=400, body={"error_name": "invalid_request", "errors": says})


REFUSALS = Refusals(
    capacity=no(403, "Forbidden", "Account limit reached, please contact support for more information"),
    rejected=no(404, "missing_resource", "Image not found"),
    throttled=no(429, "too_many_requests", "Too many requests"),
)
VOICE = Voice(
    unauthorized=Answer(status=401, body={"error": "invalid_token", "error_description": "Token unknown or expired"}),
    not_found=no(404, "unrecognised_endpoint", "The request was for an unrecognised API endpoint"),
    wrong_method=no(405, "unrecognised_endpoint", "The request was for an unrecognised API endpoint"),
    malformed=no(400, "invalid_request", "The request body is no JSON"),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)  # fmt: skip


class Brightbox:
    """One account. What tests may turn: `limit` of servers; `ram_limit`, which is told and not held; `end_tokens`."""

    def __init__(self, server: CloudServer, machines: Machines, tokens: set[str]) -> None:
        self._server = server
        self._machines = machines
        self._tokens = tokens
        self._may_log_in = guards.basic(CLIENT, SECRET)
        self.limit = 1000
        self.ram_limit = 204_800

    def end_tokens(self) -> None:
        """As if two hours had passed."""
        self._tokens.clear()

    def routes(self) -> tuple[Route, ...]:
        """The paths that stand here."""
        one = "/1.0/servers/{id}"
        return (
            Route(method="POST", path="/token", handler=self.login, kind=Kind.LOGIN, open=True),
            Route(method="POST", path="/1.0/servers", handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path="/1.0/servers", handler=self.look, kind=Kind.LIST),
            Route(method="GET", path=one, handler=lambda asked: Answer(body=self._told(self._find(asked)))),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="GET", path="/1.0/server_types", handler=_rows(TYPES)),
            Route(method="GET", path="/1.0/zones", handler=_rows(ZONES)),
            Route(method="GET", path="/1.0/images", handler=_rows(IMAGES)),
            Route(method="GET", path="/1.0/account", handler=self.account, kind=Kind.BESIDE),
            Route(method="GET", path="/1.0/server_groups", handler=_rows(GROUPS), kind=Kind.BESIDE),
        )

    def login(self, asked: Asked) -> Answer:
        read = self._server.read(asked, LOGIN)
        if not self._may_log_in(asked) or read["client_id"] != CLIENT:
            raise Refused(Answer(status=401, body={"error": "invalid_client"}))
        token = secrets.token_hex(20)
        self._tokens.add(f"OAuth {token}")
        return Answer(body={"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_S})

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        kind = _known(TYPES, order.get("server_type", SMALL), "Server type")
        zone = _known(ZONES, order.get("zone", ZONE), "Zone")
        image = _known(IMAGES, order["image"], "Image")
        if kind["storage_type"] != "local":
            raise Refused(no(422, "invalid_request", "Server type needs a volume"))
        if any(group != GROUP for group in order.get("server_groups", [])):
            raise Refused(no(404, "missing_resource", "Server group not found"))
        user_data = _user_data(order.get("user_data") or "")
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.limit:
                raise Refused(REFUSALS.capacity)
            at = self._machines.clock.now()
            body = _server(order, kind=kind, zone=zone, image=image, at=at)
            machine = self._machines.make(body["name"], user_data=user_data, body=body)
        return Answer(status=202, body=self._told(machine))

    def account(self, _: Asked) -> Answer:
        used = sum(each.body["server_type"]["ram"] for each in self._machines.standing())
        told = {
            "id": "acc-43ks4", "resource_type": "account", "name": "Brightbox", "status": "active",
            "ram_limit": self.ram_limit, "ram_used": used, "cloud_ips_limit": 5, "cloud_ips_used": 0,
        }  # fmt: skip
        return Answer(body=told)

    def look(self, asked: Asked) -> Answer:
        rows = [self._told(machine) for machine in self._machines.listed()]
        return Answer(body=rows[: -1 if asked.cut else None])

    def end(self, asked: Asked) -> Answer:
        machine = self._find(asked)
        if machine.end_asked_at is not None:
            raise Refused(no(409, "invalid_state", "Server is not in a state in which it can be deleted"))
        self._machines.end(machine)
        return Answer(status=202, body=self._told(machine))

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(no(404, "missing_resource", "Server not found"))
        return machine

    def _told(self, machine: Machine) -> Document:
        # Deleted servers are shown for a while.
        gone = self._machines.is_gone(machine)
        status = "deleted" if gone else WORDS[self._machines.stage(machine)]
        # Once it is deleted, what it was made of may be gone as well.
        odd: Document = {"image": None, "interfaces": []} if gone else {}
        url = f"{self._server.url}/1.0/servers/{machine.key}"
        return {
            **machine.body,
            **odd,
            "id": machine.key,
            "url": url,
            "hostname": machine.key,
            "status": status,
        }


def _rows(rows: Sequence[Document]) -> Handler:
    return lambda _: Answer(body=list(rows))


def _known(rows: Sequence[Document], key: str, what: str) -> Document:
    found = next((row for row in rows if row["id"] == key), None)
    if found is None:
        raise Refused(no(404, "missing_resource", f"{what} not found"))
    return found


def _user_data(letters: str) -> bytes:
    if len(letters) > USER_DATA_LETTERS:
        raise Refused(no(422, "invalid_request", "User data is too big"))
    try:
        return base64.b64decode(letters, validate=True)
    except binascii.Error:
        raise Refused(no(400, "dodgy user data", "User data not encoded properly")) from None


def _server(order: Document, *, kind: Document, zone: Document, image: Document, at: float) -> Document:
    """A server as gobrightbox reads it, without what changes later."""
    interface = {
        "id": "int-ds42k", "resource_type": "interface", "mac_address": "02:24:19:00:00:ee",
        "ipv4_address": "10.74.210.210", "ipv6_address": "2001:db8:14c:393a:24:19ff:fe00:ee",
    }  # fmt: skip
    group = {"id": GROUP, "resource_type": "server_group", "name": "default", "default": True}
    return {
        "id": "", "resource_type": "server", "name": order.get("name", ""), "locked": False,
        "compatibility_mode": order.get("compatibility_mode", False), "disk_encrypted": False,
        "created_at": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "started_at": None,
        "deleted_at": None, "user_data": order.get("user_data"), "image": image, "server_type": kind, "zone": zone,
        "account": {"id": "acc-43ks4", "resource_type": "account", "name": "Brightbox", "status": "active"},
        "cloud_ips": [], "interfaces": [interface], "snapshots": [], "volumes": [], "server_groups": [group],
    }  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """An account on a free port."""
    machines = Machines(Clock(), habits or Habits(), new_key=lambda number: f"srv-{number:05x}")
    tokens: set[str] = set()
    server = CloudServer(routes=(), voice=VOICE, guard=guards.header_among("Authorization", tokens))
    api = Brightbox(server, machines, tokens)
    server.routes = api.routes()
    with running(server):
        yield Cloud(server=server, machines=machines, refusals=REFUSALS, api=api)
