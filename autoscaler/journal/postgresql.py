"""A journal on a PostgreSQL server, for pairs of daemons: how it is reached, its time-outs, what its errors mean.

In goes a URL and a password, out comes a `Database`. No call waits without an end, and connections that a restart of
the server broke are made anew. What never happens here: tables, records, a password in a message.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy import pool

from autoscaler.journal.contract import JournalUnavailable
from autoscaler.journal.database import MIGRATION_S, Database, Manner, Tongue, bring_up_to_date, translated

CONNECT_S = 5
"""For one address of the server, login included; whole seconds, as libpq wants them. To find the addresses of its name
takes as long as this machine's resolver allows itself (resolv.conf)."""
STATEMENT_S = 10.0
"""For one statement. The longest, a purge of some thousand rows, takes a fraction of a second."""
LOCK_S = 5.0
"""How long one transaction waits for another, whose work takes milliseconds."""
ANSWER_S = STATEMENT_S + LOCK_S
"""For one transaction altogether, by our own clock: a server or a pooler that stands still keeps none of its own, and
one that replicates synchronously waits without end for its replica."""
IDLE_IN_TRANSACTION_S = 2.0
"""A program that was stopped between two statements keeps its locks no longer than this, the lease's among them."""
_CONNECTIONS = 5
_SCHEMA_LOCK = 4_702_111_234_474_983_745
"""The key of the advisory lock of those who make or migrate a journal: chosen by chance, never to be changed."""
_DRIVER = "postgresql+psycopg"

_REACHING: Mapping[str, object] = {
    "connect_timeout": CONNECT_S,
    # A server whose machine vanished answers nothing and refuses nothing: the kernel gives up after 11 s.
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 11_000,
    "application_name": "autoscaler",
    "prepare_threshold": None,  # statements prepared on one server are not there on the next, behind a pooler
}
_SETTINGS = (
    f"-c statement_timeout={STATEMENT_S * 1000:.0f} -c lock_timeout={LOCK_S * 1000:.0f} "
    f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_S * 1000:.0f} "
    # Whole numbers and instants, whatever the user's default: a rounded one finds its own row no more.
    "-c extra_float_digits=1"
)

_MEANINGS = (
    ("53100", "the server's disk is full"),
    ("53300", "the server allows no more connections"),
    ("53", "the server is short of memory or another resource"),
    ("25006", "it may only be read; a server that is a read-only replica says so too"),
    ("40", "another transaction was in the way; the next tick tries again"),
    ("55P03", f"another program kept it locked for more than {LOCK_S:g} s"),
    ("57014", f"the server did not get it done within {STATEMENT_S:g} s"),
    ("57P", "the server is going down or coming up"),
    ("25P03", "this program was held up in the middle of a transaction, and the server ended it"),
    ("08", "the connection to the server was lost"),
    ("42501", "this user lacks a right on the server (docs/standby.md names those it needs)"),
    ("23", "a record contradicts those already there"),
    ("22", "a value does not fit its column"),
    ("XX", "the server reports damage or a fault of its own"),
)
"""What SQLSTATEs mean to an operator; matched by how they start."""
_WHEN_REACHING = (
    (r"password authentication failed|no password supplied", "the user or its password is wrong"),
    (r'database ".*" does not exist', "the server has no such database"),
    (r'role ".*" does not exist', "the server has no such user"),
    (r"no pg_hba\.conf entry", "the server lets nobody in from here by that name (pg_hba.conf)"),
    (r"too many clients|remaining connection slots", "the server allows no more connections"),
    (r"starting up|shutting down|recovery mode|not yet accepting", "the server is going down or coming up"),
    (r"certificate|SSL", "no trusted connection came about"),
    (r"could not translate host name|failed to resolve host", "its name is not known"),
    (r"Connection refused|No such file or directory|timeout|No route|unreachable", "the server is not there"),
    (
        r"closed the connection|terminating connection|server closed|connection.*lost",
        "the connection was lost",
    ),
)
"""A login that fails has no SQLSTATE, only words; they are shown in any case. These are PostgreSQL's in English."""
_PASSES_BY_ITSELF = frozenset(
    {
        "the server allows no more connections",
        "the server is going down or coming up",
        "the connection to the server was lost",
        "the connection was lost",
        "the server is not there",
        "its name is not known",  # as long as a machine that starts has no network yet
    }
)


