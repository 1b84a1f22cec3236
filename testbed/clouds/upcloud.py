"""UpCloud on loopback: an account whose API 1.3 refuses what the real one refuses.

It follows the OpenAPI description that UpCloud's generated client 3.0.0a1 was made from (0.0.108, 2026), which refuses
unknown fields, and for codes, labels, states and what a stop takes the reference at developers.upcloud.com/1.3 and
other people's logs. Not there: tags, host names of several labels, backups, and limits that are told in headers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any

from testbed.clouds import guards
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.descriptions import NOT_DESCRIBED, Deviation
from testbed.clouds.exchange import Answer, Asked, Kind, Refused, Route
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, each, either, integer, one_of, record, text
from testbed.clouds.upcloud_goods import GROUPS, NETWORKS, PLANS, PRICES, TEMPLATES, ZONES

TOKEN = "ucat_01EXAMPLEOFATOKEN"
USER, PASSWORD = "fleet-api", "a-password-of-the-api-user"
PAGE_MOST = 100

Document = dict[str, Any]

UUID = text(pattern=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
YES_NO = one_of("yes", "no")
LABEL = record(required={"key": text(pattern=r"(?!_)[ -~]{2,32}"), "value": text(pattern=r"[ -~]{0,255}")})
ADDRESSES = record(required={"ip_address": each(record(required={"family": one_of("IPv4", "IPv6")}))})
ORDER = record(
    required={
        "server": record(
            required={
                "hostname": text(pattern=r"[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?", at_most=128),
                "title": text(at_least=1, at_most=255),
                "zone": text(at_least=1),
                "storage_devices": record(
                    required={
                        "storage_device": each(
                            record(
                                required={"action": one_of("clone"), "storage": UUID},
                                optional={
                                    "title": text(at_least=1, at_most=255), "size": integer(at_least=10, at_most=4096),
                                    "tier": one_of("maxiops", "standard", "hdd"), "labels": each(LABEL),
                                },
                            ),
                            at_least=1,
                        )
                    }
                ),
            },
            optional={
                "plan": text(at_least=1), "metadata": YES_NO, "user_data": text(),
                "password_delivery": one_of("none", "email", "sms"), "server_group": UUID,
                "login_user": record(
                    optional={
                        "username": text(at_least=1), "create_password": YES_NO,
                        "ssh_keys": record(required={"ssh_key": each(text(pattern=r"(ssh|ecdsa)-\S+ \S+.*"))}),
                    }
                ),
                "labels": record(required={"label": each(LABEL)}),
                "networking": record(
                    required={
                        "interfaces": record(
                            required={
                                "interface": each(
                                    either(
                                        record(required={"type": one_of("public", "utility"),
                                                         "ip_addresses": ADDRESSES}),
                                        record(required={"type": one_of("private"), "ip_addresses": ADDRESSES,
                                                         "network": UUID}),
                                    ),
                                    at_least=1,
                                )
                            }
                        )
                    }
                ),
            },
        )
    }
)  # fmt: skip
STOP = record(
    required={"stop_server": record(optional={"stop_type": one_of("soft", "hard"), "timeout": text()})}
)


def no(status: int, code: str, message: str) -> Answer:
    """A refusal, as the API words all of them."""
    return Answer(status=status, body={"error": {"error_code": code, "error_message": message}})


def wrong(found: Sequence[Problem]) -> Answer:
    """The first field that is at fault; the API names no other."""
    first = found[0]
    return no(400, "REQUEST_INVALID", f"{first.place or 'body'} {first.says}")


NO_ROOM = no(409, "SERVER_RESOURCES_UNAVAILABLE", "The zone cannot serve the request at the moment.")
REFUSALS = Refusals(
    capacity=NO_ROOM,
    rejected=no(400, "PLAN_INVALID", "The plan does not exist."),
    throttled=no(429, "RATE_LIMITED", "Too many requests."),
)
ILLEGAL = "The operation is not allowed while the server is in state"
VOICE = Voice(
    unauthorized=no(
        401, "AUTHENTICATION_FAILED", "Authentication failed using the given username and password."
    ),
    not_found=no(404, "NOT_FOUND", "The requested URL does not exist."),
    wrong_method=no(405, "METHOD_NOT_ALLOWED", "The method is not allowed."),
    malformed=no(400, "INVALID_JSON", "The body is no JSON."),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)
DEVIATIONS = (
    *(
        Deviation(
            path=path, says=NOT_DESCRIBED, why="in the reference; the description at hand is cut to less"
        )
        for path in ("/1.3/account", "/1.3/price", "/1.3/network", "/1.3/server-group")
    ),
    Deviation(
        says=r"answered 40[0349]: body \S+: '(code|message)' is a required property",
        why="the API answers `error_code` and `error_message` there too, as its clients and their logs show",
    ),
)


class UpCloud:
    """One account. What tests may turn: `sold_out`, pairs of plan and zone; `core_limit`; `memory_limit`,
    which is told and not held; `stop_s`, how long a stop takes; `page_most`; `credits`."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self.sold_out: set[tuple[str, str]] = set()
        self.core_limit = 1000
        self.memory_limit = 1_024_000
        self.stop_s = 0.0
        self.page_most = PAGE_MOST
        self.credits = True
        self.disks: dict[str, Document] = {}
        """Those that are billed, as the API describes them; `servers` are those that each is attached to."""

    def billed(self) -> tuple[str, ...]:
        """What is billed although it is part of no machine."""
        return tuple(f"disk {key}" for key, disk in self.disks.items() if not disk["servers"]["server"])

    def routes(self) -> tuple[Route, ...]:
        """The paths of the description that stand here."""
        many, one = "/1.3/server", "/1.3/server/{id}"
        paged = frozenset({"limit", "offset"})
        return (
            Route(method="POST", path=many, handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path=many, handler=self.look, kind=Kind.LIST, query=paged | {"label"}),
            Route(method="GET", path=one, handler=self.one),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END, query=frozenset({"storages", "backups"})),
            # The first of the two words that end a server.
            Route(method="POST", path=f"{one}/stop", handler=self.stop, kind=Kind.END),
            Route(method="GET", path="/1.3/plan", handler=lambda _: Answer(body={"plans": {"plan": PLANS}})),
            Route(method="GET", path="/1.3/zone", handler=lambda _: Answer(body={"zones": {"zone": ZONES}})),
            Route(method="GET", path="/1.3/storage/template", handler=self.templates, query=paged),
            Route(method="GET", path="/1.3/account", handler=self.account, kind=Kind.BESIDE),
            *(
                Route(method="GET", path=path, handler=partial(_told, body), kind=Kind.BESIDE)
                for path, body in (
                    ("/1.3/price", {"prices": PRICES}), ("/1.3/network", {"networks": {"network": NETWORKS}}),
                    ("/1.3/server-group", {"server_groups": {"server_group": GROUPS}}),
                )
            ),
            Route(method="GET", path="/1.3/storage", handler=self.storages, query=paged | {"label"}),
            Route(method="GET", path="/1.3/storage/{id}", handler=self.storage),
            Route(method="DELETE", path="/1.3/storage/{id}", handler=self.end_storage, kind=Kind.END,
                  query=frozenset({"backups"})),
        )  # fmt: skip

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER)["server"])  # type: ignore[call-overload]
        plan = next((each for each in PLANS if each["name"] == order.get("plan")), None)
        if plan is None:
            raise Refused(REFUSALS.rejected)
        if all(order["zone"] != each["id"] for each in ZONES):
            raise Refused(no(404, "ZONE_NOT_FOUND", "The zone does not exist."))
        if any(
            disk["storage"] not in {each["uuid"] for each in TEMPLATES}
            for disk in order["storage_devices"]["storage_device"]
        ):
            raise Refused(no(404, "STORAGE_NOT_FOUND", "The storage does not exist."))
        if order.get("metadata") != "yes":
            raise Refused(no(409, "METADATA_DISABLED_ON_CLOUD-INIT", "A cloud-init template needs metadata."))
        keys = [label["key"] for label in order.get("labels", {}).get("label", ())]
        if len(set(keys)) != len(keys):
            raise Refused(no(400, "LABEL_KEY_DUPLICATE", "A label's key comes twice."))
        with self._machines.deciding:
            self._room(order, plan)
            body = _server(order, plan, at=self._machines.clock.now())
            machine = self._machines.make(
                order["hostname"], user_data=order.get("user_data", "").encode(), body=body
            )
            ordered = order["storage_devices"]["storage_device"][0]
            made = disk(ordered, order["zone"], key=f"01{machine.key[2:]}", at=self._machines.clock.now())
            self.disks[made["uuid"]] = {**made, "servers": {"server": [machine.key]}}
        return Answer(status=202, body={"server": self._details(machine)})

    def look(self, asked: Asked) -> Answer:
        wanted = [each.partition("=") for each in asked.query.get("label", ())]
        rows = [
            self._told(machine)
            for machine in self._machines.listed()
            if all(_bears(machine.body, key, value if equal else None) for key, equal, value in wanted)
        ]
        return Answer(body={"servers": {"server": self._page(asked, rows)}})

    def one(self, asked: Asked) -> Answer:
        return Answer(body={"server": self._details(self._find(asked))})

    def stop(self, asked: Asked) -> Answer:
        self._server.read(asked, STOP)
        machine = self._find(asked)
        if self._state(machine) != "started":
            raise Refused(no(409, "SERVER_STATE_ILLEGAL", f"{ILLEGAL} '{self._state(machine)}'."))
        machine.body["stop_at"] = self._machines.clock.now() + self.stop_s
        return Answer(body={"server": self._details(machine)})

    def end(self, asked: Asked) -> Answer:
        machine = self._find(asked)
        if self._state(machine) not in {"stopped", "error"}:
            raise Refused(no(409, "SERVER_STATE_ILLEGAL", f"{ILLEGAL} '{self._state(machine)}'."))
        self._machines.end(machine)
        if asked.parameter("storages") in {"1", "true", "yes", "y", "on"}:
            self.disks = {
                key: disk for key, disk in self.disks.items() if machine.key not in disk["servers"]["server"]
            }
        for disk in self.disks.values():
            disk["servers"] = {"server": [key for key in disk["servers"]["server"] if key != machine.key]}
        return Answer(status=204)

    def account(self, _: Asked) -> Answer:
        limits = {"cores": self.core_limit, "memory": self.memory_limit, "networks": 100, "public_ipv4": 100}
        told = {"username": USER, "credits": 10_000, "resource_limits": limits}
        return Answer(body={"account": told})

    def storages(self, asked: Asked) -> Answer:
        wanted = [each.partition("=") for each in asked.query.get("label", ())]
        rows = [
            {key: value for key, value in disk.items() if key not in {"servers", "backups", "backup_rule"}}
            for disk in self.disks.values()
            if all(_labelled(disk["labels"], key, value if equal else None) for key, equal, value in wanted)
        ]
        # Templates are listed too, and bear no labels.
        return Answer(
            body={"storages": {"storage": self._page(asked, rows if wanted else [*rows, *TEMPLATES])}}
        )

    def storage(self, asked: Asked) -> Answer:
        return Answer(body={"storage": self._disk(asked)})

    def end_storage(self, asked: Asked) -> Answer:
        if self._disk(asked)["servers"]["server"]:
            raise Refused(no(409, "STORAGE_STATE_ILLEGAL", "The storage is attached to a server."))
        del self.disks[asked.places["id"]]
        return Answer(status=204)

    def _disk(self, asked: Asked) -> Document:
        disk = self.disks.get(asked.places["id"])
        if disk is None:
            raise Refused(no(404, "STORAGE_NOT_FOUND", "The storage does not exist."))
        return disk

    def templates(self, asked: Asked) -> Answer:
        return Answer(body={"storages": {"storage": self._page(asked, TEMPLATES)}})

    def _room(self, order: Document, plan: Document) -> None:
        """Raises Refused where account or zone have no room for one more."""
        used = sum(int(each.body["core_number"]) for each in self._machines.standing())
        if not self.credits:
            raise Refused(no(402, "INSUFFICIENT_CREDITS", "There are not enough credits."))
        if used + plan["core_number"] > self.core_limit:
            raise Refused(no(403, "SERVER_CORE_LIMIT_REACHED", "The account's limit of cores is reached."))
        if (plan["name"], order["zone"]) in self.sold_out:
            raise Refused(NO_ROOM)

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(no(404, "SERVER_NOT_FOUND", f"The server {asked.places['id']} does not exist."))
        return machine

    def _state(self, machine: Machine) -> str:
        stage, stop_at = self._machines.stage(machine), machine.body["stop_at"]
        if stage is Stage.ENDING:
            return "pending_delete"
        if stage is Stage.MADE:
            return "maintenance"
        return "stopped" if stop_at is not None and self._machines.clock.now() >= stop_at else "started"

    def _told(self, machine: Machine) -> Document:
        told = {key: value for key, value in machine.body.items() if key not in {"stop_at", "ip_addresses"}}
        return {**told, "uuid": machine.key, "state": self._state(machine)}

    def _details(self, machine: Machine) -> Document:
        return {**self._told(machine), "ip_addresses": machine.body["ip_addresses"], "metadata": "yes"}

    def _page(self, asked: Asked, rows: Sequence[Document]) -> list[Document]:
        numbers = {"limit": 25, "offset": 0}
        for name in numbers:
            with contextlib.suppress(KeyError):
                said = asked.query[name][-1]
                if not said.isdecimal() or (name == "limit" and int(said) > PAGE_MOST):
                    raise Refused(no(400, f"{name.upper()}_INVALID", f"The value of {name} is invalid."))
                numbers[name] = int(said)
        limit = min(numbers["limit"], self.page_most)
        return list(rows[numbers["offset"] : numbers["offset"] + limit])


