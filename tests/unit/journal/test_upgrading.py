"""A journal of an older release: everything in it is kept, and what it was lies beside it before it is changed."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from autoscaler.core.facts import Memory
from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import OrderKind
from autoscaler.journal import (
    Journal,
    JournalUnavailable,
    LeaseHeld,
    backup,
    open_journal,
    orders,
    read,
    tables,
)
from tests.unit.journal.older import OLDER, as_of
from tests.unit.journal.records import a_node, a_tick, a_whole_tick

NODES = (
    a_node("images-1"),
    a_node("images-2", state=NodeState.READY),
    a_node("images-3", state=NodeState.GONE),
)
LATER = {"slices", "boots", "stretches", "thinned"}
"""Tables that began empty."""


def _fill(journal: Journal) -> None:
    """A row at least in every table of the first release."""
    journal.claim("a daemon")
    tick = a_whole_tick(9)
    journal.commit(
        a_tick(
            new_nodes=NODES,
            transitions=tick.transitions,
            decisions=tick.decisions,
            samples=tick.samples,
            memory=Memory(clocks={"ticks": 9.0}),
        )
    )
    orders.give(journal, OrderKind.DRAIN, "images-1", by="anna", at=5.0)
    with journal.writing("stand in for an order to hold") as connection:
        connection.execute(sa.insert(tables.wishes), [{"pool": "images", "paused": True}])


def _rows(journal: Journal) -> dict[str, list[Any]]:
    with journal.reading("see all of it") as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in tables.metadata.sorted_tables
            if table.name not in LATER
        }


@pytest.fixture
def whole(tmp_path: Path) -> str:
    """A journal of today with something in every table."""
    url = f"sqlite:///{tmp_path}/whole.db"
    with closing(open_journal(url)) as journal:
        _fill(journal)
    return url


@pytest.mark.parametrize("revision", OLDER)
def test_a_journal_of_each_earlier_schema_is_opened_with_all_its_rows(
    url: str, whole: str, revision: str
) -> None:
    """Machines, moves, decisions, history, orders, wishes, memory; whatever an earlier release wrote into it."""
    as_of(url, revision, whole)

    with closing(open_journal(url)) as journal, closing(open_journal(whole)) as today:
        assert NODES[:2] == journal.live_nodes()
        assert _rows(today) == _rows(journal)
        assert all(_rows(journal).values())
        assert journal.migration is not None
        assert (revision, tables.SCHEMA) == (journal.migration.before, journal.migration.after)
        journal.claim("a daemon of today")
        journal.commit(a_tick(changed_nodes=NODES[:2], memory=Memory()))
        assert 1 == len(read.last_decisions(journal))


@pytest.mark.parametrize("revision", OLDER)
def test_what_a_journal_was_lies_beside_it_before_it_is_changed(
    tmp_path: Path, file_url: str, whole: str, revision: str
) -> None:
    """Named by its schema, its owner's alone, whole, and a journal to the release that wrote it."""
    before = os.umask(0)
    try:
        as_of(file_url, revision, whole)
        (tmp_path / "journal.db").chmod(0o600)
        with closing(open_journal(file_url)) as journal:
            assert journal.migration is not None
            kept = journal.migration.backup
    finally:
        os.umask(before)

    assert kept is not None
    assert (kept,) == backup.copies(tmp_path / "journal.db")
    assert kept.name.startswith(f"journal.db.schema-{revision}-")
    assert 0o600 == kept.stat().st_mode & 0o777
    with closing(sqlite3.connect(kept)) as copy:
        assert (revision,) == copy.execute("SELECT version_num FROM journal_schema").fetchone()
        names = [name for (name,) in copy.execute("SELECT name FROM nodes ORDER BY name")]
        assert [node.name for node in NODES] == names
        assert ("wal",) == copy.execute("PRAGMA journal_mode").fetchone()


