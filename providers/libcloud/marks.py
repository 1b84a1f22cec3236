"""How our fleet's mark, and a machine's name, are spelt at a cloud, and read again from what the cloud says.

In go fleet, pool and name, out come arguments for a create; in goes a machine's row with its name there, out comes
whose it is. Pure. What never happens here: a guess. A mark that cannot be read back exactly is nobody's.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from providers.dialects.contract import FLEET_KEY, NODE_KEY, POOL_KEY, Dialect, Mark, MarkShape

DIGITS = 10
"""Of the checksum in a name, 5 bits each: a stranger's name is taken for ours once in some 10^13 machines."""
PARTS_MAX = 24
"""Of a name between its hyphens; ours have far fewer, and each pair of them is tried."""


class Unspeakable(ValueError):
    """The cloud cannot bear this name or mark. The message says which, and what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose a machine is, and what we call it."""

    fleet: str
    pool: str | None
    name: str


def text(key: str, value: str) -> str:
    """A mark as one text."""
    return f"{key}:{value}"


def spelt_name(dialect: Dialect, *, fleet: str, pool: str, name: str) -> str:
    """What the cloud calls the machine that we call `name`. Raises Unspeakable."""
    names = dialect.names
    for ours, theirs in names.respell:
        name = name.replace(ours, theirs)
    if dialect.mark.shape is MarkShape.NAME:
        body = name if pool in _runs(name.split("-")) else f"{pool}-{name}"
        name = f"{body}-{_checksum(fleet, pool, name)}"
    if len(name) > names.longest or not re.fullmatch(names.pattern, name):
        raise Unspeakable(f"{name!r} is no name there: at most {names.longest} letters, {names.pattern}")
    return name


def spelt_mark(dialect: Dialect, *, fleet: str, pool: str, name: str) -> object:
    """The value of the mark's argument; None where the name alone is the mark. Raises Unspeakable."""
    mark = dialect.mark
    values = {FLEET_KEY: fleet, POOL_KEY: pool, NODE_KEY: name}
    values = {key: value for key, value in values.items() if key in mark.bears}
    match mark.shape:
        case MarkShape.DICT:
            return {key: _fit(mark, value) for key, value in values.items()}
        case MarkShape.TEXTS:
            return [_fit(mark, text(key, value)) for key, value in values.items()]
        case MarkShape.TEXT:
            return _fit(mark, text(FLEET_KEY, f"{fleet}:{pool}:{name}"))
        case MarkShape.NAME:
            return None


def in_order(dialect: Dialect, *, fleet: str, pool: str, name: str) -> Mapping[str, str]:
    """Parameters of an order that mark what comes with the machine."""
    return {
        key: value.format(fleet=fleet, pool=pool, name=name) for key, value in dialect.also_marked.items()
    }


def owner_of(dialect: Dialect, *, fleet: str, row: Mapping[str, object], name: str) -> Owner | None:
    """Our fleet's ownership of a machine that the cloud calls `name`; None: it is not ours."""
    mark = dialect.mark
    if mark.shape is MarkShape.NAME:
        return _signed(fleet, name)
    found = dig(row, mark.found_in)
    values: Mapping[str, object] = {}
    match mark.shape:
        case MarkShape.DICT:
            values = dict(found) if isinstance(found, dict) else _paired(found, mark.pairs)
        case MarkShape.TEXTS:
            texts = [each for each in found if isinstance(each, str)] if isinstance(found, list) else []
            # A cloud may keep the spelling in which somebody first used a tag. Our own words have no capitals.
            pairs = {each.casefold().partition(":")[::2] for each in texts if ":" in each}
            # Two fleets at once are nobody's.
            if sum(key == FLEET_KEY for key, _ in pairs) > 1:
                return None
            values = dict(pairs)
        case MarkShape.TEXT:
            parts = found.split(":") if isinstance(found, str) else []
            keys = (FLEET_KEY, POOL_KEY, NODE_KEY)
            values = (
                dict(zip(keys, parts[1:], strict=True)) if len(parts) == 4 and parts[0] == FLEET_KEY else {}
            )
    if values.get(FLEET_KEY) != fleet:
        return None
    pool, node = values.get(POOL_KEY), values.get(NODE_KEY)
    return Owner(
        fleet=fleet,
        pool=pool if isinstance(pool, str) else None,
        name=node if isinstance(node, str) and node else read_name(dialect, name),
    )


def read_name(dialect: Dialect, name: str) -> str:
    """What we call the machine that the cloud calls `name`."""
    for ours, theirs in reversed(dialect.names.respell):
        name = name.replace(theirs, ours)
    return name


def dig(row: object, path: str) -> object:
    """What stands at a dotted path; None where nothing does. An empty path is the whole, a number picks from a list."""
    before, everywhere, after = path.partition("*")
    if everywhere:
        around = dig(row, before)
        found = [dig(each, after) for each in around.values()] if isinstance(around, dict) else [False]
        lists = [each for each in found if isinstance(each, list)]
        whole = len(lists) == sum(each is not None for each in found)
        return [one for each in lists for one in each] if whole else None
    for key in filter(None, path.split(".")):
        if isinstance(row, list) and key.isdecimal():
            row = dict(enumerate(row)).get(int(key))
        else:
            row = row.get(key) if isinstance(row, dict) else None
    return row


def _paired(found: object, names: tuple[str, str]) -> Mapping[str, object]:
    """A list of pairs as a dictionary. A key that comes twice with two values has none: it would be a guess."""
    key, value = names
    values: dict[str, object] = {}
    for each in found if isinstance(found, list) and key else ():
        if isinstance(each, dict) and isinstance(each.get(key), str):
            said = each.get(value)
            values[each[key]] = said if values.get(each[key], said) == said else None
    return values


def _fit(mark: Mark, value: str) -> str:
    if not re.fullmatch(mark.value, value):
        raise Unspeakable(f"{value!r} is no mark there: {mark.value}")
    return value


def _signed(fleet: str, name: str) -> Owner | None:
    """Whose name this is by its checksum: fleet `web` never takes what fleet `web-2` made."""
    body, _, checksum = name.rpartition("-")
    parts = body.split("-")
    if len(checksum) != DIGITS or len(parts) > PARTS_MAX:
        return None
    tried = [(pool, body) for pool in _runs(parts)]
    tried += [("-".join(parts[:at]), "-".join(parts[at:])) for at in range(1, len(parts))]
    for pool, called in tried:
        if _checksum(fleet, pool, called) == checksum:
            return Owner(fleet=fleet, pool=pool, name=called)
    return None


def _runs(parts: list[str]) -> Iterator[str]:
    """Everything that stands between hyphens of a name, whole parts only."""
    for first in range(len(parts)):
        for last in range(first + 1, len(parts) + 1):
            yield "-".join(parts[first:last])


def _checksum(fleet: str, pool: str, name: str) -> str:
    digest = hashlib.sha256(f"autoscaler/{fleet}/{pool}/{name}".encode()).digest()
    return base64.b32encode(digest).decode().lower()[:DIGITS]
