"""CloudStack: libcloud's driver with requests as POST forms, listings of all pages, and orders that are not waited for.

In go libcloud's calls, out come its nodes. Differs from libcloud's in this: only the command stands in the URL, so that
neither user data nor keys do; machines are asked for page by page, and for nothing else beside them; an order ends with
its answer, which holds an id, and not minutes later with its job; a project holds for orders and listings alike.
What never happens here: a retry, a sleep, or a word of fleets.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from libcloud.common.cloudstack import CloudStackConnection
from libcloud.compute.base import Node, NodeImage, NodeLocation, NodeSize
from libcloud.compute.drivers.cloudstack import CloudStackNodeDriver
from libcloud.compute.types import NodeState
from libcloud.utils.iso8601 import parse_date

__all__ = ["CloudStackFormConnection", "CloudStackFormDriver"]

PAGE = 500
"""`default.page.size`, past which a server refuses unless its operator allows more."""
PAGES_MAX = 200
OF_ACCOUNTS = frozenset({"listAccounts", "listProjects"})
"""Commands that stand above projects, and take none."""


class CloudStackFormConnection(CloudStackConnection):
    """Signed requests whose parameters are a form; the signature is over the form and the command."""

    def add_default_params(self, params: Any) -> Any:
        return params

    def pre_connect_hook(self, params: Any, headers: Any) -> Any:
        return params, headers

    def _sync_request(
        self,
        command: str,
        action: Any = None,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        method: str = "POST",
    ) -> Any:
        form = {**(params or {}), "apiKey": self.user_id, "response": "json"}
        form["signature"] = self._make_signature({**form, "command": command}).decode("ascii")
        answer = self.request(
            self.driver.path,  # type: ignore[attr-defined] # a driver's connection knows its driver
            params={"command": command},
            data=form,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            method="POST",
        )
        return answer.object[f"{command.lower()}response"]


class CloudStackFormDriver(CloudStackNodeDriver):
    """Machines of one account, or of one of its projects."""

    connectionCls = CloudStackFormConnection

    def __init__(
        self, key: str, secret: str, url: str, *, project: str = "", expunge: bool = False, **rest: Any
    ) -> None:
        """`url` is the address of the API. `expunge`: destroyed machines go at once and with all they have."""
        parts = urlsplit(url)
        secure = parts.scheme == "https"
        super().__init__(
            key=key,
            secret=secret,
            secure=secure,
            host=parts.hostname,
            port=parts.port or (443 if secure else 80),
            path=parts.path.rstrip("/") or "/client/api",
        )
        self._project = {"projectid": project} if project else {}
        self._expunge = {"expunge": "true"} if expunge else {}

    def list_nodes(self) -> list[Node]:  # type: ignore[override] # project and location are none of ours
        rows: list[dict[str, Any]] = []
        for page in range(1, PAGES_MAX + 1):
            asked = {"page": str(page), "pagesize": str(PAGE), **self._project}
            # A page without machines is an empty object.
            answer = self._sync_request("listVirtualMachines", params=asked)
            there = answer.get("virtualmachine", [])
            rows += there
            if not there or len(rows) >= answer.get("count", 0):
                break
        return [self._to_node(row) for row in rows]

    def ex_look(self, command: str, params: Mapping[str, object]) -> Any:
        """The answer to a command that lists; of what projects have, what this one has."""
        project = {} if command in OF_ACCOUNTS else self._project
        asked = {name: str(value) for name, value in params.items()}
        return self._sync_request(command, params={**asked, **project})

    def create_node(  # type: ignore[override] # libcloud's starts nothing unless told, and forgets the project
        self,
        name: str,
        size: NodeSize,
        image: NodeImage,
        location: NodeLocation,
        *,
        ex_userdata: bytes = b"",
        networks: Iterable[Any] = (),
        ex_keyname: str = "",
        ex_security_groups: Iterable[str] = (),
        ex_affinity_groups: Iterable[str] = (),
        ex_rootdisksize: str = "",
    ) -> Node:
        """Order one machine. What is known of it then is its id; everything else a listing tells."""
        order = {
            "name": name,
            "displayname": name,
            "serviceofferingid": size.id,
            "templateid": image.id,
            "zoneid": location.id,
            "userdata": base64.b64encode(ex_userdata).decode("ascii"),
            "networkids": ",".join(each.id for each in networks),
            "keypair": ex_keyname,
            "securitygroupnames": ",".join(ex_security_groups),
            "affinitygroupids": ",".join(ex_affinity_groups),
            "rootdisksize": ex_rootdisksize,
            **self._project,
        }
        order = {key: value for key, value in order.items() if value}
        made = self._sync_request("deployVirtualMachine", params=order)
        return Node(
            id=made["id"], name=name, state=NodeState.PENDING, public_ips=[], private_ips=[], driver=self
        )

    def destroy_node(self, node: Node) -> bool:  # type: ignore[override] # whether to expunge is the account's
        self._sync_request("destroyVirtualMachine", params={"id": node.id, **self._expunge})
        return True

    def _to_node(self, data: dict[str, Any], public_ips: Any = None) -> Node:
        node: Node = super()._to_node({"nic": [], **data}, public_ips)
        node.created_at = parse_date(data["created"])
        return node
