"""What somebody with a login of a machine's tries at the broker, from outside the machine, and what becomes of it.

In go a login and who it was stolen from; out comes each attempt with what the broker said. The same attempts are made
with the daemon's own login, and must succeed then, or a refusal says nothing. What never happens here: a message that
reaches a queue, or the end of anything that others need.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

import pika
import requests
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import AMQPConnectionError, ChannelClosedByBroker, UnroutableError

from autoscaler.gateways.broker_rights import REPORTS, mailbox_of
from testbed.endtoend.place import FLEET
from testbed.ports import LOOPBACK
from testbed.rabbitmq import PrivateRabbitMQ

Attempt = Callable[[BlockingChannel], object]
DONE, REFUSED, NO_LOGIN = "done", "refused", "no login"
_CALL_S = 20.0
_NOWHERE = "autoscaler-e2e-nowhere"
"""A routing key that no queue is bound by: what is published is let in or refused, and reaches nobody."""
_NOBODY = json.dumps({"method": "ping", "arguments": {}, "destination": ["nobody"]}).encode()
"""An order to a worker that does not exist."""
PAGES = ("whoami", "overview", "queues", "users", "connections", "permissions")


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A user and a password at the broker."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, ********)"


def login_of(url: str) -> Login:
    """The one in an address."""
    place = urlsplit(url)
    return Login(user=unquote(place.username or ""), password=unquote(place.password or ""))


def _publish(exchange: str, key: str, body: bytes = b"{}") -> Attempt:
    def attempt(channel: BlockingChannel) -> None:
        channel.confirm_delivery()
        kind = pika.BasicProperties(content_type="application/json", content_encoding="utf-8")
        # Let in, and there is no queue for it.
        with suppress(UnroutableError):
            channel.basic_publish(exchange, key, body, kind, mandatory=True)

    return attempt


def _read(queue: str) -> Attempt:
    def attempt(channel: BlockingChannel) -> None:
        method, _, _ = channel.basic_get(queue)
        if method is not None:
            channel.basic_nack(method.delivery_tag or 0, requeue=True)

    return attempt


def forbidden(other: str, neighbour: str) -> Mapping[str, Attempt]:
    """What neither user data nor a grant lets anybody do; `other` is another pool's queue, `neighbour` another node."""
    return {
        "read another pool's queue": _read(other),
        "purge another pool's queue": lambda channel: channel.queue_purge(other),
        "publish to another pool's exchange": _publish(other, _NOWHERE),
        "read what machines report": _read(f"{REPORTS}.{FLEET}"),
        "report to another fleet": _publish(REPORTS, f"{FLEET}-2"),
        "read another machine's mailbox": _read(mailbox_of(neighbour)),
        "give all workers orders": _publish("celery.pidbox", "", _NOBODY),
        "make a queue": lambda channel: channel.queue_declare(_NOWHERE, auto_delete=True, exclusive=True),
    }


def own(queue: str) -> Mapping[str, Attempt]:
    """What a worker may, by its pool's queue, and how Celery publishes: by a queue's name."""
    return {
        "read the pool's queue": _read(queue),
        "publish to the pool's exchange": _publish(queue, _NOWHERE),
        "publish by a queue's name": _publish("", _NOWHERE),
    }


def tried(broker: PrivateRabbitMQ, login: Login, attempts: Mapping[str, Attempt]) -> dict[str, str]:
    """What became of each attempt: done, refused for want of rights, or that nobody was let in."""
    try:
        with logged_in(broker, login) as connection:
            return {what: _tried(connection, attempt) for what, attempt in attempts.items()}
    except AMQPConnectionError:
        return dict.fromkeys(attempts, NO_LOGIN)


def _tried(connection: BlockingConnection, attempt: Attempt) -> str:
    channel = connection.channel()
    try:
        attempt(channel)
    except ChannelClosedByBroker as error:
        return REFUSED if error.reply_code == 403 else f"{error.reply_code} {error.reply_text}"
    channel.close()
    return DONE


def pages(broker: PrivateRabbitMQ, login: Login) -> dict[str, int]:
    """The status by which the management API answers that login, for each of its pages."""
    return {
        page: requests.get(
            f"{broker.management_url}/api/{page}", auth=(login.user, login.password), timeout=_CALL_S
        ).status_code
        for page in PAGES
    }


def report(broker: PrivateRabbitMQ, login: Login, said: Mapping[str, object]) -> None:
    """Publish what claims to be a machine's report, and wait until the broker has it. Raises what pika raises."""
    with logged_in(broker, login) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(REPORTS, FLEET, json.dumps(said).encode(), mandatory=True)


def declare(broker: PrivateRabbitMQ, login: Login, *, queues: tuple[str, ...], mailbox_for: str) -> None:
    """Another pool's queues as its workers declare them, and another machine's mailbox, for as long as it is unused."""
    with logged_in(broker, login) as connection:
        channel = connection.channel()
        for queue in queues:
            channel.exchange_declare(queue, "direct", durable=True)
            channel.queue_declare(queue, durable=True)
            channel.queue_bind(queue, queue, queue)
        channel.exchange_declare("celery.pidbox", "fanout")
        channel.queue_declare(mailbox_of(mailbox_for), arguments={"x-expires": 3_600_000})


def waiting(broker: PrivateRabbitMQ, login: Login, node: str) -> int:
    """How many messages lie in a machine's mailbox."""
    with logged_in(broker, login) as connection:
        return int(
            connection.channel().queue_declare(mailbox_of(node), passive=True).method.message_count or 0
        )


@contextmanager
def logged_in(broker: PrivateRabbitMQ, login: Login) -> Iterator[BlockingConnection]:
    """A connection from this computer. Raises AMQPConnectionError where nobody is let in."""
    # It would write about each login that fails, which is what is tried here.
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    address = f"amqp://{quote(login.user, safe='')}:{quote(login.password, safe='')}@{LOOPBACK}:{broker.amqp_port}/%2F"
    connection = BlockingConnection(pika.URLParameters(address))
    try:
        yield connection
    finally:
        if connection.is_open:
            connection.close()
