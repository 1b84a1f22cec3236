"""cloudscale.ch on loopback: a project whose API refuses what the real one refuses.

It follows the reference of API v1 (cloudscale.ch/en/api/v1), as its own clients write and read it: cloudscale-go-sdk at
cb9a0bc and the Ansible collection at 92d5b21 (both 2026), and libcloud's recorded answers. cloudscale.ch publishes no
OpenAPI description. Stricter than the real one in one thing: fields and parameters that the reference does not have are
refused. Laxer: user data need not be YAML. Made up: the sentences of refusals for want of room, and the limit of user
data. Not there: volumes, networks and floating IPs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from testbed.clouds import guards
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.exchange import ANYTHING, Answer, Asked, Handler, Kind, Refused, Route
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import (
    Problem,
    Shape,
    each,
    flag,
    integer,
    mapping,
    nullable,
    record,
    text,
)

TOKEN = "a-token-of-a-test-for-cloudscale"
WORDS = {Stage.MADE: "changing", Stage.RUNNING: "running", Stage.ENDING: "changing"}

Document = dict[str, Any]

UUID = text(pattern=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEY = text(pattern=r"(ssh-\S+|ecdsa-\S+) \S+( .*)?")


INTERFACE = record(
    optional={
        "network": text(at_least=1),
        "addresses": each(record(optional={"subnet": UUID, "address": text()})),
    }
)
ORDER: Shape = record(
    required={
        "name": text(pattern=r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?", at_most=63),
        "flavor": text(at_least=1),
        "image": text(at_least=1),
    },
    optional={
        "zone": text(at_least=1), "volume_size_gb": integer(at_least=10),
        "volumes": each(record(required={"size_gb": integer(at_least=1)}, optional={"type": text()})),
        "interfaces": each(INTERFACE), "bulk_volume_size_gb": integer(at_least=100), "ssh_keys": nullable(each(KEY)),
        "password": text(at_least=1), "use_public_network": flag, "use_private_network": flag, "use_ipv6": flag,
        "anti_affinity_with": UUID, "server_groups": each(UUID), "user_data": nullable(text(bytes_at_most=49_149)),
        "tags": mapping(text(pattern=r"[\w.:/-]{1,250}"), text(at_most=250)),
    },
)  # fmt: skip

FLAVORS: Sequence[Document] = tuple(
    {"slug": slug, "name": slug.title(), "vcpu_count": cpus, "memory_gb": memory, "gpu": None,
     "zones": [{"slug": zone} for zone in zones]}
    for slug, memory, cpus, zones in (
        ("flex-4-1", 4, 1, ("rma1", "lpg1")), ("flex-4-2", 4, 2, ("rma1", "lpg1")), ("plus-8-2", 8, 2, ("lpg1",)),
    )
)  # fmt: skip
IMAGES: Sequence[Document] = tuple(
    {"slug": slug, "name": name, "operating_system": system, "default_username": system.lower(),
     "zones": [{"slug": "rma1"}, {"slug": "lpg1"}]}
    for slug, name, system in (
        ("debian-13", "Debian 13 (2025-09-01)", "Debian"), ("ubuntu-24.04", "Ubuntu 24.04 LTS", "Ubuntu"),
    )
)  # fmt: skip
REGIONS: Sequence[Document] = (
    {"slug": "rma", "zones": [{"slug": "rma1"}]},
    {"slug": "lpg", "zones": [{"slug": "lpg1"}]},
)
ZONES = ("rma1", "lpg1")
GROUP, GROUP_ELSEWHERE = "e3b63018-fad6-45f2-9f57-3ea0da726d8c", "a2d1c8f0-5a1f-4c1c-9d20-0c5c6d1a7f12"
GROUPS: Sequence[Document] = tuple(
    {"href": f"https://api.cloudscale.ch/v1/server-groups/{key}", "uuid": key, "name": name, "type": "anti-affinity",
     "servers": [], "zone": {"slug": zone}, "tags": {}}
    for key, name, zone in ((GROUP, "spread", "rma1"), (GROUP_ELSEWHERE, "others", "lpg1"))
)  # fmt: skip


def no(status: int, says: str, field: str = "detail") -> Answer:
    """A refusal: one field, or `detail`, with its sentence."""
    return Answer(status=status, body={field: says})


def wrong(found: Sequence[Problem]) -> Answer:
    """All fields at fault, each with a sentence."""
    return Answer(status=400, body={problem.place or "detail": problem.says for problem in reversed(found)})


REFUSALS = Refusals(
    capacity=no(400, "There is currently not enough capacity for this flavor.", "flavor"),
    rejected=no(400, "Image does not exist.", "image"),
    throttled=no(429, "Request was throttled. Expected available in 30 seconds."),
)
LIMIT = no(400, "The quota for servers of this project is used up.")
GONE = no(404, "Not found.")
VOICE = Voice(
    unauthorized=no(401, "Invalid token."),
    not_found=GONE,
    wrong_method=no(405, "Method not allowed."),
    malformed=no(400, "JSON parse error."),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


class Cloudscale:
    """One project. What tests may turn: `sold_out`, pairs of flavor and zone, and `server_limit`."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self.sold_out: set[tuple[str, str]] = set()
        self.server_limit = 1000

    def routes(self) -> tuple[Route, ...]:
        """The paths of the reference that stand here."""
        one = "/v1/servers/{id}"
        return (
            Route(method="POST", path="/v1/servers", handler=self.create, kind=Kind.CREATE),
            # Any tag may be asked for.
            Route(method="GET", path="/v1/servers", handler=self.look, kind=Kind.LIST, query=ANYTHING),
            Route(method="GET", path=one, handler=self.one),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="GET", path="/v1/flavors", handler=_all(FLAVORS)),
            Route(method="GET", path="/v1/images", handler=_all(IMAGES)),
            Route(method="GET", path="/v1/regions", handler=_all(REGIONS)),
            Route(method="GET", path="/v1/server-groups", handler=_all(GROUPS), kind=Kind.BESIDE),
        )

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        if not order.get("ssh_keys") and not order.get("password"):
            raise Refused(no(400, "Either SSH keys or a password are required.", "ssh_keys"))
        flavor = next((one for one in FLAVORS if one["slug"] == order["flavor"]), None)
        if flavor is None:
            raise Refused(no(400, "Flavor does not exist.", "flavor"))
        image = next((one for one in IMAGES if one["slug"] == order["image"]), None)
        if image is None:
            raise Refused(REFUSALS.rejected)
        zone = order.get("zone", ZONES[0])
        if zone not in ZONES:
            raise Refused(no(400, "Zone does not exist.", "zone"))
        if {"slug": zone} not in flavor["zones"]:
            raise Refused(no(400, "Flavor does not exist in this zone.", "flavor"))
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.server_limit:
                raise Refused(LIMIT)
            if (flavor["slug"], zone) in self.sold_out:
                raise Refused(REFUSALS.capacity)
            body = _server(order, flavor=flavor, image=image, zone=zone, at=self._machines.clock.now())
            user_data = (order.get("user_data") or "").encode()
            machine = self._machines.make(order["name"], user_data=user_data, body=body)
        return Answer(status=201, body=self._told(machine))

    def look(self, asked: Asked) -> Answer:
        tags = {
            key.removeprefix("tag:"): asked.parameter(key) for key in asked.query if key.startswith("tag:")
        }
        others = sorted(key for key in asked.query if not key.startswith("tag:"))
        if others:
            raise Refused(no(400, "is no parameter of this request", others[0]))
        rows = [
            row
            for row in map(self._told, self._machines.listed())
            if all(row["tags"].get(key) == value for key, value in tags.items())
        ]
        return Answer(body=rows[: -1 if asked.cut else None])

    def one(self, asked: Asked) -> Answer:
        return Answer(body=self._told(self._find(asked)))

    def end(self, asked: Asked) -> Answer:
        self._machines.end(self._find(asked))
        return Answer(status=204)

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(GONE)
        return machine

    def _told(self, machine: Machine) -> Document:
        href = f"{self._server.url}/v1/servers/{machine.key}"
        return {
            "href": href,
            "uuid": machine.key,
            **machine.body,
            "status": WORDS[self._machines.stage(machine)],
        }


