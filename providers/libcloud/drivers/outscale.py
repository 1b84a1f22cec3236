"""3DS OUTSCALE as a libcloud driver: virtual machines, their types, subregions and images, over the OUTSCALE API 1.

libcloud has a driver for it, which sends past its connection and so knows no time-out, takes refusals for machines, and
names a machine by a second order that may fail. This one is written from the published description (osc-api 1.40):
one POST an action, signed with an access key. A machine's name is its client token: it bears it from its birth on, and
a second order of that name returns the first machine. What never happens here: a retry, or a request beyond those that
a method is for.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from libcloud.common.base import ConnectionUserAndKey, JsonResponse
from libcloud.common.osc import OSCRequestSignerAlgorithmV4
from libcloud.common.types import LibcloudError
from libcloud.compute.base import Node, NodeDriver, NodeImage, NodeLocation, NodeSize
from libcloud.compute.types import NodeState

VERSION = "v1"
SERVICE = "api"
PER_PAGE = 1000
"""The most that the API gives."""
PAGES_MAX = 200
SECONDS = "%Y%m%dT%H%M%SZ"


class OutscaleResponse(JsonResponse):
    """An answer of the API. A refusal's body stays as it is, for whoever tells refusals apart."""

    def success(self) -> bool:
        return int(self.status) == 200

    def parse_error(self) -> Any:
        return f"{self.status} {self.body}"


class OutscaleConnection(ConnectionUserAndKey):
    """HTTPS to one region, each request signed with an access key (AWS' signature 4 with OUTSCALE's words)."""

    responseCls = OutscaleResponse
    region_name = ""
    service_name = SERVICE

    def add_default_headers(self, headers: dict[str, str]) -> dict[str, str]:
        headers["Content-Type"] = "application/json; charset=utf-8"
        return headers

    def pre_connect_hook(self, params: Any, headers: dict[str, str]) -> tuple[Any, dict[str, str]]:
        """Sign what is about to leave. libcloud's signer knows the time, and only the public endpoint's name."""
        signer = OSCRequestSignerAlgorithmV4(str(self.user_id), self.key, VERSION, self)
        date = signer.get_request_headers(SERVICE, self.region_name, "", "")["X-Osc-Date"]
        signed = {"Content-Type": headers["Content-Type"], "Host": headers["Host"], "X-Osc-Date": date}
        authorization = signer._get_authorization_v4_header(  # noqa: SLF001 - what is public signs another host
            headers=signed,
            dt=datetime.strptime(date, SECONDS),  # noqa: DTZ007 - the signer formats it again, as it is
            method="POST",
            path=str(self.action),
            data=self.data,
        )
        return params, {**headers, "X-Osc-Date": date, "Authorization": authorization}


