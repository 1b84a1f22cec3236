"""What strangers say stands in a log without forging a line of it, and without a secret."""

from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest

from providers import words


def test_a_stranger_s_text_is_made_fit_for_a_log() -> None:
    """One line, no control letters, no secrets, no long encoded run, and an end."""
    text = "no\x1b[31m\r\nINFO forged line " + "QUJD" * 30 + " the-secret " + "word " * 200

    clean = words.clean(text, ("the-secret",))

    assert clean.isprintable()
    assert len(clean) <= words.TEXT_LIMIT + 1
    assert "the-secret" not in clean
    assert "QUJDQUJD" not in clean


@pytest.mark.parametrize(
    "spelled", [quote("a secret/key", safe=""), quote_plus("a secret/key"), "a secret/key"]
)
def test_a_secret_is_found_however_an_address_spells_it(spelled: str) -> None:
    """Servers repeat the address that they were asked at."""
    assert "GET /?key=… failed" == words.clean(f"GET /?key={spelled} failed", ("a secret/key",))


def test_a_secret_is_found_in_base64_up_to_what_depends_on_its_end() -> None:
    """As basic authentication carries it."""
    told = base64.b64encode(b"the-secret:x").decode()

    assert "…" + told[12:] == words.clean(told, ("the-secret",))


def test_a_secret_that_holds_another_goes_whole() -> None:
    """Nothing of the longer one is left beside the mark of the shorter."""
    assert "key …" == words.clean("key abc-def-ghi", ("abc", "abc-def-ghi"))
