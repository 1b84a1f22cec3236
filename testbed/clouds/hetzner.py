"""Hetzner Cloud on loopback: a project whose API refuses what the real one refuses.

It follows the OpenAPI description MaximilianKoestler/hcloud-openapi at 5f93a6d (2026-02; made from Hetzner's own) and,
for what that leaves out (statuses of error codes, labels and selectors, paging, rate limits), the reference at
docs.hetzner.cloud/reference/cloud as of 2026. Stricter than the real one in one thing: a field or parameter that the
description does not have is refused, where the real API may let it pass. Not there: volumes, networks and firewalls
beyond their ids, and actions that fail.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from testbed.clouds import guards, paging
from testbed.clouds import hetzner_goods as goods
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.descriptions import NOT_DESCRIBED, Deviation
from testbed.clouds.exchange import Answer, Asked, Kind, Refused, Route
from testbed.clouds.guards import RateLimit, RateNames
from testbed.clouds.hetzner_goods import Document
from testbed.clouds.machines import Clock, Habits, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, each, flag, integer, mapping, nullable, record, text

TOKEN = "hetzner-token-for-reading-and-writing"
READ_ONLY_TOKEN = "hetzner-token-for-reading"
WORDS = {Stage.MADE: "initializing", Stage.RUNNING: "running", Stage.ENDING: "deleting"}
PER_GROUP = 10
"""Servers in a placement group of type spread."""

LABEL_NAME = r"[a-z0-9A-Z]([a-z0-9A-Z._-]{0,61}[a-z0-9A-Z])?"
LABEL_KEY = rf"([a-z0-9.-]{{1,253}}/)?{LABEL_NAME}"
ID = integer(at_least=1, at_most=2**53 - 1)
HOSTNAME = text(
    pattern=r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*"
)
LABELS = mapping(text(pattern=LABEL_KEY), text(pattern=f"({LABEL_NAME})?"))
ORDER = record(
    required={"name": HOSTNAME, "server_type": text(at_least=1), "image": text(at_least=1)},
    optional={
        "location": text(at_least=1), "datacenter": text(at_least=1), "start_after_create": flag,
        "placement_group": ID, "ssh_keys": each(text(at_least=1)), "volumes": each(ID), "automount": flag,
        "networks": each(ID), "firewalls": each(record(required={"firewall": ID})), "labels": LABELS,
        "user_data": text(bytes_at_most=32 * 1024),
        "public_net": record(optional={
            "enable_ipv4": flag, "enable_ipv6": flag, "ipv4": nullable(ID), "ipv6": nullable(ID),
        }),
    },
)  # fmt: skip
CHANGE = record(optional={"name": HOSTNAME, "labels": LABELS})
KEY = record(
    required={"name": text(at_least=1), "public_key": text(pattern=r"(ssh|ecdsa)-\S+ \S+.*")},
    optional={"labels": LABELS},
)
LEFT_OUT = tuple(
    Deviation(
        method=method, path=path, says=NOT_DESCRIBED, why="in the reference; the description is cut to less"
    )
    for method, path in (
        ("GET", "/images/{id}"),
        ("POST", "/servers/{id}/actions/reboot"),
        *(("GET", f"/{name}") for name in ("pricing", *goods.BESIDE)),
    )
)
PAGED = frozenset({"page", "per_page"})


def no(status: int, code: str, message: str, details: object = None) -> Answer:
    """A refusal, as the API words all of them."""
    return Answer(status=status, body={"error": {"code": code, "message": message, "details": details}})


def wrong(found: Sequence[Problem]) -> Answer:
    """`invalid_input`, with each field that is at fault."""
    fields = [{"name": one.place or "body", "messages": [one.says]} for one in found]
    names = ", ".join(f"'{one['name']}'" for one in fields)
    return no(422, "invalid_input", f"invalid input in fields {names}", {"fields": fields})


def taken(field: str, says: str) -> Answer:
    """`uniqueness_error`."""
    return no(409, "uniqueness_error", says, {"fields": [{"name": field}]})


PLACEMENT = no(412, "resource_unavailable", "error during placement")
LIMIT = no(403, "resource_limit_exceeded", "server limit exceeded", {"limits": [{"name": "server_limit"}]})
REFUSALS = Refusals(
    capacity=PLACEMENT,
    quota=LIMIT,
    rejected=no(422, "invalid_input", "unsupported location for server type", {}),
    throttled=no(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached"),
)
VOICE = Voice(
    unauthorized=no(401, "unauthorized", "unable to authenticate"),
    not_found=no(404, "not_found", "path not found"),
    wrong_method=no(405, "method_not_allowed", "method not allowed"),
    malformed=no(400, "json_error", "invalid JSON"),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)

Picked = Callable[[Document], bool]


def selected(selector: str) -> Picked:
    """What a label selector picks. Raises Refused where it is none."""
    tests: list[Callable[[dict[str, str]], bool]] = []
    for part in filter(None, re.split(r",(?![^(]*\))", selector)):
        if found := re.fullmatch(rf"\s*({LABEL_KEY})\s*(==|=|!=)\s*({LABEL_NAME})?\s*", part):
            key, equal, value = found[1], found[4] != "!=", found[5] or ""
            tests.append(lambda them, k=key, e=equal, v=value: (them.get(k) == v) is e)  # type: ignore[misc]
        elif found := re.fullmatch(rf"\s*({LABEL_KEY})\s+(in|notin)\s*\(([^()]*)\)\s*", part):
            key, within, values = found[1], found[4] == "in", {one.strip() for one in found[5].split(",")}
            tests.append(lambda them, k=key, w=within, v=values: (them.get(k) in v) is w)  # type: ignore[misc]
        elif found := re.fullmatch(rf"\s*(!?)({LABEL_KEY})\s*", part):
            tests.append(lambda them, k=found[2], there=not found[1]: (k in them) is there)  # type: ignore[misc]
        else:
            says = "invalid input in field 'label_selector'"
            raise Refused(no(422, "invalid_input", says, {"fields": [{"name": "label_selector"}]}))
    return lambda row: all(test(row["labels"]) for test in tests)


class Hetzner:
    """One project. What tests may turn: `sold_out`, pairs of server type and location; `server_limit`; `keys`."""

    def __init__(self, server: CloudServer, machines: Machines) -> None:
        self._server = server
        self._machines = machines
        self._numbers = itertools.count(1)
        self._actions: list[Document] = []
        self.keys: list[Document] = []
        self.sold_out: set[tuple[str, str]] = set()
        self.server_limit = 1000

    def routes(self) -> tuple[Route, ...]:
        """The paths of the description that stand here."""
        one = "/v1/servers/{id}"
        named = PAGED | {"name"}
        return (
            Route(method="POST", path="/v1/servers", handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path="/v1/servers", handler=self.look, kind=Kind.LIST,
                  query=named | {"label_selector", "status", "sort"}),
            Route(method="GET", path=one, handler=self.one),
            Route(method="PUT", path=one, handler=self.change),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="GET", path=f"{one}/actions", handler=self.done_to, query=PAGED),
            *(
                Route(method="POST", path=f"{one}/actions/{verb}", handler=self.act)
                for verb in ("poweron", "poweroff", "shutdown", "reboot")
            ),
            Route(method="GET", path="/v1/actions/{id}", handler=self.action),
            Route(method="GET", path="/v1/server_types", handler=self.rows("server_types", goods.SERVER_TYPES),
                  query=named),
            Route(method="GET", path="/v1/locations", handler=self.rows("locations", goods.LOCATIONS), query=named),
            Route(method="GET", path="/v1/images", handler=self.rows("images", goods.IMAGES),
                  query=named | {"type", "architecture"}),
            Route(method="GET", path="/v1/images/{id}", handler=self.image),
            Route(method="GET", path="/v1/ssh_keys", handler=self.rows("ssh_keys", self.keys),
                  query=named, kind=Kind.BESIDE),
            Route(method="GET", path="/v1/pricing", handler=lambda _: Answer(body={"pricing": goods.PRICING}),
                  kind=Kind.BESIDE),
            *(Route(method="GET", path=f"/v1/{name}", handler=self.rows(name, rows), query=named, kind=Kind.BESIDE)
              for name, rows in goods.BESIDE.items()),
            Route(method="POST", path="/v1/ssh_keys", handler=self.add_key),
        )  # fmt: skip

    # Servers

    def create(self, asked: Asked) -> Answer:
        self._may_write(asked)
        order: dict[str, Any] = dict(self._server.read(asked, ORDER))
        kind, image, place = self._goods(order)
        with self._machines.deciding:
            if self._bears(order["name"]):
                raise Refused(taken("name", "server name is already used"))
            self._room(order, kind, place)
            number = next(self._numbers)
            body = goods.server(
                number, order, kind=kind, image=image, place=place, at=self._machines.clock.now()
            )
            user_data = order.get("user_data", "").encode()
            machine = self._machines.make(order["name"], user_data=user_data, body=body)
        starts = order.get("start_after_create", True)
        return Answer(
            status=201,
            body={
                "server": self._told(machine),
                "action": self._acted(machine, "create_server"),
                "next_actions": [self._acted(machine, "start_server")] if starts else [],
                "root_password": None if order.get("ssh_keys") else "made-up-for-this-server",
            },
        )

    def look(self, asked: Asked) -> Answer:
        picked = selected(asked.parameter("label_selector"))
        rows = [self._told(machine) for machine in self._machines.listed()]
        states = asked.query.get("status", ())
        rows = [row for row in rows if picked(row) and (not states or row["status"] in states)]
        key, _, way = asked.parameter("sort", "id:asc").partition(":")
        if key not in {"id", "name", "created"} or way not in {"", "asc", "desc"}:
            says = "invalid input in field 'sort'"
            raise Refused(no(422, "invalid_input", says, {"fields": [{"name": "sort"}]}))
        rows.sort(key=lambda row: row[key], reverse=way == "desc")
        return self.rows("servers", rows)(asked)

    def one(self, asked: Asked) -> Answer:
        return Answer(body={"server": self._told(self._find(asked))})

    def change(self, asked: Asked) -> Answer:
        self._may_write(asked)
        machine, change = self._find(asked), self._server.read(asked, CHANGE)
        if change.get("name") != machine.name and self._bears(change.get("name")):
            raise Refused(taken("name", "server name is already used"))
        machine.body |= change
        machine.name = machine.body["name"]
        return Answer(body={"server": self._told(machine)})

    def end(self, asked: Asked) -> Answer:
        self._may_write(asked)
        machine = self._find(asked)
        if machine.body["protection"]["delete"]:
            raise Refused(no(423, "protected", "server deletion is protected"))
        if machine.body["locked"]:
            raise Refused(no(423, "locked", "server is locked because an action is running on it"))
        self._machines.end(machine)
        return Answer(body={"action": self._acted(machine, "delete_server")})

    def act(self, asked: Asked) -> Answer:
        self._may_write(asked)
        machine = self._find(asked)
        verb = asked.path.rpartition("/")[2]
        machine.body["switched"] = {"poweroff": "off", "shutdown": "off"}.get(verb, "")
        return Answer(status=201, body={"action": self._acted(machine, f"{verb}_server")})

    def done_to(self, asked: Asked) -> Answer:
        resource = {"id": int(self._find(asked).key), "type": "server"}
        return self.rows("actions", [each for each in self._actions if resource in each["resources"]])(asked)

    # What there is

    def rows(self, name: str, all_of_them: Sequence[Document]) -> Callable[[Asked], Answer]:
        """Answers with a page of these under that name, of those that the parameters pick."""

        def listing(asked: Asked) -> Answer:
            picked = [
                row
                for row in all_of_them
                if asked.parameter("name") in {"", row.get("name")}
                and asked.parameter("type") in {"", row.get("type")}
                and asked.parameter("architecture") in {"", row.get("architecture")}
            ]
            return self._page(asked, name, picked)

        return listing

    def action(self, asked: Asked) -> Answer:
        found = [each for each in self._actions if str(each["id"]) == asked.places["id"]]
        if not found:
            raise Refused(no(404, "not_found", f"action with ID '{asked.places['id']}' not found"))
        return Answer(body={"action": {**found[0], "status": "success", "progress": 100}})

    def image(self, asked: Asked) -> Answer:
        found = [each for each in goods.IMAGES if str(each["id"]) == asked.places["id"]]
        if not found:
            raise Refused(no(404, "not_found", f"image with ID '{asked.places['id']}' not found"))
        return Answer(body={"image": found[0]})

    def add_key(self, asked: Asked) -> Answer:
        self._may_write(asked)
        wish = self._server.read(asked, KEY)
        if any(wish["name"] == known["name"] for known in self.keys):
            raise Refused(taken("name", "SSH key name is already used"))
        number = len(self.keys) + 1
        fingerprint = ":".join(["00"] * 15 + [f"{number:02x}"])
        key = {"id": number, "created": goods.EPOCH, "labels": {}, "fingerprint": fingerprint, **wish}
        self.keys.append(key)
        return Answer(status=201, body={"ssh_key": key})

    def _may_write(self, asked: Asked) -> None:
        if asked.headers.get("authorization") == f"Bearer {READ_ONLY_TOKEN}":
            raise Refused(no(401, "token_readonly", "the token is only allowed to perform GET requests"))

    def _goods(self, order: dict[str, Any]) -> tuple[Document, Document, Document]:
        """Server type, image and location. Raises Refused."""
        if "location" in order and "datacenter" in order:
            raise Refused(no(422, "invalid_input", "location and datacenter must not be used together", {}))
        public = order.get("public_net") or {}
        if not (public.get("enable_ipv4", True) or public.get("enable_ipv6", True) or order.get("networks")):
            raise Refused(no(422, "invalid_input", "a server needs a public or a private network", {}))
        kind = goods.pick(goods.SERVER_TYPES, order["server_type"])
        if kind is None:
            raise Refused(no(404, "not_found", "server type not found"))
        image = goods.pick(goods.IMAGES, order["image"], kind["architecture"])
        if image is None:
            raise Refused(no(404, "not_found", "image not found"))
        sold_in = [each["name"] for each in kind["locations"]]
        wanted = order.get("location") or order.get("datacenter", "").partition("-dc")[0] or sold_in[0]
        place = goods.pick(goods.LOCATIONS, wanted)
        if place is None:
            raise Refused(no(404, "not_found", "location not found"))
        if place["name"] not in sold_in:
            raise Refused(REFUSALS.rejected)
        return kind, image, place

    def _room(self, order: dict[str, Any], kind: Document, place: Document) -> None:
        """Raises Refused where the project or the location has no room for one more."""
        standing = self._machines.standing()
        if len(standing) >= self.server_limit:
            raise Refused(LIMIT)
        if (kind["name"], place["name"]) in self.sold_out:
            raise Refused(PLACEMENT)
        group = order.get("placement_group")
        beside = [
            each for each in standing if group and (each.body["placement_group"] or {}).get("id") == group
        ]
        if len(beside) >= PER_GROUP:
            raise Refused(no(422, "placement_error", "the placement group is full"))

    def _bears(self, name: object) -> bool:
        """Whether a server bears this name. One whose end was asked for is "immediately removed" and bears none."""
        return any(name == machine.name for machine in self._machines.standing())

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(no(404, "not_found", f"server with ID '{asked.places['id']}' not found"))
        return machine

    def _told(self, machine: Machine) -> Document:
        told = {key: value for key, value in machine.body.items() if key != "switched"}
        stage = self._machines.stage(machine)
        off = machine.body.get("switched") if stage is Stage.RUNNING else ""
        return {**told, "status": off or WORDS[stage]}

    def _acted(self, machine: Machine, command: str) -> Document:
        action = {
            "id": len(self._actions) + 1, "command": command, "status": "running", "progress": 0,
            "started": goods.instant(self._machines.clock.now()), "finished": None, "error": None,
            "resources": [{"id": machine.body["id"], "type": "server"}],
        }  # fmt: skip
        self._actions.append(action)
        return action

    def _page(self, asked: Asked, name: str, rows: Sequence[Document]) -> Answer:
        number, size = asked.parameter("page"), asked.parameter("per_page")
        try:
            page = paging.numbered(
                rows, number=number, size=size, names=("page", "per_page"), default=25, most=50
            )
        except paging.BadPage as bad:
            raise Refused(no(422, "invalid_input", str(bad), {"fields": [{"name": bad.parameter}]})) from None
        told = {
            "page": page.number, "per_page": page.size, "previous_page": page.previous, "next_page": page.next,
            "last_page": page.last, "total_entries": page.total,
        }  # fmt: skip
        others = {key: values[-1] for key, values in asked.query.items() if key != "page"}
        shown = list(page.rows[: -1 if asked.cut else None])
        return Answer(
            body={name: shown, "meta": {"pagination": told}},
            headers=paging.link(f"{self._server.url}{asked.path}", page, parameter="page", query=others),
        )


def project(
    habits: Habits | None = None, *, requests_an_hour: int = 3600
) -> tuple[CloudServer, Machines, Hetzner]:
    """The parts of one project, not yet served."""
    clock = Clock()
    machines = Machines(clock, habits or Habits(boot_s=8.0))
    names = RateNames(limit="RateLimit-Limit", remaining="RateLimit-Remaining", reset="RateLimit-Reset")
    server = CloudServer(
        routes=(),
        voice=VOICE,
        guard=lambda asked: guards.bearer(TOKEN)(asked) or guards.bearer(READ_ONLY_TOKEN)(asked),
        limit=RateLimit(requests=requests_an_hour, window_s=3600, names=names, now=clock.now),
    )
    hetzner = Hetzner(server, machines)
    server.routes = hetzner.routes()
    return server, machines, hetzner


@contextmanager
def serving(habits: Habits | None = None, *, requests_an_hour: int = 3600) -> Iterator[Cloud]:
    """A project on a free port."""
    server, machines, hetzner = project(habits, requests_an_hour=requests_an_hour)
    with running(server):
        yield Cloud(
            server=server,
            machines=machines,
            refusals=REFUSALS,
            descriptions={"/v1": "hetzner"},
            deviations=LEFT_OUT,
            api=hetzner,
        )
