"""A stage for a pair: its journal is a database of its own on the one PostgreSQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping

import pytest

from testbed.postgresql import PrivatePostgreSQL
from tests.integration.stage import Stage
from tests.integration.standby.pair import TICK_S


@pytest.fixture
def database(postgresql: PrivatePostgreSQL) -> Iterator[str]:
    """An empty database of its own."""
    if not postgresql.running:  # the test before failed while it kept the server down
        postgresql.start()
    name = f"pair_{random.Random().randrange(10**9)}"
    yield postgresql.make_database(name)
    if postgresql.running:
        postgresql.drop_database(name)


@pytest.fixture
def set_pair(
    set_stage: Callable[..., Stage], postgresql: PrivatePostgreSQL, database: str
) -> Callable[..., Stage]:
    """Makes a stage whose journal is on the server."""

    def make(
        *, tick_s: float = TICK_S, secrets: Mapping[str, str] | None = None, **settings: object
    ) -> Stage:
        return set_stage(
            tick=f"{tick_s:g}s",
            journal_url=database,
            journal_more='password = { env = "JOURNAL_PASSWORD" }',
            secrets={"JOURNAL_PASSWORD": postgresql.password, **(secrets or {})},
            **settings,
        )

    return make
