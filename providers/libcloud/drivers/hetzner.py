"""Hetzner Cloud as a libcloud driver: servers with all that they can be ordered with, sizes, locations, images, keys.

Written from the API's reference (docs.hetzner.cloud/reference/cloud, read in 2026): bearer token, JSON, numbered
pages of at most 50 rows, asynchronous actions, 3600 requests an hour and project that refill one a second. In go
libcloud's arguments, out come its objects. What never happens here: a retry, a wait for an action, a request beyond the
one that a method is for, or a page left out in silence.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from libcloud.common.base import ConnectionKey, JsonResponse
from libcloud.common.exceptions import BaseHTTPError
from libcloud.common.types import InvalidCredsError, LibcloudError, MalformedResponseError
from libcloud.compute.base import KeyPair, Node, NodeDriver, NodeImage, NodeLocation, NodeSize
from libcloud.compute.providers import get_driver, set_driver
from libcloud.compute.types import NodeState
from libcloud.utils.iso8601 import parse_date

NAME = "hetzner"
PER_PAGE = 50
"""The most that the API gives."""
PAGES_MAX = 1000
"""A listing that goes on past 50,000 rows never ends."""


class HetznerError(BaseHTTPError):
    """A refusal in the API's words. `error_code` is for machines (`uniqueness_error`), `details` depends on it."""

    def __init__(
        self, status: int, error_code: str, message: str, details: object = None, headers: Any = None
    ) -> None:
        super().__init__(status, f"{error_code}: {message}", headers)
        self.error_code = error_code
        self.details = details


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """What the last answer said of the requests that are left in this project."""

    limit: int
    """An hour."""
    remaining: int
    reset_at: float
    """When all are there again, in epoch seconds."""


class HetznerResponse(JsonResponse):
    """An answer of the API; an empty body is none, and a refusal becomes the exception that fits it."""

    def __init__(self, response: Any, connection: Any) -> None:
        connection.rate_limit = _rate_limit(response.headers) or connection.rate_limit
        super().__init__(response=response, connection=connection)

    def success(self) -> bool:
        return 200 <= int(self.status) < 300

    def parse_error(self) -> Any:
        """The message for libcloud's own exception, where none of ours says more."""
        try:
            error = self.parse_body()["error"]
            code, message = str(error["code"]), str(error["message"])
        except (MalformedResponseError, LookupError, TypeError):
            return f"{self.status} {self.error}"
        if self.status == 401:
            raise InvalidCredsError(f"{code}: {message}", driver=self.connection.driver)  # type: ignore[union-attr]
        if self.status == 429:
            return f"{code}: {message}"  # libcloud makes RateLimitReachedError of the status
        raise HetznerError(self.status, code, message, error.get("details"), self.headers)


class HetznerConnection(ConnectionKey):
    """HTTPS with a project's token."""

    host = "api.hetzner.cloud"
    responseCls = HetznerResponse
    rate_limit: RateLimit | None = None

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        headers["Authorization"] = f"Bearer {self.key}"
        headers["Content-Type"] = "application/json"
        return headers


