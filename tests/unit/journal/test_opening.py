"""Opening a journal: what is made, what is refused, and what a refusal says."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from autoscaler.core.lifecycle import NodeState
from autoscaler.core.model import ConsumerOrder
from autoscaler.journal import JournalUnavailable, SchemaChanged, codec, open_journal, read, schema, tables
from tests.unit.journal.records import IMAGES, a_node, a_sample, a_whole_tick


def test_a_new_journal_is_its_owners_alone(tmp_path: Path) -> None:
    """File 0600 and, where it was missing, directory 0700; no draft is left beside it."""
    open_journal(f"sqlite:///{tmp_path}/new/journal.db").close()

    assert ["journal.db"] == [file.name for file in (tmp_path / "new").iterdir()]
    assert 0o600 == (tmp_path / "new" / "journal.db").stat().st_mode & 0o777
    assert 0o700 == (tmp_path / "new").stat().st_mode & 0o777


def test_a_journal_in_memory_works_like_any_other() -> None:
    """Simulations keep no files."""
    journal = open_journal("sqlite://")
    journal.claim("a simulation")
    journal.commit(a_whole_tick(1))

    assert 1 == len(journal.live_nodes())
    journal.close()


def test_the_migrations_make_the_tables_that_the_code_expects(url: str) -> None:
    """Tables and migrations are two writings of one thing; nothing may stand in only one of them."""
    open_journal(url).close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": tables.SCHEMA_TABLE, "compare_server_default": True}
        )
        assert [] == compare_metadata(context, tables.metadata)
    engine.dispose()


def test_the_number_of_a_purged_order_is_never_given_again_in_a_file(file_url: str) -> None:
    """SQLite counts on from the highest row that is left, unless the table says otherwise."""
    open_journal(file_url).close()
    engine = sa.create_engine(file_url)
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'orders'")
        (made,) = rows.scalars()
    engine.dispose()

    assert "AUTOINCREMENT" in made


def test_the_newest_migration_is_the_schema_the_code_names() -> None:
    """`tables.SCHEMA` is compared at every opening without loading Alembic; it must be the migrations' head."""
    configuration = Config()
    configuration.set_main_option("script_location", str(schema.MIGRATIONS))

    assert tables.SCHEMA == ScriptDirectory.from_config(configuration).get_current_head()


LATER = (
    "confirmed_on", "given_up", "refused_asks", "becomes", "replace_due", "tasks_before", "tasks_now", "tasks_noted_at",
)  # fmt: skip
"""Columns of nodes that the first schema did not have."""


def test_an_older_journal_is_brought_up_to_date_and_keeps_its_nodes(url: str) -> None:
    """A confirmation dated by the wall clock is forgotten, so the order is given once more; nothing else is lost.

    Of those that are being ended, the ones that an operator gave up by force are told by their reason; one that
    drained, or that is still to be stopped, goes on as before.
    """
    ending = {"state": NodeState.DESTROYING, "consumer_order": ConsumerOrder.LEAVE}
    given_up = a_node("images-2", **ending, reason="destroy by anna")
    drained = a_node("images-3", **ending, reason="drained")
    to_be_stopped = a_node("images-4", **ending, reason="destroy by anna", stop_due=True)
    never_told = a_node("images-5", state=NodeState.DESTROYING, reason="destroy by anna")
    _brought_to(url, "0001")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for node in (a_node(state=NodeState.DRAINING), given_up, drained, to_be_stopped, never_told):
            row = codec.node_row(node)
            row["confirmed_at"] = 1_700_000_000.0
            for later in LATER:
                del row[later]
            names = ", ".join(row)
            connection.execute(sa.text(f"INSERT INTO nodes ({names}) VALUES (:{', :'.join(row)})"), row)
    engine.dispose()

    journal = open_journal(url)

    assert (
        a_node(state=NodeState.DRAINING),
        replace(given_up, given_up=True),
        drained,
        to_be_stopped,
        replace(never_told, given_up=True),
    ) == journal.live_nodes()
    journal.close()


