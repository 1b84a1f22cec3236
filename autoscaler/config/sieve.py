"""What a report may show: values without any secret of the configuration, in whichever writing it stands there.

In go secrets and any value of texts, numbers, lists and maps; out comes the same value with marks in place of secrets,
and of the user information and the query of every URL. In doubt more is hidden. What never happens here: a secret that
leaves by another way than into the pattern that looks for it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from autoscaler.config.secret import MASK

SHORTEST = 4
"""Shorter ones would hide half of every report, and hide nothing: they are in any text by chance."""
_SHORTEST_LINE = 12
"""A line of a secret of several lines, such as a key file's, is looked for by itself from this length on."""
_URL = re.compile(r"\b([a-z][a-z0-9+.-]*://)([^\s/?#\"'<>]*@)?([^\s?#\"'<>]*)(\?[^\s\"'<>]*)?", re.IGNORECASE)


class Sieve:
    """Holds back these secrets, and what looks like a login in a URL."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found = {text for text in secrets if text}
        self.too_short = sum(len(text) < SHORTEST for text in found)
        """How many secrets are too short to be looked for; where they are configured they are masked all the same."""
        texts = {writing for text in found if len(text) >= SHORTEST for writing in _writings(text)}
        longest_first = sorted(texts, key=lambda text: (-len(text), text))
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def clean(self, value: Any) -> Any:
        """The value without them: in keys, too, and in numbers."""
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.clean(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.clean(inner) for inner in value]
        if isinstance(value, str):
            return self.text(value)
        if value is None or isinstance(value, bool):
            return value
        plain = str(value)
        return value if self.text(plain) == plain else MASK

    def text(self, text: str) -> str:
        """One text without them."""
        masked = _URL.sub(_bare, text)
        return masked if self._pattern is None else self._pattern.sub(MASK, masked)


def _bare(match: re.Match[str]) -> str:
    scheme, login, place, query = match.groups()
    return f"{scheme}{f'{MASK}@' if login else ''}{place}{f'?{MASK}' if query else ''}"


def _writings(secret: str) -> Iterator[str]:
    """How a secret may stand in a message: as it is, in a URL, quoted by a program, in a header."""
    yield secret
    yield from (line for line in secret.splitlines() if len(line) >= _SHORTEST_LINE)
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode()
