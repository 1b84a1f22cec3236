"""The private RabbitMQ node of the testbed: what other integration tests rely on is held here."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pika
import psutil
import pytest
import requests

from testbed import ports, waiting
from testbed.rabbitmq import PrivateRabbitMQ, RabbitMQFailed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """One node for the tests of this file that leave it running."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), statistics_interval_s=1) as started:
        yield started


def _publish(url: str, queue: str, body: bytes) -> None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare(queue, durable=True)
        channel.basic_publish("", queue, body, pika.BasicProperties(delivery_mode=2), mandatory=True)
    finally:
        connection.close()


def _take(url: str, queue: str) -> bytes | None:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        _, _, body = connection.channel().basic_get(queue, auto_ack=True)
        return body
    finally:
        connection.close()


def _alive(pids: set[int]) -> set[int]:
    """Those that still run; one that ended and waits for a parent to ask (a zombie) does not."""
    running = set()
    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                running.add(pid)
    return running


def test_a_message_goes_in_and_comes_out(node: PrivateRabbitMQ) -> None:
    """The URL works as it is given, although the password holds every awkward character."""
    _publish(node.amqp_url, "letters", b"hello")

    assert b"hello" == _take(node.amqp_url, "letters")


def test_the_management_api_answers_under_the_same_user(node: PrivateRabbitMQ) -> None:
    """User and password open the management API too, and a wrong password does not."""
    url = f"{node.management_url}/api/overview"

    assert 200 == requests.get(url, auth=(node.user, node.password), timeout=10).status_code
    assert 401 == requests.get(url, auth=(node.user, "wrong"), timeout=10).status_code


@pytest.mark.parametrize("vhost", ["plain", "a/b", "with space & percent %2F"])
def test_a_vhost_of_any_name_can_be_used(node: PrivateRabbitMQ, vhost: str) -> None:
    """A vhost's name is quoted wherever it becomes part of a URL."""
    node.add_vhost(vhost)
    node.add_vhost(vhost)

    _publish(node.amqp_url_for(vhost), "letters", b"here")

    assert b"here" == _take(node.amqp_url_for(vhost), "letters")


def test_every_port_is_on_the_loopback_interface_alone(node: PrivateRabbitMQ) -> None:
    """Nobody outside this machine can reach the node."""
    listening = {
        connection.laddr.ip
        for connection in psutil.Process(node.pid).net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert {ports.LOOPBACK} == listening


def test_the_password_is_on_no_disk_and_in_no_command_line(tmp_path: Path) -> None:
    """What the node is told holds the hash of the password, and its repr names no secret."""
    node = PrivateRabbitMQ(tmp_path)
    node._write_files()
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())

    assert node.password not in written
    assert node.password not in repr(node)
    assert node.password not in "".join(node._environment().values())


def test_a_stopped_node_comes_back_with_its_messages_and_leaves_no_process(tmp_path: Path) -> None:
    """Ports, data and password outlive a stop, an outright kill, and each leaves nothing running."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    node = PrivateRabbitMQ(tmp_path)
    node.start()
    try:
        family = {node.pid, *(child.pid for child in psutil.Process(node.pid).children(recursive=True))}
        _publish(node.amqp_url, "letters", b"kept over a stop")
        node.stop()
        node.stop()

        assert not node.running
        assert not ports.is_listening(node.amqp_port)
        waiting.wait_until(lambda: not _alive(family), 10, "the node's helper processes to go with it")
        with pytest.raises(RabbitMQFailed, match="not running"):
            _ = node.pid

        node.start()
        assert b"kept over a stop" == _take(node.amqp_url, "letters")

        _publish(node.amqp_url, "letters", b"kept over a kill")
        node.kill()
        node.start()
        assert b"kept over a kill" == _take(node.amqp_url, "letters")
        with pytest.raises(RabbitMQFailed, match="runs already"):
            node.start()
    finally:
        node.stop()

    assert set() == _alive({child.pid for child in psutil.Process().children(recursive=True)} - before)


def test_two_nodes_live_side_by_side(node: PrivateRabbitMQ, tmp_path: Path) -> None:
    """A second node disturbs neither the first nor its data."""
    with PrivateRabbitMQ(tmp_path) as other:
        _publish(other.amqp_url, "letters", b"other")

        assert node.amqp_port != other.amqp_port
        assert b"other" == _take(other.amqp_url, "letters")
    assert node.running
