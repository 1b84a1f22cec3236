"""A node's token is that node's alone, the same for whoever leads, and shown to nobody."""

from __future__ import annotations

import pytest

from autoscaler.tokens import TOKEN_CHARACTERS, Tokens

TOKENS = Tokens(password="p@ss/wörd", fleet="web")


def test_a_token_proves_its_own_node_only() -> None:
    """Not another's, nor a name that begins alike; nor does half of it, or what is no token at all."""
    token = TOKENS.of("web-1")

    assert TOKEN_CHARACTERS == len(token)
    assert TOKENS.prove("web-1", token)
    assert not TOKENS.prove("web-2", token)
    assert not TOKENS.prove("web-1\n", token)
    assert not TOKENS.prove("web-1", token[:-1])
    assert not TOKENS.prove("web-1", "")
    assert not TOKENS.prove("web-1", "\ud800")


def test_who_leads_next_derives_the_same_tokens() -> None:
    """Nothing is stored, so the daemon that takes over knows the machines of the one before it."""

    assert Tokens(password="p@ss/wörd", fleet="web").prove("web-1", TOKENS.of("web-1"))


@pytest.mark.parametrize(("password", "fleet"), [("p@ss/wörd", "api"), ("another", "web")])
def test_another_fleet_or_password_has_other_tokens(password: str, fleet: str) -> None:
    """Two fleets at one broker, even with one password, cannot speak for each other's machines."""

    assert not Tokens(password=password, fleet=fleet).prove("web-1", TOKENS.of("web-1"))


def test_the_key_is_not_shown() -> None:
    """Nor anything that it could be found from."""

    assert "Tokens(********)" == repr(TOKENS)
    assert not hasattr(TOKENS, "__dict__")
