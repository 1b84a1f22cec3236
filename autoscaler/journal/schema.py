"""Which migration a database stands at, and the way to today's.

In goes a connection inside a transaction; afterwards the database is at `tables.SCHEMA`, or a JournalUnavailable says
why it is not.
What never happens here: a step back, or a change to a database that is not a journal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from autoscaler.journal import tables
from autoscaler.journal.contract import JournalAbsent, JournalUnavailable, SchemaChanged

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"

_version = sa.table(tables.SCHEMA_TABLE, sa.column("version_num", sa.Text))


def require_unchanged(connection: sa.Connection) -> None:
    """For who opened the journal at today's schema some time ago. Raises SchemaChanged if it stands elsewhere now."""
    standing = connection.execute(sa.select(_version.c.version_num)).scalar()
    if standing != tables.SCHEMA:
        raise SchemaChanged(
            f"the journal was brought to schema {str(standing)[:40]} by another release; "
            f"this program writes {tables.SCHEMA} and can write nothing more"
        )


def is_current(connection: sa.Connection, *, place: str) -> bool:
    """Whether nothing is to be done. Raises JournalUnavailable for a database that is not a journal."""
    return _standing(connection, place=place) == tables.SCHEMA


def require_current(connection: sa.Connection, *, place: str) -> None:
    """For who may not migrate. Raises JournalUnavailable unless the database stands at today's schema."""
    standing = _standing(connection, place=place)
    if standing == tables.SCHEMA:
        return
    if standing is None:
        raise JournalAbsent(place)
    if standing in _known():
        raise JournalUnavailable(
            f"the journal {place} has schema {standing}, older than this program's {tables.SCHEMA}: "
            "only `autoscaler run` brings it up to date, so start the daemon of this release, or use commands of the "
            "release whose daemon runs"
        )
    raise _newer(place, standing)


def upgrade(connection: sa.Connection, *, place: str, first: Callable[[str], None]) -> str | None:
    """Bring the database to today's schema, in the caller's transaction. Raises JournalUnavailable for a newer one.

    One that stood elsewhere is handed `first` the name of that schema, which is returned; None where nothing was
    changed, or made anew.
    """
    # Another program may have done so since we looked; the write lock is ours now, so look again.
    standing = _standing(connection, place=place)
    if standing == tables.SCHEMA:
        return None
    if standing not in _known():
        raise _newer(place, standing)
    if standing is not None:
        first(standing)
    # Alembic is slow to import and needed once in a journal's life.
    from alembic import command  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    configuration = _alembic()
    configuration.attributes["connection"] = connection
    try:
        command.upgrade(configuration, "head")
    except CommandError as error:
        raise JournalUnavailable(
            f"the journal {place}: its schema cannot be brought up to date: {error}"
        ) from error
    return standing


def _standing(connection: sa.Connection, *, place: str) -> str | None:
    """The migration a database stands at; None for an empty one."""
    names = sa.inspect(connection).get_table_names()
    if tables.SCHEMA_TABLE in names:
        return connection.execute(sa.select(_version.c.version_num)).scalar()
    if names:
        raise JournalUnavailable(
            f"{place} is a database of another program: it holds {', '.join(names[:3])}, but no journal"
        )
    return None


def _known() -> frozenset[str | None]:
    """Every migration this program has, and the empty database they start from."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 (as above)

    scripts = ScriptDirectory.from_config(_alembic())
    return frozenset({script.revision for script in scripts.walk_revisions()} | {None})


def _alembic() -> Config:
    from alembic.config import Config  # noqa: PLC0415 (as above)

    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return configuration


def _newer(place: str, standing: str | None) -> JournalUnavailable:
    return JournalUnavailable(
        f"the journal {place} has schema {str(standing)[:40]}, newer than this program's {tables.SCHEMA}: "
        "run the release that wrote it, or a later one; docs/upgrading.md has the way back to an older one"
    )
