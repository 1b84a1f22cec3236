"""Laws of notices, whatever providers, machines and the broker put into events."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from autoscaler.config.sieve import Sieve
from autoscaler.gateways.webhooks import Reply
from autoscaler.notices import routes, sending, shapes, words
from autoscaler.notices.choosing import Chooser
from autoscaler.notices.contract import Choice, Ending, Notice, Shape
from tests.unit.notices.saying import TOKEN, URL, a_notice, a_route, said

SECRETS = ("hunter2-and-more", "p@ss/w:rd%", "line one of a key\nline two of a key", URL, TOKEN)
HOSTILE = st.sampled_from(
    [
        "\x00",
        "\x1b[31m",
        "\r\n",
        "\u202e",
        "\u2028",
        "\ud800",
        "`",
        "<!here>",
        "@channel ",
        "</code>",
        "<img src=x>",
        "&",
        "\\",
    ]
)
WRITINGS = st.sampled_from(
    [*SECRETS, *(quote(each, safe="") for each in SECRETS), *(json.dumps(each)[1:-1] for each in SECRETS)]
)
PIECES = st.lists(st.one_of(st.text(), HOSTILE, WRITINGS), max_size=8).map("".join)
VALUES = st.recursive(
    st.one_of(PIECES, st.integers(), st.floats(), st.booleans(), st.none()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(PIECES, inner, max_size=3)),
    max_leaves=6,
)
SHAPES = st.sampled_from(Shape)


def notice_of(error: object, node: object) -> Notice:
    return replace(a_notice(), fields={"node": node, "pool": "images", "error": error})


def body_of(shape: Shape, notice: Notice) -> str:
    letter = shapes.letter(
        notice, a_route(shape, room="!a:b"), number="0a1b", fleet="shop", sieve=Sieve(SECRETS)
    )
    return letter.body.decode("ascii")


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in (key, *texts(inner))]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []


@given(SHAPES, VALUES, VALUES)
def test_no_secret_comes_through_in_any_writing_and_any_shape(
    shape: Shape, error: object, node: object
) -> None:
    """Neither as it is, nor as a program quotes it, nor one that is cut in half by what is too long."""
    body = body_of(shape, notice_of(error, node))
    shown = "".join(texts(json.loads(body)))

    for secret in SECRETS:
        for written in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1]):
            assert written not in shown
    for line in SECRETS[2].splitlines():
        assert line not in shown
    assert "abcdefghijklmnop" not in shown


@given(st.integers(min_value=words.LONGEST - 60, max_value=words.LONGEST), WRITINGS, SHAPES)
def test_no_part_of_a_secret_is_left_where_a_text_is_cut(before: int, written: str, shape: Shape) -> None:
    """What is cut is what was sifted already."""
    shown = "".join(texts(json.loads(body_of(shape, notice_of(f"{'x' * before} {written}", "n1")))))

    assert written[: len(written) // 2] not in shown


@given(SHAPES, VALUES, VALUES)
def test_no_control_character_comes_through(shape: Shape, error: object, node: object) -> None:
    """Of a terminal, of a line, of the direction of writing; and no half of a character."""
    body = body_of(shape, notice_of(error, node))

    for text in texts(json.loads(body)):
        assert not {unicodedata.category(c) for c in text if c != "\n"} & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        text.encode()


@given(VALUES, VALUES)
def test_nothing_in_slacks_text_obeys_but_our_own_marks(error: object, node: object) -> None:
    """No link, no call of people, no code that ends early."""
    text = json.loads(body_of(Shape.SLACK, notice_of(error, node)))["text"]

    assert not set("<>") & set(text)
    assert "&" not in text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    for line in text.splitlines():
        assert line.count("`") in {0, 2}
    for word in ("@channel", "@here", "@everyone", "@all", "@room"):
        assert word not in text.lower()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.add(f"{tag}{attrs or ''}")


@given(VALUES, VALUES)
def test_nothing_in_the_html_of_a_room_is_a_tag_but_our_own(error: object, node: object) -> None:
    """As a browser reads it."""
    tags = _Tags()
    tags.feed(json.loads(body_of(Shape.MATRIX, notice_of(error, node)))["formatted_body"])

    assert tags.found <= {"strong", "br", "code"}


@given(st.binary(max_size=300), st.integers(300, 599), st.one_of(st.none(), st.text(max_size=40)))
def test_whatever_a_receiver_answers_is_judged_and_repeats_no_secret(
    body: bytes, status: int, retry_after: str | None
) -> None:
    """It is given the address and the token, and may say them again."""
    route = a_route(Shape.MATRIX, token=routes.Secret(TOKEN), room="!a:b")
    answered = body + f" {URL} {TOKEN} {URL.partition('example')[2]}".encode()

    answer = sending.judged(
        Reply(status=status, retry_after=retry_after, body=answered), route, 1_795_000_000.0
    )

    assert answer.ending is not Ending.TAKEN
    assert answer.after_s is None or 0.0 <= answer.after_s <= sending.LONGEST_PAUSE_S
    for secret in (URL, TOKEN, "abcdefghijklmnop"):
        assert secret not in answer.says
    assert answer.says.isprintable()


NOUNS = {"fact": ("fact.missed", "fact.recovered"), "node": ("node.failed", "node.recovered")}
PAUSES = (0.0, 1.0, 30.0, 59.0, 60.0, 61.0, 300.0, 599.0, 601.0)
STORIES = st.lists(
    st.tuples(st.sampled_from(sorted(NOUNS)), st.sampled_from(PAUSES), st.booleans()), min_size=4, max_size=30
)
"""Of what, after how long, and whether it is said again or changes."""


@settings(max_examples=max(300, settings().max_examples))
@given(STORIES, st.sampled_from([0.0, 60.0, 600.0]))
def test_the_last_word_on_a_trouble_is_true_once_it_may_be_said(
    story: list[tuple[str, float, bool]], repeat_s: float
) -> None:
    """Whatever came and went: who waits for `repeat` and hears nothing more knows how it stands. No end is told
    without its trouble, and none twice."""
    ears = Chooser(Choice(events=frozenset({"fact.missed", "node.failed"}), repeat_s=repeat_s))
    at = 0.0
    told = dict.fromkeys(NOUNS, False)
    stands = dict(told)
    for noun, pause_s, again in story:
        at += pause_s
        for late in ears.due(at):
            told[late.event.partition(".")[0]] = True
        stands[noun] = stands[noun] if again else not stands[noun]
        notice = ears.hear(said(NOUNS[noun][0 if stands[noun] else 1], at))
        if notice is not None:
            assert told[noun] or not notice.ends
            told[noun] = not notice.ends
    for late in ears.due(at + repeat_s):
        told[late.event.partition(".")[0]] = True

    assert stands == told
