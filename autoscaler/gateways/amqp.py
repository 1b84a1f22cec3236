"""How we connect to RabbitMQ by AMQP, and what pika's many errors mean in words.

Addresses and names go in, connection parameters and sentences come out. What never happens here: a thread, a retry, a
password in a message.
"""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import pika
from pika.exceptions import (
    AMQPHeartbeatTimeout,
    ChannelClosedByBroker,
    ConnectionBlockedTimeout,
    ConnectionClosedByBroker,
)
from pika.spec import BasicProperties

_DOES = "hears and orders workers"
_HEARTBEAT_S = 20
_BLOCKED_S = 30.0
"""A broker short of memory or disk stops reading from us; after this time a new connection is tried."""
_SOCKET_S, _STACK_S = 5.0, 10.0


def parameters(
    amqp_url: str, *, username: str, password: str, vhost: str, ca_file: str | None, does: str = _DOES
) -> pika.ConnectionParameters:
    """Parts are handed over as they are: nothing is quoted into a URL and nothing has to be unquoted.

    What it `does` is what an operator sees in the broker's list of connections.
    """
    url = urlsplit(amqp_url)
    tls = url.scheme == "amqps"
    host = url.hostname or "localhost"
    options = pika.SSLOptions(ssl.create_default_context(cafile=ca_file), host) if tls else None
    return pika.ConnectionParameters(
        host=host,
        port=url.port or (5671 if tls else 5672),
        virtual_host=vhost,
        credentials=pika.PlainCredentials(username, password),
        ssl_options=options,
        heartbeat=_HEARTBEAT_S,
        blocked_connection_timeout=_BLOCKED_S,
        socket_timeout=_SOCKET_S,
        stack_timeout=_STACK_S,
        connection_attempts=1,
        client_properties={"connection_name": f"autoscaler: {does}"},
    )


def place(amqp_url: str) -> str:
    """The address without what must not be shown."""
    url = urlsplit(amqp_url)
    return f"{url.scheme}://{url.hostname}{f':{url.port}' if url.port else ''}"


def declare(connection: pika.BlockingConnection, name: str, kind: str, *, durable: bool) -> None:
    """Make an exchange only where there is none: an existing one is as the application made it."""
    try:
        channel = connection.channel()
        channel.exchange_declare(name, passive=True)
    except ChannelClosedByBroker as error:
        if error.reply_code != 404:
            raise
        channel = connection.channel()
        channel.exchange_declare(name, exchange_type=kind, durable=durable)
    channel.close()


def json_properties(headers: dict[str, object]) -> BasicProperties:
    """As kombu marks its JSON; not kept on disk."""
    return BasicProperties(
        content_type="application/json", content_encoding="utf-8", delivery_mode=1, headers=headers
    )


def why(error: BaseException, where: str) -> str:
    """What happened, in words. pika wraps the broker's own sentence in its errors, often several deep."""
    if isinstance(error, ConnectionClosedByBroker | ChannelClosedByBroker):
        return f"{where} says: {error.reply_text[:300]}"
    if isinstance(error, ConnectionBlockedTimeout):
        return f"{where} reads nothing from us: it is short of memory or disk"
    if isinstance(error, AMQPHeartbeatTimeout):
        return f"{where} has gone silent"
    text = f"{error} {error.args!r} {error.__cause__!r}"
    if "ACCESS_REFUSED" in text:
        return f"{where} refuses the user or its password"
    if "vhost" in text and ("not found" in text or "refused" in text):
        return f"{where} has no such vhost, or the user has no right to it"
    if isinstance(error, ssl.SSLError) or "SSL" in text or "CERTIFICATE" in text:
        return f"{where}: its certificate is not trusted (see broker.ca_file)"
    return f"{where} cannot be reached ({type(error).__name__})"
