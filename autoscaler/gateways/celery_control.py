"""Celery's remote control, as messages: the request that workers read, and the replies to it, matched by ticket.

The protocol is kombu's pidbox, the same since Celery 3: a fanout exchange for requests, a direct one for replies. What
never happens here: a connection, a thread, a belief in what a reply holds beyond its types.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.core.facts import Hands, Missing
from autoscaler.core.model import WorkerName
from autoscaler.gateways import documents
from autoscaler.gateways.contract import FactUnavailable, NotSent

_LARGEST_BODY = 16_000_000
"""`reserved` lists whole tasks with their arguments."""
_MOST_WORKERS = 20_000
_ORDERS = frozenset({"cancel_consumer", "add_consumer", "shutdown"})
"""Requests that change something; all others ask."""
QUESTIONS_OF_HANDS = ("scheduled", "reserved", "active")
"""In the order in which a task moves on: asked so, one that moves between two answers is seen twice; asked the other
way round, it may be seen in none."""


def request_exchange(namespace: str) -> str:
    """Where requests go; `namespace` is Celery's `control_exchange`."""
    return f"{namespace}.pidbox"


def reply_exchange(namespace: str) -> str:
    """Where replies come from."""
    return f"reply.{namespace}.pidbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question or order to some workers. `ticket` finds the replies again."""

    method: str
    workers: tuple[WorkerName, ...] | None
    """None asks everybody."""
    ticket: str
    arguments: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_order(self) -> bool:
        """Whether it changes something."""
        return self.method in _ORDERS

    def body(self, reply_to_exchange: str, reply_to: str) -> bytes:
        """The message as workers read it."""
        return json.dumps(
            {
                "method": self.method,
                "arguments": dict(self.arguments),
                "destination": None if self.workers is None else list(self.workers),
                "pattern": None,
                "matcher": None,
                "ticket": self.ticket,
                "reply_to": {"exchange": reply_to_exchange, "routing_key": reply_to},
            }
        ).encode()


@dataclass(slots=True, kw_only=True)
class Errand:
    """What one caller wants, in as many requests as it takes."""

    until: float
    """By the link's monotonic clock; whoever waited for it has left after that, and no more of it goes out."""
    ordered: bool = False
    """Whether an order of it went out."""


@dataclass(slots=True, kw_only=True)
class Waiting:
    """A request that waits for its replies. Filled by the link's thread, read by the one that asked."""

    request: Request
    errand: Errand
    sent: threading.Event = field(default_factory=threading.Event)
    """Set once the broker has confirmed the request, or it failed."""
    ended: threading.Event = field(default_factory=threading.Event)
    replies: dict[WorkerName, Any] = field(default_factory=dict)
    failure: str = ""
    withheld: bool = False
    """Whether it failed because we may give no orders."""

    def take(self, replies: Mapping[WorkerName, Any]) -> None:
        """Take in replies; ends the wait once everybody who was asked has answered. The caller holds the lock."""
        asked = self.request.workers
        for worker, reply in replies.items():
            if worker in asked if asked is not None else len(self.replies) < _MOST_WORKERS:
                # Two workers of one name may answer. Where they differ, neither is believed.
                agreed = worker not in self.replies or self.replies[worker] == reply
                self.replies[worker] = reply if agreed else None
        if asked is not None and self.replies.keys() >= set(asked):
            self.ended.set()

    def fail(self, why: str) -> None:
        """Nobody will answer any more; an empty reason is no failure."""
        self.failure = why
        self.sent.set()
        self.ended.set()

    def withhold(self) -> None:
        """It does not go out, as we may give no orders any more."""
        self.withheld = True
        self.fail("not sent: the lease is not surely ours")

    def result(self) -> Mapping[WorkerName, Any]:
        """The replies so far. Raises NotSent where no order of the errand went out, FactUnavailable after others."""
        if self.withheld and not self.errand.ordered:
            raise NotSent(self.failure)
        if self.failure:
            raise FactUnavailable(self.failure)
        return self.replies


def read(body: bytes) -> Mapping[WorkerName, Any]:
    """The replies in a message, by worker; empty for what is not understood."""
    if len(body) > _LARGEST_BODY:
        return {}
    try:
        document = documents.decoded(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def refusal(reply: object) -> str:
    """Why a worker did not take an order, in its words; empty where it took it or has not answered."""
    error = reply.get("error") if isinstance(reply, dict) else None
    if error is None:
        return ""
    return error[:300] if isinstance(error, str) else "without words"


def hands(worker: WorkerName, replies: Mapping[str, Mapping[WorkerName, Any]]) -> Hands | Missing:
    """What a worker holds, from its answers to the `QUESTIONS_OF_HANDS`; all three or nothing."""
    counts = {}
    for method, answers in replies.items():
        answer = answers.get(worker)
        if not isinstance(answer, list):
            return Missing(why=f"{worker} did not answer `{method}`")
        counts[method] = len(answer)
    return Hands(active=counts["active"], reserved=counts["reserved"], scheduled=counts["scheduled"])


def consumed(reply: object) -> frozenset[str] | None:
    """The queues that a worker says it consumes, from its answer to `active_queues`; None if it said something else."""
    if not isinstance(reply, list):
        return None
    names = [queue.get("name") if isinstance(queue, dict) else None for queue in reply]
    return (
        frozenset(n for n in names if isinstance(n, str)) if all(isinstance(n, str) for n in names) else None
    )
