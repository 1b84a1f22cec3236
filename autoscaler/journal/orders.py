"""An operator's word on its way to the loop: given here, carried out there, answered in the journal.

What never happens here: judging an order, or waiting for its answer.
"""

from __future__ import annotations

import sqlalchemy as sa

from autoscaler.core.model import OrderAnswer, OrderKind
from autoscaler.journal import codec, tables
from autoscaler.journal.journal import Journal


def give(
    journal: Journal,
    kind: OrderKind,
    target: str,
    *,
    by: str,
    at: float,
    workers: int | None = None,
    until_at: float | None = None,
    force: bool = False,
) -> int:
    """Write an order down and return its number. `by` is a user's name. Raises JournalUnavailable."""
    row = {
        "kind": kind.value,
        "target": target,
        "given_at": at,
        "given_by": by,
        "workers": workers,
        "until_at": until_at,
        "force": force,
    }
    with journal.writing("give an order") as connection:
        key = connection.execute(sa.insert(tables.orders).values(row)).inserted_primary_key
        assert key is not None
        return int(key[0])


def answer_of(journal: Journal, number: int) -> OrderAnswer | None:
    """What became of an order; None while it waits, or if there is none of that number. Raises JournalUnavailable."""
    query = sa.select(tables.orders).where(tables.orders.c.number == number)
    with journal.reading("read an order") as connection:
        row = connection.execute(query).mappings().first()
        return None if row is None else codec.read_order(row).answer
