"""Linode (Akamai Cloud) on loopback: an account whose API refuses what the real one refuses.

It follows the OpenAPI description linode/linode-api-docs at 40e7c7d (2024-10; API 4.189.0), which refuses unknown
fields, and for filters and rate limits the pages that go with it. Not there: configurations, disks and backups, the
deprecated groups, and limits per operation; one bucket stands for all.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from testbed.clouds import guards, paging
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.descriptions import NOT_DESCRIBED, Deviation
from testbed.clouds.exchange import Answer, Asked, Handler, Kind, Refused, Route
from testbed.clouds.guards import RateLimit, RateNames
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, each, flag, integer, record, text

TOKEN = "0123456789abcdef-linode-token"
WORDS = {Stage.MADE: "provisioning", Stage.RUNNING: "running", Stage.ENDING: "deleting"}
FILTERABLE = frozenset({"id", "label", "tags", "region", "image", "type", "ipv4", "group"})
USER_DATA_BYTES = 65_535

Document = dict[str, Any]

ORDER = record(
    required={"region": text(at_least=1), "type": text(at_least=1)},
    optional={
        "label": text(pattern=r"[a-zA-Z]((?!--|__|\.\.)[a-zA-Z0-9\-_.])+", at_least=3, at_most=64),
        "image": text(at_least=1), "root_pass": text(at_least=7, at_most=128), "booted": flag,
        "authorized_keys": each(text(pattern=r"(ssh|ecdsa)-\S+ \S+.*")), "authorized_users": each(text(at_least=1)),
        "tags": each(text(at_least=3, at_most=50)), "private_ip": flag, "backups_enabled": flag,
        "firewall_id": integer(at_least=0), "swap_size": integer(at_least=0),
        "metadata": record(optional={"user_data": text()}),
    },
)  # fmt: skip

_NO_COST = {"hourly": 0.0075, "monthly": 5.0}
TYPES: Sequence[Document] = tuple(
    {
        "id": name, "label": label, "class": kind, "disk": 81_920, "memory": memory, "vcpus": cpus, "gpus": 0,
        "network_out": 4000, "transfer": 4000, "successor": None, "price": {"hourly": hourly, "monthly": monthly},
        # Dearer in some regions, by the API's own word.
        "region_prices": [{"id": "br-gru", "hourly": hourly * 1.4, "monthly": monthly * 1.4}],
        "addons": {"backups": {"price": _NO_COST, "region_prices": []}},
    }
    for name, label, kind, memory, cpus, hourly, monthly in (
        ("g6-nanode-1", "Nanode 1GB", "nanode", 1024, 1, 0.0075, 5.0),
        ("g6-standard-2", "Linode 4GB", "standard", 4096, 2, 0.036, 24.0),
    )
)  # fmt: skip
REGIONS: Sequence[Document] = tuple(
    {
        "id": name, "label": label, "country": country, "status": "ok", "site-type": "core",
        "capabilities": ["Linodes", "Metadata"], "resolvers": {"ipv4": "192.0.2.0", "ipv6": "2001:db8::1"},
        "placement_group_limits": {"maximum_pgs_per_customer": None, "maximum_linodes_per_pg": 5},
    }
    for name, label, country in (
        ("eu-central", "Frankfurt, DE", "de"), ("se-sto", "Stockholm, SE", "se"), ("us-east", "Newark, NJ", "us"),
        ("br-gru", "Sao Paulo, BR", "br"),
    )
)  # fmt: skip
IMAGES: Sequence[Document] = tuple(
    {
        "id": f"linode/{name}", "label": label, "type": "manual", "description": label, "created_by": "linode",
        "created": "2025-08-14T22:44:02", "updated": "2025-08-14T22:44:02", "is_public": True, "size": 2500,
        "total_size": 2500, "deprecated": False, "eol": "2030-07-01T04:00:00", "expiry": None, "vendor": "Debian",
        "status": "available", "capabilities": ["cloud-init"], "regions": [], "tags": [],
    }
    for name, label in (("debian12", "Debian 12"), ("debian13", "Debian 13"))
)  # fmt: skip


def no(status: int, reason: str, field: str = "") -> Answer:
    """A refusal, as the API words all of them."""
    return Answer(status=status, body={"errors": [{"reason": reason, **({"field": field} if field else {})}]})


def wrong(found: Sequence[Problem]) -> Answer:
    """Each field that is at fault."""
    return Answer(
        status=400, body={"errors": [{"reason": one.says, "field": one.place or "body"} for one in found]}
    )


LIMIT = no(400, "Account Limit reached. Please open a support ticket.")
NO_ROOM = no(400, "This plan is currently unavailable in the selected region", "type")
REFUSALS = Refusals(
    capacity=NO_ROOM,
    quota=LIMIT,
    rejected=no(400, "image is not valid", "image"),
    throttled=no(429, "Too many requests"),
)
VOICE = Voice(
    unauthorized=no(401, "Invalid Token"),
    not_found=no(404, "Not found"),
    wrong_method=no(405, "Method Not Allowed"),
    malformed=no(400, "JSON could not be decoded"),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


USERS: Sequence[Document] = (
    {
        "username": "ops",
        "email": "ops@example.com",
        "restricted": False,
        "ssh_keys": ["ops"],
        "tfa_enabled": True,
    },
)
LEFT_OUT = (
    Deviation(
        path="/v4/account/users", says=NOT_DESCRIBED, why="in the description; that at hand is cut to less"
    ),
    Deviation(
        path="/v4/images/{id…}", says=NOT_DESCRIBED, why="an image's id holds a slash, and goes as it is"
    ),
)


class Linode:
    """One account. What tests may turn: `sold_out`, pairs of type and region, and `linode_limit`."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self.sold_out: set[tuple[str, str]] = set()
        self.linode_limit = 1000

    def routes(self) -> tuple[Route, ...]:
        """The paths of the description that stand here."""
        paged = frozenset({"page", "page_size"})
        many, one = "/v4/linode/instances", "/v4/linode/instances/{id}"
        return (
            Route(method="POST", path=many, handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path=many, handler=self.look, kind=Kind.LIST, query=paged),
            Route(method="GET", path=one, handler=self.one),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="GET", path="/v4/linode/types", handler=self._rows(TYPES)),
            Route(method="GET", path="/v4/regions", handler=self._rows(REGIONS), query=frozenset({"page"})),
            Route(method="GET", path="/v4/images", handler=self._rows(IMAGES), query=paged),
            Route(method="GET", path="/v4/images/{id…}", handler=self.image),
            Route(
                method="GET",
                path="/v4/account/users",
                handler=self._rows(USERS),
                query=paged,
                kind=Kind.BESIDE,
            ),
        )

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        for field, known in (("region", REGIONS), ("type", TYPES), ("image", IMAGES)):
            if field in order and all(order[field] != each["id"] for each in known):
                raise Refused(no(400, f"{field} is not valid", field))
        if "image" in order and "root_pass" not in order and not order.get("authorized_keys"):
            raise Refused(no(400, "root_pass is required", "root_pass"))
        user_data = _user_data(order)
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.linode_limit:
                raise Refused(LIMIT)
            if (order["type"], order["region"]) in self.sold_out:
                raise Refused(NO_ROOM)
            label = order.get("label") or f"linode{len(self._machines.standing()) + 1}"
            # Of one whose end was asked for the label is free.
            if any(label == each.name for each in self._machines.standing()):
                raise Refused(no(400, "Label must be unique among your linodes", "label"))
            body = _linode({**order, "label": label}, at=self._machines.clock.now())
            machine = self._machines.make(label, user_data=user_data, body=body)
        return Answer(body=self._told(machine))

    def look(self, asked: Asked) -> Answer:
        picked = _filter(asked.headers.get("x-filter", "{}"))
        rows = [self._told(machine) for machine in self._machines.listed()]
        return self._page(asked, [row for row in rows if _fits(row, picked)])

    def one(self, asked: Asked) -> Answer:
        return Answer(body=self._told(self._find(asked)))

    def end(self, asked: Asked) -> Answer:
        machine = self._find(asked)
        if machine.end_asked_at is not None:
            raise Refused(no(400, "Linode busy."))
        self._machines.end(machine)
        return Answer(body={})

    def image(self, asked: Asked) -> Answer:
        found = next((each for each in IMAGES if asked.places["id"] == each["id"]), None)
        if found is None:
            raise Refused(VOICE.not_found)
        return Answer(body=found)

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(VOICE.not_found)
        return machine

    def _told(self, machine: Machine) -> Document:
        return {
            **machine.body,
            "id": int(machine.key),
            "status": WORDS[self._machines.stage(machine)],
        }

    def _rows(self, rows: Sequence[Document]) -> Handler:
        return lambda asked: self._page(asked, rows)

    def _page(self, asked: Asked, rows: Sequence[Document]) -> Answer:
        number, size = asked.parameter("page"), asked.parameter("page_size")
        try:
            page = paging.numbered(
                rows, number=number, size=size, names=("page", "page_size"), default=100, most=500, least=25
            )
        except paging.BadPage as bad:
            raise Refused(no(400, str(bad), bad.parameter)) from None
        if page.number > page.last:
            raise Refused(VOICE.not_found)
        shown = list(page.rows[: -1 if asked.cut else None])
        return Answer(body={"data": shown, "page": page.number, "pages": page.last, "results": page.total})


