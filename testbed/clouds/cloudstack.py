"""CloudStack on loopback: an account in a zone whose API refuses what the real one refuses.

It follows Apache CloudStack's own source (`DeployVMCmd`, `ListVMsCmd`, `ApiErrorCode`, how `ApiServer` checks a
signature; 4.15), its API reference of 4.20 and the answers of libcloud's fixtures `cloudstack`. Stricter than the real
one in this: only the command may stand in the URL, and parameters that these commands do not have are refused, where
the real one writes a line into its log. Not there: domains, jobs that are asked for, templates that are ISO images.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote_plus

from testbed.clouds import paging
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.exchange import Answer, Asked, Handler, Kind, Refused, Route
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem

PATH = "/client/api"
KEY = "the-api-key-of-a-test"
SECRET = "the-secret-key-of-a-test"
ZONE, OTHER_ZONE = "1128bd56-b4d9-4ac6-a7b9-c715b187ce11", "4da1b188-dcd6-4ff5-b7fd-bde984055548"
SMALL, LARGE = "21624abb-764e-4def-81d7-9fc54b5957fb", "b6cd1ff5-3a2f-4e9d-a4d1-8988c1191fe8"
TEMPLATE = "54c83a5e-c548-4d91-8b14-5cf2d4c081ee"
NETWORK = "a38f67e7-7a64-4a1b-9a5c-1a0b7d0c2f11"
NETWORK_ELSEWHERE = "b49f78f8-8b75-4b2c-ab6d-2b1c8e1d3a22"
PROJECT = "0ab2e4f3-9d5c-4c0f-8a5b-7d1f2a3b4c5d"
NAMESPACE = uuid.UUID("9a2c9f6e-5b1d-4f3e-8a7c-0d1e2f3a4b5c")
WORDS = {Stage.MADE: "Starting", Stage.RUNNING: "Running", Stage.ENDING: "Expunging"}
NAME = re.compile(r"[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
USER_DATA_LETTERS = 32_768
SIGNED = frozenset({"apiKey", "response", "signature"})

Document = dict[str, Any]

OFFERINGS: Sequence[Document] = tuple(
    {"id": key, "name": name, "displaytext": name, "cpunumber": cpus, "cpuspeed": 2198, "memory": memory}
    for key, name, cpus, memory in ((SMALL, "Small", 2, 2048), (LARGE, "Large", 4, 8192))
)
TEMPLATES: Sequence[Document] = (
    {
        "id": TEMPLATE, "name": "Linux Debian 13", "displaytext": "Debian 13 (trixie)", "hypervisor": "KVM",
        "format": "QCOW2", "ostypename": "Debian GNU/Linux 13 (64-bit)", "isready": True, "size": 10737418240,
        "zoneid": ZONE,
    },
)  # fmt: skip
ZONES: Sequence[Document] = tuple(
    {"id": key, "name": name, "networktype": "Advanced", "allocationstate": "Enabled"}
    for key, name in ((ZONE, "one"), (OTHER_ZONE, "two"))
)

BESIDE: Mapping[str, tuple[str, Sequence[Document]]] = {
    "listNetworks": ("network", (
        {"id": NETWORK, "name": "workers", "zoneid": ZONE, "type": "Isolated", "state": "Implemented"},
        {"id": NETWORK_ELSEWHERE, "name": "others", "zoneid": OTHER_ZONE, "type": "Isolated", "state": "Implemented"},
    )),
    "listSecurityGroups": ("securitygroup", ({"id": NETWORK, "name": "default", "account": "ops"},)),
    "listAffinityGroups": ("affinitygroup", ()),
    "listSSHKeyPairs": ("sshkeypair", ({"name": "ops", "fingerprint": "7e:eb:ab:24"},)),
}  # fmt: skip


def no(code: int, says: str, command: str = "error") -> Answer:
    """A refusal: its code is its status too, and for most no status that HTTP knows."""
    body = {f"{command}response": {"uuidList": [], "errorcode": code, "cserrorcode": 9999, "errortext": says}}
    return Answer(status=code, body=body)


def wrong(found: Sequence[Problem]) -> Answer:
    """For the first parameter that is at fault."""
    return no(431, f"parameter {found[0].place} {found[0].says}")


def no_such(name: str) -> Answer:
    """An id that is none of the caller's."""
    return no(
        431,
        f"Unable to execute API command due to invalid value. Invalid parameter {name} value due to incorrect long "
        "value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd "
        "class.",
    )


