"""Google Compute Engine on loopback: a project whose API refuses what the real one refuses.

It follows the reference of the API v1 (instances, zoneOperations, aggregatedList) as of 2026, the bodies that
libcloud's fixtures recorded, and operations that people were answered (`ZONE_RESOURCE_POOL_EXHAUSTED` in one that is
DONE). Tokens are lent for a JSON Web Token whose signature is checked. Google publishes a discovery document and no
OpenAPI description. Not there: networks, disks apart from machines, other filters than `field = "value"`.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from testbed.clouds import guards, paging
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.exchange import Answer, Asked, Kind, Refused, Route
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, Shape, each, flag, mapping, one_of, record, text

PROJECT = "a-project-of-tests"
EMAIL = f"autoscaler@{PROJECT}.iam.gserviceaccount.com"
BASE = f"/compute/v1/projects/{PROJECT}"
WORDS = {Stage.MADE: "STAGING", Stage.RUNNING: "RUNNING", Stage.ENDING: "STOPPING"}
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"

Document = dict[str, Any]

NAME = text(pattern=r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
PATH = text(pattern=r"[a-z]+/[a-zA-Z0-9./_-]+")
LABEL = text(pattern=r"[a-z0-9_-]{0,63}")
DISK = record(
    required={"boot": flag, "autoDelete": flag, "initializeParams": record(
        required={"sourceImage": PATH}, optional={"diskType": PATH})},
)  # fmt: skip
NIC = record(
    optional={
        "network": PATH,
        "subnetwork": PATH,
        "accessConfigs": each(record(required={"type": one_of("ONE_TO_ONE_NAT"), "name": text()})),
    }
)
ORDER: Shape = record(
    required={
        "name": NAME,
        "machineType": text(pattern=r"zones/[a-z0-9-]+/machineTypes/[a-z0-9-]+"),
        "disks": each(DISK, at_least=1),
        "networkInterfaces": each(NIC, at_least=1),
    },
    optional={
        "labels": mapping(text(pattern=r"[a-z][a-z0-9_-]{0,62}"), LABEL),
        "tags": record(optional={"items": each(text(pattern=r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"))}),
        "metadata": record(
            optional={
                "items": each(record(required={"key": text(), "value": text(bytes_at_most=256 * 1024)}))
            }
        ),
    },
)
ZONES = ("europe-west1-b", "europe-west4-a", "us-central1-a")
TYPES: Mapping[str, tuple[int, int]] = {
    "e2-small": (2048, 2),
    "e2-standard-2": (8192, 2),
    "n2-standard-4": (16_384, 4),
}
"""Memory in MB, and cores."""
NETWORKS = ("default", "workers")
SUBNETWORKS = (("europe-west1", "default"), ("us-central1", "default"))
IMAGES = ("projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64",)


def no(status: int, reason: str, message: str) -> Answer:
    """A refusal, as the API words all of them."""
    errors = [{"message": message, "domain": "global", "reason": reason}]
    return Answer(status=status, body={"error": {"code": status, "message": message, "errors": errors}})


def wrong(found: Sequence[Problem]) -> Answer:
    """One sentence, for the first field that is at fault."""
    return no(400, "invalid", f"Invalid value for field '{found[0].place}': {found[0].says}")


REFUSALS = Refusals(
    quota=no(403, "quotaExceeded", "Quota 'CPUS_ALL_REGIONS' exceeded.  Limit: 12.0 globally."),
    capacity=no(403, "quotaExceeded", "Quota 'CPUS' exceeded. Limit: 8.0 in region europe-west1."),
    rejected=no(400, "invalid", "Invalid value for field 'resource.disks[0].initializeParams.sourceImage'"),
    throttled=no(403, "rateLimitExceeded", "Quota exceeded for quota metric 'Queries'"),
)
VOICE = Voice(
    unauthorized=no(401, "authError", "Request had invalid authentication credentials."),
    not_found=no(404, "notFound", "The resource was not found"),
    wrong_method=no(404, "notFound", "The resource was not found"),
    malformed=no(400, "parseError", "Parse Error"),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


class Gce:
    """One project. What tests may turn: `sold_out`, pairs of type and zone; `unreachable`, zones; `instances` and
    `cores_everywhere`, quotas that are told and not held."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self._operations: dict[str, Document] = {}
        self._once: dict[str, Document] = {}
        self.tokens: set[str] = set()
        self.sold_out: set[tuple[str, str]] = set()
        self.unreachable: set[str] = set()
        self.instances = 100
        self.cores_everywhere = 32.0
        self.disks: dict[str, bool] = {}
        """Those that are billed, by zone and name, and whether each ends with its machine."""

    def billed(self) -> tuple[str, ...]:
        """What is billed although it is part of no machine that stands."""
        standing = {f"{each.body['zone']}/{each.name}" for each in self._machines.standing()}
        return tuple(f"disk {key}" for key in self.disks if key not in standing)

    def routes(self) -> tuple[Route, ...]:
        """The paths of the reference that stand here."""
        here = f"{BASE}/zones/{{zone}}/instances"
        paged = frozenset({"maxResults", "pageToken", "filter"})
        return (
            Route(method="POST", path="/token", handler=self.log_in, kind=Kind.LOGIN, open=True),
            Route(method="POST", path=here, handler=self.create, kind=Kind.CREATE, query=frozenset({"requestId"})),
            Route(method="GET", path=f"{BASE}/aggregated/instances", handler=self.look, kind=Kind.LIST, query=paged),
            Route(method="GET", path=f"{here}/{{id}}", handler=self.one),
            Route(method="DELETE", path=f"{here}/{{id}}", handler=self.end, kind=Kind.END),
            Route(method="POST", path=f"{BASE}/zones/{{zone}}/operations/{{id}}/wait", handler=self.wait),
            Route(method="GET", path=f"{BASE}/zones", handler=self.zones, query=paged),
            Route(method="GET", path=f"{BASE}/zones/{{zone}}/machineTypes", handler=self.types, query=paged),
            Route(method="GET", path=f"{BASE}/aggregated/machineTypes", handler=self.all_types, query=paged),
            Route(method="GET", path=BASE, handler=self.project, kind=Kind.BESIDE),
            Route(method="GET", path=f"{BASE}/regions/{{region}}", handler=self.region, kind=Kind.BESIDE),
            Route(method="GET", path=f"{BASE}/global/networks", handler=self.networks, kind=Kind.BESIDE, query=paged),
            Route(method="GET", path=f"{BASE}/aggregated/subnetworks", handler=self.subnetworks, kind=Kind.BESIDE,
                  query=paged),
            Route(method="GET", path="/compute/v1/projects/{path…}", handler=self.image),
        )  # fmt: skip

    def log_in(self, asked: Asked) -> Answer:
        try:
            head, body, signature = asked.parameter("assertion").split(".")
            KEY.public_key().verify(
                _bytes(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), SHA256()
            )
            claims = json.loads(_bytes(body))
        except (ValueError, InvalidSignature):
            claims = {}
        said = (asked.parameter("grant_type"), claims.get("iss"), claims.get("aud"))
        if said != (GRANT, EMAIL, f"{self._server.url}/token"):
            raise Refused(Answer(status=400, body={"error": "invalid_grant"}))
        token = f"ya29.{uuid.uuid4()}"
        self.tokens.add(f"Bearer {token}")
        return Answer(body={"access_token": token, "expires_in": 3599, "token_type": "Bearer"})

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        zone, once = asked.places["zone"], asked.parameter("requestId")
        _, ordered_in, _, kind = order["machineType"].split("/")
        if zone not in ZONES or ordered_in != zone or kind not in TYPES:
            raise Refused(no(400, "invalid", "Invalid value for field 'resource.machineType'"))
        if order["disks"][0]["initializeParams"]["sourceImage"] not in IMAGES:
            raise Refused(REFUSALS.rejected)
        with self._machines.deciding:
            if once and once in self._once:
                return Answer(body=self._once[once])
            if any(one.body["zone"].endswith(zone) for one in self._machines.named(order["name"])):
                raise Refused(no(409, "alreadyExists", f"The resource '{order['name']}' already exists"))
            operation: Document = {
                "kind": "compute#operation", "name": f"operation-{len(self._operations)}", "status": "RUNNING",
                "operationType": "insert", "zone": f"{self._server.url}{BASE}/zones/{zone}", "progress": 0,
            }  # fmt: skip
            done: Document = {**operation, "status": "DONE", "progress": 100}
            if (kind, zone) in self.sold_out:
                says = f"The zone '{zone}' does not have enough resources available to fulfill the request."
                done["error"] = {"errors": [{"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": says}]}
            else:
                metadata = {one["key"]: one["value"] for one in order.get("metadata", {}).get("items", [])}
                body = self._body(order, kind=kind, zone=zone)
                self._machines.make(
                    order["name"], user_data=metadata.get("user-data", "").encode(), body=body
                )
                self.disks[f"{body['zone']}/{order['name']}"] = order["disks"][0]["autoDelete"]
            self._operations[operation["name"]] = done
            self._once[once] = operation
        return Answer(body=operation)

    def wait(self, asked: Asked) -> Answer:
        if asked.places["id"] not in self._operations:
            raise Refused(VOICE.not_found)
        return Answer(body=self._operations[asked.places["id"]])

    def look(self, asked: Asked) -> Answer:
        picks = re.findall(r'\((?:labels\.)?([\w-]+) = "([^"]*)"\)', asked.parameter("filter"))
        rows = [
            row
            for row in map(self._told, self._machines.listed())
            if all({**row, **row["labels"]}.get(field) == value for field, value in picks)
            and row["zone"].rpartition("/")[2] not in self.unreachable
        ]
        shown, more = self._paged(asked, rows)
        items: Document = {}
        for zone in ZONES:
            here = [row for row in shown if row["zone"].endswith(f"/{zone}")]
            code = "UNREACHABLE" if zone in self.unreachable else "NO_RESULTS_ON_PAGE"
            items[f"zones/{zone}"] = (
                {"instances": here} if here else {"warning": {"code": code, "message": zone}}
            )
        if asked.cut:
            items[f"zones/{ZONES[0]}"] = {"warning": {"code": "UNREACHABLE", "message": "not reached"}}
        return Answer(body={"kind": "compute#instanceAggregatedList", "items": items, **more})

    def one(self, asked: Asked) -> Answer:
        return Answer(body=self._told(self._find(asked)))

    def end(self, asked: Asked) -> Answer:
        machine = self._find(asked)
        self._machines.end(machine)
        disk = f"{machine.body['zone']}/{machine.name}"
        if self.disks.get(disk):
            del self.disks[disk]
        return Answer(body={"kind": "compute#operation", "name": "operation-of-an-end", "status": "RUNNING"})

    def zones(self, asked: Asked) -> Answer:
        shown, more = self._paged(asked, [{"name": zone, "status": "UP"} for zone in ZONES])
        return Answer(body={"kind": "compute#zoneList", "items": shown, **more})

    def types(self, asked: Asked) -> Answer:
        shown, more = self._paged(asked, _types())
        return Answer(body={"kind": "compute#machineTypeList", "items": shown, **more})

    def all_types(self, _: Asked) -> Answer:
        items = {f"zones/{zone}": {"machineTypes": _types()} for zone in ZONES}
        return Answer(body={"kind": "compute#machineTypeAggregatedList", "items": items})

    def project(self, _: Asked) -> Answer:
        quota = {"metric": "CPUS_ALL_REGIONS", "limit": self.cores_everywhere, "usage": self._cores()}
        return Answer(body={"kind": "compute#project", "name": PROJECT, "quotas": [quota]})

    def region(self, asked: Asked) -> Answer:
        name = asked.places["region"]
        if name not in {zone.rpartition("-")[0] for zone in ZONES}:
            raise Refused(VOICE.not_found)
        here = [each for each in self._machines.standing() if f"/zones/{name}-" in each.body["zone"]]
        quotas = [
            {"metric": "INSTANCES", "limit": self.instances, "usage": len(here)},
            {"metric": "CPUS", "limit": 24.0, "usage": float(self._cores(f"/zones/{name}-"))},
            {"metric": "N2_CPUS", "limit": 8.0, "usage": 0.0},
        ]
        return Answer(body={"kind": "compute#region", "name": name, "status": "UP", "quotas": quotas})

    def networks(self, asked: Asked) -> Answer:
        rows = [{"name": name, "selfLink": self._link(f"global/networks/{name}")} for name in NETWORKS]
        shown, more = self._paged(asked, rows)
        return Answer(body={"kind": "compute#networkList", "items": shown, **more})

    def subnetworks(self, asked: Asked) -> Answer:
        rows = [
            {"name": name, "region": self._link(f"regions/{region}"),
             "selfLink": self._link(f"regions/{region}/subnetworks/{name}")}
            for region, name in SUBNETWORKS
        ]  # fmt: skip
        shown, more = self._paged(asked, rows)
        items: Document = {"regions/europe-west4": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
        for region, _ in SUBNETWORKS:
            here = [row for row in shown if row["region"].endswith(f"/{region}")]
            items[f"regions/{region}"] = {"subnetworks": here}
        return Answer(body={"kind": "compute#subnetworkAggregatedList", "items": items, **more})

    def image(self, asked: Asked) -> Answer:
        if f"projects/{asked.places['path']}" not in IMAGES:
            raise Refused(VOICE.not_found)
        return Answer(body={"name": "ubuntu-2404-noble-amd64-v20260901", "status": "READY"})

    def _cores(self, where: str = "") -> int:
        kinds = [each.body["machineType"] for each in self._machines.standing() if where in each.body["zone"]]
        return sum(TYPES[kind.rpartition("/")[2]][1] for kind in kinds)

    def _link(self, path: str) -> str:
        return f"{self._server.url}{BASE}/{path}"

    def _find(self, asked: Asked) -> Machine:
        key = asked.places["id"]
        found = [self._machines.find(key), *self._machines.named(key)]
        for machine in filter(None, found):
            if machine.body["zone"].endswith(f"/{asked.places['zone']}"):
                return machine
        raise Refused(VOICE.not_found)

    def _told(self, machine: Machine) -> Document:
        return {"id": machine.key, **machine.body, "status": WORDS[self._machines.stage(machine)]}

    def _paged(self, asked: Asked, rows: Sequence[Document]) -> tuple[tuple[Document, ...], Document]:
        try:
            shown, following = paging.after(
                rows,
                cursor=asked.parameter("pageToken"),
                size=asked.parameter("maxResults"),
                names=("pageToken", "maxResults"),
                default=500,
                most=500,
            )
        except paging.BadPage as bad:
            raise Refused(no(400, "invalid", str(bad))) from None
        return shown, {"nextPageToken": following} if following else {}

    def _body(self, order: Document, *, kind: str, zone: str) -> Document:
        """An instance as the API describes it, without what changes later."""
        at = datetime.fromtimestamp(self._machines.clock.now(), UTC)
        here = f"{self._server.url}{BASE}/zones/{zone}"
        nic: Document = {"name": "nic0", "networkIP": "10.132.0.2"}
        if order["networkInterfaces"][0].get("accessConfigs"):
            nic["accessConfigs"] = [{"type": "ONE_TO_ONE_NAT", "natIP": "203.0.113.7"}]
        return {
            "kind": "compute#instance", "name": order["name"], "zone": here, "labels": order.get("labels", {}),
            "machineType": f"{here}/machineTypes/{kind}", "networkInterfaces": [nic], "disks": order["disks"],
            "creationTimestamp": at.isoformat(timespec="milliseconds"), "metadata": order.get("metadata", {}),
            "tags": order.get("tags", {}),
        }  # fmt: skip


def _types() -> list[Document]:
    return [{"name": name, "memoryMb": mb, "guestCpus": cores} for name, (mb, cores) in TYPES.items()]


def _bytes(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def service_account(cloud: Cloud) -> str:
    """The key of the account that may use this project, on one line."""
    return json.dumps(
        {
            "type": "service_account", "project_id": PROJECT, "private_key": PEM, "client_email": EMAIL,
            "token_uri": f"{cloud.server.url}/token",
        }
    )  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """A project on a free port."""
    machines = Machines(Clock(), habits or Habits(), new_key=lambda number: str(7_000_000_000_000 + number))
    server = CloudServer(routes=(), voice=VOICE)
    api = Gce(server, machines)
    server.guard = guards.header_among("authorization", api.tokens)
    server.routes = api.routes()
    with running(server):
        yield Cloud(server=server, machines=machines, refusals=REFUSALS, api=api)
