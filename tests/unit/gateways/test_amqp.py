"""Addresses and errors of AMQP, in words that may be shown."""

import ssl

import pytest
from pika.exceptions import (
    AMQPConnectionError,
    AMQPHeartbeatTimeout,
    ChannelClosedByBroker,
    ConnectionBlockedTimeout,
    ConnectionClosedByBroker,
)

from autoscaler.gateways import amqp


def test_parts_reach_the_broker_as_they_are() -> None:
    """A vhost with a slash and a password with every awkward character are not quoted, nor shown."""
    made = amqp.parameters(
        "amqp://rabbit.example", username="u", password="p@ss/w:rd%#?&+ €", vhost="a/b", ca_file=None
    )

    assert ("rabbit.example", 5672, "a/b") == (made.host, made.port, made.virtual_host)
    assert ("u", "p@ss/w:rd%#?&+ €") == (made.credentials.username, made.credentials.password)
    assert "p@ss" not in repr(made)
    assert made.heartbeat > 0
    assert made.blocked_connection_timeout > 0
    assert None is made.ssl_options


def test_amqps_checks_the_certificate_and_the_name() -> None:
    """And has its own port."""
    made = amqp.parameters("amqps://rabbit.example", username="u", password="p", vhost="/", ca_file=None)

    assert 5671 == made.port
    assert made.ssl_options is not None
    assert ssl.CERT_REQUIRED is made.ssl_options.context.verify_mode
    assert "rabbit.example" == made.ssl_options.server_hostname


def test_a_shown_address_holds_no_password() -> None:
    """Even if somebody put one there."""
    assert "amqp://rabbit.example:5673" == amqp.place("amqp://u:secret@rabbit.example:5673/%2F")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionClosedByBroker(320, "CONNECTION_FORCED - closed"), "says: CONNECTION_FORCED - closed"),
        (ChannelClosedByBroker(403, "ACCESS_REFUSED - access to queue"), "says: ACCESS_REFUSED - access to queue"),
        (ConnectionBlockedTimeout("x"), "short of memory or disk"),
        (AMQPHeartbeatTimeout("x"), "has gone silent"),
        (AMQPConnectionError("ConnectionClosedByBroker: (403) 'ACCESS_REFUSED'"), "refuses the user or its password"),
        (AMQPConnectionError("(530) 'NOT_ALLOWED - vhost x not found'"), "no such vhost"),
        (AMQPConnectionError(ssl.SSLError("CERTIFICATE_VERIFY_FAILED")), "certificate is not trusted"),
        (AMQPConnectionError(), "cannot be reached (AMQPConnectionError)"),
        (OSError("x"), "cannot be reached (OSError)"),
    ],
    ids=repr,
)  # fmt: skip
def test_an_error_becomes_a_sentence(error: Exception, says: str) -> None:
    """It names the broker, and what an operator can do something about."""
    assert amqp.why(error, "amqp://b").startswith("amqp://b")
    assert says in amqp.why(error, "amqp://b")
