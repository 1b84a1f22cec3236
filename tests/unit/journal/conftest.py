"""A journal for each test on each kind of database: a file in the test's own directory, and a private server's.

Tests of what only one kind has take `file_url` or `server_url`; all others run on both.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoscaler.journal import Journal, open_journal
from testbed.postgresql import PrivatePostgreSQL

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[PrivatePostgreSQL]:
    """A PostgreSQL that runs whenever a test begins; it starts with the first that needs it."""
    with PrivatePostgreSQL() as running:
        yield running


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def server_url(server: PrivatePostgreSQL) -> Iterator[str]:
    """An empty database of its own; the URL holds the password, as a configuration's must not."""
    if not server.running:  # the test before failed while it kept the server down
        server.start()
    name = f"journal_{next(_numbers)}"
    server.make_database(name)
    yield server.whole_url_for(name)
    if server.running:
        server.drop_database(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    fixture = {"sqlite": "file_url", "postgresql": "server_url"}[request.param]
    found: str = request.getfixturevalue(fixture)
    return found


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    opened = open_journal(url)
    yield opened
    opened.close()
