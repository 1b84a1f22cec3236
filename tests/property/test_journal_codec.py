"""Laws of the journal's codec: what goes in comes out equal, and no row, however damaged, raises a foreign error."""

from __future__ import annotations

import json
import types
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from types import MappingProxyType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.core.facts import Memory
from autoscaler.core.model import Node, Order, OrderAnswer, PoolDecision, PoolWish, Transition
from autoscaler.journal import JournalUnavailable, OrderRecord, Sample, codec, tables
from policies.contract import Past

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner, max_size=2),
    max_leaves=4,
)
"""The values TOML and JSON know."""
LEAVES: Mapping[object, st.SearchStrategy[Any]] = {
    # A database counts to 2^63, sums included. PostgreSQL's text holds no NUL; words that may have a test of their own.
    int: st.integers(-(2**53), 2**53),
    float: st.floats(allow_nan=False),
    str: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    bool: st.booleans(),
    object: PLAIN,
    type(None): st.none(),
}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value that a field of this type may hold."""
    if isinstance(hint, NewType):
        return values(hint.__supertype__)
    if hint in LEAVES:
        return LEAVES[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{field.name: values(hints[field.name]) for field in fields(hint)})
    kind, of = get_origin(hint), get_args(hint)
    if kind in (Union, types.UnionType):
        return st.one_of(*(values(option) for option in of))
    if kind is tuple:
        return st.lists(values(of[0]), max_size=2).map(tuple)
    assert kind is Mapping, hint
    return st.dictionaries(values(of[0]), values(of[1]), max_size=2).map(MappingProxyType)


@given(memory=values(Memory))
def test_a_memory_comes_back_equal(memory: Memory) -> None:
    """What one tick hands to the next survives a restart, infinite rests too."""
    assert memory == codec.read_memory(codec.memory_document(memory))


@given(decision=values(PoolDecision))
def test_a_decision_comes_back_equal(decision: PoolDecision) -> None:
    """A stored decision is the whole decision: it replays from nothing else."""
    row = codec.decision_row(decision)

    assert decision == codec.read_decision(row)
    assert (decision.decision.wanted, decision.decision.recommended) == (row["wanted"], row["recommended"])


@given(half=st.characters(categories=["Cs"]), decision=values(PoolDecision))
def test_words_that_are_no_unicode_come_back_equal(half: str, decision: PoolDecision) -> None:
    """A broker's JSON may name a queue by half a character. That is no reason to stop."""
    asked = replace(decision.decision.input, demand_missing=f"queue {half}")
    odd = replace(decision, decision=replace(decision.decision, input=asked))

    assert odd == codec.read_decision(codec.decision_row(odd))


@pytest.mark.parametrize(
    ("kind", "table", "write", "read"),
    [
        (Node, tables.nodes, codec.node_row, codec.read_node),
        (
            Transition,
            tables.transitions,
            codec.transition_row,
            lambda row: codec.read_row(codec.TRANSITION, _unnumbered(row), table="", key=""),
        ),
        (
            PoolWish,
            tables.wishes,
            codec.wish_row,
            lambda row: codec.read_row(codec.WISH, row, table="", key=""),
        ),
        (PoolDecision, tables.decisions, codec.decision_row, codec.read_decision),
    ],
)
@given(data=st.data())
def test_a_row_comes_back_equal_through_a_database(
    kind: type, table: sa.Table, write: Any, read: Any, data: st.DataObject
) -> None:
    """What the columns' types make of a value is part of the round trip."""
    value = data.draw(values(kind))

    assert value == read(_through(table, write(value)))


@given(sample=values(Sample))
def test_a_samples_infinite_rates_are_kept_as_not_measured(sample: Sample) -> None:
    """A plot cannot show them, and one pool's odd figure must not stop the tick."""
    sample = replace(sample, stretch=None)  # a tick writes single looks
    figures = ("arrivals_per_s", "completions_per_s", "wait_s", "counted_s")
    expected = replace(
        sample, **{name: None for name in figures if getattr(sample, name) in (float("inf"), float("-inf"))}
    )

    row = _unnumbered(_through(tables.samples, codec.sample_row(sample)))

    assert expected == codec.read_row(codec.SAMPLE, row, table="samples", key="")


@given(order=values(Order), answer=values(OrderAnswer) | st.none(), answered_at=LEAVES[float])
def test_an_order_comes_back_with_its_answer(
    order: Order, answer: OrderAnswer | None, answered_at: float
) -> None:
    """Waiting or answered, an order is the order that was given."""
    row = {field.name: getattr(order, field.name) for field in fields(order)}
    row |= {"answered_at": None, "carried_out": None, "says": None}
    expected = OrderRecord(order=order)
    if answer is not None:
        answer = replace(answer, number=order.number)
        row |= {"answered_at": answered_at, "carried_out": answer.carried_out, "says": answer.says}
        expected = OrderRecord(order=order, answered_at=answered_at, answer=answer)

    assert expected == codec.read_order(row)


@given(value=values(Past))
def test_the_past_comes_back_equal(value: Past) -> None:
    """It is read by its columns alone."""
    row = {f.name: getattr(value, f.name) for f in fields(value)}

    assert value == codec.read_row(codec.PAST, row, table="", key="")


@given(document=st.text() | PLAIN.map(json.dumps))
def test_a_damaged_document_is_never_a_foreign_error(document: str) -> None:
    """Whatever stands in a document's place, the caller has one error to know."""
    with suppress(JournalUnavailable):
        codec.read_memory(document)
    with suppress(JournalUnavailable):
        codec.read_decision({"pool": "images", "at": 1.0, "sentence": "", "document": document})
    with suppress(JournalUnavailable):
        packed = zlib.compress(document.encode())
        codec.read_decision({"pool": "images", "at": 1.0, "sentence": "", "document": packed})


@given(
    node=values(Node),
    damage=st.none() | st.integers() | st.floats() | st.text() | st.binary(),
    data=st.data(),
)
def test_a_damaged_column_is_never_a_foreign_error(node: Node, damage: object, data: st.DataObject) -> None:
    """SQLite keeps anything in any column; a node's row is read, or named as damaged."""
    row = codec.node_row(node)
    row[data.draw(st.sampled_from(sorted(row)))] = damage
    with suppress(JournalUnavailable):
        codec.read_node(row)


def test_a_document_nested_without_end_is_refused() -> None:
    """Also what would exhaust the reader's stack."""
    with pytest.raises(JournalUnavailable, match="table memory"):
        codec.read_memory("[" * 100_000)


def _through(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    with _ENGINE.connect() as connection:  # and roll back
        connection.execute(sa.insert(table).values(**row))
        return dict(connection.execute(sa.select(table)).mappings().one())


def _unnumbered(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "number"}


_ENGINE = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
tables.metadata.create_all(_ENGINE)


@given(decision=values(PoolDecision))
def test_a_decision_from_before_there_were_scheduled_ceilings_is_read(decision: PoolDecision) -> None:
    """Its proposals say nothing of a ceiling, and so they set none."""
    row = codec.decision_row(decision)
    document = json.loads(zlib.decompress(row["document"]))
    for proposal in document["proposals"]:
        del proposal["at_most"], proposal["at_most_why"]
    old = row | {"document": zlib.compress(json.dumps(document).encode())}

    assert [(None, "") for _ in decision.decision.proposals] == [
        (proposal.at_most, proposal.at_most_why) for proposal in codec.read_decision(old).decision.proposals
    ]
