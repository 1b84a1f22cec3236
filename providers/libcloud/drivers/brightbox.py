"""Brightbox, API 1.0: libcloud's driver, which cannot log in as it was released, with a login that works.

In go libcloud's calls, out come its nodes. Differs from libcloud's in this: the login is read where its answer is, and
its header is no Python text; a machine without image, type or interfaces does not end a listing; machines know when
they were made. What never happens here: a retry, or a word of fleets.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from libcloud.common.brightbox import BrightboxConnection
from libcloud.compute.base import Node
from libcloud.compute.drivers.brightbox import BrightboxNodeDriver
from libcloud.utils.iso8601 import parse_date

__all__ = ["BrightboxLoginConnection", "BrightboxLoginDriver"]


class BrightboxLoginConnection(BrightboxConnection):
    """Logs in before its first request, over the same link."""

    def _fetch_oauth_token(self) -> Any:
        # libcloud's takes the answer from `request`, which gives none, and sends `Basic b'...\n'`.
        if self.connection is None:
            self.connect()
        link: Any = self.connection
        word = base64.b64encode(f"{self.user_id}:{self.key}".encode()).decode("ascii")
        headers = {"Authorization": f"Basic {word}", "Content-Type": "application/json"}
        body = json.dumps({"client_id": self.user_id, "grant_type": "none"})
        link.request(method="POST", url="/token", body=body, headers=headers)
        answer: Any = self.responseCls(connection=self, response=link.getresponse())
        return answer.object["access_token"]


class BrightboxLoginDriver(BrightboxNodeDriver):
    """Cloud servers of one account."""

    connectionCls = BrightboxLoginConnection

    def _to_node(self, data: dict[str, Any]) -> Node:
        interfaces = data.get("interfaces") or []
        public = [each["public_ip"] for each in data.get("cloud_ips") or []]
        public += [each["ipv6_address"] for each in interfaces if each.get("ipv6_address")]
        return Node(
            id=data["id"],
            name=data["name"],
            state=self.NODE_STATE_MAP[data["status"]],
            public_ips=public,
            private_ips=[each["ipv4_address"] for each in interfaces if each.get("ipv4_address")],
            driver=self,
            created_at=parse_date(data["created_at"]),
        )
