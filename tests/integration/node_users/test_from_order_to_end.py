"""A machine's user through its whole life, at a real broker, with the daemon's own parts around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from pika.exceptions import AMQPConnectionError, ProbableAuthenticationError

from autoscaler import node_users
from autoscaler.clock import SystemClock
from autoscaler.core.facts import Memory, Missing
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node
from autoscaler.core.reports import Wants
from autoscaler.gateways.broker_rights import REPORTS, mailbox_of
from autoscaler.gateways.enrolment import EnrolmentLink
from autoscaler.node_users import Sweep
from autoscaler.tokens import Tokens
from autoscaler.wishes import Door
from testbed.waiting import wait_until
from tests.integration.node_users.stage import FLEET, OURS, POOL, THEIRS, Stage, logged_in
from tests.unit.core.builders import CLOUD, a_node
from tests.unit.gateways import said_by_machines as machines
from tests.unit.test_wishes import Memo

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

TOKENS = Tokens(password="the daemon's own", fleet=FLEET)


@dataclass(slots=True, kw_only=True)
class Records:
    """The journal, as others read it."""

    nodes: tuple[Node, ...] = ()
    remembered: Memory = field(default_factory=Memory)

    def live_nodes(self) -> tuple[Node, ...]:
        return self.nodes

    def memory(self) -> Memory:
        return self.remembered


@contextmanager
def a_daemon(stage: Stage, records: Records) -> Iterator[None]:
    """Hears machines and grants what they want."""
    link = EnrolmentLink(
        amqp_url=f"amqp://127.0.0.1:{stage.broker.amqp_port}",
        username=stage.broker.user,
        password=stage.broker.password,
        vhost=stage.vhost,
        fleet=FLEET,
        tokens=TOKENS,
        clock=SystemClock(),
    )
    door = Door(
        live_nodes=records.live_nodes,
        answers={Wants.GRANT: stage.node_users(TOKENS).grant},
        may_act=lambda: True,
        clock=SystemClock(),
        log=Memo(),
    )
    door.start()
    link.start(door.knock)
    try:
        wait_until(lambda: not isinstance(link.reports(), Missing), 30, "the daemon to listen")
        yield
    finally:
        link.stop(10)
        door.stop(10)


@contextmanager
def a_machine(url: str) -> Iterator[Callable[[str, str], dict[str, Any] | None]]:
    """Asks for its grant as a node, with a token; what it finds in its mailbox, or None if that stays empty so long."""
    with logged_in(url) as channel:
        channel.confirm_delivery()

        def ask(node: str, token: str) -> dict[str, Any] | None:
            body = json.dumps(machines.said(node, token=token, wants="grant"))
            channel.basic_publish(REPORTS, FLEET, body.encode(), mandatory=True)
            found: list[bytes] = []

            def look() -> bool:
                _, _, message = channel.basic_get(mailbox_of(OURS), auto_ack=True)
                found.extend([message] if message else [])
                return bool(found)

            try:
                wait_until(look, 3, "the grant")
            except AssertionError:
                return None
            return dict(json.loads(found[0]))

        yield ask


def test_from_the_order_to_the_end(set_scene: Callable[..., Stage]) -> None:
    """Made before the order, granted to who proves itself; dead in user data after that, and gone with its machine."""
    stage, records = set_scene(), Records()
    ordered = stage.node_users(TOKENS).enrol(OURS, POOL)
    records.nodes = (a_node(OURS, NodeState.BOOTING, pool=POOL), a_node(THEIRS, pool=POOL))
    with a_daemon(stage, records), a_machine(ordered) as ask:
        assert None is ask(OURS, TOKENS.of(THEIRS)), "with another's token"
        grant = ask(OURS, TOKENS.of(OURS))
        assert grant is not None
        again = ask(OURS, TOKENS.of(OURS))

    proof = grant.pop("proof")
    assert proof == node_users.proof(TOKENS.of(OURS), grant)
    assert {"SHOP_KEY": "an application's secret"} == grant["environment"]
    assert again in (None, {**grant, "proof": proof}), "asked twice, answered alike"
    assert "an application's secret" not in ordered
    with pytest.raises((AMQPConnectionError, ProbableAuthenticationError)), logged_in(ordered):
        pass

    sweep = Sweep(
        users=stage.users(),
        journal=records,
        accounts=frozenset({CLOUD}),
        clock=SystemClock(),
        log=Memo(),
    )
    with logged_in(grant["broker_url"]):
        sweep.turn()
        assert OURS in stage.users().nodes()
    wait_until(lambda: OURS not in stage.users().connected(), 20, "the broker to know that it went")
    records.nodes = ()
    sweep.turn()
    assert OURS not in stage.users().nodes()
    with pytest.raises((AMQPConnectionError, ProbableAuthenticationError)), logged_in(grant["broker_url"]):
        pass


def test_a_worker_that_serves_cannot_have_its_password_changed(set_scene: Callable[..., Stage]) -> None:
    """Whoever knows its token after its boot, and may report, asks for nothing any more."""
    stage, records = set_scene(), Records(nodes=(a_node(OURS, NodeState.READY, pool=POOL),))
    ordered = stage.node_users(TOKENS).enrol(OURS, POOL)
    with a_daemon(stage, records), a_machine(ordered) as ask:
        assert None is ask(OURS, TOKENS.of(OURS))

    with logged_in(ordered) as channel:
        assert channel.is_open
