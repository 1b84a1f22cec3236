"""The broker's users of the machines: each has its own, from before its order until it is surely gone.

A user is made with the order, on the thread that sends it. It is granted a worker's rights when its machine proved who
it is, on the thread that answers wishes. A sweep on a thread of its own ends those whose machines are gone.
The loop waits for none of them, and nothing is stored: who leads next does the same. What never happens here: the end
of a user whose machine may be at work.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import quote, urlsplit

from autoscaler.clock import Clock
from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import ARRIVING
from autoscaler.core.model import Node, PoolName
from autoscaler.gateways import broker_rights
from autoscaler.gateways.broker_rights import Celery
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.journal.contract import JournalUnavailable
from autoscaler.telemetry import Log
from providers.contract import MayAct, NodeName, ProviderName, always

SETTLE_S = 600.0
"""How long a user is without a machine before that is believed of one we never saw: a journal may be an older copy, and
the machine of a lost record is listed late."""
_LOOK_EVERY_S = 10.0
"""At the journal, to notice machines that went."""
_SWEEP_EVERY_S = 60.0
_PASSWORD_BYTES = 24


class Users(Protocol):
    """What is asked of the broker. Each raises `FactUnavailable`."""

    def make(self, node: NodeName, password: str) -> None: ...

    def grant(self, node: NodeName, celery: Celery, password: str, message: Mapping[str, object]) -> None: ...

    def nodes(self) -> frozenset[NodeName]: ...

    def connected(self) -> frozenset[NodeName]: ...

    def revoke(self, node: NodeName) -> None: ...


class Journal(Protocol):
    """What is asked of the journal, from any thread."""

    def live_nodes(self) -> tuple[Node, ...]: ...

    def memory(self) -> Memory: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the machines of one pool are given when they become workers."""

    celery: Celery
    broker_url: str
    """How machines reach the broker. A user and a password in it are replaced, and so is its vhost."""
    vhost: str
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The worker's variables with all their secrets. They travel in the grant and stand in no user data."""

    def url(self, user: str, password: str) -> str:
        """The broker's address for that user; every part is quoted."""
        url = urlsplit(self.broker_url)
        login = f"{quote(user, safe='')}:{quote(password, safe='')}"
        query = f"?{url.query}" if url.query else ""
        return f"{url.scheme}://{login}@{url.netloc.rpartition('@')[2]}/{quote(self.vhost, safe='')}{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A user whose machine is no live one, and what its end may rest on."""

    seen_going: bool
    """Whether this daemon saw its machine live. A name is never used twice."""
    absent_s: float
    """How long it has been seen without a machine."""
    connected: bool
    """Whether somebody is logged in as it."""
    all_seen: bool
    """Whether every account was listed whole since this daemon began."""


def may_end(case: Case) -> bool:
    """Whether the user is to be ended.

    One whose machine we saw go is ended as soon as nobody is logged in. Any other first has its time; while somebody is
    logged in, it may be a machine whose record was lost, unless every account was seen and none has it.
    """
    if not case.connected and case.seen_going:
        return True
    return case.absent_s >= SETTLE_S and (case.all_seen or not case.connected)


def proof(token: str, document: Mapping[str, object]) -> str:
    """What shows a machine that a message is its fleet's: only these two know its token.

    Others of the vhost may be able to write into its mailbox, and what is in a grant runs as its worker.
    """
    said = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hmac.new(token.encode(), said.encode(), hashlib.sha256).hexdigest()


