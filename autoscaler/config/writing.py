"""Settings as lines of TOML: for people to paste, and for `--candidate`.

Tables as tomllib has them go in, text that it reads the same way comes out. What never happens here: a file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def pairs(table: Mapping[str, Any]) -> list[str]:
    """A line each."""
    return [f"{key(name)} = {value(of)}" for name, of in table.items()]


def key(name: str) -> str:
    """A key, in quotes where it needs them."""
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name)


def value(of: Any) -> str:
    """As TOML writes it. Its basic strings are those of JSON, with one control character more to be escaped."""
    match of:
        case bool():
            return "true" if of else "false"
        case str():
            return json.dumps(of, ensure_ascii=False).replace("\x7f", "\\u007f")
        case int() | float():
            return repr(of)
        case list() | tuple():
            return f"[{', '.join(map(value, of))}]"
        case Mapping():
            return f"{{ {', '.join(pairs(of))} }}" if of else "{}"
        case _:  # a date or a time, of other people's policies
            return str(of.isoformat())
