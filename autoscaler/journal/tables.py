"""The journal's tables, as they stand after the last migration.

Readable with any SQL shell: plain columns for what people and queries look for, one JSON document where a value is kept
whole. Instants are epoch seconds UTC. What never happens here: queries, and anything only one kind of database knows.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

SCHEMA = "0011"
"""The newest migration. A test holds it to the migrations' own head."""
SCHEMA_TABLE = "journal_schema"
"""Where a database says which migration it stands at; its presence marks a database as a journal."""


class Words(sa.TypeDecorator[str]):
    """Text that people or outside systems wrote. What a database refuses (lone surrogates, NUL) is kept as its escape.

    A provider's odd error message may not stop a tick from being written down.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's signature)
        if value is None:
            return None
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 (SQLAlchemy's signature)
        return value


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _number() -> sa.Column[int]:
    """A key the database counts up. SQLite does so only for a column whose type is exactly INTEGER."""
    return sa.Column("number", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _at(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=nullable)


def _count(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=nullable)


def _words(name: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, Words, nullable=nullable)


nodes = sa.Table(
    "nodes",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    _words("reason"),
    sa.Column("offer_provider", sa.Text, nullable=False),
    sa.Column("offer_location", sa.Text, nullable=False),
    sa.Column("offer_size", sa.Text, nullable=False),
    sa.Column("offer_image", sa.Text, nullable=False),
    sa.Column("offer_price_per_h", sa.Double, nullable=False),
    _count("offer_quantum_s"),
    _count("slots"),
    sa.Column("queues", sa.Text, nullable=False),  # a JSON list of names
    _at("ordered_at"),
    _at("entered_at"),
    _at("entered_on"),
    sa.Column("instance_id", sa.Text),
    _at("instance_created_at", nullable=True),
    _at("enrolled_at", nullable=True),
    _at("missing_on", nullable=True),
    _count("worker_pid", nullable=True),
    sa.Column("consumer_order", sa.Text, nullable=False),
    _at("confirmed_on", nullable=True),
    sa.Column("stop_due", sa.Boolean, nullable=False),
    _at("stopped_at", nullable=True),
    # With a default, so that a daemon of an earlier release goes on writing while its pair is upgraded.
    sa.Column("given_up", sa.Boolean, nullable=False, server_default=sa.false()),
    _count("destroy_asks"),
    sa.Column("refused_asks", sa.BigInteger, nullable=False, server_default="0"),
    _at("next_ask_at"),
    sa.Column("becomes", sa.Text, nullable=False, server_default=sa.text("''")),
    sa.Column("replace_due", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("tasks_before", sa.BigInteger, nullable=False, server_default="0"),
    _count("tasks_now", nullable=True),
    _at("tasks_noted_at", nullable=True),
    sa.Index(None, "state", "entered_at"),
)

transitions = sa.Table(
    "transitions",
    metadata,
    _number(),
    sa.Column("node", sa.Text, nullable=False),
    sa.Column("pool", sa.Text, nullable=False),
    _at("at"),
    sa.Column("event", sa.Text),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text, nullable=False),
    _words("reason"),
    sa.Index(None, "node"),
    sa.Index(None, "at"),
)

decisions = sa.Table(
    "decisions",
    metadata,
    _number(),
    sa.Column("pool", sa.Text, nullable=False),
    _at("at"),
    _count("recommended", nullable=True),
    _count("wanted"),
    _count("workers"),
    _words("sentence"),
    sa.Column("document", sa.LargeBinary, nullable=False),  # JSON behind zlib
    sa.Index(None, "pool", "at"),
    sa.Index(None, "pool", "number"),
    # Covers what every tick asks for of a window: it never has to touch the documents.
    sa.Index("ix_decisions_past", "at", "pool", "recommended", "wanted", "workers"),
)

# The last decision about each pool, whole: the newest of `decisions` where that says the same, but with the figures of
# the last tick at which one moved. A row for every pool there ever was.
standing = sa.Table(
    "standing",
    metadata,
    sa.Column("pool", sa.Text, primary_key=True),
    _at("at"),
    _count("recommended", nullable=True),
    _count("wanted"),
    _count("workers"),
    _words("sentence"),
    sa.Column("document", sa.LargeBinary, nullable=False),
)

samples = sa.Table(
    "samples",
    metadata,
    _number(),
    sa.Column("pool", sa.Text, nullable=False),
    _at("at"),
    _count("backlog", nullable=True),
    _count("in_progress", nullable=True),
    sa.Column("arrivals_per_s", sa.Double),
    sa.Column("completions_per_s", sa.Double),
    sa.Column("wait_s", sa.Double),
    _count("serving"),
    _count("arriving"),
    _count("leaving"),
    _count("wanted"),
    sa.Column("cost_per_h", sa.Double, nullable=False),
    _count("arrived", nullable=True),
    _count("completed", nullable=True),
    sa.Column("counted_s", sa.Double),
    _count("busy", nullable=True),
    sa.Index(None, "pool", "at"),
    sa.Index(None, "at"),
)

slices = sa.Table(
    "slices",
    metadata,
    _number(),
    sa.Column("pool", sa.Text, nullable=False),
    _at("since_at"),
    sa.Column("arrived", sa.Double, nullable=False),
    sa.Column("looked_s", sa.Double, nullable=False),
    sa.Index(None, "pool", "since_at", unique=True),
    sa.Index(None, "since_at"),
)

boots = sa.Table(
    "boots",
    metadata,
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("pool", sa.Text, nullable=False),
    sa.Column("offer", sa.Text, nullable=False),
    _at("at"),
    sa.Column("failed_phase", sa.Text),
    _words("failed_says", nullable=True),
    sa.Column("document", sa.Text, nullable=False),
    _words("log", nullable=True),
    sa.Index(None, "at"),
)

orders = sa.Table(
    "orders",
    metadata,
    _number(),
    sa.Column("kind", sa.Text, nullable=False),
    _words("target"),
    _at("given_at"),
    _words("given_by"),
    _count("workers", nullable=True),
    _at("until_at", nullable=True),
    sa.Column("force", sa.Boolean, nullable=False),
    _at("answered_at", nullable=True),
    sa.Column("carried_out", sa.Boolean),
    _words("says", nullable=True),
    sa.Index(None, "answered_at"),
    sqlite_autoincrement=True,  # the number of a purged order is never given again
)

wishes = sa.Table(
    "wishes",
    metadata,
    sa.Column("pool", sa.Text, primary_key=True),
    sa.Column("paused", sa.Boolean),
    _count("hold_workers", nullable=True),
    _at("hold_until_at", nullable=True),
)

memory = sa.Table(
    "memory",
    metadata,
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),  # always 1: there is one memory
    _at("at"),  # of the last tick
    sa.Column("document", sa.Text, nullable=False),
    sa.CheckConstraint("slot = 1", name="one"),
)

lease = sa.Table(
    "lease",
    metadata,
    sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
    _words("owner"),
    _at("since_at"),
    sa.Column("released", sa.Boolean, nullable=False),
    _at("renewed_at", nullable=True),
    sa.Column("term_s", sa.Double),
)
