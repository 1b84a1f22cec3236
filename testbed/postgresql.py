"""A private PostgreSQL server, beside whatever else runs on this machine.

Comes out: a server on a free loopback port, with a user and databases of its own, that keeps its port and data while
it is stopped and started again. It needs the Debian package `postgresql` but never that package's service or cluster.
Its files lie in a directory it makes itself and removes: the server refuses to run as root, so it may have to run as
another user, who could not enter the caller's. Nothing of it is left running: it is our child, ended by process id.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from testbed import ports, waiting

PROGRAMS = Path("/usr/lib/postgresql")
"""Where Debian keeps each release's programs; they are not on the PATH."""
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 20.0
LOG_LINES_SHOWN = 30
_ADMIN = "admin"

_SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "16MB",
    # What is written here need not outlive a power cut, only a crash of the server.
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
}


class PostgreSQLFailed(RuntimeError):
    """The private server could not be started, or refused what it was asked for."""


class PrivatePostgreSQL:
    """One PostgreSQL server; a context manager that starts it, stops it and removes its files.

    `user` may make no databases and owns those that `make_database` makes. The password holds every character that
    URLs and shells treat specially, so whoever forgets to quote it is found out.
    """

    def __init__(self) -> None:
        self.user = "autoscaler"
        self.password = f"p@ss/w:rd%#?&+ {secrets.token_urlsafe(12)}"
        self.port = ports.free_port()
        self._admin_password = secrets.token_urlsafe(16)
        self._runs_as = _unprivileged()
        self._directory = Path(tempfile.mkdtemp(prefix="testbed-postgresql-"))
        self._server: subprocess.Popen[bytes] | None = None

    def __repr__(self) -> str:
        """Name the server without its password."""
        return f"PrivatePostgreSQL(port={self.port}, running={self.running})"

    @property
    def running(self) -> bool:
        """Whether the server's first process is alive."""
        return self._server is not None and self._server.poll() is None

    def url_for(self, database: str) -> str:
        """Where a journal is kept, with the user and without its password."""
        return f"postgresql+psycopg://{self.user}@{ports.LOOPBACK}:{self.port}/{database}"

    def whole_url_for(self, database: str) -> str:
        """The same with the password, for tests that look into the database themselves."""
        return self.url_for(database).replace("@", f":{quote(self.password, safe='')}@", 1)

    def start(self) -> None:
        """Return once clients are served. Data of an earlier start is still there."""
        if self.running:
            raise PostgreSQLFailed(f"{self!r} runs already")
        fresh = not (self._data / "PG_VERSION").exists()
        if fresh:
            self._make_cluster()
        with (self._directory / "output.log").open("ab") as output:
            self._server = subprocess.Popen(
                [_program("postgres"), "-D", str(self._data)]
                + [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
                + ["-c", f"port={self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C on a terminal is for who started us, who then stops us
                **self._as_user(),
            )
        try:
            waiting.wait_until(self._is_serving, START_DEADLINE_S, f"{self!r} to serve", pause_s=0.05)
            if fresh:
                self._make_user()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the server in order: connections are cut, data is written. Stopping twice is harmless."""
        if self._server is not None and self.running:
            self._server.send_signal(signal.SIGINT)  # PostgreSQL's "fast shutdown"
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(STOP_DEADLINE_S)
        self.kill()

    def kill(self) -> None:
        """End all its processes at once, as a crash would; what was committed stays. Killing twice is harmless."""
        if self._server is None:
            return
        if self.running:
            # Its other processes lead sessions of their own and listen to the first, which this makes end them at once.
            self._server.send_signal(signal.SIGQUIT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._server.wait(STOP_DEADLINE_S)
            self._server.kill()
        self._server.wait()
        self._server = None

    def restart(self) -> None:
        """Stop the server in order and start it on the same port and data."""
        self.stop()
        self.start()

    def make_database(self, name: str) -> str:
        """Make an empty database that our user owns; its URL, without password."""
        statement = sql.SQL("CREATE DATABASE {} OWNER {} STRATEGY file_copy")
        self.execute(statement.format(sql.Identifier(name), sql.Identifier(self.user)))
        return self.url_for(name)

    def drop_database(self, name: str) -> None:
        """End its connections and remove it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def execute(self, statement: sql.SQL | sql.Composed, *, database: str = "postgres") -> None:
        """One statement, as the server's administrator."""
        with self._connect(database) as connection:
            connection.execute(statement)

    def __enter__(self) -> Self:
        """Start the server."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self._directory, ignore_errors=True)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def _connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=ports.LOOPBACK,
            port=self.port,
            user=_ADMIN,
            password=self._admin_password,
            dbname=database,
            connect_timeout=5,
            autocommit=True,
        )

    def _is_serving(self) -> bool:
        """Whether it lets us in. Raises when the process has died, with the last lines it wrote."""
        if not self.running:
            lines = (self._directory / "output.log").read_text(errors="replace").splitlines()
            raise PostgreSQLFailed("\n".join([f"{self!r} ended; it wrote:", *lines[-LOG_LINES_SHOWN:]]))
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    def _make_cluster(self) -> None:
        if self._runs_as is not None:
            os.chown(self._directory, self._runs_as.pw_uid, self._runs_as.pw_gid)
        password_file = self._directory / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(self._admin_password, encoding="ascii")
        if self._runs_as is not None:
            os.chown(password_file, self._runs_as.pw_uid, self._runs_as.pw_gid)
        command = [_program("initdb"), "-D", str(self._data), "-U", _ADMIN, "--pwfile", str(password_file)]
        made = subprocess.run(
            [*command, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=START_DEADLINE_S,
            check=False,
            **self._as_user(),
        )
        password_file.unlink()
        if made.returncode:
            raise PostgreSQLFailed(f"initdb failed: {made.stderr.strip()}")

    def _make_user(self) -> None:
        statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}")
        self.execute(statement.format(sql.Identifier(self.user), sql.Literal(self.password)))

    def _as_user(self) -> dict[str, Any]:
        """Who its processes are, where they start, and what of our environment they see."""
        environment = {key: value for key, value in os.environ.items() if key in {"PATH", "TZ"}}
        running: dict[str, Any] = {"env": environment | {"LC_ALL": "C.UTF-8"}, "cwd": self._directory}
        if self._runs_as is not None:
            running |= {"user": self._runs_as.pw_uid, "group": self._runs_as.pw_gid, "extra_groups": []}
        return running


def _unprivileged() -> pwd.struct_passwd | None:
    """Whom a server started by root runs as; None where we are not root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise PostgreSQLFailed("PostgreSQL does not run as root, and there is no user postgres or nobody")


def _program(name: str) -> str:
    """The newest release's program of that name."""
    found = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise PostgreSQLFailed(f"{PROGRAMS}/*/bin/{name} is needed: apt-get install postgresql")
    return str(found[-1])
