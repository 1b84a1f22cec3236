"""The style sheet, the scripts and the sign of the pages: read once, named with a digest so that browsers keep them.

What never happens here: a file from outside of the folder beside this module.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).with_name("static")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file as it is sent."""

    name: str
    content: bytes
    media_type: str
    digest: str


@cache
def all_of_them() -> Mapping[str, Asset]:
    """By name; what is not here is not served."""
    found = {}
    for path in sorted(_FOLDER.iterdir()):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
            found[path.name] = Asset(
                name=path.name, content=content, media_type=_TYPES[path.suffix], digest=digest
            )
    return MappingProxyType(found)


def address(name: str) -> str:
    """Where a page finds it; another address once it changed. Raises KeyError for one that is not there."""
    return f"/static/{name}?v={all_of_them()[name].digest}"