REFUSALS = Refusals(
    capacity=no(533, "Unable to create a deployment for VM", "deployvirtualmachine"),
    rejected=no_such("templateid"),
    throttled=no(429, "The given user has reached his/her account api limit, please retry after 1000 ms."),
)
LIMIT = no(
    535,
    "Maximum number of resources of type 'user_vm' for account name=ops in domain id=1 has been exceeded.",
    "deployvirtualmachine",
)
VOICE = Voice(
    unauthorized=no(401, "unable to verify user credentials and/or request signature"),
    not_found=no(432, "The given command does not exist or it is not available for user"),
    wrong_method=no(432, "The given command does not exist or it is not available for user"),
    malformed=no(430, "malformed request"),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


def signature(parameters: Mapping[str, str], secret: str) -> str:
    """As `ApiServer.verifyRequest` makes it: sorted, encoded, in lower case, HMAC with SHA-1."""
    pairs = [f"{name}={quote_plus(parameters[name]).replace('+', '%20')}" for name in sorted(parameters)]
    told = hmac.new(secret.encode(), "&".join(pairs).lower().encode(), hashlib.sha1).digest()
    return base64.b64encode(told).decode()


def signed(asked: Asked) -> bool:
    """Whether key and signature are right."""
    given = {name: asked.parameter(name) for name in (*asked.query, *asked.form)}
    told = given.pop("signature", "")
    right = given.get("apiKey") == KEY and given.get("response") == "json"
    return right and hmac.compare_digest(told.encode(), signature(given, SECRET).encode())


class CloudStack:
    """One account. What tests may turn: `limit` of machines, `hostless` (orders are taken and come to nothing), and
    `may_expunge`."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self.limit = 10_000
        self.hostless = False
        self.may_expunge = True

    def routes(self) -> tuple[Route, ...]:
        """The commands that stand here."""
        table: tuple[tuple[str, Handler, Kind], ...] = (
            ("deployVirtualMachine", self.deploy, Kind.CREATE),
            ("listVirtualMachines", self.look, Kind.LIST),
            ("destroyVirtualMachine", self.destroy, Kind.END),
            ("listServiceOfferings", lambda asked: self._rows(asked, "serviceoffering", OFFERINGS), Kind.OTHER),
            ("listTemplates", self.templates, Kind.OTHER),
            ("listZones", lambda asked: self._rows(asked, "zone", ZONES), Kind.OTHER),
            ("listAccounts", partial(self.limits, "account"), Kind.BESIDE),
            ("listProjects", partial(self.limits, "project"), Kind.BESIDE),
            *((command, partial(self.beside, command), Kind.BESIDE) for command in BESIDE),
        )  # fmt: skip
        return tuple(
            Route(method="POST", path=PATH, command=("command", command), handler=handler, kind=kind)
            for command, handler, kind in table
        )

    def deploy(self, asked: Asked) -> Answer:
        order = _fields(
            asked,
            needs=("serviceofferingid", "templateid", "zoneid"),
            takes=("name", "displayname", "userdata", "networkids", "keypair", "securitygroupnames", "projectid",
                   "affinitygroupids", "rootdisksize", "startvm", "group"),
        )  # fmt: skip
        for name, rows in (("serviceofferingid", OFFERINGS), ("templateid", TEMPLATES), ("zoneid", ZONES)):
            if order[name] not in {row["id"] for row in rows}:
                raise Refused(no_such(name))
        if any(each != NETWORK for each in filter(None, order.get("networkids", "").split(","))):
            raise Refused(no_such("networkids"))
        if order.get("projectid", PROJECT) != PROJECT:
            raise Refused(no_such("projectid"))
        if not NAME.fullmatch(order.get("name", "a-name")):
            raise Refused(no(431, "Invalid name. Vm name can contain ASCII letters, digits and the hyphen"))
        user_data = _user_data(order.get("userdata", ""))
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.limit:
                raise Refused(LIMIT)
            body = _machine(order, at=self._machines.clock.now(), failed=self.hostless)
            machine = self._machines.make(body["name"], user_data=user_data, body=body)
        made = {"id": machine.key, "jobid": str(uuid.uuid5(NAMESPACE, f"job of {machine.key}"))}
        return Answer(body={"deployvirtualmachineresponse": made})

    def look(self, asked: Asked) -> Answer:
        wanted = _fields(asked, takes=("page", "pagesize", "id", "name", "keyword", "zoneid", "projectid"))
        rows = [
            self._told(machine)
            for machine in self._machines.listed()
            if machine.body.get("projectid", "") == wanted.get("projectid", "")
            and wanted.get("id", machine.key) == machine.key
        ]
        return self._rows(asked, "virtualmachine", rows)

    def destroy(self, asked: Asked) -> Answer:
        given = _fields(asked, needs=("id",), takes=("expunge",))
        if given.get("expunge") == "true" and not self.may_expunge:
            raise Refused(
                no(531, "Parameter expunge can be passed by Admin only. Or when allow.user.expunge.recover.vm is set.")
            )  # fmt: skip
        machine = self._machines.find(given["id"])
        if machine is None:
            raise Refused(no_such("id"))
        self._machines.end(machine)
        return Answer(
            body={"destroyvirtualmachineresponse": {"jobid": str(uuid.uuid5(NAMESPACE, given["id"]))}}
        )

    def limits(self, of: str, asked: Asked) -> Answer:
        """Limits are texts, and what is counted is not."""
        given = _fields(asked, takes=("id", "page", "pagesize"))
        if of == "project" and given.get("id") != PROJECT:
            return self._rows(asked, of, ())
        used = [each.body for each in self._machines.standing()]
        told = {
            "id": PROJECT, "name": "ops", "vmlimit": str(self.limit), "vmtotal": len(used),
            "cpulimit": "Unlimited", "cputotal": sum(each["cpunumber"] for each in used),
            "memorylimit": "40960", "memorytotal": sum(each["memory"] for each in used),
        }  # fmt: skip
        return self._rows(asked, of, [told])

    def beside(self, command: str, asked: Asked) -> Answer:
        _fields(asked, takes=("projectid", "page", "pagesize"))
        return self._rows(asked, *BESIDE[command])

    def templates(self, asked: Asked) -> Answer:
        _fields(asked, needs=("templatefilter",), takes=("zoneid", "id"))
        return self._rows(asked, "template", TEMPLATES)

    def _told(self, machine: Machine) -> Document:
        stage = self._machines.stage(machine)
        failed = machine.body["state"] == "Error" and stage is not Stage.ENDING
        return {**machine.body, "id": machine.key, "state": "Error" if failed else WORDS[stage]}

    def _rows(self, asked: Asked, name: str, rows: Sequence[Document]) -> Answer:
        """A page; one without rows is an empty object."""
        command = asked.parameter("command").lower()
        if bool(asked.parameter("page")) != bool(asked.parameter("pagesize")):
            raise Refused(no(431, "page and pagesize go together"))
        try:
            page = paging.numbered(
                rows,
                number=asked.parameter("page"),
                size=asked.parameter("pagesize"),
                names=("page", "pagesize"),
                default=500,
                most=500,
            )
        except paging.BadPage as bad:
            raise Refused(no(431, str(bad))) from None
        if not page.rows:
            return Answer(body={f"{command}response": {}})
        shown = list(page.rows[: -1 if asked.cut else None])
        return Answer(body={f"{command}response": {"count": page.total, name: shown}})


def _fields(asked: Asked, *, needs: Sequence[str] = (), takes: Sequence[str] = ()) -> Mapping[str, str]:
    """The command's own parameters. Raises Refused where one is missing, unknown or empty."""
    given = {name: values[-1] for name, values in asked.form.items() if name not in SIGNED}
    for name in needs:
        if not given.get(name):
            raise Refused(no(431, f"Unable to execute API command due to missing parameter {name}"))
    for name in given:
        if name not in {*needs, *takes}:
            raise Refused(no(431, f"unknown parameter {name}"))
    return given


def _user_data(letters: str) -> bytes:
    if len(letters) > USER_DATA_LETTERS:
        raise Refused(no(431, "User data has exceeded the maximum length"))
    try:
        return base64.b64decode(letters, validate=True)
    except binascii.Error:
        raise Refused(no(431, "User data is not base64 encoded")) from None


def _machine(order: Mapping[str, str], *, at: float, failed: bool) -> Document:
    """A machine as a listing tells it, without what changes later."""
    offering = next(each for each in OFFERINGS if each["id"] == order["serviceofferingid"])
    project = {"projectid": order["projectid"]} if "projectid" in order else {}
    nic = {
        "id": "nic",
        "networkid": NETWORK,
        "ipaddress": "203.0.113.7",
        "isdefault": True,
        "type": "Isolated",
    }
    name = order.get("name", "VM-1")
    return {
        **project, "id": "", "name": name, "displayname": order.get("displayname", name), "account": "ops",
        "created": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000"), "haenable": False,
        "state": "Error" if failed else "Starting", "zoneid": order["zoneid"], "zonename": "one",
        "templateid": order["templateid"], "templatename": "Linux Debian 13", "passwordenabled": False,
        "serviceofferingid": offering["id"], "serviceofferingname": offering["name"], "memory": offering["memory"],
        "cpunumber": offering["cpunumber"], "cpuspeed": offering["cpuspeed"], "securitygroup": [], "affinitygroup": [],
        "tags": [], "hypervisor": "KVM", "nic": [] if failed else [nic],
    }  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """An account on a free port."""
    machines = Machines(
        Clock(), habits or Habits(), new_key=lambda number: str(uuid.uuid5(NAMESPACE, str(number)))
    )
    server = CloudServer(routes=(), voice=VOICE, guard=signed)
    api = CloudStack(server, machines)
    server.routes = api.routes()
    with running(server):
        yield Cloud(server=server, machines=machines, refusals=REFUSALS, api=api)
