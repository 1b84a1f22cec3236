"""Machines that become workers are heard through a real broker, each as itself, and nothing they said is forgotten."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Iterator, Mapping

import pika
import pytest

from autoscaler.clock import SystemClock
from autoscaler.core.facts import Missing
from autoscaler.core.reports import Phase, Report
from autoscaler.gateways import enrolment
from autoscaler.gateways.enrolment import EnrolmentLink
from providers.contract import MayAct, NodeName, always
from testbed import waiting
from testbed.rabbitmq import PrivateRabbitMQ
from tests.integration import gateways_stage as stage
from tests.tidy.repository import ROOT
from tests.unit.gateways import said_by_machines as machines

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

A, B = NodeName("node-1"), NodeName("node-2")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """One broker for this file."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), statistics_interval_s=1) as started:
        yield started


@pytest.fixture
def vhost(node: PrivateRabbitMQ, request: pytest.FixtureRequest) -> str:
    """A vhost of the test's own."""
    name = str(request.node.name)
    node.add_vhost(name)
    return name


@contextlib.contextmanager
def listening(
    node: PrivateRabbitMQ,
    vhost: str,
    *,
    may_act: MayAct = always,
    wanted: list[Report] | None = None,
    user: str = "",
) -> Iterator[EnrolmentLink]:
    """The production gateway of fleet `fleet`."""
    link = EnrolmentLink(
        amqp_url=f"amqp://127.0.0.1:{node.amqp_port}",
        username=user or node.user,
        password=user or node.password,
        vhost=vhost,
        fleet="fleet",
        tokens=machines.TOKENS,
        clock=SystemClock(),
        may_act=may_act,
    )
    link.start((lambda _report: None) if wanted is None else wanted.append)
    try:
        yield link
    finally:
        link.stop(10)


