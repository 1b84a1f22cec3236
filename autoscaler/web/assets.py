"""Style sheets, scripts and the sign of the pages, those of charts too: read once, named with a digest to be kept by.

What never happens here: a file from outside of the folder beside this module and of `plots`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from autoscaler.plots import chart

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
    files = {path.name: path.read_bytes() for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES}
    files |= {"chart.css": chart.style().encode(), "chart.js": chart.script().encode()}
    return MappingProxyType({name: _asset(name, content) for name, content in files.items()})


def _asset(name: str, content: bytes) -> Asset:
    digest = hashlib.sha256(content).hexdigest()[:_DIGITS]
    return Asset(name=name, content=content, media_type=_TYPES[Path(name).suffix], digest=digest)


def address(name: str) -> str:
    """Where a page finds it; another address once it changed. Raises KeyError for one that is not there."""
    return f"/static/{name}?v={all_of_them()[name].digest}"