def _brought_to(url: str, revision: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        configuration = Config()
        configuration.set_main_option("script_location", str(schema.MIGRATIONS))
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
    engine.dispose()


def test_a_daemon_of_the_release_before_goes_on_writing_after_the_upgrade(url: str) -> None:
    """Until it learns that it must end, its ticks are not lost for a column that it does not know."""
    _brought_to(url, "0003")
    engine = sa.create_engine(url)
    row = codec.node_row(a_node())
    del row["given_up"]
    old = sa.text(f"INSERT INTO nodes ({', '.join(row)}) VALUES (:{', :'.join(row)})")
    open_journal(url).close()
    with engine.begin() as connection:
        connection.execute(old, row)
    engine.dispose()

    with closing(open_journal(url)) as journal:
        assert (a_node(),) == journal.live_nodes()


def test_samples_of_an_older_journal_say_that_nobody_counted(url: str) -> None:
    """What they hold is kept, and what they never held is unknown and not nought."""
    _brought_to(url, "0005")
    engine = sa.create_engine(url)
    row = codec.sample_row(a_sample())
    for column in ("arrived", "completed", "counted_s", "busy"):
        assert row.pop(column) is None
    with engine.begin() as connection:
        old = sa.text(f"INSERT INTO samples ({', '.join(row)}) VALUES (:{', :'.join(row)})")
        connection.execute(old, row)
    engine.dispose()

    with closing(open_journal(url)) as journal:
        assert (a_sample(),) == read.samples_between(journal, IMAGES, 0.0, 9e9)


@pytest.mark.parametrize("manner", [{"make": False}, {"read_only": True}], ids=str)
def test_only_a_daemon_brings_a_journal_up_to_date(url: str, manner: dict[str, bool]) -> None:
    """A command of a new release would change the tables under the old daemon that works with them."""
    _brought_to(url, "0003")

    with pytest.raises(JournalUnavailable, match=r"older than this program's .*only `autoscaler run` brings"):
        open_journal(url, **manner)
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert "0003" == connection.exec_driver_sql("SELECT version_num FROM journal_schema").scalar()
    engine.dispose()


def test_a_holder_whose_tables_another_release_changed_loses_its_lease(url: str) -> None:
    """It could renew it for ever and never write a tick again, and nobody else would lead."""
    with closing(open_journal(url)) as journal:
        journal.claim("of the release before")
        journal.commit(a_whole_tick(1))
        with journal.writing("migrate") as connection:
            connection.exec_driver_sql("UPDATE journal_schema SET version_num = '9999'")

        with pytest.raises(SchemaChanged, match="brought to schema 9999 by another release"):
            journal.commit(a_whole_tick(2))
        assert not journal.served or not journal.may_act()
        assert 1 == len(journal.live_nodes())


def test_opening_does_not_load_alembic_once_the_schema_stands(url: str) -> None:
    """Every command opens the journal; none should wait for a migration tool it does not need."""
    open_journal(url).close()
    program = (
        "import sys; from autoscaler.journal import open_journal;"
        f"open_journal({url!r}).close(); print('alembic' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )

    assert "False" == answer.stdout.strip()


def _newer(path: Path) -> None:
    open_journal(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE journal_schema SET version_num = '9999'")
    connection.close()


def _another_programs(path: Path) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()


def _cut_short(path: Path) -> None:
    open_journal(f"sqlite:///{path}").close()
    path.write_bytes(path.read_bytes()[:6000])


def _text(path: Path) -> None:
    path.write_text("not a database, but long enough to look at " * 50)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_newer, r"has schema 9999, newer than this program's"),
        (_another_programs, "database of another program: it holds bookmarks"),
        (_cut_short, "it is damaged"),
        (_text, "it is not an SQLite database"),
        (Path.mkdir, "it is a directory"),
    ],
)
@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_journal_is_refused_and_left_alone(
    tmp_path: Path, make: object, says: str, *, read_only: bool
) -> None:
    """Each refusal says what was found there."""
    path = tmp_path / "journal.db"
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else b""

    with pytest.raises(JournalUnavailable, match=says):
        open_journal(f"sqlite:///{path}", read_only=read_only)
    assert before == (path.read_bytes() if path.is_file() else b"")


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite:////no/such/directory/journal.db", "No such file or directory"),
        ("mysql://me:hush@localhost/journal", "mysql is not supported"),
        ("postgresql+psycopg://me:hush@127.0.0.1:1/journal", "the server is not there"),
        ("postgresql://me:hush@127.0.0.1:1", "names no database"),
        ("nonsense", "cannot be understood"),
    ],
)
def test_a_place_that_cannot_be_is_refused_without_naming_its_password(url: str, says: str) -> None:
    """No journal is made up where none can be."""
    with pytest.raises(JournalUnavailable, match=says) as refused:
        open_journal(url)
    assert "hush" not in str(refused.value)


def test_a_reader_neither_makes_nor_changes_a_journal(tmp_path: Path, url: str) -> None:
    """Commands that only look leave nothing behind, and cannot write."""
    with pytest.raises(JournalUnavailable, match="there is no journal at"):
        open_journal(url, read_only=True)
    assert [] == list(tmp_path.iterdir())

    open_journal(url).close()
    reader = open_journal(url, read_only=True)
    assert () == reader.live_nodes()
    with pytest.raises(JournalUnavailable, match="it may only be read"):
        reader.commit(a_whole_tick(1))
    reader.close()


def test_an_empty_file_becomes_a_journal(tmp_path: Path, file_url: str) -> None:
    """An operator may have made the file, with the rights it should have."""
    (tmp_path / "journal.db").touch()
    journal = open_journal(file_url)
    journal.commit(a_whole_tick(1))

    assert 1 == len(journal.live_nodes())
    journal.close()


def test_a_journal_that_was_moved_away_takes_no_more_records(tmp_path: Path, file_url: str) -> None:
    """What is written into a file that nobody will open again is forgotten; so it is not written."""
    journal = open_journal(file_url)
    journal.commit(a_whole_tick(1))
    (tmp_path / "journal.db").rename(tmp_path / "old.db")

    with pytest.raises(JournalUnavailable, match="moved or replaced"):
        journal.commit(a_whole_tick(2))
    assert not (tmp_path / "journal.db").exists()
    journal.close()


def test_each_connection_to_a_file_keeps_few_of_its_pages(file_url: str) -> None:
    """What each connection keeps it fills over hours, and there are some: half a MB each at most, not two."""
    with (
        closing(open_journal(file_url)) as journal,
        journal.reading("ask") as one,
        journal.writing("ask") as two,
    ):
        kept = [each.exec_driver_sql("PRAGMA cache_size").scalar_one() for each in (one, two)]

    assert kept == [-512, -512]  # KiB, where it is negative
