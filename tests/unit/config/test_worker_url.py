"""The broker's address as workers are given it, read back by the parsers that will read it."""

from __future__ import annotations

import json
from typing import Any

import pika
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu import Connection
from kombu.utils.url import parse_url

from autoscaler.config import Settings
from tests.unit.config.documents import settings

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30)


def broker(username: str, password: str, vhost: str) -> Settings:
    return settings(
        ('username = "daemon"', f"username = {quoted(username)}\nvhost = {quoted(vhost)}"),
        environ={"PASSWORD": password},
    )


def quoted(text: str) -> str:
    """As a TOML string: JSON's quoting will do, but for its pairs of half characters."""
    return json.dumps(text, ensure_ascii=False)


def read_by_kombu(url: str) -> tuple[Any, ...]:
    parts = parse_url(url)
    return parts["hostname"], parts["port"], parts["userid"], parts["password"], parts["virtual_host"]


def read_by_pika(url: str) -> tuple[Any, ...]:
    parts = pika.URLParameters(url)
    return parts.host, parts.port, parts.credentials.username, parts.credentials.password, parts.virtual_host


@pytest.mark.parametrize("vhost", ["/", "a/b", "%2F", "shop", "ä b", "?x#y"])
@pytest.mark.parametrize("password", ["p@ss/w:rd%", "%41", "a+b c", "ключ", "?#[]"])
def test_kombu_and_pika_read_back_what_was_configured(password: str, vhost: str) -> None:
    """Special characters in a password or a virtual host reach the broker as they are."""
    url = broker("shop@home", password, vhost).broker.worker_url()

    expected = ("rabbit", 5672, "shop@home", password, vhost)
    assert expected == read_by_kombu(url)
    assert expected == read_by_pika(url)


def test_a_celery_connection_keeps_the_virtual_host() -> None:
    """Kombu's connection, which Celery's workers open, does not strip the `/`."""
    for vhost in ("/", "a/b"):
        with Connection(broker("shop", "p@ss/w:rd%", vhost).broker.worker_url()) as connection:
            assert (vhost, "p@ss/w:rd%") == (connection.virtual_host, connection.password)


@given(TEXT, TEXT, TEXT)
def test_any_text_survives_the_address(username: str, password: str, vhost: str) -> None:
    """Whatever the broker accepts as user, password and virtual host, the address says the same."""
    url = broker(username, password, vhost).broker.worker_url()

    assert ("rabbit", 5672, username, password, vhost) == read_by_kombu(url)
    assert ("rabbit", 5672, username, password, vhost) == read_by_pika(url)


def test_an_encrypted_address_stays_encrypted() -> None:
    """Neither the scheme nor an IPv6 address in brackets is lost."""
    loaded = settings(('"amqp://rabbit:5672"', '"amqps://[2001:db8::1]:5671/"'))

    assert "amqps://daemon:p%40ss%2Fw%3Ard%25@[2001:db8::1]:5671/%2F" == loaded.broker.worker_url()
