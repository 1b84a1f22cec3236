"""Vultr on loopback: an account whose API refuses what the real one refuses.

It follows Vultr's own client govultr (instance.go at 0779334: every field of an order and of an instance), the answers
of libcloud's fixtures `vultr_v2` (pages, regions, plans, systems) and, for the sentences of refusals, what people were
answered. Stricter than is known of the real one in this: fields and parameters that these do not have are refused, and
so is a `user_data` that is no base64. Not there: bare metal, backups, start-up scripts, the fields that were dropped
(`tag`, VPC 2.0).
"""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from testbed.clouds import guards, paging
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.exchange import Answer, Asked, Handler, Kind, Refused, Route
from testbed.clouds.guards import RateLimit, RateNames
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, each, flag, integer, one_of, record, text

TOKEN = "VULTR-API-KEY-OF-A-TEST"
WORDS = {Stage.MADE: "pending", Stage.RUNNING: "active", Stage.ENDING: "active"}
"""There is no word for one that is being destroyed."""
SNAPSHOT = "5359435d-e9ba-4d3c-8e1a-6a7a8f8f2f0d"
NAMESPACE = uuid.UUID("cb676a46-66fd-4dfb-b839-443f2e6c0b60")

Document = dict[str, Any]
A_UUID = text(pattern=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

ORDER = record(
    required={"region": text(at_least=1), "plan": text(at_least=1)},
    optional={
        "label": text(at_least=1, at_most=255), "tags": each(text(at_least=1)), "os_id": integer(at_least=1),
        "iso_id": A_UUID, "app_id": integer(), "image_id": text(at_least=1), "snapshot_id": A_UUID,
        "firewall_group_id": A_UUID, "hostname": text(), "ipxe_chain_url": text(), "script_id": A_UUID,
        "enable_ipv6": flag, "disable_public_ipv4": flag, "enable_vpc": flag, "attach_vpc": each(A_UUID),
        "vpc_only": flag, "sshkey_id": each(A_UUID), "backups": one_of("enabled", "disabled"), "ddos_protection": flag,
        "user_data": text(), "reserved_ipv4": A_UUID, "activation_email": flag,
        "user_scheme": one_of("root", "limited"),
    },
)  # fmt: skip
SYSTEMS = ("os_id", "snapshot_id", "image_id", "app_id", "iso_id")

PLANS: Sequence[Document] = tuple(
    {
        "id": name, "vcpu_count": cpus, "ram": ram, "disk": disk, "disk_count": 1, "bandwidth": 1024,
        "monthly_cost": monthly, "hourly_cost": hourly, "type": "vc2", "locations": places,
    }
    for name, cpus, ram, disk, monthly, hourly, places in (
        ("vc2-1c-1gb", 1, 1024, 25, 5, 0.007, ["fra", "ams", "sto"]),
        ("vc2-2c-4gb", 2, 4096, 80, 20, 0.027, ["fra", "ams", "sto"]),
        ("vhf-2c-2gb", 2, 2048, 64, 18, 0.025, ["fra"]),
    )
)  # fmt: skip
REGIONS: Sequence[Document] = tuple(
    {"id": name, "city": city, "country": country, "continent": "Europe", "options": ["ddos_protection"]}
    for name, city, country in (("fra", "Frankfurt", "DE"), ("ams", "Amsterdam", "NL"), ("sto", "Stockholm", "SE"))
)  # fmt: skip
OS: Sequence[Document] = tuple(
    {"id": number, "name": name, "arch": "x64", "family": family}
    for number, name, family in ((2136, "Debian 12 x64 (bookworm)", "debian"), (2284, "Ubuntu 24.04 LTS x64", "ubuntu"))
)  # fmt: skip
SNAPSHOTS: Sequence[Document] = (
    {
        "id": SNAPSHOT, "date_created": "2025-10-10T01:56:20+00:00", "description": "workers", "size": 42949672960,
        "compressed_size": 949678560, "status": "complete", "os_id": 2136, "app_id": 0,
    },
)  # fmt: skip

VPC, VPC_ELSEWHERE = "af30d32c-ab74-44fa-bdf4-cc0a88e8b8a3", "1be4a2c4-5b2d-4f6c-a0d1-9f2c0c1f3b77"
FIREWALL, KEY = "c7e63b2c-8f4a-4d5b-9a0e-6a7f6f1d2c11", "3b8066a7-b438-455a-9688-44afc9a3597f"
BESIDE: Mapping[str, tuple[str, Sequence[Document]]] = {
    "/v2/vpcs": ("vpcs", tuple(
        {"id": key, "region": region, "date_created": "2025-10-10T01:56:20+00:00", "description": says,
         "v4_subnet": "10.99.0.0", "v4_subnet_mask": 24}
        for key, region, says in ((VPC, "fra", "workers"), (VPC_ELSEWHERE, "ams", "others"))
    )),
    "/v2/firewalls": ("firewall_groups", (
        {"id": FIREWALL, "description": "closed", "date_created": "2025-10-10T01:56:20+00:00",
         "date_modified": "2025-10-10T01:56:20+00:00", "instance_count": 0, "rule_count": 0, "max_rule_count": 50},
    )),
    "/v2/ssh-keys": ("ssh_keys", (
        {"id": KEY, "date_created": "2025-10-10T01:56:20+00:00", "name": "ops", "ssh_key": "ssh-ed25519 AAAA ops"},
    )),
}  # fmt: skip


def no(status: int, message: str) -> Answer:
    """A refusal, as the API words all of them."""
    return Answer(status=status, body={"error": message, "status": status})


def wrong(found: Sequence[Problem]) -> Answer:
    """One sentence, for the first field that is at fault."""
    return no(400, f"Invalid {found[0].place or 'body'}: {found[0].says}")


REFUSALS = Refusals(
    capacity=no(400, "Server add failed: Plan is not available in the selected datacenter."),
    rejected=no(400, "Invalid OS ID."),
    throttled=no(429, "Rate limit reached."),
)
LIMIT = no(
    400,
    "Server add failed: You have reached the maximum monthly fee limit for this account. To remove this limit, please "
    "contact our support team.",
)
VOICE = Voice(
    unauthorized=no(401, "Invalid API token."),
    not_found=no(404, "Invalid resource."),
    wrong_method=no(405, "Method not allowed."),
    malformed=no(400, "Invalid JSON."),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


class Vultr:
    """One account. What tests may turn: `sold_out`, pairs of plan and region, and `most`, the fee limit in machines."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self.sold_out: set[tuple[str, str]] = set()
        self.most = 1000

    def routes(self) -> tuple[Route, ...]:
        """The paths that stand here."""
        paged = frozenset({"per_page", "cursor"})
        one = "/v2/instances/{id}"
        return (
            Route(method="POST", path="/v2/instances", handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path="/v2/instances", handler=self.look, kind=Kind.LIST, query=paged),
            Route(method="GET", path=one, handler=self.one),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="GET", path="/v2/plans", handler=self._rows("plans", PLANS), query=paged),
            Route(method="GET", path="/v2/regions", handler=self._rows("regions", REGIONS), query=paged),
            Route(method="GET", path="/v2/os", handler=self._rows("os", OS), query=paged),
            Route(method="GET", path="/v2/snapshots", handler=self._rows("snapshots", SNAPSHOTS), query=paged),
            Route(method="GET", path="/v2/regions/{id}/availability", handler=self.stock),
            *(Route(method="GET", path=path, handler=self._rows(name, rows), query=paged, kind=Kind.BESIDE)
              for path, (name, rows) in BESIDE.items()),
        )  # fmt: skip

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        region = next((each for each in REGIONS if each["id"] == order["region"]), None)
        plan = next((each for each in PLANS if each["id"] == order["plan"]), None)
        if region is None:
            raise Refused(no(400, "Invalid region."))
        if plan is None:
            raise Refused(no(400, "Invalid plan chosen."))
        if sum(name in order for name in SYSTEMS) != 1:
            raise Refused(no(400, "One of os_id, snapshot_id, image_id, app_id or iso_id is required."))
        if not _is_known(order):
            raise Refused(REFUSALS.rejected)
        if order.get("disable_public_ipv4") and not order.get("enable_ipv6"):
            raise Refused(no(400, "disable_public_ipv4 requires IPv6."))
        try:
            user_data = base64.b64decode(order.get("user_data", ""), validate=True)
        except binascii.Error:
            raise Refused(no(400, "Invalid user data: must be base64 encoded.")) from None
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.most:
                raise Refused(LIMIT)
            if (plan["id"], region["id"]) in self.sold_out or region["id"] not in plan["locations"]:
                raise Refused(REFUSALS.capacity)
            body = _instance(order, plan=plan, at=self._machines.clock.now())
            machine = self._machines.make(body["label"], user_data=user_data, body=body)
        return Answer(
            status=202, body={"instance": {**self._told(machine), "default_password": "v5{Fkvb#2ycPGwHs"}}
        )

    def look(self, asked: Asked) -> Answer:
        return self._page(asked, "instances", [self._told(machine) for machine in self._machines.listed()])

    def one(self, asked: Asked) -> Answer:
        return Answer(body={"instance": self._told(self._find(asked))})

    def end(self, asked: Asked) -> Answer:
        self._machines.end(self._find(asked))
        return Answer(status=204)

    def stock(self, asked: Asked) -> Answer:
        where = asked.places["id"]
        if where not in {each["id"] for each in REGIONS}:
            raise Refused(no(404, "Invalid region."))
        sold = [
            each["id"]
            for each in PLANS
            if where in each["locations"] and (each["id"], where) not in self.sold_out
        ]
        return Answer(body={"available_plans": sold})

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(no(404, "Invalid instance."))
        return machine

    def _told(self, machine: Machine) -> Document:
        stage = self._machines.stage(machine)
        status = "none" if stage is Stage.MADE else "ok"
        return {**machine.body, "id": machine.key, "status": WORDS[stage], "server_status": status}

    def _rows(self, name: str, rows: Sequence[Document]) -> Handler:
        return lambda asked: self._page(asked, name, rows)

    def _page(self, asked: Asked, name: str, rows: Sequence[Document]) -> Answer:
        try:
            shown, following = paging.after(
                rows,
                cursor=asked.parameter("cursor"),
                size=asked.parameter("per_page"),
                names=("cursor", "per_page"),
                default=100,
                most=500,
            )
        except paging.BadPage as bad:
            raise Refused(no(400, f"Invalid {bad}.")) from None
        meta = {"total": len(rows), "links": {"next": following, "prev": ""}}
        return Answer(body={name: list(shown[: -1 if asked.cut else None]), "meta": meta})


def _is_known(order: Document) -> bool:
    """Whether the account has the system, snapshot or image that was ordered."""
    numbers = {each["id"] for each in OS}
    return order.get("os_id") in numbers or order.get("snapshot_id") in {each["id"] for each in SNAPSHOTS}


def _instance(order: Document, *, plan: Document, at: float) -> Document:
    """An instance as govultr reads it, without what changes later."""
    system = next((each for each in OS if each["id"] == order.get("os_id")), {"id": 0, "name": "Snapshot"})
    return {
        "id": "", "os": system["name"], "ram": plan["ram"], "disk": plan["disk"], "plan": plan["id"],
        "main_ip": "203.0.113.7", "vpc_only": False, "vcpu_count": plan["vcpu_count"], "region": order["region"],
        "date_created": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00"), "status": "pending",
        "allowed_bandwidth": plan["bandwidth"], "netmask_v4": "255.255.254.0", "gateway_v4": "203.0.113.1",
        "power_status": "running", "server_status": "none", "v6_network": "", "v6_main_ip": "", "v6_network_size": 0,
        "label": order.get("label", ""), "internal_ip": "", "kvm": "", "os_id": system["id"], "app_id": 0,
        "image_id": "", "snapshot_id": order.get("snapshot_id", ""), "hostname": order.get("hostname", "vultr.guest"),
        "firewall_group_id": order.get("firewall_group_id", ""), "features": [], "tags": list(order.get("tags", [])),
        "user_scheme": order.get("user_scheme", "root"),
    }  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None, *, requests_a_second: int = 30) -> Iterator[Cloud]:
    """An account on a free port. Of its limit nothing is told."""
    clock = Clock()
    machines = Machines(
        clock, habits or Habits(), new_key=lambda number: str(uuid.uuid5(NAMESPACE, str(number)))
    )
    server = CloudServer(
        routes=(),
        voice=VOICE,
        guard=guards.bearer(TOKEN),
        limit=RateLimit(
            requests=requests_a_second,
            window_s=1,
            names=RateNames(limit="", remaining="", reset=""),
            now=clock.now,
        ),
    )
    api = Vultr(server, machines)
    server.routes = api.routes()
    with running(server):
        yield Cloud(server=server, machines=machines, refusals=REFUSALS, api=api)
