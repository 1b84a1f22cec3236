"""UpCloud as a libcloud driver, API 1.3: servers with user data and labels, plans, zones, templates.

Written from the API's reference (developers.upcloud.com/1.3) and its generated client, as of 2026; libcloud's own
driver speaks 1.2, which has no user data. Basic authentication or a token, JSON, pages by offset. In go libcloud's
arguments, out come its objects. What never happens here: a retry, a wait for a state, a request beyond those that a
method names, or a page left out in silence.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from libcloud.common.base import ConnectionKey, JsonResponse
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.base import Node, NodeDriver, NodeImage, NodeLocation, NodeSize, StorageVolume
from libcloud.compute.types import NodeState

PER_PAGE = 100
PAGES_MAX = 200
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class UpCloudError(BaseHTTPError):
    """A refusal in the API's words. `error_code` is for machines (`SERVER_STATE_ILLEGAL`)."""

    def __init__(self, status: int, error_code: str, message: str, headers: Any = None) -> None:
        super().__init__(status, f"{error_code}: {message}", headers)
        self.error_code = error_code


class UpCloudResponse(JsonResponse):
    """An answer of the API; a refusal becomes the exception that fits it."""

    def success(self) -> bool:
        return 200 <= int(self.status) < 300

    def parse_error(self) -> Any:
        """The message for libcloud's own exception, where none of ours says more."""
        try:
            error = self.parse_body()["error"]
            # Some statuses are described with the shorter names; what is answered has been seen with the longer ones.
            code = str(error.get("error_code") or error["code"])
            message = str(error.get("error_message") or error["message"])
        except (MalformedResponseError, LookupError, TypeError, AttributeError):
            return f"{self.status} {self.error}"
        if self.status == 401:
            raise InvalidCredsError(f"{code}: {message}", driver=self.connection.driver)  # type: ignore[union-attr]
        if self.status == 429:
            return f"{code}: {message}"  # libcloud makes RateLimitReachedError of the status
        raise UpCloudError(self.status, code, message, self.headers)


class UpCloudConnection(ConnectionKey):
    """HTTPS; the key is what the header `Authorization` holds."""

    host = "api.upcloud.com"
    responseCls = UpCloudResponse

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        headers["Authorization"] = self.key
        headers["Content-Type"] = "application/json"
        headers["Accept"] = "application/json"
        return headers


