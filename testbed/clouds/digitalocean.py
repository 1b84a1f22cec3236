"""DigitalOcean on loopback: an account whose API refuses what the real one refuses.

It follows the OpenAPI description digitalocean/openapi at 7c1300c (2026-08) and, for the sentences of refusals, what
people were answered (422 for stock, limit and mistakes alike). Stricter than the real one in one thing: fields and
parameters that the description does not have are refused, where the real API lets them pass. Not there: volumes,
backups, several droplets by one order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from testbed.clouds import guards, paging
from testbed.clouds.cloud import Cloud, Refusals
from testbed.clouds.descriptions import NOT_DESCRIBED, Deviation
from testbed.clouds.exchange import Answer, Asked, Handler, Kind, Refused, Route
from testbed.clouds.guards import RateLimit, RateNames
from testbed.clouds.machines import Clock, Habits, Hardware, Machine, Machines, Stage
from testbed.clouds.server import CloudServer, Voice, running
from testbed.clouds.shapes import Problem, each, either, flag, integer, record, text

TOKEN = "dop_v1_token-of-a-test"
WORDS = {Stage.MADE: "new", Stage.RUNNING: "active", Stage.ENDING: "archive"}
DEFAULT_VPC = "760e09ef-dc84-11e8-981e-3cfdfeaae000"
NEW_YORK_VPC = "c33931f2-a26a-4e61-b85c-4e95a2ec431b"
FINGERPRINT = "3b:16:e4:bf:8b:00:8b:b8:59:8c:a9:d3:f0:19:fa:45"
TAG_LAG_S = 1.0
"""Tags are put on a droplet after it is made."""

Document = dict[str, Any]

ORDER = record(
    required={
        "name": text(pattern=r"[a-zA-Z0-9]?[a-z0-9A-Z.\-]*[a-z0-9A-Z]", at_most=255),
        "size": text(at_least=1),
        "image": either(text(at_least=1), integer(at_least=1)),
    },
    optional={
        "region": text(at_least=1), "ssh_keys": each(either(text(at_least=1), integer())), "backups": flag,
        "ipv6": flag, "monitoring": flag, "private_networking": flag, "vpc_uuid": text(pattern=r"[0-9a-f-]{36}"),
        "tags": each(text(pattern=r"[A-Za-z0-9:_-]{1,255}")), "user_data": text(bytes_at_most=64 * 1024),
        "with_droplet_agent": flag, "public_networking": flag, "volumes": each(text()),
    },
)  # fmt: skip

SIZES: Sequence[Document] = tuple(
    {
        "slug": slug, "memory": memory, "vcpus": cpus, "disk": 25, "transfer": 1.0, "price_monthly": monthly,
        "price_hourly": hourly, "regions": regions, "available": True, "description": "Basic",
    }
    for slug, memory, cpus, monthly, hourly, regions in (
        ("s-1vcpu-1gb", 1024, 1, 6.0, 0.00893, ["fra1", "ams3", "nyc3"]),
        ("s-2vcpu-4gb", 4096, 2, 24.0, 0.03571, ["fra1", "ams3", "nyc3"]),
        ("c-2", 4096, 2, 42.0, 0.0625, ["fra1"]),
    )
)  # fmt: skip
REGIONS: Sequence[Document] = tuple(
    {
        "name": name, "slug": slug, "features": ["metadata", "ipv6"], "available": available,
        "sizes": [size["slug"] for size in SIZES if slug in size["regions"]],
    }
    for name, slug, available in (
        ("Frankfurt 1", "fra1", True), ("Amsterdam 3", "ams3", True), ("New York 3", "nyc3", True),
        ("San Francisco 1", "sfo1", False),
    )
)  # fmt: skip


def an_image(number: int, name: str, *, distribution: str, slug: str | None) -> Document:
    """An image as the API describes it: one of DigitalOcean's own where it has a slug, else a snapshot."""
    return {
        "id": number, "name": name, "type": "base" if slug else "snapshot", "distribution": distribution, "slug": slug,
        "public": slug is not None, "regions": [region["slug"] for region in REGIONS],
        "created_at": "2025-09-01T00:00:00Z", "min_disk_size": 10, "size_gigabytes": 0.6, "description": name,
        "tags": [], "status": "available",
    }  # fmt: skip


