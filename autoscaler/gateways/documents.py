"""JSON from outside, read strictly: what contradicts itself or is no JSON is not believed.

Bytes go in, plain values come out, or ValueError. What never happens here: a look at what the values mean, or bytes
read as anything but JSON in UTF-8, whatever they call themselves; nothing is ever unpickled.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn


def decoded(body: bytes) -> Any:
    """What the bytes say. Raises ValueError, also for nesting beyond Python's stack and for `NaN` and `Infinity`.

    A key that is given twice with different values says nothing: its value becomes None, which no reader takes for a
    figure. Python alone would believe the last one, and a count or an idle worker may stand in it.
    """
    try:
        return _STRICT.decode(body.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unequivocal(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for key, value in pairs:
            if found[key] != value:
                found[key] = None
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_unequivocal, parse_constant=_refuse)