def publish(node: PrivateRabbitMQ, vhost: str, *bodies: bytes) -> None:
    """As a machine does: the exchange is there already, and a message that reaches no queue is an error."""
    with pika.BlockingConnection(pika.URLParameters(node.amqp_url_for(vhost))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for body in bodies:
            channel.basic_publish(enrolment.EXCHANGE, "fleet", body, mandatory=True)


def waiting_in(node: PrivateRabbitMQ, vhost: str) -> int:
    """Messages in the queue that nobody was given."""
    with pika.BlockingConnection(pika.URLParameters(node.amqp_url_for(vhost))) as connection:
        found = connection.channel().queue_declare(enrolment.queue_of("fleet"), passive=True)
        return found.method.message_count


def ready(link: EnrolmentLink) -> None:
    """Wait until it listens."""
    waiting.wait_until(lambda: not isinstance(link.reports(), Missing), 30, "the link to listen")


def heard(link: EnrolmentLink, *nodes: NodeName) -> Mapping[NodeName, Report]:
    """Wait until these, and no others, were heard."""

    def are_they() -> bool:
        found = link.reports()
        return not isinstance(found, Missing) and set(found) == set(nodes)

    waiting.wait_until(are_they, 30, f"reports of {nodes}")
    found = link.reports()
    assert not isinstance(found, Missing)
    return found


def test_each_machine_is_heard_as_itself(node: PrivateRabbitMQ, vhost: str) -> None:
    """The newest word of each; what has another's token, or is no report, is counted and dropped."""
    with listening(node, vhost) as link:
        ready(link)
        publish(
            node,
            vhost,
            machines.body(A, phases=machines.phases("booted")),
            machines.body(B, **machines.failed()),
            machines.body(B, token=machines.TOKENS.of(A)),
            b"\xff",
            machines.body(A),
        )
        waiting.wait_until(lambda: link.refusals().messages == 2, 30, "two messages to be dropped")
        found = heard(link, A, B)

        assert Phase.WORKER is found[A].phases[-1].phase
        assert found[B].failed is not None
        assert ("one", "two") == found[B].log


def test_what_was_not_written_down_is_heard_again(node: PrivateRabbitMQ, vhost: str) -> None:
    """By the daemon that comes next; what was written down is not."""
    with listening(node, vhost) as link:
        ready(link)
        publish(node, vhost, machines.body(A), machines.body(B))
        found = heard(link, A, B)
        link.forget({A: found[A]})
        heard(link, B)
    publish(node, vhost, machines.body("node-3"))
    with listening(node, vhost) as successor:
        again = heard(successor, B, NodeName("node-3"))
        successor.forget(found)  # of a connection that is no more: it settles nothing here
        assert again == successor.reports()
        successor.forget(again)
        heard(successor)
    assert 0 == waiting_in(node, vhost)


def test_a_newer_word_is_not_forgotten_with_the_older(node: PrivateRabbitMQ, vhost: str) -> None:
    """It came while the tick that took in the older one was being written down."""
    with listening(node, vhost) as link:
        ready(link)
        publish(node, vhost, machines.body(A, phases=[]))
        older = heard(link, A)
        publish(node, vhost, machines.body(A))
        waiting.wait_until(lambda: heard(link, A)[A].phases, 30, "the newer word")
        link.forget(older)

        assert Phase.WORKER is heard(link, A)[A].phases[-1].phase


def test_who_does_not_lead_takes_nothing(node: PrivateRabbitMQ, vhost: str) -> None:
    """What the one who led had not settled is the next one's, as soon as he knows that he leads no more."""
    leads = threading.Event()
    leads.set()
    with listening(node, vhost, may_act=leads.is_set) as first:
        ready(first)
        publish(node, vhost, machines.body(A))
        heard(first, A)
        leads.clear()
        waiting.wait_until(lambda: isinstance(first.reports(), Missing), 30, "it to stop listening")
        waiting.wait_until(lambda: waiting_in(node, vhost) == 1, 30, "the message to be back")
        with listening(node, vhost, may_act=lambda: not leads.is_set()) as second:
            heard(second, A)


def test_a_wish_is_handed_on_at_once(node: PrivateRabbitMQ, vhost: str) -> None:
    """A machine that waits for its credentials does not wait for a tick; whose token is wrong gets nobody's ear."""
    wanted: list[Report] = []
    with listening(node, vhost, wanted=wanted) as link:
        ready(link)
        publish(
            node,
            vhost,
            machines.body(A, wants="grant", token=machines.TOKENS.of(B)),
            machines.body(A),
            machines.body(B, wants="grant"),
        )
        waiting.wait_until(lambda: wanted, 30, "the wish")

        assert [B] == [report.node for report in wanted]


def test_a_flood_is_bounded_and_the_others_are_heard(node: PrivateRabbitMQ, vhost: str) -> None:
    """Of one machine one report is held, however many it sends; the daemon never falls behind for long."""
    with listening(node, vhost) as link:
        ready(link)
        publish(node, vhost, *[machines.body(A)] * 2_000, machines.body(B))

        assert {A, B} == set(heard(link, A, B))
        waiting.wait_until(lambda: waiting_in(node, vhost) == 0, 30, "the flood to pass")


def test_the_documented_rights_are_enough(node: PrivateRabbitMQ, vhost: str) -> None:
    """With and without users of machines. Who lacks them is told what the broker says, which costs the daemon this one
    fact."""
    patterns = re.findall(r"^own='(.*)'$", (ROOT / "docs" / "broker.md").read_text(), re.MULTILINE)
    least, more = patterns
    for user, own in (("least", least), ("more", more), ("less", "^celeryev$")):
        stage.add_user(node, user, user, "monitoring", vhost=vhost, own=own)
    with listening(node, vhost, user="less") as link:
        waiting.wait_until(lambda: "ACCESS_REFUSED" in str(link.reports()), 30, "the refusal")
    for user in ("least", "more"):
        with listening(node, vhost, user=user) as link:
            ready(link)
            publish(node, vhost, machines.body(A))
            link.forget(heard(link, A))

            assert {} == heard(link)
            waiting.wait_until(lambda: waiting_in(node, vhost) == 0, 30, "the broker to forget it")


def test_a_deleted_queue_is_made_again(node: PrivateRabbitMQ, vhost: str) -> None:
    """Whoever deleted it: machines are heard on."""
    with listening(node, vhost) as link:
        ready(link)
        with pika.BlockingConnection(pika.URLParameters(node.amqp_url_for(vhost))) as connection:
            connection.channel().queue_delete(enrolment.queue_of("fleet"))

        def said() -> bool:
            try:
                publish(node, vhost, machines.body(A))
            except pika.exceptions.UnroutableError:
                return False
            return True

        waiting.wait_until(said, 30, "the queue to be there")
        heard(link, A)


def test_a_restarted_broker_is_found_again(node: PrivateRabbitMQ, vhost: str) -> None:
    """And what waited there was kept on its disk: reports are published to last."""
    with listening(node, vhost) as link:
        ready(link)
        node.restart()
        waiting.wait_until(lambda: node.running, 60, "the broker")
        ready(link)
        publish(node, vhost, machines.body(A))
        heard(link, A)
