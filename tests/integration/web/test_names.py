"""Names that no database takes, on a real PostgreSQL: what they ask for is refused, and nothing is said to be down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from autoscaler.cli import opened
from autoscaler.clock import SystemClock
from autoscaler.config import Settings, parse
from autoscaler.journal import Journal, open_journal
from autoscaler.web.serving import open_web
from testbed.postgresql import PrivatePostgreSQL
from tests.unit.web.fleets import CONFIG

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]
NUL = "%00"


class _Heard:
    url = ""

    def say(self, event: str, /, **fields: object) -> None:
        if event == "web.opened":
            self.url = str(fields["url"])


@pytest.fixture
def journal(postgresql: PrivatePostgreSQL) -> Iterator[Journal]:
    url = postgresql.make_database("web_names")
    made = open_journal(url, password=postgresql.password)
    yield made
    made.close()
    postgresql.drop_database("web_names")


def settings() -> Settings:
    return parse(f'{CONFIG}\n[web]\nlisten = "127.0.0.1:0"\n', {"SECRET": "x"}, source="test")


@pytest.mark.parametrize(
    "path",
    [
        f"api/v1/nodes/{NUL}",
        f"api/v1/decisions?pool={NUL}",
        f"api/v1/events?pool={NUL}",
        f"nodes/{NUL}",
        f"pools/{NUL}/decisions/1",
    ],
)
def test_a_name_that_no_record_can_have_is_no_trouble_of_the_journal(
    journal: Journal, tmp_path: Path, path: str
) -> None:
    """What is wrong is the address, and whoever sent it is told so."""
    heard, now = _Heard(), settings()
    server = open_web(
        lambda: now,
        journal,
        lambda: opened.journal_to_order(now),
        config=tmp_path,
        counted=dict,
        version="0",
        clock=SystemClock(),
        log=heard,
    )
    assert server is not None
    try:
        answer = requests.get(heard.url + path, timeout=10)
    finally:
        server.stop()

    assert 422 == answer.status_code, answer.text
