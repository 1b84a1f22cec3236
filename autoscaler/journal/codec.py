"""Values to rows and documents, and back. A round trip gives an equal value; a row that cannot be read is named.

Rows come in and go out as plain mappings. Documents are compact JSON with every field written out, defaults too: a
default that changes in a later release must not change what a stored decision replays to. Options come back as the
plain values TOML knows, so a tuple among them returns as a list. Infinite numbers keep Python's spelling (`Infinity`).
What never happens here: SQL.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from autoscaler.core.facts import Memory
from autoscaler.core.model import Node, Offer, PoolDecision, PoolWish, Transition
from autoscaler.core.reports import Boot
from autoscaler.journal.contract import BootRecord, JournalUnavailable, OrderRecord, Sample
from policies.contract import Decision, Past
from policies.prospect import Slice

T = TypeVar("T")
Row = Mapping[Any, Any]
"""Column names to values; SQLAlchemy's own rows have a wider type of key than `str`."""

NODE = TypeAdapter(Node)
OFFER = TypeAdapter(Offer)
TRANSITION = TypeAdapter(Transition)
SAMPLE = TypeAdapter(Sample)
ORDER = TypeAdapter(OrderRecord)
WISH = TypeAdapter(PoolWish)
MEMORY = TypeAdapter(Memory)
POOL_DECISION = TypeAdapter(PoolDecision)
PAST = TypeAdapter(Past)
SLICE = TypeAdapter(Slice)
BOOT = TypeAdapter(Boot)
_BOOT_RECORD = TypeAdapter(BootRecord)

PAST_FIELDS = ("at", "recommended", "wanted", "workers")
_OFFER_FIELDS = tuple(field.name for field in fields(Offer))
_OFFER_COLUMNS = tuple(f"offer_{name}" for name in _OFFER_FIELDS)
_OF_SAMPLE = (
    "pool", "backlog", "in_progress", "wait_s", "serving", "arriving", "leaving", "wanted", "arrived", "completed",
    "counted_s",
)  # fmt: skip
_OF_STRETCH = (
    "over_s", "ticks", "seen", "counted", "backlog_most", "busy_first", "busy_most", "busy_sum", "busy_s",
)  # fmt: skip
_QUICK = 1
"""Of zlib: takes 0.6 of the time of what it does by default, for 7 % more bytes."""
_ANSWER_COLUMNS = frozenset({"answered_at", "carried_out", "says"})
_CONSTANTS = ConfigDict(ser_json_inf_nan="constants")  # which a dataclass takes from what it stands in
_DOCUMENTS: Mapping[type, TypeAdapter[Any]] = {
    Memory: TypeAdapter(tuple[Memory], config=_CONSTANTS),
    Decision: TypeAdapter(tuple[Decision], config=_CONSTANTS),
    Boot: TypeAdapter(tuple[Boot], config=_CONSTANTS),
}
"""What is kept as a document. Pydantic reads them, and writes them in a quarter of the time of Python's encoder."""


def read_row(adapter: TypeAdapter[T], row: Row, *, table: str, key: object) -> T:
    """The value a row holds. Raises JournalUnavailable, naming table and key, for a row no program of ours wrote."""
    try:
        # SQLAlchemy's rows are mappings, but not of a kind that pydantic takes.
        return adapter.validate_python(dict(row))
    except (ValueError, TypeError) as error:
        raise _damaged(table, key, error) from error


def node_row(node: Node) -> dict[str, Any]:
    """A node's columns. Raises ValueError for a number that is none: SQLite would silently store it as absent."""
    row = _columns(node)
    row |= {f"offer_{name}": value for name, value in _columns(row.pop("offer")).items()}
    row["queues"] = json.dumps(node.queues, separators=(",", ":"))
    for column, value in row.items():
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"node {node.name}: {column} is not a number")
    return row


def read_node(row: Row) -> Node:
    """A node from its columns. Raises JournalUnavailable, like every `read_…` here, for a row that is damaged."""
    columns = dict(row)
    try:
        offer = _offer(*(columns.pop(column) for column in _OFFER_COLUMNS))
        columns["queues"] = json.loads(columns["queues"])
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged("nodes", row["name"], error) from error
    return read_row(NODE, columns | {"offer": offer}, table="nodes", key=row["name"])


@lru_cache(maxsize=1024)
def _offer(*values: object) -> Offer:
    """One value for all machines that were ordered alike: ten thousand of them are of a few offers."""
    return OFFER.validate_python(dict(zip(_OFFER_FIELDS, values, strict=True)))


def transition_row(transition: Transition) -> dict[str, Any]:
    """A transition's columns; its number is the database's to give."""
    return _columns(transition)


def sample_row(sample: Sample) -> dict[str, Any]:
    """A sample's columns, of a single look. A figure that is not a number was not measured."""
    row = _columns(sample)
    del row["stretch"]
    for column in ("arrivals_per_s", "completions_per_s", "wait_s", "counted_s"):
        if row[column] is not None and not math.isfinite(row[column]):
            row[column] = None
    return row


