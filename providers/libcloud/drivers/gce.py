"""Google Compute Engine as a libcloud driver: instances, machine types, zones and images, over the API v1.

libcloud's own takes a listing without a zone for a whole one, logs in past its connection, keeps the token in a file
and sleeps for minutes. This one is written from the API's reference: a service account's token, one order an instance
with a request id, and the operation's own word for what became of it. What never happens here: a retry, a sleep, a
file, or a page left out in silence.
"""

from __future__ import annotations

import base64
import calendar
import json
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from libcloud.common.base import Connection, JsonResponse
from libcloud.common.types import InvalidCredsError, LibcloudError
from libcloud.compute.base import Node, NodeDriver, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState
from libcloud.utils.iso8601 import parse_date

SCOPE = "https://www.googleapis.com/auth/compute"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
TOKEN_S = 3600
"""The longest that a token lasts."""
RENEW_S = 300
"""So long before its end a token is no longer used: clocks differ, and calls last."""
PER_PAGE = 500
"""The most that the API gives."""
PAGES_MAX = 400


class GceResponse(JsonResponse):
    """An answer of the API. A refusal's body stays as it is, for whoever tells refusals apart."""

    def success(self) -> bool:
        return 200 <= int(self.status) < 300

    def parse_error(self) -> Any:
        return f"{self.status} {self.body}"


