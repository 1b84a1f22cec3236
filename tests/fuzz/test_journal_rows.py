"""A journal that a later release, a broken disk or a hand in an SQL shell has been at: read as it was, or refused."""

from __future__ import annotations

import json
import math
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import Node, OrderKind, PoolWish
from autoscaler.journal import Journal, JournalUnavailable, open_journal, orders, read, tables, thinning
from policies.prospect import Slice
from providers.contract import NodeName
from tests.unit.journal.records import IMAGES, a_decision, a_node, a_sample, a_tick, a_transition

NODES = tuple(f"images-{number}" for number in range(12))
MEMORY = Memory(clocks={"sightings": 1_000.0, "listing:hetzner": 900.0}, good_looks={IMAGES: 3})
TABLES = (
    "nodes", "transitions", "decisions", "samples", "stretches", "slices", "orders", "wishes", "memory", "lease",
)  # fmt: skip
READERS: dict[str, Callable[[Journal], object]] = {
    "nodes": lambda journal: (journal.live_nodes(), read.nodes(journal, include_gone=True)),
    "memory": lambda journal: (journal.memory(), read.last_tick_at(journal)),
    "orders": lambda journal: (journal.waiting_orders(), read.orders(journal)),
    "wishes": Journal.wishes,
    "decisions": lambda journal: (
        journal.past(0.0), read.last_decisions(journal), read.decision_at(journal, IMAGES, 2e9),
        read.decisions_between(journal, IMAGES, 0.0, 2e9),
    ),
    "transitions": lambda journal: (
        read.transitions_of(journal, NodeName("images-1")), read.last_transitions(journal, limit=9)
    ),
    "samples": lambda journal: read.samples_between(journal, IMAGES, 0.0, 2e9),
    "stretches": lambda journal: read.samples_between(journal, IMAGES, 0.0, 2e9),
    "slices": lambda journal: journal.slices(IMAGES, 0.0, 2e9),
    "lease": read.lease_holder,
}  # fmt: skip


