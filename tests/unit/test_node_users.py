"""Users of machines: what these are given, and whose end is never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from autoscaler import node_users
from autoscaler.core.facts import Memory, Stranger
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.gateways.broker_rights import Celery
from autoscaler.gateways.contract import FactUnavailable
from autoscaler.journal import JournalUnavailable
from autoscaler.node_users import SETTLE_S, Access, NodeUsers, Sweep
from providers.contract import NodeName
from tests.unit.core.builders import CLOUD, POOL, a_node, an_instance
from tests.unit.gateways.looking import HandClock
from tests.unit.test_wishes import Memo

ODD = "p@ss/w:rd%#?&+ æ"
ACCESS = Access(
    celery=Celery(queues=("images",)),
    broker_url="amqps://old:pass@rabbit.example:5671/other?heartbeat=5",
    vhost="a/b",
    environment={"TOKEN": "t0ken"},
)


class Broker:
    """Users by machine; those who are logged in; what fails."""

    def __init__(self, *nodes: str) -> None:
        self.having = {NodeName(node) for node in nodes}
        self.logged_in: set[NodeName] = set()
        self.failing: set[str] = set()
        self.granted: list[tuple[NodeName, str, Mapping[str, object]]] = []

    def make(self, node: NodeName, password: str) -> None:
        assert password
        self.having.add(node)

    def grant(self, node: NodeName, celery: Celery, password: str, message: Mapping[str, object]) -> None:
        assert celery == ACCESS.celery
        self.granted.append((node, password, message))

    def nodes(self) -> frozenset[NodeName]:
        if "nodes" in self.failing:
            raise FactUnavailable("the broker is away")
        return frozenset(self.having)

    def connected(self) -> frozenset[NodeName]:
        return frozenset(self.logged_in)

    def revoke(self, node: NodeName) -> None:
        if node in self.failing:
            raise FactUnavailable("it would not go")
        self.having.discard(node)


class Records:
    """A journal as the sweep reads it."""

    def __init__(self, *nodes: Node) -> None:
        self.live = nodes
        self.remembered = Memory()
        self.away = False

    def live_nodes(self) -> tuple[Node, ...]:
        if self.away:
            raise JournalUnavailable("away")
        return self.live

    def memory(self) -> Memory:
        return self.remembered


def users(broker: Broker) -> NodeUsers:
    return NodeUsers(
        fleet="web",
        users=broker,
        pools={POOL: ACCESS},
        password_of=lambda node: f"{node}{ODD}",
        token_of=lambda node: f"token of {node}",
    )


class Scene:
    """A sweep, and the hands that turn its clock."""

    def __init__(self, broker: Broker, records: Records, **changes: Any) -> None:
        self.clock, self.memo = HandClock(), Memo()
        self.broker, self.records = broker, records
        self.sweep = Sweep(
            **{
                "users": broker,
                "journal": records,
                "accounts": frozenset({CLOUD}),
                "clock": self.clock,
                "log": self.memo,
            }
            | changes
        )

    def after(self, seconds: float) -> set[NodeName]:
        """The users there are after a turn so much later."""
        self.clock.at += seconds
        self.sweep.turn()
        return self.broker.having


def test_a_machine_finds_its_own_user_in_the_address_of_its_broker() -> None:
    """Every part is quoted; host, port and options are the pool's, the vhost is the daemon's."""
    url = urlsplit(ACCESS.url("autoscaler.web.n1", ODD))

    assert ("autoscaler.web.n1", ODD) == (unquote(url.username or ""), unquote(url.password or ""))
    assert ("amqps", "rabbit.example", 5671) == (url.scheme, url.hostname, url.port)
    assert ("/a%2Fb", "heartbeat=5") == (url.path, url.query)


def test_each_order_has_a_password_of_its_own() -> None:
    """It is made by chance and kept nowhere."""
    mine = users(Broker())

    assert len({mine.enrol(NodeName("n1"), POOL) for _ in range(3)}) == 3


def test_a_grant_given_twice_is_the_same() -> None:
    """A worker that has its password already must not lose it to a wish that is heard late."""
    broker = Broker()
    booting = a_node("n1", NodeState.BOOTING)
    for _ in range(2):
        users(broker).grant(booting)

    assert broker.granted[0] == broker.granted[1]
    node, password, message = broker.granted[0]
    assert ("n1", f"n1{ODD}") == (node, password)
    assert {"TOKEN": "t0ken"} == message["environment"]
    assert ACCESS.url("autoscaler.web.n1", password) == message["broker_url"]


def test_a_grant_is_proven_by_the_machines_own_token() -> None:
    """With another's token, or another word in it, the proof is another."""
    broker = Broker()
    users(broker).grant(a_node("n1", NodeState.CREATING))
    message = dict(broker.granted[0][2])
    proof = message.pop("proof")

    assert proof == node_users.proof("token of n1", message)
    assert proof != node_users.proof("token of n2", message)
    assert proof != node_users.proof("token of n1", {**message, "broker_url": "amqp://evil"})


