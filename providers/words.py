"""Words of a stranger's making, fit for a log: one line, bounded, without secrets and without what may encode one.

Text and the secrets known to its reader go in, text comes out. What never happens here: a judgement of what the words
mean.
"""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

TEXT_LIMIT = 300
_GZIP = b"\x1f\x8b"
_UNPACKED_LIMIT_BYTES = 1_000_000
_LONG_RUN = re.compile(r"[A-Za-z0-9+/=%_-]{48,}")
"""Encoded user data, signatures, tokens, authorization messages: no word a person reads is that long."""
_TOKEN = re.compile(r"[^\s\"'`,;<>(){}\[\]]{8,}")
_PASSWORD_IN_URL = re.compile(r"://[^\s/@:]*:([^\s/@]+)@")


def clean(text: str, secrets: Iterable[str] = ()) -> str:
    """The text on one line of at most 300 letters, with `…` for each secret, however it is written, and for long runs
    of letters."""
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        for spelled in _spellings(secret):
            text = text.replace(spelled, "…")
    text = _LONG_RUN.sub("…", "".join(letter if letter.isprintable() else " " for letter in text))
    text = " ".join(text.split())
    return text if len(text) <= TEXT_LIMIT else text[:TEXT_LIMIT] + "…"


def last_line(text: str) -> str:
    """The last line that says something: where programs say why they end."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")


def secrets_in(user_data: bytes) -> frozenset[str]:
    """What of a user data must stand in no message: we do not know which of its parts are secret, so all that are long
    enough to be, and the passwords of its URLs."""
    text = _unpacked(user_data).decode(errors="replace")
    return frozenset((*_TOKEN.findall(text), *_PASSWORD_IN_URL.findall(text)))


def _unpacked(user_data: bytes) -> bytes:
    """As it was before it was compressed, if it was; as it is, if nobody can tell."""
    if not user_data.startswith(_GZIP):
        return user_data
    try:
        return zlib.decompressobj(wbits=31).decompress(user_data, _UNPACKED_LIMIT_BYTES)
    except zlib.error:
        return user_data


def _spellings(secret: str) -> tuple[str, ...]:
    raw = secret.encode(errors="replace")
    # Without the end, which depends on what follows it.
    encoded = base64.b64encode(raw[: len(raw) // 3 * 3]).decode()
    return tuple(dict.fromkeys(filter(None, (secret, quote(secret, safe=""), quote_plus(secret), encoded))))
