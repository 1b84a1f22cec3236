"""How notices are written for each kind of receiver: words people read, and nothing in them that obeys."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from autoscaler.config.sieve import Sieve
from autoscaler.notices import shapes, words
from autoscaler.notices.contract import Letter, Notice, Shape
from tests.unit.notices.saying import AT, a_notice, a_route

ERROR = "no <stock> & <!channel> @channel <https://evil.example|here> `@everyone` [x](http://evil.example)"


def written(shape: Shape, notice: Notice, lost: int = 0, **route: object) -> Letter:
    return shapes.letter(
        notice, a_route(shape, **route), number="0a1b", fleet="shop", sieve=Sieve(()), lost=lost
    )


def document(shape: Shape, notice: Notice, lost: int = 0) -> Any:
    return json.loads(written(shape, notice, lost, room="!abc:matrix.example").body)


def text_of(shape: Shape, notice: Notice, lost: int = 0) -> str:
    text = document(shape, notice, lost)[
        {Shape.SLACK: "text", Shape.MATRIX: "body", Shape.JSON: "text"}[shape]
    ]
    assert isinstance(text, str)
    return text


@pytest.mark.parametrize("shape", Shape)
def test_a_notice_says_what_it_means_of_which_fleet_and_of_what(shape: Shape) -> None:
    """Somebody who reads it on a telephone at night knows where to look."""
    text = text_of(shape, a_notice(node="shop-images-4c9k2m7qa", pool="images", error="boom"))

    for part in (
        "shop: node.failed (error)",
        "A node could not be dealt with",
        "images",
        "boom",
        "2026-11-18",
    ):
        assert part in text
    assert "shop-images-4c9k2m7qa" in text


@pytest.mark.parametrize("shape", Shape)
def test_an_end_says_so_and_how_long_it_lasted(shape: Shape) -> None:
    """`over` in its title, so that nobody reads it as another trouble."""
    end = replace(a_notice("node.recovered", node="n1"), ends="node.failed", stood_s=3_725.0)

    assert "shop: node.recovered (over)" in text_of(shape, end)
    assert "node.failed lasted 1 h 2 min." in text_of(shape, end)


@pytest.mark.parametrize("shape", Shape)
def test_what_was_not_told_is_counted(shape: Shape) -> None:
    """Both the same that was held back, and others that never arrived."""
    text = text_of(shape, replace(a_notice(), unsaid=12), lost=1)

    assert "The same was said 12 more times since it was told last." in text
    assert "Before this, 1 notice could not be told; the log has all." in text


def test_slack_is_given_its_three_signs_escaped_and_no_way_to_call_people() -> None:
    """`<!channel>` and links need `<`; receivers that are compatible with Slack also take a bare `@channel`, and
    fetch what stands in brackets, unless it stands in code."""
    text = text_of(Shape.SLACK, a_notice(error=ERROR))

    assert not set("<>") & set(text)
    assert "&lt;!channel&gt;" in text
    assert "no &lt;stock&gt; &amp; " in text
    assert "@" not in text
    assert {"text"} == document(Shape.SLACK, a_notice()).keys()
    (line,) = (line for line in text.splitlines() if line.startswith("error: "))
    assert line.startswith("error: `")
    assert line.endswith("`")
    assert 2 == line.count("`")


def test_a_workers_name_is_left_readable() -> None:
    """`celery@node` calls nobody."""
    assert "celery@shop-images-1" in text_of(Shape.SLACK, a_notice(error="celery@shop-images-1 is silent"))


class _Html(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_a_matrix_room_is_given_plain_text_and_html_in_which_nothing_of_a_field_is_a_tag() -> None:
    """As the client-server API has it; and a mention of nobody, with which no word in it rings anybody's bell."""
    sent = document(Shape.MATRIX, a_notice(error=f"{ERROR} @room <img src=x onerror=alert(1)>"))

    assert ("m.text", "org.matrix.custom.html", {}) == (sent["msgtype"], sent["format"], sent["m.mentions"])
    assert {"strong", "br", "code"} == set(_Html(sent["formatted_body"]).tags)
    assert "@room" not in sent["body"] + sent["formatted_body"]


def test_a_matrix_message_has_one_transaction_however_often_it_is_tried() -> None:
    """The server then takes it once, though the answer to the first try was lost."""
    letter = written(Shape.MATRIX, a_notice(), room="!abc/d:matrix.example")

    path = "/_matrix/client/v3/rooms/%21abc%2Fd%3Amatrix.example/send/m.room.message/0a1b"
    assert ("PUT", path) == (letter.method, letter.path)


def test_json_has_every_field_as_it_is() -> None:
    """Numbers stay numbers, lists stay lists."""
    notice = replace(
        a_notice("daemon.started", fleet="shop", pools=["a", "b"], version="1", pid=42), unsaid=3
    )

    sent = document(Shape.JSON, notice)

    assert {"fleet": "shop", "pools": ["a", "b"], "version": "1", "pid": 42} == sent["fields"]
    assert ("daemon.started", "info", "shop", "0a1b", AT, 3) == tuple(
        sent[key] for key in ("event", "level", "fleet", "id", "at", "unsaid")
    )
    assert (None, None, 0, False) == tuple(sent[key] for key in ("ends", "stood_s", "lost", "trial"))


@pytest.mark.parametrize("shape", Shape)
def test_a_long_error_is_cut_and_the_message_has_a_bound(shape: Shape) -> None:
    """Slack advises 4,000 characters; a provider may answer with a page of HTML."""
    body = written(shape, a_notice(error="x" * 100_000), room="!a:b").body

    assert len(body) < 10_000
    assert b"x" * (words.LONGEST + 1) not in body


def test_odd_numbers_and_deep_values_are_written_all_the_same() -> None:
    """JSON knows no infinity."""
    odd = a_notice(error=float("nan"), node={"a": [float("inf"), {1, 2}]}, pool=None)

    body = written(Shape.JSON, odd).body

    assert b"NaN" not in body
    assert b"Infinity" not in body
    assert {"a": ["inf", [1, 2]]} == json.loads(body)["fields"]["node"]


def test_a_letter_and_a_route_show_neither_address_nor_text() -> None:
    """Somebody will print one."""
    shown = repr(written(Shape.SLACK, a_notice(error="secret words"))) + repr(a_route())

    assert "secret words" not in shown
    assert "hooks.example" not in shown


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "0 s"), (59.6, "1 min"), (90, "1 min 30 s"), (86_400, "1 d"), (90_061, "1 d 1 h")],
)
def test_a_time_is_said_in_its_two_largest_units(seconds: float, said: str) -> None:
    """Nobody reads 90061 s."""
    assert said == words.lasted(seconds)