class GceConnection(Connection):
    """HTTPS to Compute Engine, with the token of whoever logged in."""

    host = "compute.googleapis.com"
    responseCls = GceResponse
    token = ""

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        headers |= {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        return headers


class GceLoginConnection(Connection):
    """HTTPS to where tokens are given out."""

    responseCls = GceResponse

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return headers


class GceNodeDriver(NodeDriver):
    """One project; `key` is the JSON of a service account's key. It logs in before the first request."""

    connectionCls = GceConnection
    loginConnectionCls = GceLoginConnection
    connection: Any
    type = "gce"
    api_name = "gce"
    name = "Google Compute Engine"
    website = "https://cloud.google.com/compute"
    NODE_STATE_MAP = {
        "PROVISIONING": NodeState.PENDING,
        "STAGING": NodeState.PENDING,
        "RUNNING": NodeState.RUNNING,
        "STOPPING": NodeState.STOPPING,
        "SUSPENDING": NodeState.STOPPING,
        "SUSPENDED": NodeState.SUSPENDED,
        "TERMINATED": NodeState.STOPPED,
        "REPAIRING": NodeState.RECONFIGURING,
    }

    def __init__(self, key: str, project: str, **_: Any) -> None:
        self.key = key
        self.project = project
        self.connection = self.connectionCls()
        self.connection.driver = self  # as libcloud does it
        self._token_ends_at = 0.0

    # Looking

    def list_nodes(self, ex_filters: Mapping[str, str] | None = None) -> list[Node]:
        """Every instance of the project, or those of which all of these hold (`labels.env`: `production`)."""
        wanted = " ".join(f'({field} = "{value}")' for field, value in (ex_filters or {}).items())
        params = {"filter": wanted} if wanted else {}
        return [
            self._to_node(row)
            for page in self._pages("aggregated/instances", "compute#instanceAggregatedList", params)
            for scope in page.get("items", {}).values()
            for row in scope.get("instances", ())
        ]

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """The machine types of a zone; without one those of all zones, each once."""
        if location:
            pages = self._pages(
                f"zones/{quote(location.id, safe='')}/machineTypes", "compute#machineTypeList"
            )
            rows = [row for page in pages for row in page.get("items", ())]
        else:
            pages = self._pages("aggregated/machineTypes", "compute#machineTypeAggregatedList")
            scopes = [scope for page in pages for scope in page.get("items", {}).values()]
            rows = [row for scope in scopes for row in scope.get("machineTypes", ())]
        return [
            NodeSize(
                id=name,
                name=name,
                ram=row["memoryMb"],
                disk=0,
                bandwidth=None,
                price=0.0,
                driver=self,
                extra={"cpus": row.get("guestCpus")},
            )
            for name, row in {row["name"]: row for row in rows}.items()
        ]

    def list_locations(self) -> list[NodeLocation]:
        """The zones. The API does not say in which country they are."""
        return [
            NodeLocation(id=row["name"], name=row["name"], country="", driver=self)
            for page in self._pages("zones", "compute#zoneList")
            for row in page.get("items", ())
        ]

    def get_image(self, image_id: str) -> NodeImage:
        """One image by its path: `projects/debian-cloud/global/images/family/debian-13`, or without `family/`."""
        row = self._ask("GET", f"/compute/v1/{quote(image_id)}")
        return NodeImage(id=image_id, name=row["name"], driver=self, extra={"status": row.get("status")})

    def ex_look(self, rest: str, params: Mapping[str, str] | None = None) -> Any:
        """What stands at a path of the project; at an empty one the project itself."""
        return self._ask("GET", self._path(rest).rstrip("/"), params=params)

    # Doing

    def create_node(
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation | None = None,
        auth: Any = None,
        *,
        ex_user_data: str = "",
        ex_labels: Mapping[str, str] | None = None,
        ex_tags: Iterable[str] = (),
        ex_network: str = "global/networks/default",
        ex_subnetwork: str = "",
        ex_public_ip: bool = True,
        ex_disk_type: str = "pd-balanced",
        ex_request_id: str = "",
    ) -> Node:
        """Order one instance, hear what became of the order, and look at it. Its disk ends with it.

        The first 32 hexadecimal digits of `ex_request_id` are the order's request id. Raises LibcloudError where the
        order was given back, which its operation says.
        """
        if auth is not None or location is None:
            raise LibcloudError("a zone is needed, and no auth is known", driver=self)
        zone = f"zones/{quote(location.id, safe='')}"
        disk = {"sourceImage": image.id, "diskType": f"{zone}/diskTypes/{ex_disk_type}"}
        nic: dict[str, Any] = {"subnetwork": ex_subnetwork} if ex_subnetwork else {"network": ex_network}
        nic |= {"accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]} if ex_public_ip else {}
        data = {
            "name": name,
            "machineType": f"{zone}/machineTypes/{size.id}",
            "disks": [{"boot": True, "autoDelete": True, "initializeParams": disk}],
            "networkInterfaces": [nic],
            "labels": dict(ex_labels or {}),
            "tags": {"items": list(ex_tags)},
            "metadata": {"items": [{"key": "user-data", "value": ex_user_data}]},
        }
        once = {"requestId": str(uuid.UUID(ex_request_id[:32]))} if ex_request_id else {}
        operation = self._ask("POST", self._path(f"{zone}/instances"), data, once)
        # The API's own waiting: it answers when the operation is done, or after two minutes at the latest.
        waiting = f"{zone}/operations/{quote(operation['name'], safe='')}/wait"
        operation = self._ask("POST", self._path(waiting))
        if operation.get("status") == "DONE" and operation.get("error"):
            raise LibcloudError(f"the order was given back: {json.dumps(operation['error'])}", driver=self)
        return self._to_node(self._ask("GET", self._path(f"{zone}/instances/{quote(name, safe='')}")))

    def destroy_node(self, node: Node) -> bool:
        """Ask for an instance's end, with its boot disk."""
        self._ask("DELETE", self._path(f"zones/{quote(node.extra['zone'], safe='')}/instances/{node.id}"))
        return True

    # Over the wire

    def _path(self, rest: str) -> str:
        return f"/compute/v1/projects/{quote(self.project, safe='')}/{rest}"

    def _ask(
        self, method: str, path: str, data: object = None, params: Mapping[str, str] | None = None
    ) -> Any:
        self._log_in()
        body = None if data is None else json.dumps(data)
        return self.connection.request(path, method=method, data=body, params=dict(params or {})).object

    def _pages(self, rest: str, kind: str, params: Mapping[str, str] | None = None) -> Iterator[Any]:
        """All pages. Raises LibcloudError where one is something else, or where they never end."""
        wanted = {**(params or {}), "maxResults": str(PER_PAGE)}
        for _ in range(PAGES_MAX):
            page = self._ask("GET", self._path(rest), params=wanted)
            if page.get("kind") != kind:
                raise LibcloudError(f"{rest} was answered by no {kind}", driver=self)
            yield page
            following = page.get("nextPageToken")
            if not following:
                return
            if following == wanted.get("pageToken"):
                raise LibcloudError(f"{rest} announced the same page as the next one", driver=self)
            wanted["pageToken"] = following
        raise LibcloudError(f"{rest} has more than {PAGES_MAX} pages", driver=self)

    def _log_in(self) -> None:
        """Have a token that still lasts. Raises InvalidCredsError where the key is none."""
        now = calendar.timegm(time.gmtime())
        if now < self._token_ends_at - RENEW_S:
            return
        try:
            key = json.loads(self.key)
            at = urlsplit(key["token_uri"])
            claims = {"iss": key["client_email"], "scope": SCOPE, "aud": key["token_uri"]}
            assertion = _signed({**claims, "iat": now, "exp": now + TOKEN_S}, key["private_key"])
        except (ValueError, LookupError, TypeError) as wrong:
            # The reason's own words may hold a part of the key.
            says = f"the service account's key cannot be read ({type(wrong).__name__})"
            raise InvalidCredsError(says, driver=self) from None
        secure = at.scheme == "https"
        link = self.loginConnectionCls(
            secure=secure, host=at.hostname, port=at.port or (443 if secure else 80)
        )
        form = urlencode({"grant_type": GRANT, "assertion": assertion})
        answer = link.request(at.path, method="POST", data=form).object
        self.connection.token = answer["access_token"]
        self._token_ends_at = now + int(answer["expires_in"])

    def _to_node(self, row: Mapping[str, Any]) -> Node:
        nics = row.get("networkInterfaces") or ()
        outside = [each.get("natIP") for nic in nics for each in nic.get("accessConfigs") or ()]
        return Node(
            id=str(row["id"]),
            name=row["name"],
            state=self.NODE_STATE_MAP.get(row["status"], NodeState.UNKNOWN),
            public_ips=[*filter(None, outside)],
            private_ips=[*filter(None, (nic.get("networkIP") for nic in nics))],
            driver=self,
            created_at=parse_date(row["creationTimestamp"]),
            extra={"zone": row["zone"].rpartition("/")[2], "labels": row.get("labels") or {}},
        )


def _signed(claims: Mapping[str, object], private_key: str) -> str:
    """A JSON Web Token (RFC 7519) by RS256. Raises ValueError, TypeError, LibcloudError."""
    try:
        from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    except ImportError:
        raise LibcloudError("a service account's login needs the extra `gce`") from None
    key = load_pem_private_key(private_key.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError("no RSA key")
    parts = [_part(json.dumps({"alg": "RS256", "typ": "JWT"}).encode()), _part(json.dumps(claims).encode())]
    signature = key.sign(".".join(parts).encode(), padding.PKCS1v15(), SHA256())
    return ".".join([*parts, _part(signature)])


def _part(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
