"""Odd input made from good input: a document with some of its parts spoiled, and bytes that are hardly a document.

A document comes in as plain values and goes out as JSON text. A reader that survives only what is far from right would
be no use, so most of what is made here is right but for one or two places.
"""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from collections.abc import Iterator
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

Place = tuple[Any, Any]
"""A list or an object, and the index or key of one of its values."""

_AGAIN = "\0"
"""Before a key: it is written a second time under its own name, which no dictionary could hold."""
exploded: list[str] = []
"""Filled by a `Bomb` that somebody unpickled."""

scalars = (
    st.none()
    | st.booleans()
    | st.sampled_from([0, 1, -1, 10**12, 10**12 + 1, 2**53, 2**63, -(2**63), 10**400])
    | st.integers()
    | st.floats()
    | st.sampled_from(
        ["", "0", "7", "-1", "NaN", "true", "..", ".", "/", "\ud800", "\0", "ø" * 300, "\u202e"]
    )
    | st.text(max_size=8)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
deep = st.sampled_from([5, 400, 990, 20_000]).flatmap(
    lambda depth: st.sampled_from([b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth])
)


def fewer(share: int) -> settings:
    """For tests whose examples are slow: one in `share` of the profile's number."""
    return settings(max_examples=max(5, settings.default.max_examples // share))


class Bomb:
    """Says so if it is ever unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exploded.append, ("somebody unpickles what strangers send",)


@st.composite
def spoiled(draw: st.DrawFn, document: Any, *, most: int = 3) -> Any:
    """The document with up to so many of its places changed. Give the result to `text`."""
    work = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, most))):
        places = list(_places(work))
        if not places:
            break
        container, key = places[draw(st.integers(0, len(places) - 1))]
        value = container[key]
        match draw(
            st.sampled_from(["replace", "replace", "drop", "rename", "wrap", "unwrap", "again", "repeat"])
        ):
            case "replace":
                container[key] = draw(values)
            case "drop":
                del container[key]
            case "rename":
                if isinstance(container, dict):
                    container[draw(st.text(max_size=6))] = container.pop(key)
            case "wrap":
                container[key] = draw(st.sampled_from([[value], {"value": value}, str(value), repr(value)]))
            case "unwrap":
                container[key] = next(iter(_inside(value)), None)
            case "again":
                if isinstance(container, dict):
                    container[f"{_AGAIN}{key}"] = draw(values)
            case _:
                if isinstance(container, list):
                    container.append(copy.deepcopy(value))
    return work


def text(document: Any) -> bytes:
    """The document as JSON, keys that stand twice and numbers that are none included."""
    return json.dumps(document).replace(f'"{json.dumps(_AGAIN)[1:-1]}', '"').encode()


@st.composite
def broken(draw: st.DrawFn, body: bytes) -> bytes:
    """The bytes cut, patched, in another encoding, packed, or something else altogether."""
    match draw(st.sampled_from(["cut", "patch", "encode", "gzip", "pickle", "deep", "noise", "nothing"])):
        case "cut":
            return body[: draw(st.integers(0, len(body)))]
        case "patch":
            at = draw(st.integers(0, len(body)))
            return body[:at] + draw(st.binary(max_size=4)) + body[at + draw(st.integers(0, 4)) :]
        case "encode":
            return body.decode(errors="replace").encode(
                draw(st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"])), "replace"
            )
        case "gzip":
            return gzip.compress(body, mtime=0)
        case "pickle":
            return pickle.dumps(Bomb(), protocol=draw(st.integers(0, 5)))
        case "deep":
            return draw(deep)
        case "noise":
            return draw(st.binary(max_size=64))
        case _:
            return b""


def bodies(document: Any) -> st.SearchStrategy[bytes]:
    """Three of four are JSON of a spoiled document; the others are hardly a document."""
    made = spoiled(document).map(text)
    return st.one_of(made, made, made, made.flatmap(broken))


def told_twice(body: bytes, *keys: str) -> bool:
    """Whether one of these keys stands twice in one object, with different values."""
    clashes: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        clashes.extend(k for k, v in found if k in keys and any(k == other and v != w for other, w in found))
        return dict(found)

    json.loads(body, object_pairs_hook=pairs)
    return bool(clashes)


def plain(body: bytes) -> Any:
    """What the bytes say to Python's own reader; `...` for what is no JSON in UTF-8."""
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return ...


def _places(value: Any) -> Iterator[Place]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _inside(value: Any) -> Any:
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else ()