def open_postgresql(url: sa.URL, password: str | None, manner: Manner) -> Database:
    """Open the database at that URL, its tables made or migrated if need be and allowed.

    Without a password libpq looks for one where it always does (`passfile`, `PGPASSFILE`, `~/.pgpass`). Raises
    JournalUnavailable.
    """
    place = _place(url)
    if not url.database:
        raise JournalUnavailable(
            f"the journal's url names no database: expected {_DRIVER}://USER@HOST/DATABASE"
        )
    try:
        import psycopg  # noqa: PLC0415 - only who keeps a journal on a server needs the driver

        from autoscaler.journal import patience  # noqa: PLC0415 - stands on the driver
    except ImportError as error:
        raise JournalUnavailable(
            f"the journal {place}: the driver psycopg cannot be loaded ({error}): "
            "install vps-autoscaler with its extra `postgresql`"
        ) from error
    tongue = Tongue(
        errors=psycopg.Error, explain=_explain, is_away=lambda error: _meaning(error) in _PASSES_BY_ITSELF
    )
    with translated(place, "open it", tongue):
        engine = _engine(url, password, read_only=manner.read_only)
    sa.event.listen(
        engine,
        "do_connect",
        lambda _dialect, _record, given, named: patience.connect(*given, **named),
    )
    database = Database(
        engine=engine,
        place=place,
        tongue=tongue,
        reading={"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
        # Not serializable: who commits holds the lease's row, and others only add rows of their own.
        writing={"isolation_level": "READ COMMITTED", "postgresql_readonly": manner.read_only},
        bounded=lambda within_s: patience.within(within_s or ANSWER_S),
    )
    try:
        bring_up_to_date(database, manner, _lock_schema)
    except BaseException:
        database.close()
        raise
    return database


def _engine(url: sa.URL, password: str | None, *, read_only: bool) -> sa.Engine:
    theirs = str(url.query.get("options", ""))
    ours = f"{_SETTINGS} -c default_transaction_read_only={'on' if read_only else 'off'}"
    target = url.set(drivername=_DRIVER).difference_update_query(["options"])
    if password is not None:
        target = target.set(password=password)
    engine = sa.create_engine(
        target,
        connect_args={**_REACHING, "options": f"{theirs} {ours}".strip()},
        poolclass=pool.QueuePool,
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=LOCK_S,
        pool_pre_ping=True,  # after a restart of the server the first call finds its old connections dead
        hide_parameters=True,  # records hold operators' words; errors end up in logs
    )
    sa.event.listen(engine, "first_connect", _check_encoding)
    sa.event.listen(engine, "connect", _on_connect)
    return engine


def _lock_schema(connection: sa.Connection) -> None:
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
    connection.execute(sa.text(f"SET LOCAL statement_timeout = {MIGRATION_S * 1000:.0f}"))


def _on_connect(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    """A committed order outlives a crash of the server, whatever its default; a stricter default stays."""
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('synchronous_commit', 'on', false) "
        "WHERE current_setting('synchronous_commit') IN ('off', 'local')"
    )
    cursor.close()
    connection.commit()


def _check_encoding(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
    """What operators and providers say is any text; other encodings would refuse some of it in mid-tick."""
    cursor = connection.cursor()
    cursor.execute("SHOW server_encoding")
    row = cursor.fetchone()
    cursor.close()
    connection.commit()
    if row is None or row[0] != "UTF8":
        raise ValueError(f"its encoding is {row[0] if row else 'unknown'}; expected UTF8")


def _place(url: sa.URL) -> str:
    """The database and its server in words, without user, password and options."""
    given = url.query.get("host", url.host or "this machine")
    hosts = (given,) if isinstance(given, str) else given
    port = f":{url.port}" if url.port else ""
    return f"{url.database} on {', '.join(hosts)}{port}"


def _explain(error: BaseException | None) -> str:
    """The meaning, and the server's own first line, which names tables and roles but never values."""
    meaning = _meaning(error)
    diagnosis = getattr(error, "diag", None)
    lines = str(getattr(diagnosis, "message_primary", None) or error).strip().splitlines()
    says = lines[0] if lines else type(error).__name__
    return f"{meaning} ({says})" if meaning else says


def _meaning(error: BaseException | None) -> str:
    """By its SQLSTATE, or by its words where it has none; empty for what no table names."""
    if state := getattr(error, "sqlstate", None) or "":
        return next((means for prefix, means in _MEANINGS if state.startswith(prefix)), "")
    text = str(error)
    return next((means for words, means in _WHEN_REACHING if re.search(words, text, re.IGNORECASE)), "")
