"""One RabbitMQ user for each machine, through the management API: made, given a worker's rights, and ended.

A machine's name, its rights and its password go in; each is put as it is to be, so doing anything twice is harmless.
Whether we may still act is asked before each request. What never happens here: a plain password of a user in a request
but in the machine's own mailbox, a tag for anybody, a choice of who may have what.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from autoscaler.gateways import broker_rights
from autoscaler.gateways.broker_rights import Celery, Rights
from autoscaler.gateways.contract import FactUnavailable, NotSent
from autoscaler.gateways.management_api import NotFound
from providers.contract import Finding, MayAct, NodeName, always

_MAILBOX: Mapping[str, object] = {
    # A grant is asked for again until it is read; each stands in for the one before.
    "x-max-length": 1,
    "x-message-ttl": 600_000,
    # One that a lost broker call or daemon left behind ends by itself, after longer than any machine boots.
    "x-expires": 24 * 3_600_000,
}
_DEFAULT_EXCHANGE = "amq.default"


class API(Protocol):
    """What is asked of the management API: see `ManagementAPI`."""

    def get(self, *path: str, until: float | None = None, **query: str) -> Any: ...

    def put(self, *path: str, document: Mapping[str, object]) -> None: ...

    def post(self, *path: str, document: Mapping[str, object]) -> Any: ...

    def delete(self, *path: str) -> None: ...

    def close(self) -> None: ...


class BrokerUsers:
    """The users of one fleet's machines at one vhost. Calls may come from several threads; each raises
    FactUnavailable where it could not be done whole, and its `NotSent` where we may not act any more."""

    def __init__(self, *, api: API, vhost: str, fleet: str, may_act: MayAct = always) -> None:
        self._api = api
        self._vhost = vhost
        self._fleet = fleet
        self._may_act = may_act

    def make(self, node: NodeName, password: str) -> None:
        """A user who may report and find the answer, and nothing else; its mailbox is there, too."""
        user = broker_rights.user_of(self._fleet, node)
        # Rights cannot be had by a user who is not there, so it is there for a moment without any.
        self._put("users", user, document=_login(password))
        self._put("permissions", self._vhost, user, document=_permissions(broker_rights.enrolling(node)))
        reporting = broker_rights.reporting(self._fleet)
        self._put(
            "topic-permissions",
            self._vhost,
            user,
            document={"exchange": broker_rights.REPORTS, "write": reporting.write, "read": reporting.read},
        )
        self._put_mailbox(node)

    def grant(self, node: NodeName, celery: Celery, password: str, message: Mapping[str, object]) -> None:
        """That machine's user has a worker's rights and this password from now on, and the message tells it so.

        The message comes last: what it says is true then. A machine that lost its connection in between cannot log in
        any more and is replaced like any that does not enrol.
        """
        user = broker_rights.user_of(self._fleet, node)
        self._put_mailbox(node)
        rights = broker_rights.working(self._fleet, node, celery)
        self._put("permissions", self._vhost, user, document=_permissions(rights))
        self._put("users", user, document=_login(password))
        self._require_leave()
        mailbox = broker_rights.mailbox_of(node)
        answer = self._api.post(
            "exchanges",
            self._vhost,
            _DEFAULT_EXCHANGE,
            "publish",
            document={
                # Not kept on disk: after a restart of the broker the machine asks again.
                "properties": {"delivery_mode": 1, "content_type": "application/json"},
                "routing_key": mailbox,
                "payload": json.dumps(message),
                "payload_encoding": "string",
            },
        )
        if not isinstance(answer, dict) or answer.get("routed") is not True:
            raise FactUnavailable(f"the queue {mailbox} took no message")

    def nodes(self) -> frozenset[NodeName]:
        """The machines of this fleet that have a user. Other fleets' users and people's are passed over, and so is one
        with a tag, whatever its name: ours have none."""
        rows = self._api.get("users", columns="name,tags")
        if not isinstance(rows, list):
            raise FactUnavailable("the broker's list of users is none")
        names = [row.get("name") if isinstance(row, dict) and not row.get("tags") else None for row in rows]
        found = (broker_rights.node_of(self._fleet, name) for name in names if isinstance(name, str))
        return frozenset(NodeName(node) for node in found if node is not None)

    def connected(self) -> frozenset[NodeName]:
        """The machines as whose user somebody is logged in."""
        # Connections of one user can be asked for since 3.10.6 only.
        rows = self._api.get("vhosts", self._vhost, "connections", columns="user")
        if not isinstance(rows, list):
            raise FactUnavailable("the broker's list of connections is none")
        users = [row.get("user") if isinstance(row, dict) else None for row in rows]
        known = [user for user in users if isinstance(user, str)]
        if len(known) < len(users):
            raise FactUnavailable("the broker does not say yet whose connection one is")
        found = (broker_rights.node_of(self._fleet, user) for user in known)
        return frozenset(NodeName(node) for node in found if node is not None)

    def revoke(self, node: NodeName) -> None:
        """That machine has no user and no mailbox any more; RabbitMQ ends its connections. Harmless if it had none."""
        for path in (
            ("queues", self._vhost, broker_rights.mailbox_of(node)),
            ("queues", self._vhost, broker_rights.ear_of(self._fleet, node)),
            # Last, because it is what the next sweep finds if anything before it failed.
            ("users", broker_rights.user_of(self._fleet, node)),
        ):
            self._require_leave()
            with suppress(NotFound):
                self._api.delete(*path)

    def check(self) -> Finding:
        """Whether our own user may make users; changes nothing."""
        subject = "users of machines"
        try:
            answer = self._api.get("whoami")
        except FactUnavailable as error:
            return Finding(subject=subject, ok=False, says=str(error))
        tags = answer.get("tags") if isinstance(answer, dict) else None
        # A list since 3.9, text with commas before.
        words = tags.split(",") if isinstance(tags, str) else tags if isinstance(tags, list) else []
        if "administrator" in [word.strip() for word in words if isinstance(word, str)]:
            return Finding(subject=subject, ok=True, says="may be made and ended by the daemon's user")
        says = (
            'credentials = "node" makes a user for each machine, for which the daemon\'s user needs the tag '
            "`administrator`: rabbitmqctl set_user_tags USER administrator"
        )
        return Finding(subject=subject, ok=False, says=says)

    def close(self) -> None:
        """Let go of the connection; users stay."""
        self._api.close()

    def _put_mailbox(self, node: NodeName) -> None:
        document = {"durable": True, "auto_delete": False, "arguments": dict(_MAILBOX)}
        self._put("queues", self._vhost, broker_rights.mailbox_of(node), document=document)

    def _put(self, *path: str, document: Mapping[str, object]) -> None:
        self._require_leave()
        self._api.put(*path, document=document)

    def _require_leave(self) -> None:
        if not self._may_act():
            raise NotSent("not sent: the lease is not surely ours")


def _login(password: str) -> dict[str, object]:
    """A user without tags, who may not use the management API at all."""
    return {
        "password_hash": broker_rights.hashed(password, secrets.token_bytes(broker_rights.SALT_BYTES)),
        "hashing_algorithm": broker_rights.HASHING,
        "tags": "",
    }


def _permissions(rights: Rights) -> dict[str, object]:
    return {"configure": rights.configure, "write": rights.write, "read": rights.read}
