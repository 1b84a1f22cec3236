"""Journals as earlier releases left them: their schema, and the rows of one of today as far as they had columns."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from autoscaler.journal import schema, tables


def _configuration() -> Config:
    configuration = Config()
    configuration.set_main_option("script_location", str(schema.MIGRATIONS))
    return configuration


REVISIONS = sorted(
    script.revision for script in ScriptDirectory.from_config(_configuration()).walk_revisions()
)
OLDER = REVISIONS[:-1]


def as_of(url: str, revision: str, whole: str) -> None:
    """A journal at an earlier schema with the rows of `whole`, as far as it had columns for them."""
    source, target = sa.create_engine(whole), sa.create_engine(url)
    configuration = _configuration()
    if target.dialect.name == "sqlite":
        with closing(sqlite3.connect(str(target.url.database))) as file:
            file.execute("PRAGMA journal_mode=WAL")  # as every release made them
    with target.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)
    there = sa.MetaData()
    there.reflect(target)
    with source.connect() as given, target.begin() as taken:
        for table in tables.metadata.sorted_tables:
            if table.name not in there.tables:
                continue
            old = there.tables[table.name]
            rows = [
                {name: value for name, value in row.items() if name in old.columns}
                for row in given.execute(sa.select(table)).mappings()
            ]
            if rows:
                taken.execute(sa.insert(old), rows)
    source.dispose()
    target.dispose()


_COLUMNS = {
    "0009": {"nodes": ("becomes", "replace_due")},
    "0010": {"nodes": ("tasks_before", "tasks_now", "tasks_noted_at")},
}
_TABLES = {"0008": ("boots",), "0011": ("standing",), "0012": ("stretches", "thinned")}
_INDEXES = {"0011": ("ix_decisions_pool_number",)}


def take_back(connection: sa.Connection, revision: str) -> None:
    """Make of a journal of today one of that schema, which is 0007 or later, with all its rows."""
    for later in (each for each in reversed(REVISIONS) if each > revision):
        for index in _INDEXES.get(later, ()):
            connection.execute(sa.text(f"DROP INDEX {index}"))
        for table in _TABLES.get(later, ()):
            connection.execute(sa.text(f"DROP TABLE {table}"))
        for table, columns in _COLUMNS.get(later, {}).items():
            for column in columns:
                connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN {column}"))
    connection.execute(
        sa.text(f"UPDATE {tables.SCHEMA_TABLE} SET version_num = :revision"), {"revision": revision}
    )
