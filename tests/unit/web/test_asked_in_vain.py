"""What is answered to who asks for what is not there, and to names that pretend."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path

import pytest
import requests
from pydantic import TypeAdapter, ValidationError

from autoscaler.clock import SystemClock
from autoscaler.config import parse
from autoscaler.journal import open_journal
from autoscaler.web.ordering import Wish
from autoscaler.web.serving import open_web
from tests.unit.stand_ins import Heard
from tests.unit.web.fleets import CONFIG

BROWSER = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("nowhere", BROWSER, "text/html"),
        ("nowhere", {"Accept": "application/json"}, "application/json"),
        ("nowhere", {"Accept": "*/*"}, "application/json"),
        ("api/v1/nowhere", BROWSER, "application/json"),
        ("api/v1/history?pool=nowhere", BROWSER, "application/json"),
    ],
)
def test_people_are_told_by_a_page_that_nothing_is_there_and_programs_by_json(
    tmp_path: Path, path: str, accept: dict[str, str], kind: str
) -> None:
    """A mistyped address shows words; whatever asks the API gets what it can read."""
    settings = parse(f'{CONFIG}\n[web]\nlisten = "127.0.0.1:0"\n', {"SECRET": "x"}, source="test")
    with closing(open_journal(f"sqlite:///{tmp_path}/journal.db")) as journal:
        server = open_web(
            lambda: settings,
            journal,
            lambda: nullcontext(journal),
            config=tmp_path,
            counted=dict,
            version="0",
            clock=SystemClock(),
            log=Heard(),
        )
        assert server is not None
        try:
            answer = requests.get(server.url + path, headers=accept, timeout=10)
        finally:
            server.stop()

    assert (404, kind) == (answer.status_code, answer.headers["content-type"].partition(";")[0])
    assert ("<h1>There is nothing here</h1>" in answer.text) == (kind == "text/html")


@pytest.mark.parametrize(
    "by",
    ["Anna (web, 10.0.0.1)", "Anna\u202e", "Anna\n", "\u2066Anna", "An\u200bna", "Anna \uff08web\uff09", "\x9bAnna"],
)  # fmt: skip
def test_nobody_orders_under_a_name_that_pretends(by: str) -> None:
    """Behind it the record says which way an order came, and from where."""
    with pytest.raises(ValidationError):
        TypeAdapter(Wish).validate_python({"kind": "pause", "target": "images", "by": by})


@pytest.mark.parametrize("by", ["Anna", "Ánna Ōsaka", "安娜", "ops@example.com", "on-call #3", ""])
def test_people_have_the_names_that_they_have(by: str) -> None:
    """In any script."""
    wish = TypeAdapter(Wish).validate_python({"kind": "pause", "target": "images", "by": by})

    assert by == wish.by
