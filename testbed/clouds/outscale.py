"""3DS OUTSCALE on loopback: an account in one region whose API refuses what the real one refuses.

It follows the published OpenAPI description outscale/osc-api 1.40.1 (2026-03) and checks every signature by itself
("Signature of API Requests"). What people were answered: `InsufficientCapacity`, 10001, with status 400. Of memory are
the other types of errors, made up their numbers and the status of throttling, which the description does not have. Of
the filters only those stand here that are asked for. Of volumes only a machine's first one. Not there: Nets, tags.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from testbed.clouds import paging
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.descriptions import Deviation
from testbed.clouds.exchange import Answer, Asked, Handler, Kind, Refused, Route
from testbed.clouds.guards import Guard
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, Shape, Wrong, each, flag, integer, one_of, record, text

ACCESS_KEY = "ACCESSKEYOFATESTFORO"
SECRET_KEY = "SECRETKEYOFATESTFOROUTSCALE0123456789012"
REGION = "eu-west-2"
BASE = "/api/v1"
WORDS = {Stage.MADE: "pending", Stage.RUNNING: "running", Stage.ENDING: "shutting-down"}
SKEW_S = 900.0
"""A signature is good for a quarter of an hour."""

Document = dict[str, Any]

PAGE = {"ResultsPerPage": integer(at_least=1, at_most=1000), "NextPageToken": text(at_least=1)}
ORDER: Shape = record(
    required={"ImageId": text(pattern=r"ami-[0-9a-f]{8}")},
    optional={
        "ClientToken": text(pattern=r"[ -~]{1,64}"), "VmType": text(at_least=1), "MinVmsCount": integer(at_least=1),
        "MaxVmsCount": integer(at_least=1), "UserData": text(bytes_at_most=500 * 1024), "BootOnCreation": flag,
        "Placement": record(optional={"SubregionName": text(), "Tenancy": text()}),
        "SecurityGroupIds": each(text(pattern=r"sg-[0-9a-f]{8}")), "SecurityGroups": each(text()),
        "SubnetId": text(pattern=r"subnet-[0-9a-f]{8}"), "KeypairName": text(),
        "Performance": one_of("medium", "high", "highest"), "DeletionProtection": flag,
        "VmInitiatedShutdownBehavior": one_of("stop", "restart", "terminate"),
        "BlockDeviceMappings": each(
            record(
                required={"DeviceName": text(pattern=r"/dev/(sda1|(sd|xvd)[b-z][a-z]?)")},
                optional={"Bsu": record(optional={
                    "DeleteOnVmDeletion": flag, "VolumeSize": integer(at_least=1, at_most=14901),
                    "VolumeType": one_of("standard", "gp2", "io1"), "SnapshotId": text(), "Iops": integer(at_least=100),
                })},
            )
        ),
    },
)  # fmt: skip
LOOK = record(
    optional={"Filters": record(optional={"VmIds": each(text()), "ClientTokens": each(text())}), **PAGE}
)
END = record(required={"VmIds": each(text(pattern=r"i-[0-9a-f]{8}"), at_least=1)})
IMAGES_LOOK = record(optional={"Filters": record(optional={"ImageIds": each(text())}), **PAGE})
OTHER_LOOK = record(optional=PAGE)

SUBREGIONS: Sequence[Document] = tuple(
    {"SubregionName": f"{REGION}{letter}", "RegionName": REGION, "State": "available", "LocationCode": f"PAR{at}"}
    for at, letter in enumerate("ab", 1)
)  # fmt: skip
TYPES: Sequence[Document] = tuple(
    {"VmTypeName": name, "VcoreCount": cores, "MemorySize": memory, "Gpu": 0, "Eth": 1, "MaxPrivateIps": 4,
     "BsuOptimized": False, "VolumeCount": 0, "VolumeSize": 0}
    for name, cores, memory in (("t2.small", 1, 2.0), ("t2.medium", 2, 4.0), ("m4.large", 2, 8.0))
)  # fmt: skip
TINA = r"tinav[1-7]\.c\d{1,3}r\d{1,4}(p[123])?"
IMAGES: Sequence[Document] = tuple(
    {"ImageId": key, "ImageName": name, "State": "available", "Architecture": "x86_64", "RootDeviceType": "bsu",
     "RootDeviceName": "/dev/sda1", "Tags": [], "BlockDeviceMappings": [
         {"DeviceName": "/dev/sda1", "Bsu": {"DeleteOnVmDeletion": ends, "VolumeSize": 10, "VolumeType": "gp2"}}]}
    for key, name, ends in (("ami-12345678", "Debian-13", True), ("ami-87654321", "Debian-13-that-keeps", False))
)  # fmt: skip

SUBNET, SUBNET_ELSEWHERE, SECURITY_GROUP = "subnet-12345678", "subnet-87654321", "sg-12345678"
BESIDE: Mapping[str, tuple[str, Sequence[Document]]] = {
    "ReadSubnets": ("Subnets", tuple(
        {"SubnetId": key, "SubregionName": f"{REGION}{letter}", "NetId": "vpc-12345678", "State": "available",
         "IpRange": "10.0.0.0/18", "AvailableIpsCount": 16379, "MapPublicIpOnLaunch": False, "Tags": []}
        for key, letter in ((SUBNET, "a"), (SUBNET_ELSEWHERE, "b"))
    )),
    "ReadSecurityGroups": ("SecurityGroups", (
        {"SecurityGroupId": SECURITY_GROUP, "SecurityGroupName": "workers", "Description": "-", "Tags": [],
         "AccountId": "123456789012", "InboundRules": [], "OutboundRules": []},
    )),
    "ReadKeypairs": ("Keypairs", (
        {"KeypairName": "ops", "KeypairType": "ssh-ed25519", "KeypairFingerprint": "7e:eb:ab:24", "Tags": []},
    )),
}  # fmt: skip
QUOTAS_LOOK = record(optional={"Filters": record(optional={"QuotaNames": each(text())}), **PAGE})


def no(status: int, code: str, kind: str, details: str = "") -> Answer:
    """A refusal, as the API words all of them."""
    errors = [{"Code": code, "Type": kind, "Details": details}]
    return Answer(status=status, body={"Errors": errors, **_context()})


def wrong(found: Sequence[Problem]) -> Answer:
    """The first field that is at fault."""
    kind, code = {
        Wrong.MISSING: ("MissingParameter", "7000"),
        Wrong.UNKNOWN: ("InvalidParameter", "3001"),
        Wrong.TYPE: ("InvalidParameterValue", "4110"),
    }.get(found[0].wrong, ("InvalidParameterValue", "4047"))
    return no(400, code, kind, f"{found[0].place or 'body'} {found[0].says}")


def _context() -> Document:
    return {"ResponseContext": {"RequestId": str(uuid.uuid4())}}


REFUSALS = Refusals(
    capacity=no(400, "10001", "InsufficientCapacity"),
    rejected=no(400, "5023", "InvalidResource", "The ImageId 'ami-00000000' doesn't exist."),
    throttled=no(503, "2", "RequestLimitExceeded", "Request limit exceeded."),
)
LIMIT = no(400, "10021", "TooManyResources (QuotaExceded)", "The limit has exceeded: VMs.")
NOT_IN_IT = (
    Deviation(
        why='Requests are limited ("Throttling", in its introduction), and no status for it is described.',
        says="answered 503: with a status",
    ),
)
VOICE = Voice(
    unauthorized=no(401, "1", "AccessDenied", "The request is not signed as it should be."),
    not_found=no(404, "12000", "InvalidAction", "The action doesn't exist."),
    wrong_method=no(405, "12000", "InvalidAction", "Use POST."),
    malformed=no(400, "3000", "InvalidParameter", "The body is no JSON."),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


def signed(access_key: str, secret_key: str, *, now: Callable[[], float]) -> Guard:
    """`Authorization: OSC4-HMAC-SHA256 …` over method, path, headers and body, made a moment ago."""

    def guard(asked: Asked) -> bool:
        found = re.fullmatch(
            r"OSC4-HMAC-SHA256 Credential=([^/]+)/((\d{8})/([^/]+)/api/osc4_request), SignedHeaders=([a-z;-]+), "
            r"Signature=([0-9a-f]{64})",
            asked.headers.get("authorization", ""),
        )
        date = asked.headers.get("x-osc-date", "")
        if not found or found[1] != access_key or not re.fullmatch(r"\d{8}T\d{6}Z", date):
            return False
        _, scope, day, region, names, signature = found.groups()
        at = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
        if (
            region != REGION
            or not date.startswith(day)
            or not {"host", "x-osc-date"} <= set(names.split(";"))
        ):
            return False
        headers = "".join(f"{name}:{asked.headers.get(name, '').strip()}\n" for name in names.split(";"))
        body = hashlib.sha256(asked.raw).hexdigest()
        canonical = f"{asked.method}\n{asked.path}\n\n{headers}\n{names}\n{body}"
        to_sign = f"OSC4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"OSC4{secret_key}".encode()
        for part in scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        right = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(right, signature) and abs(now() - at) < SKEW_S

    return guard


class Outscale:
    """One account. What tests may turn: `sold_out`, pairs of type and subregion, and `vm_limit`."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self.sold_out: set[tuple[str, str]] = set()
        self.vm_limit = 1000
        self.volumes: dict[str, Document] = {}
        """Those that are billed: the machine that each is linked to, empty where it is to none, and whether it ends
        with it."""

    def billed(self) -> tuple[str, ...]:
        """What is billed although it is part of no machine."""
        return tuple(f"volume {key}" for key, volume in self.volumes.items() if not volume["vm"])

    def routes(self) -> tuple[Route, ...]:
        """The actions of the description that stand here."""
        handlers: Mapping[str, tuple[Handler, Kind]] = {
            "CreateVms": (self.create, Kind.CREATE),
            "ReadVms": (self.look, Kind.LIST),
            "DeleteVms": (self.end, Kind.END),
            "ReadVmTypes": (self._rows("VmTypes", TYPES, OTHER_LOOK), Kind.OTHER),
            "ReadSubregions": (self._rows("Subregions", SUBREGIONS, OTHER_LOOK), Kind.OTHER),
            "ReadQuotas": (self.quotas, Kind.BESIDE),
            **{
                action: (self._rows(name, rows, OTHER_LOOK), Kind.BESIDE)
                for action, (name, rows) in BESIDE.items()
            },
            # An order is preceded by one, which no fault is meant for.
            "ReadImages": (self._rows("Images", IMAGES, IMAGES_LOOK), Kind.LOGIN),
        }
        return tuple(
            Route(method="POST", path=f"{BASE}/{action}", handler=handler, kind=kind)
            for action, (handler, kind) in handlers.items()
        )

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        image = next((one for one in IMAGES if one["ImageId"] == order["ImageId"]), None)
        if image is None:
            raise Refused(REFUSALS.rejected)
        kind = order.get("VmType", "t2.small")
        if kind not in [one["VmTypeName"] for one in TYPES] and not re.fullmatch(TINA, kind):
            raise Refused(no(400, "4091", "InvalidParameterValue", "The VmType doesn't exist."))
        subregion = order.get("Placement", {}).get("SubregionName", SUBREGIONS[0]["SubregionName"])
        if subregion not in [one["SubregionName"] for one in SUBREGIONS]:
            raise Refused(no(400, "5009", "InvalidResource", "The SubregionName doesn't exist."))
        try:
            user_data = base64.b64decode(order.get("UserData", ""), validate=True)
        except binascii.Error:
            raise Refused(
                no(400, "4104", "InvalidParameterValue", "UserData must be Base64-encoded.")
            ) from None
        with self._machines.deciding:
            token = order.get("ClientToken", "")
            earlier = [one for one in self._machines.named(token) if token]
            if not earlier:
                if len(self._machines.standing()) >= self.vm_limit:
                    raise Refused(LIMIT)
                if (kind, subregion) in self.sold_out:
                    raise Refused(REFUSALS.capacity)
                body = _vm(order, kind=kind, subregion=subregion, image=image, at=self._machines.clock.now())
                machine = self._machines.make(token, user_data=user_data, body=body)
                ends = body["BlockDeviceMappings"][0]["Bsu"]["DeleteOnVmDeletion"]
                self.volumes[f"vol-{machine.key[2:]}"] = {"vm": machine.key, "ends": ends}
                earlier = [machine]
        return Answer(body={"Vms": [self._told(earlier[0])], **_context()})

    def look(self, asked: Asked) -> Answer:
        wish = self._server.read(asked, LOOK)
        filters: Any = wish.get("Filters", {})
        rows = [
            row
            for row in map(self._told, self._machines.listed())
            if row["VmId"] in filters.get("VmIds", [row["VmId"]])
            and row.get("ClientToken") in filters.get("ClientTokens", [row.get("ClientToken")])
        ]
        return self._page(wish, "Vms", rows, cut=asked.cut)

    def end(self, asked: Asked) -> Answer:
        wish: Document = dict(self._server.read(asked, END))
        found = [self._machines.find(key) for key in wish["VmIds"]]
        ended: list[Document] = []
        for key, machine in zip(wish["VmIds"], found, strict=True):
            if machine is None:
                raise Refused(no(400, "5063", "InvalidResource", f"The VmId '{key}' doesn't exist."))
            self._machines.end(machine)
            mine = {vol: one for vol, one in self.volumes.items() if one["vm"] == key}
            self.volumes |= {vol: {**one, "vm": ""} for vol, one in mine.items()}
            for vol in [vol for vol, one in mine.items() if one["ends"]]:
                del self.volumes[vol]
            ended.append({"VmId": key, "PreviousState": "running", "CurrentState": "shutting-down"})
        return Answer(body={"Vms": ended, **_context()})

    def quotas(self, asked: Asked) -> Answer:
        filters: Any = self._server.read(asked, QUOTAS_LOOK).get("Filters", {})
        told = {
            "Name": "vm_limit", "AccountId": "123456789012", "MaxValue": self.vm_limit, "QuotaCollection": "Compute",
            "UsedValue": len(self._machines.standing()), "ShortDescription": "VM Limit", "Description": "VMs",
        }  # fmt: skip
        quotas = [told] if "vm_limit" in filters.get("QuotaNames", ["vm_limit"]) else []
        return Answer(body={"QuotaTypes": [{"QuotaType": "global", "Quotas": quotas}], **_context()})

    def _told(self, machine: Machine) -> Document:
        gone = self._machines.is_gone(machine)
        state = "terminated" if gone else WORDS[self._machines.stage(machine)]
        return {"VmId": machine.key, **machine.body, "State": state}

    def _rows(self, name: str, rows: Sequence[Document], shape: Shape) -> Handler:
        def listing(asked: Asked) -> Answer:
            wish = self._server.read(asked, shape)
            filters: Any = wish.get("Filters", {})
            picked = [
                row for row in rows if row.get("ImageId") in filters.get("ImageIds", [row.get("ImageId")])
            ]
            return self._page(wish, name, picked)

        return listing

    def _page(
        self, wish: Mapping[str, object], name: str, rows: Sequence[Document], *, cut: bool = False
    ) -> Answer:
        try:
            shown, following = paging.after(
                rows,
                cursor=str(wish.get("NextPageToken", "")),
                size=str(wish.get("ResultsPerPage", "")),
                names=("NextPageToken", "ResultsPerPage"),
                default=1000,
                most=1000,
            )
        except paging.BadPage as bad:
            raise Refused(no(400, "4047", "InvalidParameterValue", str(bad))) from None
        more = {"NextPageToken": following} if following else {}
        return Answer(body={name: list(shown[: -1 if cut else None]), **more, **_context()})