def test_a_journal_that_is_put_back_is_opened_as_it_was(tmp_path: Path, file_url: str, whole: str) -> None:
    """The way back that docs/upgrading.md describes, and forward once more."""
    as_of(file_url, "0005", whole)
    with closing(open_journal(file_url)) as journal:
        assert journal.migration is not None
        kept = journal.migration.backup
        journal.claim("a daemon of today")
        journal.commit(a_whole_tick(77))
    assert kept is not None
    (tmp_path / "journal.db-wal").write_bytes(b"of the newer journal")
    page = (Path(__file__).parents[3] / "docs" / "upgrading.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```sh\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    lines = [line for line in block.splitlines() if not line.startswith(("systemctl ", "#"))]
    script = (
        "\n".join(lines)
        .replace("/var/lib/autoscaler", str(tmp_path))
        .replace("-o autoscaler -g autoscaler", "")
    )
    script = script.replace("schema-0008", "schema-0005")
    subprocess.run(["sh", "-euc", script], check=True, timeout=30)

    assert kept.read_bytes() == (tmp_path / "journal.db").read_bytes()
    assert not (tmp_path / "journal.db-wal").exists()
    with closing(open_journal(file_url)) as journal:
        assert NODES[:2] == journal.live_nodes()
        assert journal.migration is not None
        assert "0005" == journal.migration.before


@pytest.mark.parametrize("made", ["new", "current"])
def test_no_copy_is_made_where_nothing_is_changed(tmp_path: Path, file_url: str, made: str) -> None:
    """A restart costs nothing."""
    for _ in range(1 if made == "new" else 2):
        with closing(open_journal(file_url)) as journal:
            assert journal.migration is None

    assert () == backup.copies(tmp_path / "journal.db")


def test_a_journal_that_cannot_be_copied_is_not_changed(
    tmp_path: Path, file_url: str, whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon does not start: without the copy there would be no way back. No half copy is left."""
    as_of(file_url, "0008", whole)

    def full(_source: Path, draft: Path) -> None:
        draft.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_copy", full)
    with pytest.raises(
        JournalUnavailable, match=r"cannot keep a copy before its schema is changed.*No space left"
    ):
        open_journal(file_url)

    assert () == backup.copies(tmp_path / "journal.db")
    assert not list(tmp_path.glob("*draft*"))
    with closing(sqlite3.connect(tmp_path / "journal.db")) as journal:
        assert ("0008",) == journal.execute("SELECT version_num FROM journal_schema").fetchone()


def test_a_copy_that_is_no_good_is_none(
    tmp_path: Path, file_url: str, whole: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked into before the journal is changed."""
    as_of(file_url, "0008", whole)
    open_journal(f"sqlite:///{tmp_path}/other.db").close()
    monkeypatch.setattr(
        backup, "_copy", lambda _source, draft: draft.write_bytes((tmp_path / "other.db").read_bytes())
    )

    with pytest.raises(JournalUnavailable, match="a copy of the journal was no good: schema 0012"):
        open_journal(file_url)
    assert () == backup.copies(tmp_path / "journal.db")


def test_a_journal_is_not_changed_under_a_daemon_that_works_with_it(
    tmp_path: Path, file_url: str, whole: str
) -> None:
    """Who starts a newer release beside it by mistake ends, and not the daemon."""
    as_of(file_url, "0008", whole)
    lock = tmp_path / "journal.db.lock"
    with closing(open_journal(f"sqlite:///{tmp_path}/held.db")) as held:
        held.claim("the daemon of the release before")
        lock.hardlink_to(tmp_path / "held.db.lock")

        with pytest.raises(LeaseHeld, match="the daemon of the release before"):
            open_journal(file_url)
    assert () == backup.copies(tmp_path / "journal.db")

    open_journal(file_url).close()


def test_so_many_copies_are_kept_and_no_more(tmp_path: Path) -> None:
    """The newest of the newest schemas: a start that fails again and again fills no disk, and pushes no other out."""
    file = tmp_path / "a [strange] name.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE nodes (name TEXT)")
        connection.execute("CREATE TABLE journal_schema (version_num TEXT)")
        connection.execute("INSERT INTO journal_schema VALUES ('')")
    made = []
    for number, standing in enumerate(["0001", "0002", "0003", "0003", "0003", "0003", "0004"]):
        with closing(sqlite3.connect(file)) as connection, connection:
            connection.execute("UPDATE journal_schema SET version_num = ?", (standing,))
        made.append(backup.keep(file, standing, 1_000_000.0 + number))

    assert tuple(made[n] for n in (1, 4, 5, 6)) == backup.copies(file)
    assert file.exists()
