"""Scaleway Instances on loopback: one zone of a project whose API refuses what the real one refuses.

It follows the OpenAPI description of Instances v1 from 2022 in pulumi-scaleway-instances at c56dc57, and for what that
leaves out (statuses and kinds of refusals, the total of a listing, block volumes) the reference of 2026, Scaleway's SDK
and other people's logs. Volumes are in `scaleway_volumes`. Not there: reserved addresses, snapshots, tasks that fail,
and limits that are told in headers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from testbed.clouds import guards, paging, scaleway_volumes
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.descriptions import NOT_DESCRIBED, Deviation
from testbed.clouds.exchange import Answer, Asked, Kind, Refused, Route
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, Wrong, each, flag, one_of, record, text

SECRET_KEY = "11111111-2222-4333-8444-555555555555"
PROJECT = "22222222-3333-4444-8555-666666666666"
ZONE = "fr-par-1"
IMAGE = "33333333-4444-4555-8666-777777777777"
GROUP = "44444444-5555-4666-8777-888888888888"
SPREAD = "55555555-6666-4777-8888-999999999999"

Document = dict[str, Any]

UUID = text(pattern=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ORDER = record(
    required={
        "name": text(pattern=r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?", at_most=63),
        "commercial_type": text(at_least=1),
    },
    optional={
        "image": UUID, "project": UUID, "tags": each(text(pattern="[^,]*", at_least=1, at_most=255)),
        "dynamic_ip_required": flag, "security_group": UUID, "placement_group": UUID,
    },
)  # fmt: skip
ACTION = record(required={"action": one_of("poweron", "poweroff", "terminate", "stop_in_place", "reboot")})

TYPES: Mapping[str, Document] = {
    name: {
        "hourly_price": price, "ncpus": cpus, "ram": memory * 2**30, "arch": "x86_64", "baremetal": False,
        "alt_names": [], "volumes_constraint": {"min_size": 10 * 10**9, "max_size": disk * 10**9},
    }
    for name, price, cpus, memory, disk in (("DEV1-S", 0.0088, 2, 2, 20), ("PRO2-S", 0.055, 2, 8, 600))
}  # fmt: skip


def no(status: int, kind: str, message: str, **more: object) -> Answer:
    """A refusal, as the API words most of them."""
    return Answer(status=status, body={"type": kind, "message": message, **more})


def wrong(found: Sequence[Problem]) -> Answer:
    """Each field that is at fault."""
    details = [
        {"argument_name": one.place or "body", "reason": "constraint", "help_message": one.says}
        for one in found
    ]
    return no(400, "invalid_arguments", "invalid argument(s)", details=details)


NO_ROOM = no(400, "out_of_stock", "out of stock", resource="DEV1-S")
FULL = no(
    403,
    "quotas_exceeded",
    "Quota exceeded for this resource.",
    resource="instances_dev1_s",
    quota=2,
    current=2,
)
ABSENT = no(404, "not_found", "resource is not found", resource="instance_server")
REFUSALS = Refusals(
    capacity=FULL,
    rejected=wrong([Problem(place="commercial_type", wrong=Wrong.VALUE, says="is none")]),
    throttled=no(429, "too_many_requests", "too many requests"),
)
VOICE = Voice(
    unauthorized=no(401, "denied_authentication", "invalid authentication"),
    not_found=no(404, "not_found", "resource is not found"),
    wrong_method=no(405, "method_not_allowed", "method not allowed"),
    malformed=no(400, "invalid_request_error", "invalid json"),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)
BESIDE: Mapping[str, Sequence[Document]] = {
    "security_groups": (
        {"id": GROUP, "name": "workers", "description": "", "project": PROJECT, "state": "available", "zone": ZONE,
         "stateful": True, "project_default": False, "inbound_default_policy": "drop", "servers": [], "tags": []},
    ),
    "placement_groups": (
        {"id": SPREAD, "name": "spread", "project": PROJECT, "policy_mode": "optional", "zone": ZONE, "tags": [],
         "policy_type": "max_availability", "policy_respected": True},
    ),
}  # fmt: skip
DEVIATIONS = (
    *(
        Deviation(
            path=f"/instance/v1/zones/{{zone}}/{name}",
            says=NOT_DESCRIBED,
            why="in the reference; the description at hand is cut to less",
        )
        for name in BESIDE
    ),
    Deviation(
        says=r"answered [45]\d\d: with a status that is not described",
        why="the description has no refusals at all",
    ),
    *(
        Deviation(
            method=method,
            path=f"/instance/v1/zones/{{zone}}/volumes{one}",
            says=NOT_DESCRIBED,
            why="what lists and marks volumes is in the reference and the SDK, and was cut from this description",
        )
        for method, one in (("GET", ""), ("PATCH", "/{id}"))
    ),
)


class Scaleway:
    """One zone of a project. What tests may turn: `server_quota`; `sold_out`, types; `sold_out_at_start`, whether stock
    is refused by the start only, as it may be; `volume_type`, of new servers;
    `stop_s`, how long switching off takes; and what `disks` lets be turned."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self.server_quota = 1000
        self.sold_out: set[str] = set()
        self.sold_out_at_start = False
        self.volume_type = "l_ssd"
        self.stop_s = 0.0
        self.disks = scaleway_volumes.Volumes(server, machines.clock, zone=ZONE, project=PROJECT)

    @property
    def volumes(self) -> Mapping[str, scaleway_volumes.Volume]:
        """Those that are billed."""
        return self.disks.standing

    def billed(self) -> tuple[str, ...]:
        """What is billed although it is part of no machine."""
        return tuple(f"volume {volume.key}" for volume in self.volumes.values() if not volume.server)

    def routes(self) -> tuple[Route, ...]:
        """The paths of the description that stand here, and one of block storage."""
        zone = f"/instance/v1/zones/{ZONE}"
        many, one = f"{zone}/servers", f"{zone}/servers/{{id}}"
        paged = frozenset({"per_page", "page"})
        return (
            Route(method="POST", path=many, handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path=many, handler=self.look, kind=Kind.LIST,
                  query=paged | {"project", "tags", "order"}),
            Route(method="GET", path=one, handler=self.one),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="PATCH", path=f"{one}/user_data/{{key}}", handler=self.keep),
            # Starts and ends alike; what ends a server that runs is one of them.
            Route(method="POST", path=f"{one}/action", handler=self.act, kind=Kind.END),
            Route(method="GET", path=f"{zone}/products/servers", handler=self.types, query=paged),
            Route(method="GET", path=f"{zone}/images/{{id}}", handler=self.image),
            *(Route(method="GET", path=f"{zone}/{name}", handler=partial(self.beside, name), kind=Kind.BESIDE,
                    query=paged | {"project"}) for name in BESIDE),
            *self.disks.routes(),
        )  # fmt: skip

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        kind = order["commercial_type"]
        if kind not in TYPES:
            raise Refused(REFUSALS.rejected)
        if order.get("image") != IMAGE or order.get("project") != PROJECT:
            raise Refused(no(404, "not_found", "resource is not found", resource="image or project"))
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.server_quota:
                raise Refused(FULL)
            if kind in self.sold_out and not self.sold_out_at_start:
                raise Refused(NO_ROOM)
            body = {**order, "created": self._machines.clock.now(), "started_at": None, "stopped_at": 0.0}
            machine = self._machines.make(order["name"], user_data=b"", body=body)
            self.disks.make(kind=self.volume_type, server=machine.key)
        return Answer(status=201, body={"server": self._told(machine)})

    def look(self, asked: Asked) -> Answer:
        if asked.parameter("project", PROJECT) != PROJECT:
            return Answer(body={"servers": []}, headers={"X-Total-Count": "0"})
        wanted = [*filter(None, asked.parameter("tags").split(","))]
        rows = [self._told(machine) for machine in self._machines.listed()]
        order = asked.parameter("order", "creation_date_desc")
        if order not in {"creation_date_desc", "creation_date_asc"}:
            raise Refused(wrong([Problem(place="order", wrong=Wrong.VALUE, says="is none")]))
        # Machines stand in the order in which they were made.
        rows = rows[:: -1 if order.endswith("desc") else 1]
        page = self._page(asked, [row for row in rows if {*wanted} <= {*row["tags"]}])
        shown = list(page.rows[: -1 if asked.cut else None])
        return Answer(body={"servers": shown}, headers={"X-Total-Count": str(page.total)})

    def one(self, asked: Asked) -> Answer:
        return Answer(body={"server": self._told(self._find(asked))})

    def beside(self, name: str, asked: Asked) -> Answer:
        rows = BESIDE[name] if asked.parameter("project", PROJECT) == PROJECT else ()
        page = self._page(asked, rows)
        return Answer(body={name: list(page.rows)}, headers={"X-Total-Count": str(page.total)})

    def keep(self, asked: Asked) -> Answer:
        if not asked.headers.get("content-type", "").startswith("text/plain"):
            raise Refused(no(415, "invalid_request_error", "user data is text/plain"))
        machine = self._find(asked)
        if asked.places["key"] == "cloud-init":
            machine.user_data = asked.raw
        return Answer(status=204)

    def act(self, asked: Asked) -> Answer:
        action = self._server.read(asked, ACTION)["action"]
        machine = self._find(asked)
        state = self._state(machine)
        if state in {"starting", "stopping"}:
            raise Refused(no(409, "transient_state", "resource is in a transient state", current_state=state))
        if (action == "poweron") is not (state == "stopped"):
            raise Refused(no(412, "precondition_failed", f"cannot {action}: the server is {state}"))
        if action == "poweron":
            if machine.body["commercial_type"] in self.sold_out:
                raise Refused(NO_ROOM)
            machine.body["started_at"] = self._machines.clock.now()
        elif action == "poweroff":
            machine.body |= {"started_at": None, "stopped_at": self._machines.clock.now() + self.stop_s}
        elif action == "terminate":
            self._machines.end(machine)
            # "The `terminate` action will result in the deletion of `l_ssd` and `scratch` volumes types, `sbs_volume`
            # volumes will only be detached."
            self.disks.let_go(machine.key, local_end=True)
        task = {"id": machine.key, "description": f"server_{action}", "progress": 0, "status": "pending"}
        return Answer(body={"task": task})

    def end(self, asked: Asked) -> Answer:
        machine = self._find(asked)
        if self._state(machine) != "stopped":
            raise Refused(no(400, "invalid_request_error", "server should be stopped"))
        self._machines.end(machine)
        self.disks.let_go(machine.key, local_end=False)
        return Answer(status=204)

    def types(self, asked: Asked) -> Answer:
        page = self._page(asked, [*TYPES.items()])
        return Answer(body={"servers": dict(page.rows)}, headers={"X-Total-Count": str(page.total)})

    def image(self, asked: Asked) -> Answer:
        if asked.places["id"] != IMAGE:
            raise Refused(no(404, "not_found", "resource is not found", resource="instance_image"))
        return Answer(
            body={
                "image": {
                    "id": IMAGE,
                    "name": "Debian Trixie",
                    "arch": "x86_64",
                    "public": True,
                    "zone": ZONE,
                }
            }
        )

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(ABSENT)
        return machine

    def _state(self, machine: Machine) -> str:
        if self._machines.stage(machine) is Stage.ENDING:
            return "stopping"
        started_at = machine.body["started_at"]
        if started_at is None:
            return "stopped" if self._machines.clock.now() >= machine.body["stopped_at"] else "stopping"
        booted = self._machines.clock.now() >= started_at + self._machines.habits.boot_s
        return "running" if booted else "starting"

    def _told(self, machine: Machine) -> Document:
        """A server as the API describes it."""
        body, state = machine.body, self._state(machine)
        made = datetime.fromtimestamp(body["created"], UTC).isoformat()
        told: Document = {
            "id": machine.key, "name": machine.name, "project": PROJECT, "zone": ZONE, "arch": "x86_64",
            "commercial_type": body["commercial_type"], "tags": body.get("tags", []), "state": state,
            "creation_date": made, "modification_date": made, "dynamic_ip_required": body["dynamic_ip_required"],
            "private_ip": None, "protected": False, "state_detail": "", "boot_type": "local", "public_ips": [],
            "volumes": self.disks.of(machine.key),
        }  # fmt: skip
        if body["dynamic_ip_required"] and state == "running":
            told["public_ip"] = {"id": machine.key, "address": "203.0.113.9", "dynamic": True}
            told["public_ips"] = [told["public_ip"]]
        return told

    def _page(self, asked: Asked, rows: Sequence[Any]) -> paging.Page[Any]:
        number, size = asked.parameter("page"), asked.parameter("per_page")
        with contextlib.suppress(paging.BadPage):
            return paging.numbered(
                rows, number=number, size=size, names=("page", "per_page"), default=50, most=100
            )
        raise Refused(wrong([Problem(place="page", wrong=Wrong.VALUE, says="is none")]))


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """A project's zone on a free port."""
    machines = Machines(
        Clock(), habits or Habits(), new_key=lambda number: f"{number:08x}-0000-4000-8000-000000000000"
    )
    server = CloudServer(routes=(), voice=VOICE, guard=guards.header("X-Auth-Token", SECRET_KEY))
    api = Scaleway(server, machines)
    server.routes = api.routes()
    with running(server):
        yield Cloud(
            server=server,
            machines=machines,
            refusals=REFUSALS,
            descriptions={"/instance": "scaleway"},
            deviations=DEVIATIONS,
            api=api,
        )
