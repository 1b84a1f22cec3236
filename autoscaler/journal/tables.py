"""The journal's tables, as they stand after the last migration.

Readable with any SQL shell: plain columns for what people and queries look for, one JSON document where a value is kept
whole. Instants are epoch seconds UTC. What never happens here: queries, and anything only one kind of database knows.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

SCHEMA = "0012"
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

# What samples become as they age: all looks of a pool at a minute, or an hour, or of the part of it in which the daemon
# looked. What ends in `_sum` is of all its ticks, each anew: a mean is that, divided by `ticks`; of demand by `seen`.
stretches = sa.Table(
    "stretches",
    metadata,
    _number(),
    sa.Column("pool", sa.Text, nullable=False),
    _count("over_s"),  # 60 or 3600
    _at("since_at"),
    _at("at"),  # the first look and the last
    _count("ticks"),
    _count("seen"),  # ticks that saw demand
    _at("seen_since_at", nullable=True),
    _at("seen_at", nullable=True),
    _count("backlog", nullable=True),  # of the last that saw it, as in_progress
    _count("in_progress", nullable=True),
    _count("serving"),  # of the last look, as the next three
    _count("arriving"),
    _count("leaving"),
    _count("wanted"),
    _count("backlog_most", nullable=True),
    sa.Column("wait_s", sa.Double),  # the longest
    sa.Column("waits", sa.Text),  # how often about which wait was seen; autoscaler/journal/gathering.py
    _count("in_progress_sum", nullable=True),
    sa.Column("arrivals_sum", sa.Double),  # of the rates of so many looks
    _count("arrivals_looks"),
    sa.Column("completions_sum", sa.Double),
    _count("completions_looks"),
    _count("serving_sum"),
    _count("serving_most"),
    _count("arriving_sum"),
    _count("leaving_sum"),
    _count("wanted_sum"),
    _count("wanted_least"),
    _count("wanted_most"),
    sa.Column("cost_sum", sa.Double, nullable=False),
    _count("arrived", nullable=True),
    _count("completed", nullable=True),
    sa.Column("counted_s", sa.Double),
    _count("counted"),  # looks that could tell what came since the one before
    _count("busy_first", nullable=True),
    _count("busy_last", nullable=True),
    _count("busy_most", nullable=True),
    _count("busy_sum", nullable=True),
    sa.Column(
        "busy_s", sa.Double, nullable=False
    ),  # seconds of slots, from the first look that saw demand to the last
    sa.Index(None, "pool", "at"),
    sa.Index(None, "over_s", "at"),
)

# How far decisions were thinned: the numbers of the last ones that were looked through.
thinned = sa.Table(
    "thinned",
    metadata,
    sa.Column("slot", sa.Integer, primary_key=True, autoincrement=False),  # always 1
    _count("changes"),  # for those that changed nothing
    _count("hours"),  # for all but the last of six hours
    sa.CheckConstraint("slot = 1", name="one"),
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