class NodeUsers:
    """The users of one fleet's machines, in pools where each has its own."""

    def __init__(
        self,
        *,
        fleet: str,
        users: Users,
        pools: Mapping[PoolName, Access],
        password_of: Callable[[NodeName], str],
        token_of: Callable[[NodeName], str],
    ) -> None:
        """`password_of` gives a machine's password after its grant, always the same: a wish that is heard twice, by
        this daemon or the next, must not change the password of a worker that is at work already."""
        self._fleet = fleet
        self._users = users
        self._pools = pools
        self._password_of = password_of
        self._token_of = token_of

    def enrol(self, node: NodeName, pool: PoolName) -> str:
        """The broker's address for a machine that is about to be ordered: it may report, and find the answer.

        Its password is nowhere else. Raises FactUnavailable, or its `NotSent`: the machine must not be ordered then.
        """
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        self._users.make(node, password)
        return self._pools[pool].url(broker_rights.user_of(self._fleet, node), password)

    def grant(self, node: Node) -> None:
        """Give a machine that proved itself, and whose record was read just now, what its worker needs.

        The password in its user data lets nobody in after that. Harmless when repeated. Raises FactUnavailable.
        """
        access = self._pools.get(node.pool)
        if access is None or node.state not in ARRIVING:
            return
        password = self._password_of(node.machine)
        grant = {
            "v": 1,
            "broker_url": access.url(broker_rights.user_of(self._fleet, node.machine), password),
            "environment": dict(access.environment),
        }
        message = {**grant, "proof": proof(self._token_of(node.machine), grant)}
        self._users.grant(node.machine, access.celery, password, message)


class Sweep:
    """Ends the users whose machines are gone, on a thread of its own."""

    def __init__(
        self,
        *,
        users: Users,
        journal: Journal,
        accounts: frozenset[ProviderName],
        clock: Clock,
        log: Log,
        may_act: MayAct = always,
    ) -> None:
        self._users = users
        self._journal = journal
        self._accounts = accounts
        self._clock = clock
        self._log = log
        self._may_act = may_act
        self._live: frozenset[NodeName] = frozenset()
        self._went: frozenset[NodeName] = frozenset()
        self._absent: dict[NodeName, float] = {}
        self._sweep_on = 0.0
        self._trouble = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="users of machines", daemon=True)

    def start(self) -> None:
        """Sweep from now on."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Sweep no more; users stay. Harmless if it never began."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def turn(self) -> None:
        """Look at the journal; sweep if machines went, or it is time. Never raises; trouble is said once."""
        if not self._may_act():
            # Who leads meanwhile may have machines that we do not know of.
            self._live, self._absent = frozenset(), {}
            return
        troubles: list[str] = []
        try:
            self._look(troubles)
        except (FactUnavailable, JournalUnavailable) as error:
            troubles.append(str(error))
            # A broker that was away lost all connections: who is not logged in just after may well be at work.
            self._absent = {}
        if troubles and not self._trouble:
            self._log.say("users.failed", error=troubles[0])
        elif self._trouble and not troubles:
            self._log.say("users.recovered")
        self._trouble = troubles[0] if troubles else ""

    def _serve(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            self.turn()

    def _look(self, troubles: list[str]) -> None:
        live = _machines(self._journal.live_nodes())
        self._went, self._live = (self._went | (self._live - live)) - live, live
        now = self._clock.monotonic()
        if self._went or now >= self._sweep_on:
            self._sweep_on = now + _SWEEP_EVERY_S
            self._sweep(troubles)

    def _sweep(self, troubles: list[str]) -> None:
        having = self._users.nodes()
        # Read after the broker's list came: a record is written before its user is made, so the machine of each user in
        # the list is in the journal if it may exist.
        live, memory = _machines(self._journal.live_nodes()), self._journal.memory()
        listed = {NodeName(stranger.instance.name) for stranger in memory.strangers}
        now = self._clock.monotonic()
        self._absent = {node: self._absent.get(node, now) for node in having - live - listed}
        self._went &= having
        all_seen = self._accounts <= set(memory.seen)
        cases = {
            node: Case(
                seen_going=node in self._went, absent_s=now - since, connected=False, all_seen=all_seen
            )
            for node, since in self._absent.items()
        }
        doubtful = {node: case for node, case in cases.items() if may_end(case)}
        # The broker is asked only where its word matters.
        connected = self._users.connected() if doubtful else frozenset()
        for node, case in sorted(doubtful.items()):
            if may_end(replace(case, connected=node in connected)):
                self._end(node, troubles)

    def _end(self, node: NodeName, troubles: list[str]) -> None:
        try:
            self._users.revoke(node)
        except FactUnavailable as error:  # one that cannot be ended does not keep the others
            troubles.append(str(error))
            return
        self._went -= {node}
        self._log.say("user.ended", node=node)


def _machines(nodes: tuple[Node, ...]) -> frozenset[NodeName]:
    """By the names they bear; two machines of one name share a user."""
    return frozenset(node.machine for node in nodes)