def _user_data(order: Document) -> bytes:
    """What the machine will read. Raises Refused where it is not encoded, or too long."""
    encoded = (order.get("metadata") or {}).get("user_data", "")
    try:
        user_data = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        raise Refused(no(400, "must be base64-encoded", "metadata.user_data")) from None
    if len(user_data) > USER_DATA_BYTES:
        raise Refused(no(400, f"must not exceed {USER_DATA_BYTES} bytes", "metadata.user_data"))
    return user_data


def _filter(header: str) -> Document:
    """The conditions of an X-Filter header. Raises Refused for what is no filter, or cannot be filtered by."""
    try:
        wanted = json.loads(header)
    except ValueError:
        wanted = None
    if not isinstance(wanted, dict):
        raise Refused(no(400, "Cannot parse the X-Filter header"))
    for field in wanted:
        if field not in FILTERABLE:
            raise Refused(no(400, f"Cannot filter on {field}"))
    return wanted


def _fits(row: Document, wanted: Document) -> bool:
    for field, value in wanted.items():
        found = row[field]
        if value not in (found if isinstance(found, list) else [found]):
            return False
    return True


def _linode(order: Document, *, at: float) -> Document:
    """A Linode as the API describes it, without what changes later. Its times are UTC, and do not say so."""
    made = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "id": 0, "label": order["label"], "group": "", "status": "provisioning", "created": made, "updated": made,
        "type": order["type"], "region": order["region"], "image": order.get("image"), "hypervisor": "kvm",
        "ipv4": ["203.0.113.9"], "ipv6": "2001:db8::9/128", "tags": list(order.get("tags", [])),
        "specs": {"disk": 81_920, "memory": 4096, "vcpus": 2, "gpus": 0, "transfer": 4000},
        "alerts": {"cpu": 180, "io": 10_000, "network_in": 10, "network_out": 10, "transfer_quota": 80},
        "backups": {
            "enabled": False, "available": False, "schedule": {"day": None, "window": None},
        },
        "watchdog_enabled": True, "host_uuid": "3a3ddd59d9a78bb8de041391075df44de62bfec8",
        "has_user_data": "metadata" in order, "placement_group": None, "lke_cluster_id": None, "capabilities": [],
    }  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None, *, requests_a_minute: int = 800) -> Iterator[Cloud]:
    """An account on a free port."""
    clock = Clock()
    machines = Machines(clock, habits or Habits(), new_key=lambda number: str(61_000_000 + number))
    names = RateNames(limit="X-RateLimit-Limit", remaining="X-RateLimit-Remaining", reset="X-RateLimit-Reset")
    server = CloudServer(
        routes=(),
        voice=VOICE,
        guard=guards.bearer(TOKEN),
        limit=RateLimit(requests=requests_a_minute, window_s=60, names=names, now=clock.now),
    )
    api = Linode(server, machines)
    server.routes = api.routes()
    with running(server):
        yield Cloud(
            server=server,
            machines=machines,
            refusals=REFUSALS,
            descriptions={"/v4": "linode"},
            deviations=LEFT_OUT,
            api=api,
        )