def read_stretch(row: Row) -> Sample:
    """Several looks as the last of them, with what all of them were."""
    try:
        of = {name: row[name] for name in _OF_SAMPLE}
        of |= {
            "at": row["at"] if row["seen_at"] is None else row["seen_at"],
            "arrivals_per_s": _mean(row["arrivals_sum"], row["arrivals_looks"]),
            "completions_per_s": _mean(row["completions_sum"], row["completions_looks"]),
            "cost_per_h": _mean(row["cost_sum"], row["ticks"]),
            "busy": row["busy_last"],
        }
        of["stretch"] = {name: row[name] for name in _OF_STRETCH} | {
            "since_at": row["since_at"] if row["seen_since_at"] is None else row["seen_since_at"],
            "rated": row["arrivals_looks"],
        }
    except (ValueError, TypeError, OverflowError) as error:
        raise _damaged("stretches", f"{row['pool']} at {row['at']}", error) from error
    return read_row(SAMPLE, of, table="stretches", key=f"{row['pool']} at {row['at']}")


def _mean(total: float | None, number: int) -> float | None:
    return total / number if total is not None and number else None


def wish_row(wish: PoolWish) -> dict[str, Any]:
    """A wish's columns."""
    return _columns(wish)


def read_order(row: Row) -> OrderRecord:
    """An order with its answer, if it has one."""
    given = {name: value for name, value in row.items() if name not in _ANSWER_COLUMNS}
    answered_at = row["answered_at"]
    said = {name: row[name] for name in ("number", "carried_out", "says")}
    record = {"order": given, "answered_at": answered_at, "answer": None if answered_at is None else said}
    return read_row(ORDER, record, table="orders", key=row["number"])


def boot_row(record: BootRecord) -> dict[str, Any]:
    """A boot's columns; without that of its log where it brings none."""
    failed = record.boot.failed
    row = {
        "node": str(record.node),
        "pool": str(record.pool),
        "offer": str(record.offer),
        "at": record.at,
        "failed_phase": failed.phase.value if failed else None,
        "failed_says": failed.says if failed else None,
        "document": _document(record.boot),
    }
    return row if record.log is None else row | {"log": "\n".join(record.log)}


def read_boot(row: Row) -> BootRecord:
    """A boot from its columns and its document."""
    boot = _read_document(BOOT, row["document"], table="boots", key=row["node"])
    log = row["log"]
    plain = {name: row[name] for name in ("node", "pool", "offer", "at")}
    found = plain | {"boot": boot, "log": None if log is None else tuple(log.split("\n"))}
    return read_row(_BOOT_RECORD, found, table="boots", key=row["node"])


def memory_document(memory: Memory) -> str:
    """The memory as JSON."""
    return _document(memory)


def read_memory(document: str) -> Memory:
    """The memory from its document."""
    return _read_document(MEMORY, document, table="memory", key=1)


def decision_row(stored: PoolDecision) -> dict[str, Any]:
    """A decision's columns: the numbers later decisions need, the sentence, and the whole of it as a document."""
    decision = stored.decision
    return {
        "pool": stored.pool,
        "at": stored.at,
        "recommended": decision.recommended,
        "wanted": decision.wanted,
        "workers": decision.input.supply.workers,
        "sentence": stored.sentence,
        "document": decision_document(decision),
    }


def decision_document(decision: Decision) -> bytes:
    """The whole decision as JSON behind zlib."""
    return zlib.compress(_document(decision).encode(), _QUICK)


def read_decision(row: Row) -> PoolDecision:
    """A decision, whole, from its columns and its document."""
    key = f"{row['pool']} at {row['at']}"
    try:
        plain = json.loads(zlib.decompress(row["document"]))
        history = plain["input"]["history"]
        history["past"] = [_past(each) for each in history["past"]]
    except (zlib.error, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _damaged("decisions", key, error) from error
    stored = {"pool": row["pool"], "at": row["at"], "decision": plain, "sentence": row["sentence"]}
    return read_row(POOL_DECISION, stored, table="decisions", key=key)


def _past(told: Any) -> Any:
    """Of itself, or in an older row the values of its fields alone."""
    return dict(zip(PAST_FIELDS, told, strict=True)) if isinstance(told, list) else told


def _columns(value: Any) -> dict[str, Any]:
    """A record's fields by name. Enums are strings already; `str` keeps drivers from wondering about their type."""
    read = ((field.name, getattr(value, field.name)) for field in fields(value))
    return {name: str(of) if isinstance(of, str) else of for name, of in read}


def _document(value: object) -> str:
    adapter = _DOCUMENTS[type(value)]
    try:
        text = adapter.dump_json((value,), fallback=dict, warnings=False).decode()
    except PydanticSerializationError:
        # A name that a broker gave may be no Unicode. Python's encoder spells what UTF-8 cannot.
        plain = adapter.dump_python((value,), mode="json", fallback=dict, warnings=False)
        text = json.dumps(plain, separators=(",", ":"))
    return text.removeprefix("[").removesuffix("]")


def _read_document(adapter: TypeAdapter[T], document: str, *, table: str, key: object) -> T:
    try:
        plain = json.loads(document, parse_constant=_number)
        if not isinstance(plain, dict):
            raise TypeError("it is no object")
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(table, key, error) from error
    return read_row(adapter, plain, table=table, key=key)


def _number(constant: str) -> float:
    """Python's word for what JSON has none for. With NaN among the clocks every comparison of times would say no, and
    so every deadline would be over."""
    if constant == "NaN":
        raise ValueError("NaN is no number")
    return float(constant)


def _damaged(table: str, key: object, error: Exception) -> JournalUnavailable:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        why = f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    else:
        why = str(error)
    return JournalUnavailable(
        f"the journal is damaged: the row of table {table} for {key} cannot be read ({why})"
    )
