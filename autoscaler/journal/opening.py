"""From the journal's URL to its database: which kind it is, and that kind's own door.

What never happens here: a URL, which may hold a password, in a message.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import exc

from autoscaler.journal.contract import JournalUnavailable
from autoscaler.journal.database import Database, Manner
from autoscaler.journal.postgresql import open_postgresql
from autoscaler.journal.sqlite import open_sqlite

_EXPECTED = "expected sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"


def open_database(url: str, *, password: str | None, manner: Manner) -> Database:
    """Open a journal's database at today's schema, made or migrated if need be. Raises JournalUnavailable."""
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError):
        raise JournalUnavailable(f"the journal's url cannot be understood: {_EXPECTED}") from None
    match parsed.get_backend_name():
        case "sqlite":
            return open_sqlite(parsed.database, manner)
        case "postgresql":
            return open_postgresql(parsed, password, manner)
        case other:
            raise JournalUnavailable(f"a journal in {other} is not supported: {_EXPECTED}")