class OutscaleNodeDriver(NodeDriver):
    """One account in one region; `key` and `secret` are an access key of it."""

    connectionCls = OutscaleConnection
    connection: Any
    type = "outscale"
    api_name = "outscale"
    name = "3DS OUTSCALE"
    website = "https://en.outscale.com"
    NODE_STATE_MAP = {
        "pending": NodeState.PENDING,
        "running": NodeState.RUNNING,
        "stopping": NodeState.STOPPING,
        "stopped": NodeState.STOPPED,
        "shutting-down": NodeState.STOPPING,
        "terminated": NodeState.TERMINATED,
        "quarantine": NodeState.ERROR,
    }

    def __init__(self, key: str, secret: str, region: str = "eu-west-2", **kwargs: Any) -> None:
        super().__init__(key, secret, host=f"api.{region}.outscale.com", region=region, **kwargs)
        self.connection.region_name = region

    # Looking

    def list_nodes(self, ex_filters: Mapping[str, str] | None = None) -> list[Node]:
        """Every machine of the account in this region, or those that filters (`VmIds`, …) pick, one value each."""
        picked = {name: [value] for name, value in (ex_filters or {}).items()}
        return [self._to_node(row) for row in self._walk("ReadVms", "Vms", picked)]

    def list_sizes(self, location: NodeLocation | None = None) -> list[NodeSize]:
        """The predefined types. Others are composed: `tinav6.c2r4p2` has 2 cores and 4 GiB, and stands in no list."""
        return [
            NodeSize(
                id=row["VmTypeName"],
                name=row["VmTypeName"],
                ram=int(row["MemorySize"] * 1024),
                disk=0,
                bandwidth=None,
                price=0.0,
                driver=self,
            )
            for row in self._walk("ReadVmTypes", "VmTypes", {})
        ]

    def list_locations(self) -> list[NodeLocation]:
        """The region's subregions. The API does not say in which country they are."""
        return [
            NodeLocation(id=row["SubregionName"], name=row["SubregionName"], country="", driver=self)
            for row in self._walk("ReadSubregions", "Subregions", {})
        ]

    def get_image(self, image_id: str) -> NodeImage:
        """One image by its id."""
        rows = self._walk("ReadImages", "Images", {"ImageIds": [image_id]})
        if not rows:
            raise LibcloudError(f"there is no image {image_id}", driver=self)
        return NodeImage(
            id=rows[0]["ImageId"], name=rows[0].get("ImageName", ""), driver=self, extra=dict(rows[0])
        )

    def ex_look(self, action: str, data: Mapping[str, Any]) -> Any:
        """The answer to an action that reads."""
        return self._ask(action, data)

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
        ex_security_group_ids: Iterable[str] = (),
        ex_subnet_id: str = "",
        ex_keypair_name: str = "",
        ex_performance: str = "",
        ex_block_device_mappings: Iterable[Mapping[str, Any]] = (),
    ) -> Node:
        """Order one machine, in one request. User data is in base64 already, at most 500 KiB of it.

        Devices that are named anew in `ex_block_device_mappings` are as said there, and not as in the image.
        """
        if auth is not None:
            raise LibcloudError(
                "name a key pair of the account in ex_keypair_name instead of auth", driver=self
            )
        data: dict[str, Any] = {
            "ClientToken": name,
            "ImageId": image.id,
            "VmType": size.id,
            "MinVmsCount": 1,
            "MaxVmsCount": 1,
        }
        optional: dict[str, Any] = {
            "Placement": {"SubregionName": location.id} if location else None,
            "UserData": ex_user_data,
            "SecurityGroupIds": list(ex_security_group_ids),
            "SubnetId": ex_subnet_id,
            "KeypairName": ex_keypair_name,
            "Performance": ex_performance,
            "BlockDeviceMappings": [dict(each) for each in ex_block_device_mappings],
        }
        data |= {key: value for key, value in optional.items() if value}
        return self._to_node(self._ask("CreateVms", data)["Vms"][0])

    def destroy_node(self, node: Node) -> bool:
        """Terminate a machine, and with it the volumes that neither its image nor its order keeps."""
        self._ask("DeleteVms", {"VmIds": [node.id]})
        return True

    # Over the wire

    def _ask(self, action: str, data: Mapping[str, Any]) -> Any:
        path = f"/{SERVICE}/{VERSION}/{action}"
        return self.connection.request(path, method="POST", data=json.dumps(data)).object

    def _walk(self, action: str, key: str, filters: Mapping[str, list[str]]) -> list[Any]:
        """The rows of all pages. Raises LibcloudError where they never end."""
        rows: list[Any] = []
        wanted: dict[str, Any] = {"ResultsPerPage": PER_PAGE} | (
            {"Filters": dict(filters)} if filters else {}
        )
        for _ in range(PAGES_MAX):
            answer = self._ask(action, wanted)
            rows += answer[key]
            following = answer.get("NextPageToken")
            if not following:
                return rows
            if following == wanted.get("NextPageToken"):
                raise LibcloudError(f"{action} announced the same page as the next one", driver=self)
            wanted["NextPageToken"] = following
        raise LibcloudError(f"{action} has more than {PAGES_MAX} pages", driver=self)

    def _to_node(self, row: Mapping[str, Any]) -> Node:
        return Node(
            id=row["VmId"],
            name=row.get("ClientToken") or "",
            state=self.NODE_STATE_MAP.get(row["State"], NodeState.UNKNOWN),
            public_ips=[*filter(None, (row.get("PublicIp"),))],
            private_ips=[*filter(None, (row.get("PrivateIp"),))],
            driver=self,
            extra={"State": row["State"], "Tags": row.get("Tags") or []},
        )