IMAGES: Sequence[Document] = (
    an_image(155133621, "24.04 (LTS) x64", distribution="Ubuntu", slug="ubuntu-24-04-x64"),
    an_image(187472881, "13 x64", distribution="Debian", slug="debian-13-x64"),
)

VPCS: Sequence[Document] = tuple(
    {
        "id": key, "urn": f"do:vpc:{key}", "name": name, "description": "", "region": region, "default": default,
        "ip_range": "10.114.0.0/20", "created_at": "2025-03-13T19:20:47.442049222Z",
    }
    for key, name, region, default in (
        (DEFAULT_VPC, "default-fra1", "fra1", True), (NEW_YORK_VPC, "workers", "nyc3", False),
    )
)  # fmt: skip
KEYS: Sequence[Document] = (
    {
        "id": 289794,
        "fingerprint": FINGERPRINT,
        "public_key": "ssh-rsa AEXAMPLEaC1yc2EAAAADAQABAAAAQQ ops",
        "name": "ops",
    },
)
LEFT_OUT = tuple(
    Deviation(
        method="GET", path=path, says=NOT_DESCRIBED, why="in the description; that at hand is cut to less"
    )
    for path in ("/v2/account", "/v2/vpcs")
)


def no(status: int, code: str, message: str) -> Answer:
    """A refusal, as the API words all of them."""
    body = {"id": code, "message": message, "request_id": "4d9d8375-3c56-4925-a3e7-eb137fed17e9"}
    return Answer(status=status, body=body)


def wrong(found: Sequence[Problem]) -> Answer:
    """One sentence, for the first field that is at fault."""
    return no(422, "unprocessable_entity", f"{found[0].place or 'body'} {found[0].says}")


LIMIT = no(422, "unprocessable_entity", "creating this/these droplet(s) will exceed your droplet limit")
REFUSALS = Refusals(
    quota=LIMIT,
    capacity=no(422, "unprocessable_entity", "Size is not available in this region."),
    rejected=no(422, "unprocessable_entity", "You specified an invalid image for Droplet creation."),
    throttled=no(429, "too_many_requests", "API rate limit exceeded."),
)
VOICE = Voice(
    unauthorized=no(401, "unauthorized", "Unable to authenticate you."),
    not_found=no(404, "not_found", "The resource you were accessing could not be found."),
    wrong_method=no(405, "method_not_allowed", "Method not allowed."),
    malformed=no(400, "bad_request", "error parsing request body."),
    wrong=wrong,
    too_many=REFUSALS.throttled,
)