def _all(rows: Sequence[Document]) -> Handler:
    return lambda _: Answer(body=list(rows))


def _server(order: Document, *, flavor: Document, image: Document, zone: str, at: float) -> Document:
    """A server as the API describes it, without what changes later."""
    address = {
        "version": 4, "address": "203.0.113.7", "prefix_length": 24, "gateway": "203.0.113.1",
        "reverse_ptr": "203-0-113-7.cust.cloudscale.ch", "subnet": {"uuid": str(uuid.UUID(int=11))},
    }  # fmt: skip
    public = [{"type": "public", "network": {"name": "public"}, "addresses": [address]}]
    return {
        "name": order["name"],
        "flavor": {key: flavor[key] for key in ("slug", "name", "vcpu_count", "memory_gb")},
        "image": {key: image[key] for key in ("slug", "name", "operating_system", "default_username")},
        "zone": {"slug": zone},
        "volumes": [{"type": "ssd", "size_gb": order.get("volume_size_gb", 10), "name": f"{order['name']}-root"}],
        "interfaces": public if order.get("use_public_network", True) else [],
        "ssh_fingerprints": [], "ssh_host_keys": [], "anti_affinity_with": [], "server_groups": [],
        "created_at": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "tags": dict(order.get("tags") or {}),
    }  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """A project on a free port."""
    machines = Machines(
        Clock(), habits or Habits(), new_key=lambda number: str(uuid.UUID(int=number, version=4))
    )
    server = CloudServer(routes=(), voice=VOICE, guard=guards.bearer(TOKEN))
    api = Cloudscale(server, machines)
    server.routes = api.routes()
    with running(server):
        yield Cloud(server=server, machines=machines, refusals=REFUSALS, api=api)