def _told(body: Document, _: Asked) -> Answer:
    return Answer(body=body)


def _bears(body: Document, key: str, value: str | None) -> bool:
    return _labelled(body["labels"]["label"], key, value)


def _labelled(labels: Sequence[Document], key: str, value: str | None) -> bool:
    return any(label["key"] == key and value in {None, label["value"]} for label in labels)


def disk(ordered: Document, zone: str, *, key: str, at: float) -> Document:
    """A disk as the API describes it, attached to nothing."""
    born = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "uuid": key, "title": ordered.get("title", "disk"), "zone": zone, "type": "normal", "access": "private",
        "state": "online", "size": int(ordered.get("size", 10)), "tier": ordered.get("tier", "maxiops"), "license": 0,
        "encrypted": "no", "labels": ordered.get("labels", []), "created": born, "backup_rule": {},
        "backups": {"backup": []}, "servers": {"server": []},
    }  # fmt: skip


def _server(order: Document, plan: Document, *, at: float) -> Document:
    """A server as the API describes it, without what changes later."""
    return {
        "hostname": order["hostname"], "title": order["title"], "zone": order["zone"], "plan": plan["name"],
        "core_number": str(plan["core_number"]), "memory_amount": str(plan["memory_amount"]), "license": "0",
        "created": int(at), "labels": order.get("labels", {"label": []}), "tags": {"tag": []}, "stop_at": None,
        "ip_addresses": {"ip_address": [{"access": "public", "address": "203.0.113.9", "family": "IPv4"}]},
    }  # fmt: skip


@contextmanager
def serving(habits: Habits | None = None) -> Iterator[Cloud]:
    """An account on a free port."""
    machines = Machines(
        Clock(), habits or Habits(), new_key=lambda number: f"00{number:06x}-0000-4000-8000-000000000000"
    )
    server = CloudServer(
        routes=(),
        voice=VOICE,
        guard=lambda asked: guards.bearer(TOKEN)(asked) or guards.basic(USER, PASSWORD)(asked),
    )
    api = UpCloud(server, machines)
    server.routes = api.routes()
    with running(server):
        yield Cloud(
            server=server,
            machines=machines,
            refusals=REFUSALS,
            descriptions={"/1.3": "upcloud"},
            deviations=DEVIATIONS,
            api=api,
        )
