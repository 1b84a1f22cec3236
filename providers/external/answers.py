"""What a program answered, read with suspicion: bytes in, machines and findings out, or `Unreadable` that says why.

A document is JSON in UTF-8 with every key once and no key that the protocol does not know. A row of a listing that
cannot be read makes the listing incomplete; one without our mark is nobody's. What never happens here: a guess.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from providers.contract import Finding, Instance, InstanceId, InstanceState, Listing
from providers.external import protocol

LATEST_AT = 253_370_764_800.0
"""The beginning of the year 9999: no machine was made after it, and milliseconds for seconds are found by it."""
_EARLIEST_AT = 946_684_800.0
"""The beginning of the year 2000: an age in seconds is no instant."""
_LONGEST_TEXT = 255
_LONGEST_SAYING = 1_000
_ADDRESSES_MAX, _FINDINGS_MAX = 64, 64
_ID = re.compile(r"[!-~]{1,255}")
ROW_KEYS = frozenset({"name", "id", "state", "fleet", "pool", "created_at", "location", "size", "addresses"})


class Unreadable(Exception):
    """The answer is none of this protocol. The message names the place and never shows the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What a program says beside an exit code that is a refusal. Nothing of it must be said."""

    message: str = ""
    retry_after_s: float | None = None


def machine(body: bytes, *, fleet: str, name: str) -> Instance:
    """The machine that a create made: under our mark and by the name that was ordered. Raises Unreadable."""
    row = _table(_document(body, {"machine"}).get("machine"), "machine")
    if row.get("fleet") != fleet:
        raise Unreadable("machine.fleet is not ours")
    made = _instance(row, "machine")
    if made.name != name:
        raise Unreadable("machine.name is not the one that was ordered")
    return made


def listing(body: bytes, *, fleet: str) -> Listing:
    """What of it is ours. Raises Unreadable for what is no listing; a single bad row makes it incomplete."""
    document = _document(body, {"machines", "complete", "why_incomplete"})
    complete = document.get("complete")
    if not isinstance(complete, bool):
        raise Unreadable("complete is not true or false")
    says = _text(document, "why_incomplete", "", longest=_LONGEST_SAYING)
    rows = document.get("machines")
    if not isinstance(rows, list):
        raise Unreadable("machines is no list")
    why = [] if complete else [says or "the program says so"]
    found: dict[InstanceId, Instance] = {}
    contradicted: set[InstanceId] = set()
    for number, row in enumerate(rows):
        try:
            instance = _ours(row, fleet, f"machines[{number}]")
        except Unreadable as error:
            why.append(str(error))
            continue
        if instance is not None and found.setdefault(instance.instance_id, instance) != instance:
            contradicted.add(instance.instance_id)
            why.append(f"machines[{number}].id stands twice, for different machines")
    return Listing(
        instances=tuple(each for key, each in found.items() if key not in contradicted),
        complete=not why,
        why_incomplete="; ".join(why[:3]),
    )


def findings(body: bytes) -> tuple[Finding, ...]:
    """What a look at an offer found. Raises Unreadable."""
    rows = _document(body, {"findings"}).get("findings")
    if not isinstance(rows, list) or len(rows) > _FINDINGS_MAX:
        raise Unreadable(f"findings is no list of at most {_FINDINGS_MAX}")
    found = []
    for number, each in enumerate(rows):
        place = f"findings[{number}]"
        row = _table(each, place)
        _refuse_unknown(row, {"subject", "ok", "says"}, f"{place}.")
        ok = row.get("ok")
        if not isinstance(ok, bool):
            raise Unreadable(f"{place}.ok is not true or false")
        subject = _text(row, "subject", place, longest=_LONGEST_TEXT)
        says = _text(row, "says", place, longest=_LONGEST_SAYING)
        if not subject or not says:
            raise Unreadable(f"{place} has no subject or says nothing")
        found.append(Finding(subject=subject, ok=ok, says=says))
    return tuple(found)


def taken(body: bytes) -> None:
    """That a destroy was taken: a document without anything more. Raises Unreadable."""
    _document(body, ())


def refusal(body: bytes) -> Refusal:
    """What was said beside a refusal; saying nothing at all is allowed. Raises Unreadable."""
    if not body.strip():
        return Refusal()
    document = _document(body, {"message", "retry_after_s"})
    retry_after_s = document.get("retry_after_s")
    if retry_after_s is not None:
        retry_after_s = _number(retry_after_s, "retry_after_s", least=0.0, most=1e9)
    message = _text(document, "message", "", longest=_LONGEST_SAYING)
    return Refusal(message=message, retry_after_s=retry_after_s)


def _document(body: bytes, keys: Collection[str]) -> Mapping[str, Any]:
    try:
        document = json.loads(body.decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise Unreadable("it is not UTF-8") from None
    except (ValueError, RecursionError):
        raise Unreadable("it is not one JSON document") from None
    table = _table(document, "it")
    if type(table.get("protocol")) is not int or table["protocol"] != protocol.VERSION:
        raise Unreadable(f"protocol is not {protocol.VERSION}")
    _refuse_unknown(table, {"protocol", *keys}, "")
    return table


def _ours(row: Any, fleet: str, place: str) -> Instance | None:
    """The machine; None for one without our mark, whatever else its row says."""
    table = _table(row, place)
    mark = table.get("fleet")
    if mark is not None and not isinstance(mark, str):
        raise Unreadable(f"{place}.fleet is no text")
    return _instance(table, place) if mark == fleet else None


def _instance(row: Mapping[str, Any], place: str) -> Instance:
    _refuse_unknown(row, ROW_KEYS, f"{place}.")
    instance_id = row.get("id")
    if not isinstance(instance_id, str) or not _ID.fullmatch(instance_id):
        raise Unreadable(f"{place}.id is no text of 1 to 255 letters without spaces")
    name = _text(row, "name", place)
    if not name:
        raise Unreadable(f"{place}.name is missing")
    state = row.get("state")
    if not isinstance(state, str) or state not in set(InstanceState):
        raise Unreadable(f"{place}.state is none of {', '.join(InstanceState)}")
    created_at = row.get("created_at")
    if created_at is not None:
        created_at = _number(created_at, f"{place}.created_at", least=_EARLIEST_AT, most=LATEST_AT)
    return Instance(
        name=name,
        instance_id=InstanceId(instance_id),
        state=InstanceState(state),
        pool=_text(row, "pool", place) or None,
        created_at=created_at,
        location=_text(row, "location", place),
        size=_text(row, "size", place),
        addresses=_addresses(row, place),
    )


def _addresses(row: Mapping[str, Any], place: str) -> tuple[str, ...]:
    given = row.get("addresses")
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > _ADDRESSES_MAX:
        raise Unreadable(f"{place}.addresses is no list of at most {_ADDRESSES_MAX}")
    return tuple(
        _text({f"addresses[{number}]": each}, f"addresses[{number}]", place)
        for number, each in enumerate(given)
    )


def _text(row: Mapping[str, Any], key: str, place: str, *, longest: int = _LONGEST_TEXT) -> str:
    """A text on one line; nothing for one that is absent or null."""
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        where = f"{place}.{key}" if place else key
        raise Unreadable(f"{where} is no printable text of at most {longest} letters")
    return value


def _number(value: Any, place: str, *, least: float, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unreadable(f"{place} is no number")
    # Compared before it is converted: a whole number may be larger than any float.
    if not least <= value <= most or not math.isfinite(value):
        raise Unreadable(f"{place} is not within {least:.0f} and {most:.0f}")
    return float(value)


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{place} is no object")
    return value


def _refuse_unknown(row: Mapping[str, Any], known: Collection[str], place: str) -> None:
    if set(row) - set(known):
        raise Unreadable(f"{place or 'it '}has a key that is none of {', '.join(sorted(known))}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(_constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")
