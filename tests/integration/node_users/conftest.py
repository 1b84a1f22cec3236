"""A vhost of its own for each test, at the broker of the session."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest

from testbed.rabbitmq import PrivateRabbitMQ
from tests.integration.node_users.stage import Stage


@pytest.fixture
def set_scene(broker: PrivateRabbitMQ) -> Callable[..., Stage]:
    """Makes stages; the name of the vhost has to be quoted wherever it goes."""
    if not broker.running:
        broker.start()

    def make(**settings: Any) -> Stage:
        vhost = f"a/b {secrets.token_hex(3)}"
        broker.add_vhost(vhost)
        return Stage(broker=broker, vhost=vhost, **settings)

    return make