class DigitalOcean:
    """One account. What tests may turn: `sold_out`, pairs of size and region, and `droplet_limit`."""

    def __init__(
        self, server: CloudServer, machines: Machines, *, own_images: Sequence[Document] = ()
    ) -> None:
        self._server = server
        self._machines = machines
        self._images = (*IMAGES, *own_images)
        self.sold_out: set[tuple[str, str]] = set()
        self.droplet_limit = 1000

    def routes(self) -> tuple[Route, ...]:
        """The paths of the description that stand here."""
        paged = frozenset({"page", "per_page"})
        one = "/v2/droplets/{id}"
        return (
            Route(method="POST", path="/v2/droplets", handler=self.create, kind=Kind.CREATE),
            Route(method="GET", path="/v2/droplets", handler=self.look, kind=Kind.LIST,
                  query=paged | {"tag_name", "name", "type"}),
            Route(method="GET", path=one, handler=self.one),
            Route(method="DELETE", path=one, handler=self.end, kind=Kind.END),
            Route(method="GET", path="/v2/sizes", handler=self._rows("sizes", SIZES), query=paged),
            Route(method="GET", path="/v2/regions", handler=self._rows("regions", REGIONS), query=paged),
            Route(method="GET", path="/v2/images", handler=self._rows("images", self._images), query=paged),
            Route(method="GET", path="/v2/images/{id}", handler=self.image),
            Route(method="GET", path="/v2/account", handler=self.account, kind=Kind.BESIDE),
            Route(method="GET", path="/v2/vpcs", handler=self._rows("vpcs", VPCS), kind=Kind.BESIDE, query=paged),
            Route(method="GET", path="/v2/account/keys", handler=self._rows("ssh_keys", KEYS), kind=Kind.BESIDE,
                  query=paged),
        )  # fmt: skip

    def create(self, asked: Asked) -> Answer:
        order: Document = dict(self._server.read(asked, ORDER))
        size = next((each for each in SIZES if order["size"] == each["slug"]), None)
        if size is None:
            raise Refused(
                no(422, "unprocessable_entity", "You specified an invalid size for Droplet creation.")
            )
        image = self._image(order["image"])
        if image is None:
            raise Refused(REFUSALS.rejected)
        known = [str(row[name]) for row in KEYS for name in ("id", "fingerprint")]
        if any(str(key) not in known for key in order.get("ssh_keys", ())):
            raise Refused(no(422, "unprocessable_entity", "some of the ssh keys are invalid"))
        # Without one the real API chooses; here the first that sells it.
        region = next(
            (each for each in REGIONS if each["slug"] == order.get("region", size["regions"][0])), None
        )
        if region is None:
            raise Refused(
                no(422, "unprocessable_entity", "You specified an invalid region for Droplet creation.")
            )
        if not region["available"]:
            raise Refused(no(422, "unprocessable_entity", "Region is not available"))
        vpc = next((each for each in VPCS if each["id"] == order.get("vpc_uuid", DEFAULT_VPC)), None)
        if vpc is None or ("vpc_uuid" in order and vpc["region"] != region["slug"]):
            raise Refused(no(422, "unprocessable_entity", "VPC is not valid for this region"))
        with self._machines.deciding:
            if len(self._machines.standing()) >= self.droplet_limit:
                raise Refused(LIMIT)
            if region["slug"] not in size["regions"] or (size["slug"], region["slug"]) in self.sold_out:
                raise Refused(REFUSALS.capacity)
            body = _droplet(order, size=size, image=image, region=region, at=self._machines.clock.now())
            machine = self._machines.make(
                order["name"], user_data=(order.get("user_data") or "").encode(), body=body
            )
        action = {"id": int(machine.key) + 7, "rel": "create", "href": f"{self._server.url}/v2/actions/7"}
        return Answer(status=202, body={"droplet": self._told(machine), "links": {"actions": [action]}})

    def look(self, asked: Asked) -> Answer:
        tag, name = asked.parameter("tag_name"), asked.parameter("name")
        if tag and name:
            raise Refused(no(400, "bad_request", "tag_name cannot be combined with name"))
        rows = [self._told(machine) for machine in self._machines.listed()]
        # Tags are told apart whatever the case of their letters.
        rows = [
            row
            for row in rows
            if (not tag or tag.lower() in [each.lower() for each in row["tags"]])
            and name in {"", row["name"]}
        ]
        return self._page(asked, "droplets", rows)

    def one(self, asked: Asked) -> Answer:
        return Answer(body={"droplet": self._told(self._find(asked))})

    def end(self, asked: Asked) -> Answer:
        machine = self._find(asked)
        if machine.end_asked_at is not None:
            raise Refused(no(422, "unprocessable_entity", "Droplet already has a pending event."))
        self._machines.end(machine)
        return Answer(status=204, headers={"Content-Type": "application/json"})

    def account(self, _: Asked) -> Answer:
        told = {
            "droplet_limit": self.droplet_limit, "floating_ip_limit": 5, "email": "ops@example.com", "name": "Ops",
            "uuid": "b6fr89dbf6d9156cace5f3c78dc9851d957381ef", "email_verified": True, "status": "active",
            "status_message": "", "team": {"uuid": "5df3e3004a17e242b7c20ca6c9fc25b701a47ece", "name": "Ops"},
        }  # fmt: skip
        return Answer(body={"account": told})

    def image(self, asked: Asked) -> Answer:
        found = self._image(asked.places["id"])
        if found is None:
            raise Refused(VOICE.not_found)
        return Answer(body={"image": found})

    def _image(self, wanted: object) -> Document | None:
        return next((each for each in self._images if str(wanted) in {str(each["id"]), each["slug"]}), None)

    def _find(self, asked: Asked) -> Machine:
        machine = self._machines.find(asked.places["id"])
        if machine is None:
            raise Refused(VOICE.not_found)
        return machine

    def _told(self, machine: Machine) -> Document:
        tagged = self._machines.clock.now() >= machine.made_at + TAG_LAG_S
        return {
            **machine.body,
            "id": int(machine.key),
            "status": WORDS[self._machines.stage(machine)],
            "tags": machine.body["tags"] if tagged else [],
        }

    def _rows(self, name: str, rows: Sequence[Document]) -> Handler:
        return lambda asked: self._page(asked, name, rows)

    def _page(self, asked: Asked, name: str, rows: Sequence[Document]) -> Answer:
        number, size = asked.parameter("page"), asked.parameter("per_page")
        try:
            page = paging.numbered(
                rows, number=number, size=size, names=("page", "per_page"), default=20, most=200
            )
        except paging.BadPage as bad:
            raise Refused(no(422, "unprocessable_entity", str(bad))) from None
        near = {"first": 1, "prev": page.previous} if page.previous else {}
        near |= {"next": page.next, "last": page.last} if page.next else {}
        url = f"{self._server.url}{asked.path}?per_page={page.size}&page="
        links = {"pages": {rel: f"{url}{at}" for rel, at in near.items()}} if near else {}
        shown = list(page.rows[: -1 if asked.cut else None])
        return Answer(body={name: shown, "links": links, "meta": {"total": page.total}})


