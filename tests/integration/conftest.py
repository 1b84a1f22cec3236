"""One broker for all that is played on stages, and a stage for each test, taken down whatever happened on it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from testbed.postgresql import PrivatePostgreSQL
from testbed.rabbitmq import PrivateRabbitMQ
from tests.integration.stage import Stage


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRabbitMQ]:
    """A RabbitMQ that runs whenever a test begins."""
    with PrivateRabbitMQ(tmp_path_factory.mktemp("rabbitmq"), statistics_interval_s=1.0) as running:
        yield running


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PrivatePostgreSQL]:
    """A PostgreSQL for journals of pairs; it starts with the first test that needs it."""
    with PrivatePostgreSQL() as running:
        yield running


@pytest.fixture
def set_stage(broker: PrivateRabbitMQ, tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Makes stages, each with a fleet, a vhost and a journal of its own."""
    stages: list[Stage] = []
    if not broker.running:  # the test before failed while it kept the broker down
        broker.start()

    def make(**settings: Any) -> Stage:
        fleet = f"flood-{secrets.token_hex(3)}"
        vhost = settings.pop("vhost", fleet)
        broker.add_vhost(vhost)
        stage = Stage(directory=tmp_path / fleet, broker=broker, fleet=fleet, vhost=vhost, **settings)
        stages.append(stage)
        return stage

    yield make
    for stage in stages:
        stage.close()
