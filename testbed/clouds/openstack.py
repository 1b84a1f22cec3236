"""OpenStack on loopback: one project behind Keystone, Nova and Glance, which refuse what the real ones refuse.

It follows the descriptions in gtema/openstack-openapi at 7bc4ee4 (2025-02): Compute at microversion 2.1, Identity v3,
Image v2; and Nova's API guide for faults. A login answers 201, as Keystone does and its description does not say. Not
there: volumes, ports and networks beyond their ids, other projects, microversions after 2.1.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

from testbed.clouds import guards
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.descriptions import NOT_DESCRIBED, Deviation
from testbed.clouds.exchange import Answer, Asked, Kind, Refused, Route
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, Shape, Wrong, each, mapping, one_of, record, text

USER, PASSWORD, PROJECT, REGION = "worker-fleet", "password-of-a-test", "workers", "RegionOne"
CREDENTIAL, CREDENTIAL_SECRET = "3f1a6c2e9d5b4b0f8a7c6d5e4f3a2b1c", "secret-of-a-credential"
USER_ID, PROJECT_ID = "9c6f8a4e-1f5b-4a1e-8f0a-6a1b2c3d4e5f", "8b1d3e5f-7a9c-4b2d-9e4f-1a2b3c4d5e6f"
TOKEN_S = 3600.0
PAGE = 1000
USER_DATA_LETTERS = 65_535
ZONES = ("nova", "az2")
NETWORK = "d32019d3-bc6e-4319-9c1d-6722fc136a22"
FLAVORS = {"m1.small": (2048, 1, 20), "m1.large": (8192, 4, 80)}
IMAGE = "70a599e0-31e7-49b7-b260-868f441e862b"
GROUPS = ("default", "workers")
GROUP_ID = str(UUID(int=7))
"""Of the last."""
KEYS = ("ops",)

Document = dict[str, Any]
NAME = text(pattern=r"(?! )[\s\S]{1,255}(?<! )")
FLAG: Shape = one_of(True, False, "True", "False", "true", "false", "1", "0")

ORDER = record(required={"server": record(
    required={"name": NAME, "flavorRef": text(at_least=1)},
    optional={
        "imageRef": text(at_least=1), "key_name": text(at_least=1, at_most=255),
        "availability_zone": text(at_least=1, at_most=255), "config_drive": FLAG,
        "metadata": mapping(text(pattern=r"[a-zA-Z0-9-_:. ]{1,255}"), text(at_most=255)),
        "networks": each(record(optional={"uuid": text(pattern="[0-9a-f-]{36}"), "port": text(), "fixed_ip": text()})),
        "security_groups": each(record(required={"name": text(at_least=1)})),
        "user_data": text(at_most=USER_DATA_LETTERS), "adminPass": text(), "OS-DCF:diskConfig": text(),
        "min_count": text(), "max_count": text(),
    },
)}, optional={"os:scheduler_hints": record(lax=True)})  # fmt: skip
_DOMAIN = record(optional={"id": text(), "name": text()})
LOGIN = record(required={"auth": record(
    required={"identity": record(
        required={"methods": each(one_of("password", "application_credential"), at_least=1)},
        optional={
            "password": record(required={"user": record(
                required={"password": text()}, optional={"name": text(), "id": text(), "domain": _DOMAIN},
            )}),
            "application_credential": record(required={"id": text(), "secret": text()}),
        },
    )},
    optional={"scope": record(optional={"project": record(optional={
        "id": text(), "name": text(), "domain": _DOMAIN,
    })})},
)})  # fmt: skip


def no(status: int, fault: str, message: str, **more: object) -> Answer:
    """A fault, as Nova words all of them."""
    return Answer(status=status, body={fault: {"code": status, "message": message, **more}})


def wrong(found: Sequence[Problem]) -> Answer:
    """One sentence, for the first field that is at fault."""
    first = found[0]
    kind = "Additional properties are not allowed" if first.wrong is Wrong.UNKNOWN else "Invalid input"
    return no(400, "badRequest", f"{kind} for field/attribute {first.place}: {first.says}")


QUOTA = no(403, "forbidden", "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances")
REFUSALS = Refusals(
    # A want of hosts shows later, as a machine in the state `ERROR`.
    capacity=QUOTA,
    quota=QUOTA,
    rejected=no(400, "badRequest", "Can not find requested image"),
    throttled=no(429, "overLimit", "This request was rate-limited.", retryAfter="30"),
)
UNAUTHORIZED = Answer(
    status=401,
    body={"error": {"code": 401, "title": "Unauthorized", "message": "The request needs authentication."}},
)
VOICE = Voice(
    unauthorized=UNAUTHORIZED,
    not_found=no(404, "itemNotFound", "The resource could not be found."),
    wrong_method=no(405, "badMethod", "The method is not allowed for this resource."),
    malformed=no(400, "badRequest", "Malformed request body"),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


LEFT_OUT = (
    Deviation(path="/v2.1/limits", says=NOT_DESCRIBED, why="described, and cut from what is at hand"),
    Deviation(
        path="/v3/auth/tokens", says="answered 201: with a status", why="what Keystone answers in reality"
    ),
    Deviation(
        says=r"answered 4\d\d: with a status",
        why="few of the refusals are described, and no limit of requests",
    ),
)


class OpenStack:
    """One project. What tests may turn: `instances`, its quota; `cores`, one that is told and not held; `no_host`;
    `look_lag_s`, for so long a new machine is listed and not found by its id, as behind several API servers; and
    `end_tokens`."""

    def __init__(self, server: CloudServer, machines: Machines, tokens: set[str]) -> None:
        self._server = server
        self._machines = machines
        self._tokens = tokens
        self.instances = 1000
        self.cores = 2000
        self.no_host = False
        self.look_lag_s = 0.0

    def end_tokens(self) -> None:
        """Whoever is logged in is so no more."""
        self._tokens.clear()

    def routes(self) -> tuple[Route, ...]:
        """The paths of the descriptions that stand here."""
        one = "/v2.1/servers/{id}"
        return (
            Route(method="POST", path="/v3/auth/tokens", handler=self.login, kind=Kind.LOGIN, open=True),
            Route(method="POST", path="/v2.1/servers", handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path="/v2.1/servers/detail", handler=self.look, kind=Kind.LIST,
                  query=frozenset({"limit", "marker", "name", "status", "all_tenants"})),
            Route(method="GET", path=one, handler=self.one),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="GET", path="/v2.1/flavors/detail", handler=lambda _: Answer(body={"flavors": _flavors()})),
            Route(method="GET", path="/v2.1/os-availability-zone", handler=self.zones),
            Route(method="GET", path="/v2/images/{id}", handler=self.image),
            Route(method="GET", path="/v2.1/limits", handler=self.limits, kind=Kind.BESIDE),
            *(
                Route(method="GET", path=path, handler=partial(_told, body), kind=Kind.BESIDE)
                for path, body in (
                    ("/v2.1/os-keypairs", {"keypairs": [_key(name) for name in KEYS]}),
                    ("/v2.0/networks", {"networks": [_network(NETWORK, "workers")]}),
                    ("/v2.0/security-groups", {"security_groups": [_group(name) for name in GROUPS]}),
                )
            ),
        )  # fmt: skip

    # Keystone

    def login(self, asked: Asked) -> Answer:
        read: Document = dict(self._server.read(asked, LOGIN))
        auth = read["auth"]
        identity = auth["identity"]
        if identity["methods"] == ["password"]:
            user = (identity.get("password") or {}).get("user", {})
            project = auth.get("scope", {}).get("project", {}).get("name")
            known = (user.get("name"), user.get("password"), project) == (USER, PASSWORD, PROJECT)
        else:
            known = identity.get("application_credential") == {"id": CREDENTIAL, "secret": CREDENTIAL_SECRET}
        if not known:
            raise Refused(UNAUTHORIZED)
        token = secrets.token_urlsafe(24)
        self._tokens.add(token)
        until = datetime.fromtimestamp(self._machines.clock.now() + TOKEN_S, UTC)
        services = {"identity": "/v3", "compute": "/v2.1", "image": "", "network": ""}
        names = {"identity": "keystone", "compute": "nova", "image": "glance", "network": "neutron"}
        body = {
            "methods": identity["methods"], "expires_at": until.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
            "user": {"id": USER_ID, "name": USER, "domain": {"id": "default", "name": "Default"}},
            "project": {"id": PROJECT_ID, "name": PROJECT}, "roles": [{"id": "7" * 32, "name": "member"}],
            "catalog": [
                {"id": "6" * 32, "type": kind, "name": names[kind], "endpoints": [{
                    "id": "5" * 32, "interface": "public", "region": REGION, "url": f"{self._server.url}{path}",
                }]} for kind, path in services.items()
            ],
        }  # fmt: skip
        return Answer(status=201, headers={"X-Subject-Token": token}, body={"token": body})

    # Nova

    def create(self, asked: Asked) -> Answer:
        read: Document = dict(self._server.read(asked, ORDER))
        order = read["server"]
        if order["flavorRef"] not in FLAVORS:
            raise Refused(no(400, "badRequest", f"Flavor {order['flavorRef']} could not be found."))
        if order.get("imageRef") != IMAGE:
            raise Refused(REFUSALS.rejected)
        if order.get("availability_zone", ZONES[0]) not in ZONES:
            raise Refused(no(400, "badRequest", "The requested availability zone is not available"))
        for network in order.get("networks", ()):
            if network.get("uuid") != NETWORK:
                raise Refused(no(400, "badRequest", f"Network {network.get('uuid')} could not be found."))
        for group in order.get("security_groups", ()):
            if group["name"] not in GROUPS:
                raise Refused(no(400, "badRequest", f"Security group {group['name']} not found"))
        if order.get("key_name", KEYS[0]) not in KEYS:
            raise Refused(no(400, "badRequest", "Invalid key_name provided."))
        user_data = _user_data(order)
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.instances:
                raise Refused(QUOTA)
            body = _server(order, at=self._machines.clock.now(), lost=self.no_host)
            machine = self._machines.make(order["name"], user_data=user_data, body=body)
        made = {
            "id": machine.key, "links": self._links(machine.key), "OS-DCF:diskConfig": "MANUAL",
            "security_groups": [{"name": "default"}], "adminPass": "made-up-by-nova",
        }  # fmt: skip
        return Answer(status=202, body={"server": made})

    def look(self, asked: Asked) -> Answer:
        rows = self._machines.listed()
        limit = asked.parameter("limit", str(PAGE))
        if not limit.isdecimal():
            raise Refused(no(400, "badRequest", "Invalid input for query parameters limit"))
        marker, size = asked.parameter("marker"), min(int(limit), PAGE)
        if marker:
            keys = [each.key for each in rows]
            if marker not in keys:
                raise Refused(no(400, "badRequest", f"marker [{marker}] not found"))
            rows = rows[keys.index(marker) + 1 :]
        shown = [self._told(machine) for machine in rows[:size]]
        body: Document = {"servers": shown[: -1 if asked.cut else None]}
        if len(shown) == size:
            href = f"{self._server.url}{asked.path}?limit={size}&marker={shown[-1]['id']}"
            body["servers_links"] = [{"rel": "next", "href": href}]
        return Answer(body=body)

    def one(self, asked: Asked) -> Answer:
        machine = self._find(asked)
        if self._machines.clock.now() < machine.made_at + self.look_lag_s:
            raise Refused(_gone(asked))
        return Answer(body={"server": self._told(machine)})

    def end(self, asked: Asked) -> Answer:
        self._machines.end(self._find(asked))
        return Answer(status=204)

    def zones(self, _: Asked) -> Answer:
        told = [{"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in ZONES]
        return Answer(body={"availabilityZoneInfo": told})

    def limits(self, _: Asked) -> Answer:
        used = [FLAVORS[each.body["flavor"]["id"]] for each in self._machines.standing()]
        told = {
            "maxTotalInstances": self.instances, "totalInstancesUsed": len(used), "maxTotalCores": self.cores,
            "totalCoresUsed": sum(cores for _, cores, _ in used), "maxTotalRAMSize": -1,
            "totalRAMUsed": sum(memory for memory, _, _ in used), "maxTotalKeypairs": 100, "maxServerMeta": 128,
        }  # fmt: skip
        return Answer(body={"limits": {"rate": [], "absolute": told}})

    def image(self, asked: Asked) -> Answer:
        if asked.places["id"] != IMAGE:
            page = "<html><title>404 Not Found</title><body>No image found</body></html>"
            raise Refused(Answer(status=404, body=page, headers={"Content-Type": "text/html"}))
        return Answer(body={
            "id": IMAGE, "name": "debian-13", "status": "active", "visibility": "public", "protected": False,
            "created_at": "2025-08-14T22:44:02Z", "updated_at": "2025-08-14T22:44:02Z", "min_ram": 0, "min_disk": 3,
            "size": 400_000_000, "container_format": "bare", "disk_format": "qcow2", "tags": [],
        })  # fmt: skip

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(_gone(asked))
        return machine

    def _told(self, machine: Machine) -> Document:
        """A machine that is ending keeps its state: only the task tells, until it is gone."""
        stage = self._machines.stage(machine)
        runs = machine.body["status"] == "BUILD" and stage is not Stage.MADE
        told = {**machine.body, "id": machine.key, "links": self._links(machine.key)}
        if runs:
            address = {"addr": "203.0.113.11", "version": 4}
            told |= {"status": "ACTIVE", "addresses": {"public": [address]}, "OS-EXT-STS:vm_state": "active"}
        told |= {"OS-EXT-STS:task_state": "deleting"} if stage is Stage.ENDING else {}
        # Nova says null of what there is not, which its description does not allow.
        return {key: value for key, value in told.items() if value is not None}

    def _links(self, key: str) -> list[Document]:
        return [{"rel": "self", "href": f"{self._server.url}/v2.1/servers/{key}"}]


def _told(body: Document, _: Asked) -> Answer:
    return Answer(body=body)


def _key(name: str) -> Document:
    return {"keypair": {"name": name, "public_key": "ssh-ed25519 AAAA ops", "fingerprint": "7e:eb:ab:24"}}


def _network(key: str, name: str) -> Document:
    return {
        "id": key,
        "name": name,
        "status": "ACTIVE",
        "admin_state_up": True,
        "shared": False,
        "subnets": [],
    }


def _group(name: str) -> Document:
    return {
        "id": GROUP_ID if name == GROUPS[-1] else str(UUID(int=8)),
        "name": name,
        "description": "",
        "security_group_rules": [],
    }


def _gone(asked: Asked) -> Answer:
    return no(404, "itemNotFound", f"Instance {asked.places['id']} could not be found.")


def _user_data(order: Document) -> bytes:
    try:
        return base64.b64decode(order.get("user_data", ""), validate=True)
    except binascii.Error:
        raise Refused(no(400, "badRequest", "Invalid input for field/attribute user_data.")) from None


def _flavors() -> list[Document]:
    return [
        {
            "id": name, "name": name, "ram": ram, "vcpus": cpus, "disk": disk, "swap": 0, "rxtx_factor": 1.0,
            "OS-FLV-EXT-DATA:ephemeral": 0, "os-flavor-access:is_public": True,
            "links": [],
        }
        for name, (ram, cpus, disk) in FLAVORS.items()
    ]  # fmt: skip


def _server(order: Document, *, at: float, lost: bool) -> Document:
    """A server as Nova describes it, without what changes later; `lost` where no host would have it."""
    made = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body: Document = {
        "name": order["name"], "status": "ERROR" if lost else "BUILD", "created": made, "updated": made,
        "tenant_id": PROJECT_ID, "user_id": USER_ID, "metadata": dict(order.get("metadata", {})), "addresses": {},
        "hostId": "", "accessIPv4": "203.0.113.11",
        "accessIPv6": "2001:db8::11", "config_drive": "True" if order.get("config_drive") else "",
        "flavor": {"id": order["flavorRef"], "links": []}, "image": {"id": order["imageRef"], "links": []},
        "key_name": order.get("key_name"), "OS-DCF:diskConfig": "MANUAL", "OS-EXT-STS:vm_state": "building",
        "OS-EXT-STS:power_state": 0, "OS-EXT-AZ:availability_zone": order.get("availability_zone", ZONES[0]),
        "os-extended-volumes:volumes_attached": [],
    }  # fmt: skip
    if lost:
        body["fault"] = {"code": 500, "created": made, "message": "No valid host was found."}
    return body


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """A project on a free port."""
    machines = Machines(Clock(), habits or Habits(), new_key=lambda number: str(UUID(int=number)))
    tokens: set[str] = set()
    server = CloudServer(routes=(), voice=VOICE, guard=guards.header_among("X-Auth-Token", tokens))
    api = OpenStack(server, machines, tokens)
    server.routes = api.routes()
    with running(server):
        yield Cloud(
            server=server,
            machines=machines,
            refusals=REFUSALS,
            descriptions={
                "/v2.1": "openstack-2.1",
                "/v2/images": "openstack-image",
                "/v3": "openstack-identity",
            },
            deviations=LEFT_OUT,
            api=api,
        )