def _droplet(order: Document, *, size: Document, image: Document, region: Document, at: float) -> Document:
    """A droplet as the API describes it, without what changes later."""
    v4 = {"ip_address": "203.0.113.7", "netmask": "255.255.240.0", "gateway": "203.0.113.1", "type": "public"}
    return {
        "id": 0, "name": order["name"], "memory": size["memory"], "vcpus": size["vcpus"], "disk": size["disk"],
        "locked": False, "status": "new", "kernel": None,
        "created_at": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "features": [],
        "backup_ids": [], "next_backup_window": None, "snapshot_ids": [], "image": image, "volume_ids": [],
        "size": size, "size_slug": size["slug"], "networks": {"v4": [v4], "v6": []}, "region": region,
        "tags": list(order.get("tags") or []), "vpc_uuid": order.get("vpc_uuid") or DEFAULT_VPC,
    }  # fmt: skip


@contextmanager
def serving(
    habits: Habits | None = None,
    *,
    requests_an_hour: int = 5000,
    hardware: Hardware | None = None,
    own_images: Sequence[Document] = (),
) -> Iterator[Cloud]:
    """An account on a free port, with images of its own; `hardware` is what its droplets run on."""
    clock = Clock()
    machines = Machines(
        clock, habits or Habits(), new_key=lambda number: str(3_164_000 + number), hardware=hardware
    )
    names = RateNames(limit="ratelimit-limit", remaining="ratelimit-remaining", reset="ratelimit-reset")
    server = CloudServer(
        routes=(),
        voice=VOICE,
        guard=guards.bearer(TOKEN),
        limit=RateLimit(requests=requests_an_hour, window_s=3600, names=names, now=clock.now),
    )
    api = DigitalOcean(server, machines, own_images=own_images)
    server.routes = api.routes()
    with running(server):
        yield Cloud(
            server=server,
            machines=machines,
            refusals=REFUSALS,
            descriptions={"/v2": "digitalocean"},
            deviations=LEFT_OUT,
            api=api,
        )
