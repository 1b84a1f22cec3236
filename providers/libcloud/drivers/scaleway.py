"""Scaleway Instances as a libcloud driver, API v1: one zone of one project, user data, an end that takes volumes along.

Written from the API's reference (scaleway.com/en/developers/api/instances) and its SDK, as of 2026; libcloud's own
driver speaks to hosts that are gone and has no user data. A secret key, JSON, counted pages with a total in a header.
In go libcloud's arguments, out come its objects. What never happens here: a retry, a wait, a start of a server without
the user data that was given for it, or a page left out in silence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from libcloud.common.base import ConnectionKey, JsonResponse
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.base import Node, NodeDriver, NodeImage, NodeLocation, NodeSize, StorageVolume
from libcloud.compute.types import NodeState
from libcloud.utils.iso8601 import parse_date

PER_PAGE = 100
PAGES_MAX = 200
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LOCAL = frozenset({"l_ssd", "scratch"})
"""Kinds of volumes that go with a server that is terminated; all others are detached then."""
BLOCK = "sbs_volume"
ZONE = re.compile(r"[a-z]{2}-[a-z]{3}-[0-9]")


class ScalewayError(BaseHTTPError):
    """A refusal in the API's words. `error_code` is for machines (`quotas_exceeded`)."""

    def __init__(self, status: int, error_code: str, message: str, headers: Any = None) -> None:
        super().__init__(status, f"{error_code}: {message}", headers)
        self.error_code = error_code


class ScalewayResponse(JsonResponse):
    """An answer of the API; a refusal becomes the exception that fits it."""

    def success(self) -> bool:
        return 200 <= int(self.status) < 300

    def parse_error(self) -> Any:
        """The message for libcloud's own exception, where none of ours says more."""
        try:
            error = self.parse_body()
            code, message = str(error["type"]), str(error.get("message", ""))
        except (MalformedResponseError, LookupError, TypeError, AttributeError):
            return f"{self.status} {self.error}"
        if self.status == 401:
            raise InvalidCredsError(f"{code}: {message}", driver=self.connection.driver)  # type: ignore[union-attr]
        if self.status == 429:
            return f"{code}: {message}"  # libcloud makes RateLimitReachedError of the status
        raise ScalewayError(self.status, code, message, self.headers)


class ScalewayConnection(ConnectionKey):
    """HTTPS with a secret key."""

    host = "api.scaleway.com"
    responseCls = ScalewayResponse

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        headers["X-Auth-Token"] = self.key
        headers.setdefault("Content-Type", "application/json")
        return headers