class Shelf:
    """A good journal as bytes, and a place where a damaged copy of it lies."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "journal.db"
        self.url = f"sqlite:///{self.file}"
        with closing(open_journal(self.url)) as journal:
            journal.claim("a test")
            orders.give(journal, OrderKind.DRAIN, "images-1", by="kari", at=999.0)
            states = [s for s in NodeState if s is not NodeState.GONE]
            nodes = tuple(a_node(name, state=states[n % len(states)]) for n, name in enumerate(NODES))
            journal.commit(
                a_tick(
                    new_nodes=nodes, transitions=(a_transition(),), decisions=(a_decision(),),
                    samples=(a_sample(), a_sample(at=10.0)),
                    wishes=(PoolWish(pool=IMAGES, hold_workers=3, hold_until_at=2e9),), memory=MEMORY,
                    slices={IMAGES: Slice(since_at=900.0, arrived=3.0, looked_s=10.0)},
                )
            )  # fmt: skip
            terms = {"ticks_since_at": 600.0, "minutes_since_at": 0.0, "decisions_since_at": 0.0}
            thinning.thin(journal, thinning.Terms(**terms, apart_s=38.0))
            self.nodes = journal.live_nodes()
        with closing(sqlite3.connect(self.file)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.good = self.file.read_bytes()

    def lay_out(self, content: bytes) -> None:
        """Put these bytes there, and nothing beside them."""
        for rest in self.file.parent.glob("journal.db*"):
            rest.unlink()
        self.file.write_bytes(content)

    def damage(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """Lay out the good journal, then do this to it."""
        self.lay_out(self.good)
        with closing(sqlite3.connect(self.file, isolation_level=None)) as connection:
            connection.execute("PRAGMA ignore_check_constraints = ON")
            for statement, values in statements:
                with suppress(sqlite3.IntegrityError):  # a key that can only be a number stays one
                    connection.execute(statement, values)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    return Shelf(tmp_path_factory.mktemp("journal"))


def columns(table: str) -> list[str]:
    return list(tables.metadata.tables[table].columns.keys())


def unbound(table: str) -> tuple[str, tuple[object, ...]]:
    """Lets a column hold what its table forbids, as a damaged page would."""
    return f"UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = '{table}'", ()


OPEN_SCHEMA, SHUT_SCHEMA = ("PRAGMA writable_schema = ON", ()), ("PRAGMA writable_schema = RESET", ())
documents = st.sampled_from(
    ["", "{}", "[]", "null", "5", "NaN", '{"clocks": {"sightings": NaN}}', '{"clocks": {"sightings": 1e999}}',
     '{"clocks": []}', '{"clocks": {"a": "b"}}', "[" * 50_000, '{"strangers": [{"provider": 1}]}', '["images"]',
     json.dumps({"clocks": {"a": 10**400}}, default=str)]
)  # fmt: skip
cells = (
    documents
    | st.sampled_from(["serving", "GONE", "gone ", "draining\0", -1, 2**62, 1e308, float("inf"), -float("inf"), None])
    | st.sampled_from([b"\xff\xfe", b"", *map(zlib.compress, (b"{}", b"[" * 50_000, b'{"input":5}'))])
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
    | st.binary(max_size=6)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
)  # fmt: skip


def opened_and_read(shelf: Shelf) -> dict[str, object]:
    """What each reader found; JournalUnavailable where it refused, and nothing else is ever raised."""
    found: dict[str, object] = {}
    try:
        with closing(open_journal(shelf.url)) as journal:
            for table, reader in READERS.items():
                try:
                    found[table] = reader(journal)
                except JournalUnavailable as error:
                    found[table] = error
    except JournalUnavailable as error:
        return dict.fromkeys(READERS, error)
    return found


def check_told(found: dict[str, object]) -> None:
    for error in found.values():
        if isinstance(error, JournalUnavailable):
            assert "journal" in str(error)
            assert len(str(error)) < 2_000


@given(st.data(), st.sampled_from(TABLES), cells, st.sampled_from([1, 12]))
def test_a_damaged_cell_is_refused_by_name_or_read_as_what_it_is(
    shelf: Shelf, data: st.DataObject, table: str, cell: object, rows: int
) -> None:
    """Whatever stands in whatever column; and no node vanishes because its row is odd."""
    column = data.draw(st.sampled_from(columns(table)))
    spoil = (
        f"UPDATE OR IGNORE {table} SET {column} = ? WHERE rowid IN (SELECT rowid FROM {table} LIMIT {rows})"
    )
    shelf.damage(OPEN_SCHEMA, unbound(table), SHUT_SCHEMA, (spoil, (cell,)))
    with closing(sqlite3.connect(shelf.file)) as connection:
        live = connection.execute("SELECT count(*) FROM nodes WHERE state IS NOT 'gone'").fetchone()[0]

    found = opened_and_read(shelf)

    check_told(found)
    assert len(NODES) == live or (table, column, cell) == ("nodes", "state", "gone")
    match found["nodes"]:
        case (tuple() as nodes, _):
            assert live == len(nodes)
            assert all(isinstance(node, Node) and node.state in NodeState for node in nodes)
            assert table == "nodes" or shelf.nodes == nodes
        case _:
            assert table == "nodes"
    if isinstance(found["memory"], tuple):
        memory = found["memory"][0]
        assert not any(math.isnan(clock) for clock in memory.clocks.values())
        assert table == "memory" or memory == MEMORY


@pytest.mark.parametrize(
    ("column", "cell"),
    [("state", None), ("state", "serving"), ("queues", "[" * 50_000), ("slots", "many"), ("ordered_at", None)],
)  # fmt: skip
def test_a_node_that_cannot_be_read_stops_the_tick(shelf: Shelf, column: str, cell: object) -> None:
    """It is a paid machine: the loop reads the nodes first, and does nothing on a journal that it cannot see."""
    spoil = f"UPDATE nodes SET {column} = ? WHERE name = 'images-3'"
    shelf.damage(OPEN_SCHEMA, unbound("nodes"), SHUT_SCHEMA, (spoil, (cell,)))

    # Opening looks at the tables' own bounds; what it lets through is found by reading.
    with (
        pytest.raises(JournalUnavailable, match=r"images-3|NULL value"),
        closing(open_journal(shelf.url)) as journal,
    ):
        journal.live_nodes()


@pytest.mark.parametrize("document", ["", "[]", "5", '{"clocks": {"sightings": NaN}}', "[" * 50_000, "{"])
def test_a_memory_that_cannot_be_read_stops_the_tick(shelf: Shelf, document: str) -> None:
    """Without its clocks no absence could be believed, and with a clock that is no number every absence would be."""
    shelf.damage(("UPDATE memory SET document = ?", (document,)))

    with closing(open_journal(shelf.url)) as journal, pytest.raises(JournalUnavailable, match="memory"):
        journal.memory()


versions = st.sampled_from(
    ["9999", "0000", "", "head", None, 7, b"\xff", "x" * 5_000, "0001' OR 1"]
) | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(versions)
@example("9999")
def test_a_journal_of_another_release_is_refused_in_words(shelf: Shelf, version: object) -> None:
    """The newest known schema is read, an older one is brought up to date, and no other is touched."""
    shelf.damage(
        ("CREATE TABLE again AS SELECT * FROM journal_schema", ()), ("DROP TABLE journal_schema", ()),
        ("ALTER TABLE again RENAME TO journal_schema", ()), ("UPDATE journal_schema SET version_num = ?", (version,)),
    )  # fmt: skip
    before = shelf.file.read_bytes()

    found = opened_and_read(shelf)

    check_told(found)
    if version == "9999":
        assert "newer than this program's" in str(found["nodes"])
    if isinstance(found["nodes"], JournalUnavailable):
        assert before == shelf.file.read_bytes()


@given(st.data(), st.sampled_from(TABLES))
def test_a_missing_column_or_table_is_refused_in_words(shelf: Shelf, data: st.DataObject, table: str) -> None:
    """Nothing is read by a default in its place."""
    gone = data.draw(st.sampled_from([None, *columns(table)]))
    kept = ", ".join(c for c in columns(table) if c != gone) or "1 AS one"
    steps = [(f"CREATE TABLE again AS SELECT {kept} FROM {table}", ()), (f"DROP TABLE {table}", ())]
    shelf.damage(*steps, *([(f"ALTER TABLE again RENAME TO {table}", ())] if gone else []))

    found = opened_and_read(shelf)

    check_told(found)
    assert isinstance(found[table], JournalUnavailable) or (table, gone) == ("memory", "slot")


@st.composite
def torn(draw: st.DrawFn, good: bytes) -> bytes:
    """The file with bytes changed, pages exchanged or blanked, or its end cut off."""
    content = bytearray(good)
    pages = len(good) // 4096
    match draw(st.sampled_from(["bytes", "page", "blank", "cut", "noise"])):
        case "bytes":
            for _ in range(draw(st.integers(1, 8))):
                content[draw(st.integers(0, len(good) - 1))] = draw(st.integers(0, 255))
        case "page":
            here, there = draw(st.integers(0, pages - 1)), draw(st.integers(0, pages - 1))
            content[here * 4096 : (here + 1) * 4096] = good[there * 4096 : (there + 1) * 4096]
        case "blank":
            at = draw(st.integers(0, len(good) - 1))
            content[at : at + 300] = bytes(len(content[at : at + 300]))
        case "cut":  # a file of no bytes is a new journal, which is a rule of its own
            del content[draw(st.integers(1, len(good) - 1)) :]
        case _:
            return draw(st.binary(min_size=1, max_size=300))
    return bytes(content)


@given(st.data())
def test_a_torn_file_never_loses_a_node_in_silence(shelf: Shelf, data: st.DataObject) -> None:
    """It is refused, or every node is there: a page in the place of another may read as an empty one."""
    content = data.draw(torn(shelf.good))
    shelf.lay_out(content)

    found = opened_and_read(shelf)

    check_told(found)
    match found["nodes"]:
        case (tuple() as nodes, _):
            assert len(NODES) == len(nodes)
        case JournalUnavailable():
            pass
        case other:
            pytest.fail(f"neither nodes nor a refusal: {other}")
