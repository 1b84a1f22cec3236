"""What becomes of a page that could not be made: the client learns that it failed, the log learns why."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import requests

from autoscaler.clock import SystemClock
from autoscaler.config import parse
from autoscaler.journal import open_journal
from autoscaler.web.serving import open_web
from tests.unit.web.fleets import CONFIG


class _Heard:
    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def say(self, event: str, /, **fields: object) -> None:
        self.said.append((event, fields))


def test_a_fault_of_ours_is_logged_and_not_shown(tmp_path: Path) -> None:
    """By the route's address and the exception's own words; the next request is answered."""

    def broken() -> dict[str, tuple[object, ...]]:
        raise ZeroDivisionError("counted in vain")

    settings = parse(f'{CONFIG}\n[web]\nlisten = "127.0.0.1:0"\n', {"SECRET": "x"}, source="test")
    journal, log = open_journal(f"sqlite:///{tmp_path}/journal.db"), _Heard()
    server = open_web(
        lambda: settings,
        journal,
        lambda: nullcontext(journal),
        config=tmp_path,
        counted=broken,  # type: ignore[arg-type] # it never returns
        version="0",
        clock=SystemClock(),
        log=log,
    )
    assert server is not None
    try:
        answer = requests.get(f"{server.url}metrics", timeout=10)
        assert 500 == answer.status_code
        assert "vain" not in answer.text
        assert 200 == requests.get(f"{server.url}api/v1/status", timeout=10).status_code
    finally:
        server.stop()
        journal.close()

    assert ("web.erred", {"address": "/metrics", "error": "ZeroDivisionError: counted in vain"}) in log.said