class ScalewayNodeDriver(NodeDriver):
    """One zone of one project; `key` is the secret of an API key. Images, groups and volumes go by UUID."""

    connectionCls = ScalewayConnection
    connection: Any
    type = "scaleway"
    api_name = "scaleway"
    name = "Scaleway"
    website = "https://www.scaleway.com"
    NODE_STATE_MAP = {
        "running": NodeState.RUNNING,
        "starting": NodeState.STARTING,
        "stopping": NodeState.STOPPING,
        "stopped": NodeState.STOPPED,
        "stopped in place": NodeState.SUSPENDED,
        "locked": NodeState.ERROR,
    }

    def __init__(self, key: str, *, zone: str, project: str, **kwargs: Any) -> None:
        if not ZONE.fullmatch(zone):
            raise ValueError("a zone is like fr-par-1")
        super().__init__(key, **kwargs)
        self.zone, self.project = zone, project
        self.path = f"/instance/v1/zones/{zone}"
        # Block volumes are another product's, with an API of its own.
        self.block_path = f"/block/v1/zones/{zone}"

    # Looking

    def list_nodes(self, ex_tags: str = "") -> list[Node]:
        """Every server of the project in the zone, or those that bear all of these tags (joined by commas)."""
        # The newest first, which is also what it does unasked: what ends and what is made between two pages then hides
        # no older server behind their seam.
        params = {"project": self.project, "order": "creation_date_desc"} | (
            {"tags": ex_tags} if ex_tags else {}
        )
        return [self._to_node(row) for row in self._walk(f"{self.path}/servers", params)]

    def ex_get_node(self, node_id: str) -> Node:
        """One server by its UUID."""
        return self._to_node(self._get(f"{self.path}/servers/{_uuid(node_id)}")["server"])

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """What the zone sells; of another zone than the driver's own nothing is known. `price` is in euros an hour."""
        if location is not None and location.id != self.zone:
            return []
        sizes: list[NodeSize] = []
        for page in range(1, PAGES_MAX + 1):
            params = {"per_page": PER_PAGE, "page": page}
            rows = self._get(f"{self.path}/products/servers", params)["servers"]
            sizes += [self._to_size(name, row) for name, row in rows.items()]
            if len(rows) < PER_PAGE:
                break
        return sizes

    def list_locations(self) -> list[NodeLocation]:
        """The driver's own zone, whose name begins with its country."""
        return [NodeLocation(id=self.zone, name=self.zone, country=self.zone[:2].upper(), driver=self)]

    def get_image(self, image_id: str) -> NodeImage:
        """One image of the zone by its UUID."""
        row = self._get(f"{self.path}/images/{_uuid(image_id)}")["image"]
        return NodeImage(id=row["id"], name=row["name"], driver=self, extra={"arch": row.get("arch")})

    # Doing

    def create_node(
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: Any = None,
        *,
        ex_userdata: str = "",
        ex_tags: Iterable[str] = (),
        ex_public: bool = True,
        ex_security_group: str = "",
        ex_placement_group: str = "",
    ) -> Node:
        """Order a server, give it its user data, start it, and look at it.

        The order makes it, stopped, with its disk, which is billed from then on. Where a later step fails the error is
        raised and the server is left as it is, to be found by its tags: never started without its user data. With
        `ex_public` it has an address of its own for as long as it runs; none that outlives it is ever reserved.
        """
        if location is not None and location.id != self.zone:
            raise LibcloudError(f"this account is in {self.zone}, and not in {location.id}", driver=self)
        if auth is not None:
            raise LibcloudError("keys of the project are put on servers by themselves", driver=self)
        order: dict[str, Any] = {
            "name": name,
            "commercial_type": size.id,
            "image": _uuid(image.id),
            "project": self.project,
            "tags": list(ex_tags),
            "dynamic_ip_required": ex_public,
        }
        groups = {"security_group": ex_security_group, "placement_group": ex_placement_group}
        order |= {key: _uuid(value) for key, value in groups.items() if value}
        node_id = _uuid(self._send("POST", f"{self.path}/servers", order)["server"]["id"])
        if ex_userdata:
            self.connection.request(
                f"{self.path}/servers/{node_id}/user_data/cloud-init",
                method="PATCH",
                data=ex_userdata.encode(),
                headers={"Content-Type": "text/plain"},
            )
        self._act(node_id, "poweron")
        return self.ex_get_node(node_id)

    def destroy_node(self, node: Node) -> bool:
        """End a server with its volumes.

        One that runs is terminated where all its volumes are local, for only these go with it: block volumes would be
        detached and billed on. With such it is switched off first, and whoever wants it gone asks again. One that is
        stopped is deleted, and its volumes after it, one by one; they get its tags before, so that one which stays is
        found by them.
        """
        node_id = _uuid(node.id)
        volumes = [(_uuid(each), kind) for each, kind in node.extra["volumes"]]
        if node.extra["state"] != "stopped":
            self._act(node_id, "terminate" if all(kind in LOCAL for _, kind in volumes) else "poweroff")
            return True
        tags = json.dumps({"tags": node.extra["tags"]})
        for volume, kind in volumes:
            self._about_volume("PATCH", volume, kind, tags)
        self.connection.request(f"{self.path}/servers/{node_id}", method="DELETE")
        for volume, kind in volumes:
            self._about_volume("DELETE", volume, kind)
        return True

    def list_volumes(self, ex_tag: str = "", ex_block: bool = False) -> list[StorageVolume]:
        """Every local volume of the project in the zone, or every block volume; those that bear that tag."""
        tagged = {"tags": ex_tag} if ex_tag else {}
        if ex_block:
            params = {"project_id": self.project, **tagged}
            rows = self._walk(f"{self.block_path}/volumes", params, "volumes", "page_size")
            return [self._to_block_volume(row) for row in rows]
        rows = self._walk(f"{self.path}/volumes", {"project": self.project, **tagged}, "volumes")
        return [self._to_volume(row) for row in rows]

    def destroy_volume(self, volume: StorageVolume) -> bool:
        """Delete a volume that is attached to nothing."""
        kind = (volume.extra or {}).get("volume_type", "")
        self._about_volume("DELETE", _uuid(volume.id), kind)
        return True

    # Over the wire

    def _about_volume(self, method: str, volume: str, kind: str, data: str | None = None) -> None:
        """Ask this of a volume, if it is there."""
        path = self.block_path if kind == BLOCK else self.path
        try:
            self.connection.request(f"{path}/volumes/{volume}", method=method, data=data)
        except ScalewayError as trouble:
            if trouble.code != 404:
                raise

    def _get(self, path: str, params: Mapping[str, object] | None = None) -> Any:
        return self.connection.request(path, params=dict(params or {})).object

    def _send(self, method: str, path: str, data: Mapping[str, Any]) -> Any:
        return self.connection.request(path, method=method, data=json.dumps(data)).object

    def _act(self, node_id: str, action: str) -> None:
        self._send("POST", f"{self.path}/servers/{node_id}/action", {"action": action})

    def _walk(
        self, path: str, params: Mapping[str, str], rows_in: str = "servers", size_in: str = "per_page"
    ) -> list[Any]:
        """The rows of all pages. Raises LibcloudError where the pages never end."""
        rows: list[Any] = []
        for page in range(1, PAGES_MAX + 1):
            found = self._get(path, {**params, size_in: PER_PAGE, "page": page})[rows_in]
            rows += found
            if len(found) < PER_PAGE:
                return rows
        raise LibcloudError(f"{path} has more than {PAGES_MAX} pages", driver=self)

    # From the API's objects to libcloud's

    def _to_node(self, row: Mapping[str, Any]) -> Node:
        public = [row.get("public_ip"), *(row.get("public_ips") or ())]
        addresses = dict.fromkeys(each["address"] for each in public if each and each.get("address"))
        volumes = (row.get("volumes") or {}).values()
        return Node(
            id=_uuid(row["id"]),
            name=row["name"],
            state=self.NODE_STATE_MAP.get(row["state"], NodeState.UNKNOWN),
            public_ips=[*addresses],
            private_ips=[*filter(None, (row.get("private_ip"),))],
            driver=self,
            created_at=parse_date(row["creation_date"]),
            extra={
                "state": row["state"],
                "tags": row["tags"],
                "commercial_type": row["commercial_type"],
                "zone": row.get("zone", self.zone),
                "volumes": [(each["id"], each.get("volume_type", "")) for each in volumes],
            },
        )

    def _to_volume(self, row: Mapping[str, Any]) -> StorageVolume:
        extra = {
            "volume_type": row["volume_type"],
            "state": row["state"],
            "tags": row.get("tags") or [],
            "attached": row.get("server"),
            "created": row.get("creation_date"),
            "zone": row.get("zone", self.zone),
        }
        return StorageVolume(_uuid(row["id"]), row["name"], row["size"] // 10**9, self, extra=extra)

    def _to_block_volume(self, row: Mapping[str, Any]) -> StorageVolume:
        extra = {
            "volume_type": BLOCK,
            "state": row["status"],
            "tags": row.get("tags") or [],
            "attached": row.get("references"),
            "created": row.get("created_at"),
            "zone": row.get("zone", self.zone),
        }
        return StorageVolume(_uuid(row["id"]), row["name"], row["size"] // 10**9, self, extra=extra)

    def _to_size(self, name: str, row: Mapping[str, Any]) -> NodeSize:
        return NodeSize(
            id=name,
            name=name,
            ram=row["ram"] // 2**20,
            disk=(row.get("volumes_constraint") or {}).get("min_size", 0) // 10**9,
            bandwidth=None,
            price=float(row["hourly_price"]),
            driver=self,
            extra={"vcpus": row["ncpus"], "arch": row.get("arch")},
        )


def _uuid(value: Any) -> str:
    """A UUID of the API's. Raises ValueError before anything else would stand in a path."""
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise ValueError(f"{value!r} is no id: Scaleway's are UUIDs in small letters")
    return value
