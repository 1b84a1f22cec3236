"""What of a journal is left once it has aged, and what a day adds to it: bytes a row of each kind, and how many rows.

In goes a journal's file, of which a copy is thinned as if all in it were old. A day is reckoned by what it has for sure
(24 hours, 288 slices a pool) and by what it may have. What never happens here: a change of the journal itself.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from autoscaler.journal import open_journal, thinning
from benchmarks.scale.fleet import Size

_KINDS = ("stretches", "slices", "decisions", "nodes", "transitions", "boots")
HOURS, SLICES, DECISIONS = 24, 288, round(86_400 / thinning.DECISION_S)
"""Rows of a pool a day."""
MOVES = 7
"""Of a machine from its order to its end: that many transitions."""
_LATER_S = 1e6


def rows(file: Path) -> dict[str, dict[str, float]]:
    """Of each kind how many rows are left, and their bytes with all indexes."""
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, "old.db")
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
        with closing(open_journal(f"sqlite:///{copy}")) as journal:
            with journal.reading("see how far it goes") as connection:
                last_at = connection.exec_driver_sql("SELECT max(at) FROM samples").scalar_one()
            later = last_at + _LATER_S
            terms = thinning.Terms(
                ticks_since_at=later, minutes_since_at=later, decisions_since_at=later, apart_s=60.0
            )
            while thinning.thin(journal, terms):
                pass
        return _bytes(copy)


def _bytes(file: Path) -> dict[str, dict[str, float]]:
    """What the file shrinks by once the rows of a kind are gone."""
    found = {}
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        before = _size(connection)
        for kind in _KINDS:
            (number,) = connection.execute(f"SELECT count(*) FROM {kind}").fetchone()  # noqa: S608 - names of ours
            connection.execute(f"DELETE FROM {kind}")  # noqa: S608 - names of ours
            after = _size(connection)
            found[kind] = {"rows": number, "bytes": before - after}
            before = after
    return found


def _size(connection: sqlite3.Connection) -> int:
    connection.execute("VACUUM")
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * size)


def a_day(size: Size, left: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Bytes that a day leaves: for sure, of decisions at most (each pool changes all the time), and of machines where
    each is bought anew once a day."""

    def each(kind: str) -> float:
        return left[kind]["bytes"] / left[kind]["rows"] if left[kind]["rows"] else 0.0

    parts = {
        "hours": size.pools * HOURS * each("stretches"),
        "slices": size.pools * SLICES * each("slices"),
        "decisions": size.pools * DECISIONS * each("decisions"),
        "machines": size.nodes * (each("nodes") + MOVES * each("transitions") + each("boots")),
    }
    return {"row": {kind: each(kind) for kind in _KINDS}, "parts": parts, "sum": sum(parts.values())}