@pytest.mark.parametrize("state", [NodeState.READY, NodeState.DRAINING, NodeState.DESTROYING], ids=str)
def test_a_machine_that_is_past_its_boot_is_granted_nothing(state: NodeState) -> None:
    """Its token is of no use any more."""
    broker = Broker()
    users(broker).grant(a_node("n1", state))

    assert [] == broker.granted


def test_no_secret_shows_itself() -> None:
    """In no repr of what is passed about."""
    assert "t0ken" not in repr(ACCESS)


def test_a_live_machines_user_is_never_ended() -> None:
    """Whatever its state, however long, logged in or not; a namesake's record has the name its machine bears."""
    records = Records(
        *(a_node(f"n{n}", state) for n, state in enumerate(NodeState) if state is not NodeState.GONE),
        a_node("again", NodeState.DESTROYING, machine=NodeName("twin")),
    )
    scene = Scene(Broker("twin", *(node.name for node in records.live)), records)
    before = set(scene.broker.having)
    before.discard(NodeName("again"))
    for _ in range(3):
        scene.after(SETTLE_S * 2)

    assert before <= scene.broker.having


def test_who_went_is_ended_at_the_next_look() -> None:
    """Seen live, then no more, and nobody logged in."""
    scene = Scene(Broker("n1", "n2"), Records(a_node("n1"), a_node("n2")))
    assert {"n1", "n2"} == scene.after(0)
    scene.records.live = scene.records.live[1:]

    assert {"n2"} == scene.after(10)
    assert [("user.ended", {"node": "n1"})] == scene.memo.said


def test_who_went_and_is_still_logged_in_has_time_until_every_account_was_seen() -> None:
    """The connection of an ended machine lingers; one that goes on may be a machine that nobody listed."""
    scene = Scene(Broker("n1"), Records(a_node("n1")))
    scene.after(0)
    scene.records.live, scene.broker.logged_in = (), {NodeName("n1")}
    assert {"n1"} == scene.after(10)
    assert {"n1"} == scene.after(SETTLE_S * 2)
    scene.records.remembered = replace(scene.records.remembered, seen=(CLOUD,))

    assert set() == scene.after(60)


def test_who_was_never_seen_live_is_ended_late_and_never_while_logged_in_or_listed() -> None:
    """A journal that is an older copy does not know all machines; a listing does."""
    scene = Scene(Broker("left", "works", "listed"), Records())
    scene.broker.logged_in = {NodeName("works")}
    stranger = Stranger(instance=an_instance("listed"), provider=CLOUD, since_on=0.0)
    scene.records.remembered = Memory(strangers=(stranger,))
    assert {"left", "works", "listed"} == scene.after(0)
    assert {"left", "works", "listed"} == scene.after(SETTLE_S - 1)

    assert {"works", "listed"} == scene.after(61)


def test_a_broker_that_was_away_gives_workers_their_time_to_come_back() -> None:
    """All connections are gone with it; who is not logged in just after may be at work."""
    scene = Scene(Broker("works"), Records())
    scene.broker.logged_in = {NodeName("works")}
    scene.after(0)
    scene.broker.failing = {"nodes"}
    scene.after(SETTLE_S + 60)
    scene.broker.failing, scene.broker.logged_in = set(), set()
    assert {"works"} == scene.after(60)
    assert {"works"} == scene.after(SETTLE_S - 1)

    assert set() == scene.after(61)


def test_one_that_cannot_be_ended_keeps_no_other() -> None:
    """It is said once, and when it is over."""
    scene = Scene(Broker("n1", "n2"), Records(a_node("n1"), a_node("n2")))
    scene.after(0)
    scene.records.live, scene.broker.failing = (), {"n1"}
    assert {"n1"} == scene.after(10)
    assert {"n1"} == scene.after(10)
    scene.broker.failing = set()

    assert set() == scene.after(10)
    assert ["user.ended", "users.failed", "user.ended", "users.recovered"] == [e for e, _ in scene.memo.said]


def test_what_cannot_be_seen_ends_nobody() -> None:
    """Neither without the journal, nor without the broker, nor after the lease."""
    for blind in ("journal", "broker", "lease"):
        leads = blind != "lease"
        scene = Scene(Broker("n1"), Records(a_node("n1")), may_act=lambda leads=leads: leads)
        scene.after(0)
        scene.records.live = ()
        scene.records.away = blind == "journal"
        scene.broker.failing = {"nodes"} if blind == "broker" else set()

        assert {"n1"} == scene.after(SETTLE_S * 3)