class UpCloudNodeDriver(NodeDriver):
    """One account at UpCloud: a token, or a name and password of an API user.

    Plans and zones go by their names (`1xCPU-1GB`, `fi-hel1`), templates and networks by UUID.
    """

    connectionCls = UpCloudConnection
    connection: Any
    type = "upcloud"
    api_name = "upcloud"
    name = "UpCloud"
    website = "https://www.upcloud.com"
    NODE_STATE_MAP = {
        "started": NodeState.RUNNING,
        "stopped": NodeState.STOPPED,
        "maintenance": NodeState.PENDING,
        "error": NodeState.ERROR,
        "pending_delete": NodeState.TERMINATED,
    }

    def __init__(self, key: str = "", secret: str = "", *, token: str = "", **kwargs: Any) -> None:
        if token:
            authorization = f"Bearer {token}"
        elif key and secret:
            authorization = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        else:
            raise ValueError("a token is needed, or a username with its password")
        super().__init__(authorization, **kwargs)

    # Looking

    def list_nodes(self, ex_label: str = "") -> list[Node]:
        """Every server of the account, or those with a label (`key` or `key=value`).

        Each page but the first begins with the last row of the one before: where it does not, a server moved, and the
        answers show it to whoever compares them.
        """
        params = {"label": ex_label} if ex_label else {}
        return [self._to_node(row) for row in self._walk("/1.3/server", "servers", "server", params)]

    def ex_get_node(self, node_id: str) -> Node:
        """One server by its UUID."""
        return self._to_node(self._get(f"/1.3/server/{_uuid(node_id)}")["server"])

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """Plans, which are the same in all zones; the API tells their prices elsewhere, in credits."""
        return [self._to_size(row) for row in self._get("/1.3/plan")["plans"]["plan"]]

    def list_locations(self) -> list[NodeLocation]:
        """Zones; the first part of a zone's id is its country, `uk` for GB."""
        rows = self._get("/1.3/zone")["zones"]["zone"]
        return [
            NodeLocation(id=row["id"], name=row["description"], country=row["id"][:2].upper(), driver=self)
            for row in rows
        ]

    def list_images(self, location: NodeLocation | None = None) -> list[NodeImage]:
        """Templates: UpCloud's own and the account's."""
        rows = self._walk("/1.3/storage/template", "storages", "storage", {})
        return [
            NodeImage(
                id=row["uuid"],
                name=row["title"],
                driver=self,
                extra={name: row.get(name) for name in ("size", "state", "template_type", "access")},
            )
            for row in rows
        ]

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
        ex_labels: Mapping[str, str] | None = None,
        ex_ssh_keys: Iterable[str] = (),
        ex_networks: Iterable[str] = (),
        ex_public: bool = True,
        ex_disk_size: str = "",
        ex_disk_tier: str = "",
        ex_server_group: str = "",
    ) -> Node:
        """Order one server that starts by itself, in one request.

        Its disk is a copy of the template. Networks (of type private) and the server group go by UUID; without any and
        with `ex_public` it has what the API gives: public IPv4 and IPv6, and a utility address.
        """
        if location is None:
            raise LibcloudError("a server needs a zone", driver=self)
        if auth is not None:
            raise LibcloudError("give public keys in ex_ssh_keys instead of auth", driver=self)
        disk: dict[str, Any] = {"action": "clone", "storage": _uuid(image.id), "title": f"{name}-disk"}
        disk |= {"size": int(ex_disk_size)} if ex_disk_size else {}
        disk |= {"tier": ex_disk_tier} if ex_disk_tier else {}
        keys, networks = list(ex_ssh_keys), list(ex_networks)
        login: dict[str, Any] = {"create_password": "no"}
        server: dict[str, Any] = {
            "hostname": name,
            "title": name,
            "zone": location.id,
            "plan": size.id,
            # Without the metadata service cloud-init has nothing to read its user data from.
            "metadata": "yes",
            "password_delivery": "none",
            "login_user": login | ({"ssh_keys": {"ssh_key": keys}} if keys else {}),
            "storage_devices": {"storage_device": [disk]},
        }
        optional: dict[str, Any] = {
            "user_data": ex_userdata,
            "server_group": _uuid(ex_server_group) if ex_server_group else "",
        }
        server |= {key: value for key, value in optional.items() if value}
        if ex_labels:
            labels = [{"key": key, "value": said} for key, said in ex_labels.items()]
            server["labels"] = {"label": labels}
            # Whoever deletes the server and not its disk leaves one that can be told from others.
            disk["labels"] = labels
        if networks or not ex_public:
            server["networking"] = {"interfaces": {"interface": _interfaces(networks, public=ex_public)}}
        return self._to_node(self._send("POST", "/1.3/server", {"server": server})["server"])

    def destroy_node(self, node: Node) -> bool:
        """Stop a server at once; delete one that is stopped, with its disks and their backups.

        Only a stopped one can be deleted, and stopping takes its time: whoever wants a server gone asks until it is.
        """
        path = f"/1.3/server/{_uuid(node.id)}"
        state = node.extra["state"]
        if state not in {"stopped", "error"}:
            answer = self._send("POST", f"{path}/stop", {"stop_server": {"stop_type": "hard"}})
            state = answer["server"]["state"]
        if state in {"stopped", "error"}:
            # Disks that outlive their server are billed on, and so are backups.
            self.connection.request(path, method="DELETE", params={"storages": "1", "backups": "delete"})
        return True

    def list_volumes(self, ex_label: str = "") -> list[StorageVolume]:
        """Every storage of the account that has this label (`key` or `key=value`), backups too."""
        params = {"label": ex_label} if ex_label else {}
        return [
            StorageVolume(
                id=_uuid(row["uuid"]),
                name=row["title"],
                size=row["size"],
                driver=self,
                extra={
                    "state": f"{row['type']} {row['state']}",
                    "labels": row.get("labels") or [],
                    "created": row.get("created"),
                    "zone": row.get("zone"),
                },
            )
            for row in self._walk("/1.3/storage", "storages", "storage", params)
        ]

    def ex_servers_of(self, volume: StorageVolume) -> list[str]:
        """UUIDs of the servers that a storage is attached to, which no listing says."""
        servers = self._get(f"/1.3/storage/{_uuid(volume.id)}")["storage"]["servers"]["server"]
        return [str(each) for each in servers]

    def destroy_volume(self, volume: StorageVolume) -> bool:
        """Delete a storage that is attached to nothing. Its backups stay."""
        self.connection.request(f"/1.3/storage/{_uuid(volume.id)}", method="DELETE")
        return True

    # Over the wire

    def _get(self, path: str, params: Mapping[str, object] | None = None) -> Any:
        return self.connection.request(path, params=dict(params or {})).object

    def _send(self, method: str, path: str, data: Mapping[str, Any]) -> Any:
        return self.connection.request(path, method=method, data=json.dumps(data)).object

    def _walk(self, path: str, rows_in: str, row_in: str, params: Mapping[str, str]) -> list[Any]:
        """The rows of all pages. Raises LibcloudError where the pages never end.

        How long a page may be at most is not documented: the last one is the one that brings nothing new.
        """
        rows: list[Any] = []
        for _ in range(PAGES_MAX):
            at = max(0, len(rows) - 1)
            page = self._get(path, {**params, "limit": PER_PAGE, "offset": at})[rows_in][row_in]
            new = page[1:] if rows else page
            rows += new
            if not new:
                return rows
        raise LibcloudError(f"{path} has more than {PAGES_MAX} pages", driver=self)

    # From the API's objects to libcloud's

    def _to_node(self, row: Mapping[str, Any]) -> Node:
        addresses = (row.get("ip_addresses") or {}).get("ip_address") or []
        return Node(
            id=_uuid(row["uuid"]),
            name=row["hostname"],
            state=self.NODE_STATE_MAP.get(row["state"], NodeState.UNKNOWN),
            public_ips=[each["address"] for each in addresses if each.get("access") == "public"],
            private_ips=[each["address"] for each in addresses if each.get("access") != "public"],
            driver=self,
            created_at=datetime.fromtimestamp(row["created"], UTC),
            extra={
                "state": row["state"],
                "zone": row["zone"],
                "plan": row.get("plan"),
                "title": row["title"],
            },
        )

    def _to_size(self, row: Mapping[str, Any]) -> NodeSize:
        return NodeSize(
            id=row["name"],
            name=row["name"],
            ram=row["memory_amount"],
            disk=row.get("storage_size", 0),
            bandwidth=row.get("public_traffic_out"),
            price=0.0,
            driver=self,
            extra={
                "vcpus": row["core_number"],
                "storage_tier": row.get("storage_tier"),
                "family": row["family"],
            },
        )


def _uuid(value: Any) -> str:
    """A UUID of the API's. Raises ValueError before anything else would stand in a path."""
    if not isinstance(value, str) or not UUID.fullmatch(value):
        raise ValueError(f"{value!r} is no id: UpCloud's are UUIDs in small letters")
    return value


def _interfaces(networks: Iterable[str], *, public: bool) -> list[dict[str, Any]]:
    def one(kind: str, family: str) -> dict[str, Any]:
        return {"type": kind, "ip_addresses": {"ip_address": [{"family": family}]}}

    outside = [one("public", "IPv4"), one("public", "IPv6")] if public else []
    private = [{**one("private", "IPv4"), "network": _uuid(each)} for each in networks]
    return [*outside, one("utility", "IPv4"), *private]