class HetznerNodeDriver(NodeDriver):
    """One project at Hetzner Cloud; `key` is a token of it.

    Sizes, locations and system images go by their names (`cx22`, `fsn1`, `debian-12`), which the API takes wherever it
    takes ids; snapshots have no names and go by their ids.
    """

    connectionCls = HetznerConnection
    connection: Any
    type = NAME
    api_name = NAME
    name = "Hetzner Cloud"
    website = "https://www.hetzner.com/cloud"
    features = {"create_node": ["ssh_key", "generates_password"]}
    NODE_STATE_MAP = {
        "initializing": NodeState.PENDING,
        "starting": NodeState.STARTING,
        "running": NodeState.RUNNING,
        "stopping": NodeState.STOPPING,
        "off": NodeState.STOPPED,
        "deleting": NodeState.TERMINATED,
        "migrating": NodeState.MIGRATING,
        "rebuilding": NodeState.RECONFIGURING,
        "unknown": NodeState.UNKNOWN,
    }

    def __init__(self, key: str, **kwargs: Any) -> None:
        super().__init__(key, **kwargs)

    # Looking

    def list_nodes(self, ex_label_selector: str = "", ex_name: str = "") -> list[Node]:
        """Every server of the project, or those that a label selector (`env=production,!canary`) or a name picks."""
        # The newest first: what ends and what is made between two pages then hides no older server behind their seam.
        params = {"label_selector": ex_label_selector, "name": ex_name, "sort": "id:desc"}
        return [self._to_node(row) for row in self._walk("/v1/servers", "servers", params)]

    def ex_get_node(self, node_id: str) -> Node:
        """One server by its id."""
        return self._to_node(self._get(f"/v1/servers/{_number(node_id)}")["server"])

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """Server types. With a location: those that are sold there, at its prices; without: at their lowest prices.

        `price` is net, an hour, in the currency of the project's owner; `extra["prices"]` has all of them as they came.
        """
        sizes = (
            self._to_size(row, location.name if location else "")
            for row in self._walk("/v1/server_types", "server_types")
        )
        return [size for size in sizes if size]

    def list_locations(self) -> list[NodeLocation]:
        """Where servers can stand; `country` is an ISO 3166-1 alpha-2 code, as the API says it."""
        return [self._to_location(row) for row in self._walk("/v1/locations", "locations")]

    def list_images(
        self, location: NodeLocation | None = None, ex_type: str = "", ex_architecture: str = ""
    ) -> list[NodeImage]:
        """Images of the system, snapshots and backups. They are the same everywhere."""
        params = {"type": ex_type, "architecture": ex_architecture}
        return [self._to_image(row) for row in self._walk("/v1/images", "images", params)]

    def get_image(self, image_id: str) -> NodeImage:
        """One image by its id, or the first of that name; `debian-12` is there once for each architecture."""
        if str(image_id).isdecimal():
            return self._to_image(self._get(f"/v1/images/{image_id}")["image"])
        found = self._walk("/v1/images", "images", {"name": str(image_id)})
        if not found:
            raise HetznerError(404, "not_found", f"no image is named {image_id}")
        return self._to_image(found[0])

    def list_key_pairs(self) -> list[KeyPair]:
        """The project's public SSH keys."""
        return [self._to_key_pair(row) for row in self._walk("/v1/ssh_keys", "ssh_keys")]

    def ex_get_action(self, action_id: str) -> Mapping[str, Any]:
        """How far an asynchronous action is: `status` is `running`, `success` or `error`."""
        action: Mapping[str, Any] = self._get(f"/v1/actions/{_number(action_id)}")["action"]
        return action

    def ex_list_actions(self, node: Node) -> list[Mapping[str, Any]]:
        """All that was done to a server."""
        return list(self._walk(f"/v1/servers/{_number(node.id)}/actions", "actions"))

    # Doing

    def create_node(
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: Any = None,
        *,
        ex_userdata: str | bytes = "",
        ex_labels: Mapping[str, str] | None = None,
        ex_ssh_keys: Iterable[str] = (),
        ex_networks: Iterable[Any] = (),
        ex_firewalls: Iterable[Any] = (),
        ex_placement_group: Any = None,
        ex_volumes: Iterable[Any] = (),
        ex_enable_ipv4: bool = True,
        ex_enable_ipv6: bool = True,
        ex_start_after_create: bool = True,
    ) -> Node:
        """Order one server, in one request. Its name must be none that the project has: `uniqueness_error`.

        User data is handed over as it is, at most 32 KiB of UTF-8. Networks, firewalls, the placement group and volumes
        go by id; SSH keys by id or name. Without `ex_enable_ipv4` no IPv4 address is bought. Addresses that come with a
        server go with it. `extra["password"]` is the root password that is made up where no SSH key is named.
        """
        if auth is not None:
            raise LibcloudError("name keys of the project in ex_ssh_keys instead of auth", driver=self)
        data: dict[str, Any] = {
            "name": name,
            "server_type": size.id,
            "image": image.id,
            "start_after_create": ex_start_after_create,
            "public_net": {"enable_ipv4": ex_enable_ipv4, "enable_ipv6": ex_enable_ipv6},
        }
        optional: dict[str, Any] = {
            "location": location.name if location else None,
            "user_data": ex_userdata.decode() if isinstance(ex_userdata, bytes) else ex_userdata,
            "labels": dict(ex_labels or {}),
            "ssh_keys": [str(each) for each in ex_ssh_keys],
            "networks": [_number(each) for each in ex_networks],
            "firewalls": [{"firewall": _number(each)} for each in ex_firewalls],
            "placement_group": None if ex_placement_group is None else _number(ex_placement_group),
            "volumes": [_number(each) for each in ex_volumes],
        }
        data |= {key: value for key, value in optional.items() if value}
        answer = self._send("POST", "/v1/servers", data)
        node = self._to_node(answer["server"])
        node.extra["action"] = answer["action"]
        if answer.get("root_password"):
            node.extra["password"] = answer["root_password"]
        return node

    def destroy_node(self, node: Node) -> bool:
        """Delete a server, with the addresses and backups that came with it; volumes are detached and stay."""
        self._send("DELETE", f"/v1/servers/{_number(node.id)}")
        return True

    def start_node(self, node: Node) -> bool:
        """Switch it on."""
        return self._act(node, "poweron")

    def stop_node(self, node: Node) -> bool:
        """Pull its plug; it stays billed. `ex_shutdown_node` asks its system first."""
        return self._act(node, "poweroff")

    def ex_shutdown_node(self, node: Node) -> bool:
        """Ask its system to end; it stays billed."""
        return self._act(node, "shutdown")

    def reboot_node(self, node: Node) -> bool:
        """Ask its system to begin anew."""
        return self._act(node, "reboot")

    def ex_update_node(self, node: Node, name: str = "", labels: Mapping[str, str] | None = None) -> Node:
        """Give a server another name, or other labels in place of all it had."""
        data: dict[str, Any] = {"name": name} if name else {}
        data |= {} if labels is None else {"labels": dict(labels)}
        return self._to_node(self._send("PUT", f"/v1/servers/{_number(node.id)}", data)["server"])

    def import_key_pair_from_string(self, name: str, key_material: str) -> KeyPair:
        """Make a public SSH key known to the project."""
        answer = self._send("POST", "/v1/ssh_keys", {"name": name, "public_key": key_material})
        return self._to_key_pair(answer["ssh_key"])

    # Over the wire

    def _get(self, path: str, params: Mapping[str, object] | None = None) -> Any:
        return self.connection.request(path, params=dict(params or {})).object

    def _send(self, method: str, path: str, data: Mapping[str, Any] | None = None) -> Any:
        body = None if data is None else json.dumps(data)
        return self.connection.request(path, method=method, data=body).object

    def _act(self, node: Node, action: str) -> bool:
        self._send("POST", f"/v1/servers/{_number(node.id)}/actions/{action}")
        return True

    def _walk(self, path: str, key: str, params: Mapping[str, str] | None = None) -> list[Any]:
        """The rows of all pages. Raises LibcloudError where a page is missing or the pages never end."""
        picked = {name: value for name, value in (params or {}).items() if value}
        rows: list[Any] = []
        page = 1
        for _ in range(PAGES_MAX):
            answer = self._get(path, {**picked, "page": page, "per_page": PER_PAGE})
            rows += answer[key]
            following = answer["meta"]["pagination"]["next_page"]
            if following is None:
                return rows
            if following != page + 1:
                raise LibcloudError(f"page {page} of {path} is followed by {following}", driver=self)
            page = following
        raise LibcloudError(f"{path} has more than {PAGES_MAX} pages", driver=self)

    # From the API's objects to libcloud's

    def _to_node(self, row: Mapping[str, Any]) -> Node:
        public, location = row["public_net"], row.get("location") or {}
        ipv4, ipv6 = public.get("ipv4") or {}, public.get("ipv6") or {}
        size, image = row["server_type"], row.get("image") or {}
        return Node(
            id=str(row["id"]),
            name=row["name"],
            state=self.NODE_STATE_MAP.get(row["status"], NodeState.UNKNOWN),
            public_ips=[*filter(None, (ipv4.get("ip"), _first_address(ipv6.get("ip"))))],
            private_ips=[each["ip"] for each in row["private_net"] if each.get("ip")],
            driver=self,
            created_at=parse_date(row["created"]),
            extra={
                "status": row["status"],
                "labels": row["labels"],
                "location": location.get("name"),
                "country": location.get("country"),
                "server_type": size["name"],
                "image": image.get("name") or image.get("id"),
                "locked": row["locked"],
                "protection": row["protection"],
                "placement_group": (row.get("placement_group") or {}).get("id"),
                "firewalls": [each.get("id") for each in public.get("firewalls") or ()],
                "volumes": row.get("volumes") or [],
            },
        )

    def _to_size(self, row: Mapping[str, Any], location: str) -> NodeSize | None:
        """The size, at a location's price; None where it is not sold there."""
        prices = {each["location"]: each for each in row["prices"]}
        here = [prices[location]] if location in prices else [] if location else list(prices.values())
        if not here:
            return None
        cheapest = min(here, key=lambda each: float(each["price_hourly"]["net"]))
        return NodeSize(
            id=row["name"],
            name=row["name"],
            ram=int(row["memory"] * 1024),
            disk=int(row["disk"]),
            bandwidth=cheapest.get("included_traffic"),
            price=float(cheapest["price_hourly"]["net"]),
            driver=self,
            extra={
                "id": row["id"],
                "vcpus": row["cores"],
                "architecture": row["architecture"],
                "cpu_type": row["cpu_type"],
                "prices": prices,
                "deprecation": {each["name"]: each["deprecation"] for each in row.get("locations") or ()},
            },
        )

    def _to_location(self, row: Mapping[str, Any]) -> NodeLocation:
        told = {key: row[key] for key in ("id", "city", "network_zone", "description")}
        return NodeLocation(id=row["name"], name=row["name"], country=row["country"], driver=self, extra=told)

    def _to_image(self, row: Mapping[str, Any]) -> NodeImage:
        told = {
            key: row[key] for key in ("type", "status", "architecture", "os_flavor", "deprecated", "labels")
        }
        return NodeImage(id=str(row["id"]), name=row["name"] or row["description"], driver=self, extra=told)

    def _to_key_pair(self, row: Mapping[str, Any]) -> KeyPair:
        return KeyPair(
            name=row["name"],
            public_key=row["public_key"],
            fingerprint=row["fingerprint"],
            driver=self,
            extra={"id": row["id"], "labels": row["labels"]},
        )


def register() -> type[HetznerNodeDriver]:
    """Make the driver known to libcloud as `hetzner`, and return what `get_driver` then gives for it."""
    with contextlib.suppress(AttributeError):  # known already: by us, or to a libcloud that has learnt it
        set_driver(NAME, __name__, HetznerNodeDriver.__name__)  # type: ignore[arg-type]
    return get_driver(NAME)  # type: ignore[return-value]


def _number(value: Any) -> int:
    """The id of an object, or an id; the API takes numbers only. Raises ValueError before anything is sent."""
    found = str(getattr(value, "id", value))
    if not (found.isascii() and found.isdecimal()):
        raise ValueError(f"{found!r} is no id: Hetzner Cloud's are numbers")
    return int(found)


def _first_address(network: str | None) -> str | None:
    """Of the network that a server gets, the address that its image gives itself."""
    return None if not network else str(ipaddress.ip_network(network, strict=False)[1])


def _rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    told = {name.lower(): value for name, value in headers.items()}
    try:
        return RateLimit(
            limit=int(told["ratelimit-limit"]),
            remaining=int(told["ratelimit-remaining"]),
            reset_at=float(told["ratelimit-reset"]),
        )
    except (LookupError, ValueError):
        return None
