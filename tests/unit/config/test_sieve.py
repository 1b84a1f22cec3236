"""What a report shows: no secret in any writing, and everything else."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from autoscaler.config.secret import MASK, referred
from autoscaler.config.sieve import Sieve

SECRET = "p@ss 'w/rd\n\"ö"


@pytest.mark.parametrize(
    "writing",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote(SECRET),
        quote_plus(SECRET),
        repr(SECRET)[1:-1],
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        base64.b64encode(SECRET.encode()).decode(),
    ],
)
def test_a_secret_is_found_in_every_writing_that_programs_have(writing: str) -> None:
    """A message may quote it as it likes."""
    assert {"why": [f"login {MASK} failed"]} == Sieve([SECRET]).clean({"why": (f"login {writing} failed",)})


def test_keys_and_numbers_are_no_way_out() -> None:
    """A password of digits is in a report as a number, or as the name of something."""
    assert {MASK: [MASK, True, None, 12]} == Sieve(["4711471", "rue"]).clean(
        {"4711471": [94711471, True, None, 12]}
    )


def test_a_line_of_a_key_file_is_a_secret_too() -> None:
    """A library that complains shows one of them."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0\n-----END KEY-----"

    assert f"bad line {MASK}" == Sieve([key]).text("bad line MIIEvQIBADANBgkqhkiG9w0")


def test_the_longest_secret_goes_first() -> None:
    """One that begins like another would leave its end behind."""
    assert MASK == Sieve(["hunter", "hunter2 and more"]).text("hunter2 and more")


def test_secrets_too_short_to_be_looked_for_are_counted() -> None:
    """Every text has an `a`; who reads the report knows what was not sought."""
    sieve = Sieve(["a", "", "abcd"])

    assert ("a banana", 1) == (sieve.text("a banana"), sieve.too_short)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("amqp://me:hush@rabbit:5672/v", f"amqp://{MASK}@rabbit:5672/v"),
        ("git+https://token@host/x.git@v1", f"git+https://{MASK}@host/x.git@v1"),
        ("https://host/simple?token=1&x", f"https://host/simple?{MASK}"),
        ("https://host/simple", "https://host/simple"),
        ("see HTTP://a:b@c, and d", f"see HTTP://{MASK}@c, and d"),
    ],
)
def test_logins_and_queries_of_urls_are_hidden_without_being_known(url: str, shown: str) -> None:
    """A token that somebody wrote into an address is no secret of the configuration, and is one."""
    assert shown == Sieve([]).text(url)


def test_every_reference_of_a_document_is_followed_wherever_it_stands() -> None:
    """Those that cannot be read are left out; the others are hidden all the same."""
    document = {
        "a": {"password": {"env": "ONE"}},
        "b": [{"c": {"env": "TWO"}}, {"file": "/no/such/file"}],
        "d": 1,
    }

    found = referred(document, {"ONE": "first", "TWO": "second"})

    assert ["first", "second"] == [secret.reveal() for secret in found]