def _vm(order: Document, *, kind: str, subregion: str, image: Document, at: float) -> Document:
    """A machine as the API describes it, without what changes later."""
    born = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    said = {each["DeviceName"]: each.get("Bsu", {}) for each in order.get("BlockDeviceMappings", ())}
    bsu = {**image["BlockDeviceMappings"][0]["Bsu"], **said.get("/dev/sda1", {})}
    volume = {"VolumeId": "vol-12345678", "State": "attached", "LinkDate": born,
              "DeleteOnVmDeletion": bsu["DeleteOnVmDeletion"]}  # fmt: skip
    return {
        "VmType": kind, "ImageId": order["ImageId"], "CreationDate": born, "Architecture": "x86_64",
        "Placement": {"SubregionName": subregion, "Tenancy": "default"}, "Tags": [], "PrivateIp": "10.0.0.4",
        "PublicIp": "203.0.113.7", "UserData": order.get("UserData", ""), "RootDeviceType": "ebs",
        "RootDeviceName": "/dev/sda1", "Performance": order.get("Performance", "medium"), "LaunchNumber": 0,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Bsu": volume}], "DeletionProtection": False,
        **({"ClientToken": order["ClientToken"]} if "ClientToken" in order else {}),
    }  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """An account on a free port."""
    clock = Clock()
    machines = Machines(clock, habits or Habits(), new_key=lambda number: f"i-{number:08x}")
    # Signatures are made by the time of this computer, which tests do not turn.
    guard = signed(ACCESS_KEY, SECRET_KEY, now=Clock().now)
    server = CloudServer(routes=(), voice=VOICE, guard=guard)
    api = Outscale(server, machines)
    server.routes = api.routes()
    with running(server):
        yield Cloud(
            server=server,
            machines=machines,
            refusals=REFUSALS,
            descriptions={BASE: "outscale"},
            deviations=NOT_IN_IT,
            api=api,
        )
